"""What a build does about offsets that contradict pixels: other scenes are asked, and used, or the pixels are believed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from catalogs.bands import find_sensor
from catalogs.foreign import SourceBand, SourceScene
from catalogs.journal import Failure
from catalogs.records import Location, Radiometry
from catalogs.writer import Patch
from curate import offsets
from curate.choose import Candidate, merge_copies
from curate.decide import Decision, Limits
from curate.errors import SourceUnavailableError
from curate.looks import Look
from curate.offsets import OTHER_DATES, UNREADABLE, weigh_offset
from curate.seasons import DateWindow
from tests.catalogs.radiometry_scenes import CONVENTIONS, S2, as_planes, ground

PLACE = Location("a-000000", 32631, (500040, 5400000, 500640, 5400600))
DAY = datetime(2023, 6, 1, tzinfo=UTC)
WINDOW = DateWindow(0, DAY, DAY + timedelta(days=5))
GRID = PLACE.grid(10)
HAZE = 0.08
"""What thin haze adds to the reflectance of all bands."""
LANDSAT, CLEAR = find_sensor("landsat-c2-l2"), 64
GROUNDS = {"hazy": "fields", "snow": "desert"}
"""What lies beneath."""


class Archive:
    """Scenes of one ground: day, kind of ground, convention, and how their provider is known."""

    def __init__(self):
        self.candidates, self.made, self.wished, self.landsat = [], {}, [], {}

    def add(
        self, id_, *, day=0, kind="fields", convention="not needed", baseline="05.11", disputed=False, masked=True, **other
    ):
        stated = CONVENTIONS[convention][1]
        names = {name: SourceBand(f"{id_}/{name}", scale=1e-4, offset=stated) for name in ("B02", "B03", "B04", "B08")}
        bands = names | ({"scl": SourceBand(f"{id_}/scl")} if masked else {})
        scene = SourceScene(
            id_, S2.id, {}, bands, datetime=DAY + timedelta(days=day), baseline=baseline, disputed=disputed,
            platform="sentinel-2a", **({"radiometry": "metadata"} | other),
        )  # fmt: skip
        self.candidates.append(Candidate(scene, covers=True))
        self.made[id_] = kind, convention
        return self

    def add_landsat(self, id_, *, day=0):
        """A scene of numbers that are all alike; those of `low` are far below zero."""
        bands = {name: SourceBand(f"{id_}/{name}") for name in (LANDSAT.bands[0].name, LANDSAT.mask.name)}
        scene = SourceScene(id_, LANDSAT.id, {}, bands, datetime=DAY + timedelta(days=day))
        self.landsat.setdefault(LANDSAT.id, []).append(Candidate(scene, covers=True))
        return self

    def answer(self, scene, masks):
        if scene.sensor == LANDSAT.id:
            band = LANDSAT.mask if masks else LANDSAT.bands[0]
            pixels = np.full((1, 20, 20), CLEAR if masks else 100 if scene.id == "low" else 9000, "uint16")
            return [Patch(band.name if masks else "30m", pixels, (band,), PLACE.grid(30), is_mask=masks)]
        kind, convention = self.made[scene.id]
        if kind == "broken":
            return SourceUnavailableError(f"{scene.id} does not answer.")
        bands, scl = ground(GROUNDS.get(kind, kind), seed=len(scene.id), side=60)
        if kind == "hazy":
            bands = {name: values + HAZE for name, values in bands.items()}
        if kind == "snow":
            scl[:] = 11
        if masks:
            return [Patch("scl", scl[None], (S2.mask,), GRID, is_mask=True)]
        planes = as_planes(bands, convention)
        return [Patch("10m", np.stack([pixels for _, pixels in planes]), tuple(band for band, _ in planes), GRID)]

    def decide(self, mode="strict", max_delta_days=None):
        merged = merge_copies(self.candidates, PLACE.epsg)
        inside = [one for one in merged if WINDOW.start <= one.scene.datetime < WINDOW.end]
        limits = Limits(10, max_delta_days, mode)
        candidates, others = {S2.id: inside} | self.landsat, {S2.id: merged} | self.landsat
        steps, answers = Decision(PLACE, WINDOW, candidates, limits, others=others).steps(), None
        while True:
            try:
                wish = steps.send(answers)
            except StopIteration as decided:
                return decided.value
            self.wished += [(scene.id, wish.masks) for scene in wish.scenes]
            answers = [self.answer(scene, wish.masks) for scene in wish.scenes]


def kept(outcome):
    (look,) = outcome
    return look.scene.id, look.radiometry, look.patches[0].bands[0].offset


@pytest.mark.parametrize(
    ("convention", "offset", "harmonized"), [("not needed", 0.0, "not_needed"), ("applied", -0.1, "applied")]
)
def test_a_right_offset_is_kept_in_every_mode(convention, offset, harmonized):
    for mode in ("strict", "keep", "pixels"):
        archive = Archive().add("a", convention=convention, disputed=True)
        assert kept(archive.decide(mode)) == ("a", Radiometry("metadata", "consistent", harmonized, "dark"), offset)
        assert archive.wished == [("a", True), ("a", False)]


@pytest.mark.parametrize(("convention", "stated", "right"), [("missing", "0", "-0.1"), ("one too many", "-0.1", "0")])
def test_a_scene_that_lies_is_not_used_and_the_failure_says_what_its_pixels_say(convention, stated, right):
    failure = Archive().add("liar", convention=convention).decide()
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.sensor, failure.transient) == ("radiometry", S2.id, False)
    words = f"scene liar states an offset of {stated}, but its dark pixels contradict that (they call for {right})"
    assert f"{words}; 1 of 1 candidates is like that. Widen" in failure.message
    assert "--radiometry pixels" in failure.message


def test_another_scene_of_the_window_is_used_instead():
    archive = Archive().add("liar", convention="missing").add("b", day=1, convention="applied")
    assert kept(archive.decide())[0] == "b"


@pytest.mark.parametrize("convention", ["missing", "one too many"])
def test_keep_writes_the_scene_and_says_conflict(convention):
    id_, radiometry, offset = kept(Archive().add("liar", convention=convention).decide("keep"))
    assert (id_, offset) == ("liar", CONVENTIONS[convention][1])
    assert radiometry == Radiometry("metadata", "conflict", "conflict", "dark")


@pytest.mark.parametrize(
    ("convention", "offset", "harmonized"), [("missing", -0.1, "applied"), ("one too many", 0.0, "not_needed")]
)
def test_pixels_are_believed_where_the_user_says_so(convention, offset, harmonized):
    archive = Archive().add("liar", convention=convention)
    (look,) = archive.decide("pixels")
    assert look.radiometry == Radiometry("pixels", "consistent", harmonized, "dark")
    assert {band.offset for band in look.patches[0].bands} == {offset}
    (raw,) = archive.answer(look.scene, masks=False)
    np.testing.assert_array_equal(look.patches[0].pixels, raw.pixels)
    (band,) = look.mask.bands
    assert (band.scale, band.offset) == (None, None)


def test_a_landsat_scene_that_pixels_contradict_has_no_other_offset_to_believe():
    sensor = find_sensor("landsat-c2-l2")
    scene = SourceScene("l", sensor.id, {}, {}, datetime=DAY)
    patch = Patch("30m", np.full((1, 8, 8), 100, "uint16"), sensor.bands[:1], PLACE.grid(75))
    look = Look(scene, patches=[patch])
    list(weigh_offset(look, Candidate(scene, covers=True), [], "pixels"))
    assert look.refusal == "scene l states an offset of -0.2, but its dark pixels contradict that"
    assert look.radiometry == Radiometry("default", "conflict", None, "dark")


@pytest.mark.parametrize("mode", ["strict", "pixels"])
def test_a_failure_names_the_sensor_that_fails_and_advises_nothing_that_cannot_help(mode):
    """Sentinel-2's copy answers; Landsat has one right offset only."""
    failure = two_providers(kind="fields").add_landsat("low").decide(mode)
    assert (failure.sensor, failure.reason) == (LANDSAT.id, "radiometry")
    assert "scene low states an offset of -0.2, but its dark pixels contradict that; 1 of 1" in failure.message
    assert failure.message.endswith("Widen the dates or choose another --source.")


