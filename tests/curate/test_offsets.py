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
from curate.choose import Candidate, merge_copies
from curate.decide import Decision, Limits
from curate.errors import SourceUnavailableError
from curate.looks import Look
from curate.offsets import OTHER_DATES, weigh_offset
from curate.seasons import DateWindow
from tests.catalogs.radiometry_scenes import CONVENTIONS, S2, as_planes, ground

PLACE = Location("a-000000", 32631, (500040, 5400000, 500640, 5400600))
DAY = datetime(2023, 6, 1, tzinfo=UTC)
WINDOW = DateWindow(0, DAY, DAY + timedelta(days=5))
GRID = PLACE.grid(10)


class Archive:
    """Scenes of one ground: day, kind of ground, convention, and how their provider is known."""

    def __init__(self):
        self.candidates, self.made, self.wished = [], {}, []

    def add(self, id_, *, day=0, kind="fields", convention="not needed", baseline="05.11", disputed=False, **other):
        stated = CONVENTIONS[convention][1]
        names = {name: SourceBand(f"{id_}/{name}", scale=1e-4, offset=stated) for name in ("B02", "B03", "B04", "B08")}
        bands = names | {"scl": SourceBand(f"{id_}/scl")}
        scene = SourceScene(
            id_, S2.id, {}, bands, datetime=DAY + timedelta(days=day), baseline=baseline, disputed=disputed,
            platform="sentinel-2a", radiometry="metadata", **other,
        )  # fmt: skip
        self.candidates.append(Candidate(scene, covers=True))
        self.made[id_] = kind, convention
        return self

    def answer(self, scene, masks):
        kind, convention = self.made[scene.id]
        if kind == "broken":
            return SourceUnavailableError(f"{scene.id} does not answer.")
        bands, scl = ground(kind, seed=len(scene.id), side=60)
        if masks:
            return [Patch("scl", scl[None], (S2.mask,), GRID, is_mask=True)]
        planes = as_planes(bands, convention)
        return [Patch("10m", np.stack([pixels for _, pixels in planes]), tuple(band for band, _ in planes), GRID)]

    def decide(self, mode="strict"):
        merged = merge_copies(self.candidates, PLACE.epsg)
        inside = [one for one in merged if WINDOW.start <= one.scene.datetime < WINDOW.end]
        limits = Limits(10, None, mode)
        steps, answers = Decision(PLACE, WINDOW, {S2.id: inside}, limits, others={S2.id: merged}).steps(), None
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


def test_a_date_that_cannot_be_read_tells_nothing_and_only_some_are_read():
    archive = Archive().add("a", kind="desert", convention="applied", disputed=True)
    for number in range(1, 6):
        archive.add(f"x{number}", day=100 * number, kind="broken", baseline="02.14")
    assert kept(archive.decide())[1].check == "unchecked"
    assert archive.wished[2:] == [("x1", True), ("x2", True), ("a", False)]
    assert OTHER_DATES == 2


@pytest.mark.parametrize(
    "known",
    [
        {"source": "earth-search", "convention": "applied"},
        {"source": "planetary-computer", "convention": "applied"},
        {"source": "earth-engine:project", "convention": "not needed"},
        {"baseline": "02.14"},
        {"simulated": True},
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