def test_scenes_too_far_apart_are_told_though_one_of_them_is_a_copy():
    archive = two_providers(kind="fields").add_landsat("low").add_landsat("far", day=3)
    failure = archive.decide(max_delta_days=1)
    assert (failure.reason, archive.wished[-1]) == ("too-far-apart", ("far", True))
    assert "are 3.0 days apart" in failure.message


@pytest.mark.parametrize("mode", ["strict", "pixels"])
@pytest.mark.parametrize(("convention", "right"), [("missing", -0.1), ("one too many", 0.0)])
def test_where_dark_pixels_do_not_tell_another_date_does(convention, right, mode):
    archive = Archive().add("liar", kind="desert", convention=convention, disputed=True)
    archive.add("old", day=-700, kind="desert", baseline="02.14")
    outcome = archive.decide(mode)
    if mode == "strict":
        assert "next to old, another date, all its visible bands are off by as much" in outcome.message
    else:
        assert kept(outcome)[1] == Radiometry("pixels", "consistent", "applied" if right else "not_needed", "date")
        assert kept(outcome)[2] == right
    assert archive.wished[2:] == [("old", True), ("old", False), ("liar", False)]


def test_another_date_confirms_an_offset():
    archive = Archive().add("a", kind="desert", convention="applied", disputed=True)
    archive.add("old", day=-700, kind="desert", baseline="02.14")
    assert kept(archive.decide())[1] == Radiometry("metadata", "consistent", "applied", "date")


def two_providers(convention="missing", kind="desert", copy="applied"):
    """An acquisition that a disputed collection has, and another provider too; and a date from before there was an offset."""
    archive = Archive().add("a", kind=kind, convention=convention, source="earth-search", disputed=True)
    archive.add("b", kind=kind, convention=copy, source="planetary-computer", rank=1)
    return archive.add("old", day=-700, kind=kind, baseline="02.14")


@pytest.mark.parametrize(("convention", "right"), [("missing", -0.1), ("one too many", 0.0)])
def test_the_same_acquisition_from_a_provider_that_is_right_tells_first(convention, right):
    archive = two_providers(convention)
    told = Radiometry("pixels", "consistent", "applied" if right else "not_needed", "provider")
    assert kept(archive.decide("pixels")) == ("a", told, right)
    assert archive.wished[2:] == [("b", True), ("b", False), ("a", False)]


class Repainted(Archive):
    """Scenes whose numbers are changed after they were made: by band, number of rows from below, and what is done to them."""

    change = staticmethod(lambda name, numbers: numbers)

    def answer(self, scene, masks):
        patches = super().answer(scene, masks)
        for patch in () if masks else patches:
            for band, numbers in zip(patch.bands, patch.pixels, strict=True):
                numbers[:] = self.change(band.name, numbers)
        return patches


def test_haze_without_a_mask_is_judged_under_the_offset_that_the_pixels_bear_out():
    """Half of the square lies under haze, which an offset too many makes as dark as ground."""
    archive = Repainted().add("liar", convention="one too many", masked=False)
    archive.change = lambda _, numbers: np.vstack([numbers[:30], np.full_like(numbers[30:], 2000)])
    failure = archive.decide("pixels")
    assert failure.reason == "not-clear"
    assert "the only candidate has 50.0 %" in failure.message
    assert archive.decide().reason == "radiometry"


def test_bright_ground_without_a_mask_is_no_cloud_for_want_of_its_offset():
    """Without the offset that a copy tells it lacks, its light soil would be as bright as cloud."""
    archive = Repainted().add("a", kind="desert", convention="missing", source="earth-search", disputed=True, masked=False)
    archive.add("b", kind="desert", convention="applied", source="planetary-computer", rank=1)
    archive.change = lambda name, numbers: numbers + np.uint16(500 * (name == "B02"))
    (look,) = archive.decide("pixels")
    assert (look.scene.id, look.radiometry) == ("a", Radiometry("pixels", "consistent", "applied", "provider"))
    assert (look.judgement.method, look.judgement.not_clear_percent, look.not_clear) == ("brightness", 0, 0)
    assert archive.wished.count(("a", False)) == 2
    assert kept(archive.decide())[0] == "b"


@pytest.mark.parametrize(("kind", "check", "evidence"), [("desert", "unchecked", None), ("fields", "consistent", "dark")])
def test_for_a_scene_that_lies_its_copy_from_another_provider_is_used(kind, check, evidence):
    assert kept(two_providers(kind=kind).decide()) == ("b", Radiometry("metadata", check, "applied", evidence), -0.1)


def test_a_copy_that_lies_too_is_of_no_use():
    failure = two_providers(kind="fields", copy="one too many").decide()
    assert failure.reason == "radiometry"
    assert "scene a states an offset of 0" in failure.message


def test_dates_that_may_lie_themselves_tell_only_where_their_own_dark_pixels_bear_them_out():
    archive = Archive().add("a", kind="desert", convention="missing", disputed=True)
    archive.add("b", day=20, kind="desert", convention="applied", disputed=True)
    assert kept(archive.decide())[1] == Radiometry("metadata", "unchecked", "not_needed", None)


def with_dates(*kinds):
    """A disputed scene of a desert, and dates from before there was an offset, the nearest first."""
    archive = Archive().add("a", kind="desert", convention="applied", disputed=True)
    for number, kind in enumerate(kinds, 1):
        archive.add(f"x{number}", day=-100 * number, kind=kind, baseline="02.14")
    return archive


def test_for_a_date_that_cannot_be_read_the_next_one_tells():
    archive = with_dates("broken", "desert", "broken")
    assert kept(archive.decide())[1] == Radiometry("metadata", "consistent", "applied", "date")
    assert archive.wished[2:] == [("x1", True), ("x2", True), ("x2", False), ("a", False)]


def test_an_offset_that_only_unreadable_dates_could_confirm_is_tried_again():
    """That a request fails must not decide what is kept: a disputed scene would pass as unchecked for good."""
    archive = with_dates(*["broken"] * 5)
    failure = archive.decide()
    assert (failure.reason, failure.transient) == ("unreadable", True)
    assert "The offset of scene a can be told only next to others, of which one fails: x1 does not answer." in failure.message
    assert archive.wished[2:] == [("x1", True), ("x2", True)]
    assert UNREADABLE == 2


def test_only_some_dates_are_read_and_those_that_tell_nothing_leave_it_unchecked():
    archive = with_dates(*["snow"] * 5)
    assert kept(archive.decide())[1].check == "unchecked"
    assert archive.wished[2:] == [(name, masks) for name in ("x1", "x2") for masks in (True, False)] + [("a", False)]
    assert OTHER_DATES == 2


def test_nobody_else_is_read_where_a_scene_is_kept_whatever_they_say():
    archive = with_dates("desert")
    assert kept(archive.decide("keep"))[1] == Radiometry("metadata", "unchecked", "applied", None)
    assert len(archive.wished) == 2


HAZY = {"kind": "hazy", "baseline": "05.11"}


@pytest.mark.parametrize("mode", ["strict", "pixels"])
def test_haze_over_plants_is_no_missing_offset_of_a_collection_that_has_none(mode):
    archive = Archive().add("a", **HAZY, source="earth-engine:project", radiometry="collection")
    (look,) = archive.decide(mode)
    assert (look.radiometry.decision, look.radiometry.harmonized) == ("collection", "not_needed")
    assert {band.offset for band in look.patches[0].bands} == {0.0}


def test_a_scene_of_a_provider_that_is_right_is_never_given_an_offset_it_lacks():
    failure = Archive().add("a", **HAZY, source="cdse").decide("pixels")
    assert failure.reason == "radiometry"
    assert "states an offset of 0, but its dark pixels contradict that;" in failure.message
    assert "--radiometry" not in failure.message
    assert kept(Archive().add("a", **HAZY).decide("pixels"))[2] == -0.1


@pytest.mark.parametrize(
    "known",
    [
        {"source": "earth-search", "convention": "applied"},
        {"source": "planetary-computer", "convention": "applied"},
        {"source": "earth-engine:project", "convention": "not needed"},
        {"baseline": "02.14"},
        {"simulated": True},
        {"source": "my products", "href": "/data/S2A.SAFE/MTD_MSIL2A.xml", "convention": "applied"},
    ],
    ids=str,
)
def test_nothing_more_is_read_where_the_provider_is_beyond_doubt(known):
    archive = Archive().add("a", kind="desert", **known).add("old", day=-700, kind="desert", baseline="02.14")
    assert kept(archive.decide())[1].check == "unchecked"
    assert len(archive.wished) == 2


def test_dates_under_stated_cloud_are_not_read_and_those_over_part_of_the_square_last():
    archive = Archive().add("a", kind="desert", convention="applied", disputed=True)
    archive.add("cloudy", day=100, kind="desert", baseline="02.14", cloud_percent=80.0)
    archive.add("edge", day=200, kind="broken", baseline="02.14")
    archive.candidates[-1] = replace(archive.candidates[-1], covers=False)
    archive.add("far", day=300, kind="broken", baseline="02.14")
    archive.decide()
    assert archive.wished[2:4] == [("far", True), ("edge", True)]


def test_the_first_reference_is_the_first_of_all():
    """A plan asks for it alone, among hundreds of dates."""
    rng = np.random.default_rng(0)
    bands = {"B04": SourceBand("a.tif", offset=-0.1), "scl": SourceBand("b.tif")}

    def candidate(number, copies=()):
        when = datetime(2023, 6, 1, tzinfo=UTC) + timedelta(hours=int(rng.integers(1000)))
        source, cloud = ("earth-search", "https://stac.example.org")[rng.integers(2)], float(rng.integers(100))
        scene = SourceScene(f"scene-{number}", S2.id, {}, bands, datetime=when, cloud_percent=cloud, source=source)
        return Candidate(scene, covers=bool(rng.integers(2)), copies=copies)

    for count in [0, 1, 2, *[12] * 30]:
        others = [candidate(number) for number in range(count)]
        for own in [candidate("own"), candidate("own", copies=tuple(each.scene for each in others[:2])), *others[:1]]:
            first = next((scene for _, scene in offsets._references(own, others)), None)
            assert offsets.first_reference(own, others) is first
