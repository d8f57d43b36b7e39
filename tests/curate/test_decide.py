"""Decisions, against the plain way that reads what it needs at once; and what is asked of whoever reads."""

import random
import sys
import weakref
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from catalogs.bands import SENSORS
from catalogs.foreign import SourceBand, SourceScene
from catalogs.journal import Failure
from catalogs.records import Location
from catalogs.writer import Patch
from curate import choose
from curate.choose import Candidate
from curate.decide import Decision, Limits
from curate.errors import HostDownError, SourceUnavailableError
from curate.seasons import DateWindow
from tests.curate.plain_build import PlainDecision

S2, LANDSAT, RADAR = "sentinel-2-l2a", "landsat-c2-l2", "sentinel-1-rtc"
PLACE = Location("a-000000", 32631, (500040, 5400000, 500640, 5400600))
WINDOW = DateWindow(1, datetime(2023, 6, 1, tzinfo=UTC), datetime(2023, 9, 1, tzinfo=UTC))
CLEAR, CLOUD = {S2: 4, LANDSAT: 64}, {S2: 9, LANDSAT: 8}


class Sky:
    """Made-up scenes: how cloudy each mask is, how much of the measurements is missing, and what cannot be read."""

    def __init__(self, seed, sensors=(S2,), count=6, *, faults=0.1, gaps=0.2):
        rng = random.Random(seed)
        self.candidates, self.cloudy, self.missing = {}, {}, {}
        self.broken = set()
        for sensor in sensors:
            self.candidates[sensor] = [self._scene(rng, sensor, number) for number in range(rng.randint(1, count))]
            for candidate in self.candidates[sensor]:
                id_ = candidate.scene.id
                self.cloudy[id_] = rng.choice([0, 4, 30, 100])
                self.missing[id_] = rng.choice([20, 100]) if rng.random() < gaps else 0
                self.broken |= {(id_, kind) for kind in ("mask", "bands") if rng.random() < faults}
        self.seen = []

    def _scene(self, rng, sensor, number):
        when = WINDOW.start + timedelta(days=rng.uniform(0, 90))
        names = [SENSORS[sensor].bands[0].name, *([SENSORS[sensor].mask.name] if SENSORS[sensor].mask else [])]
        bands = {name: SourceBand(f"{sensor}/{number}/{name}") for name in names}
        cloud = rng.uniform(0, 100)
        scene = SourceScene(f"{sensor}-{number}", sensor, {}, bands, datetime=when, cloud_percent=cloud, source="earth-search")
        return Candidate(scene, covers=True)

    def mask(self, scene):
        pixels = np.full((10, 10), CLEAR[scene.sensor], "uint8")
        pixels.flat[: self.cloudy[scene.id]] = CLOUD[scene.sensor]
        return self._see(scene, "mask", Patch(SENSORS[scene.sensor].mask.name, pixels[None], (), PLACE.grid(60), is_mask=True))

    def bands(self, scene):
        band = SENSORS[scene.sensor].bands[0]
        pixels = np.full((1, 10, 10), 9000, "float32")
        pixels.flat[: self.missing[scene.id]] = band.nodata
        return self._see(scene, "bands", [Patch("60m", pixels, (band,), PLACE.grid(60))])

    def _see(self, scene, kind, seen):
        self.seen.append((scene.id, kind))
        if (scene.id, kind) in self.broken:
            raise SourceUnavailableError(f"{kind} of {scene.id} cannot be read.")
        return seen


def decide(sky, limits, wishes=None):
    """Read what a decision wishes, until it is made."""

    def answer(scene, masks):
        try:
            return [sky.mask(scene)] if masks else sky.bands(scene)
        except SourceUnavailableError as error:
            return error

    steps, answers = Decision(PLACE, WINDOW, sky.candidates, limits).steps(), None
    while True:
        try:
            wish = steps.send(answers)
        except StopIteration as decided:
            return decided.value
        if wishes is not None:
            wishes.append(wish)
        answers = [answer(scene, wish.masks) for scene in wish.scenes]


def in_short(outcome):
    return outcome if isinstance(outcome, Failure) else [look.scene.id for look in outcome]


@pytest.mark.parametrize("sensors", [(S2,), (S2, LANDSAT), (RADAR, S2), (S2, LANDSAT, RADAR)])
@pytest.mark.parametrize("max_delta_days", [None, 9.0])
def test_it_decides_as_the_plain_way_does(sensors, max_delta_days):
    limits = Limits(10.0, max_delta_days)
    reasons = set()
    for seed in range(80):
        plain = Sky(seed, sensors)
        expected = PlainDecision(PLACE, WINDOW, plain.candidates, limits, see_mask=plain.mask, see_bands=plain.bands).decide()
        decided = in_short(decide(Sky(seed, sensors), limits))
        if isinstance(expected, Failure):
            reasons.add(expected.reason)
            assert (decided.sensor, decided.reason, decided.transient) == (
                expected.sensor, expected.reason, expected.transient)  # fmt: skip
            assert expected.message in decided.message
        else:
            reasons.add("kept")
            assert decided == expected
    assert {"kept", "unreadable", "not-clear"} <= reasons
    assert ("too-far-apart" in reasons) == (max_delta_days is not None and len(sensors) > 1)


def test_combinations_beyond_counting_see_all_masks_first(monkeypatch):
    monkeypatch.setattr(choose, "MANY", 3)
    for seed in range(40):
        plain, limits = Sky(seed, (S2, LANDSAT)), Limits(10.0, None)
        expected = PlainDecision(PLACE, WINDOW, plain.candidates, limits, see_mask=plain.mask, see_bands=plain.bands).decide()
        decided = in_short(decide(Sky(seed, (S2, LANDSAT)), limits))
        if isinstance(expected, Failure):
            assert (decided.reason, decided.sensor) == (expected.reason, expected.sensor)
        else:
            assert decided == expected


@pytest.mark.parametrize("sensors", [(S2,), (S2, LANDSAT)])
def test_masks_come_first_and_nothing_is_wished_twice(sensors):
    for seed in range(60):
        sky, wishes = Sky(seed, sensors, faults=0), []
        decide(sky, Limits(10.0, None), wishes)
        assert len(sky.seen) == len(set(sky.seen))
        masks = set()
        for wish in wishes:
            if wish.masks:
                masks |= {scene.id for scene in wish.scenes}
            for scene in () if wish.masks else wish.scenes:
                assert scene.id in masks
                assert sky.cloudy[scene.id] <= 10


def test_the_measurements_of_a_pair_are_wished_at_once():
    sky, wishes = Sky(0, (S2, LANDSAT), faults=0, gaps=0), []
    sky.cloudy = dict.fromkeys(sky.cloudy, 0)
    decide(sky, Limits(10.0, None), wishes)
    assert [(wish.masks, len(wish.scenes)) for wish in wishes] == [(True, 1), (True, 1), (False, 2)]


def test_all_masks_that_a_failure_compares_are_wished_at_once():
    for seed in range(100):
        sky, wishes = Sky(seed, (S2, LANDSAT), faults=0, gaps=0), []
        sky.cloudy = {id_: 100 if id_.startswith(S2) else 0 for id_ in sky.cloudy}
        assert decide(sky, Limits(10.0, None), wishes).reason == "not-clear"
        rest = len(sky.candidates[LANDSAT])
        assert len(wishes[-1].scenes) in {1, rest}
        assert len(wishes) <= len(sky.candidates[S2]) + 1


def test_pixels_of_what_is_not_kept_are_let_go():
    sky, alive, most = Sky(0, (S2,), count=30, faults=0, gaps=0), [], 0
    sky.cloudy = {id_: 100 if number % 2 else 0 for number, id_ in enumerate(sky.cloudy)}
    sky.missing = dict.fromkeys(sky.missing, 100)
    mask, bands = sky.mask, sky.bands

    def watched(patch):
        nonlocal most
        alive.append(weakref.ref(patch.pixels))
        most = max(most, sum(ref() is not None for ref in alive))
        return patch

    sky.mask = lambda scene: watched(mask(scene))
    sky.bands = lambda scene: [watched(patch) for patch in bands(scene)]
    assert decide(sky, Limits(10.0, None)).reason == "not-clear"
    assert len(alive) > 6
    assert most <= 3


def test_a_scene_without_the_wanted_bands_is_not_clear():
    sky = Sky(5, (S2,), faults=0, gaps=0)
    sky.cloudy = dict.fromkeys(sky.cloudy, 0)
    sky.bands = lambda _: []
    failure = decide(sky, Limits(10.0, None))
    assert failure.reason == "not-clear"
    assert "has 100.0 %" in failure.message


@pytest.mark.parametrize(
    ("sensor", "cloudy", "missing", "words"),
    [
        (S2, 30, 0, "has 30.0 %. Widen"),
        (S2, 0, 20, "has 20.0 %, all of it pixels without a measurement, as beyond the edge of a swath or of a file. Widen"),
        (S2, 4, 20, "has 20.0 %, all of it pixels without a measurement, as beyond the edge of a swath or of a file. Widen"),
        (RADAR, 0, 20, "has 20.0 %, all of it pixels without a measurement"),
    ],
)
def test_a_failure_says_whether_pixels_are_cloudy_or_missing(sensor, cloudy, missing, words):
    sky = Sky(0, (sensor,), count=1, faults=0)
    sky.cloudy, sky.missing = dict.fromkeys(sky.cloudy, cloudy), dict.fromkeys(sky.missing, missing)
    failure = decide(sky, Limits(10.0, None))
    assert "has at most 10 % cloud or missing pixels in" in failure.message
    assert words in failure.message


def test_a_failure_says_how_much_of_a_mask_is_no_cloud_but_fill():
    """As the square at the edge of a tile: 25 % fill and 10 % cloud."""
    sky = Sky(0, (S2,), count=1, faults=0)
    pixels = np.full((1, 10, 10), CLEAR[S2], "uint8")
    pixels.flat[:10], pixels.flat[10:35] = CLOUD[S2], 0
    scl = SENSORS[S2].mask
    sky.mask = lambda _: Patch(scl.name, pixels, (scl,), PLACE.grid(60), is_mask=True)
    told = decide(sky, Limits(10.0, None)).message
    assert "has 35.0 %: 10.0 % cloud or shadow, 25.0 % pixels without a measurement. Widen --window-days" in told


def elsewhere(sky, *sources, faults=(), cloudy=0):
    """The first scene, with copies from other sources; what of them cannot be read, as (source, mask or bands)."""
    first = sky.candidates[S2][0]
    copies = [replace(first.scene, id=f"copy at {source}", source=source, rank=rank) for rank, source in enumerate(sources, 1)]
    for copy in copies:
        sky.cloudy[copy.id], sky.missing[copy.id] = cloudy, 0
    sky.cloudy[first.scene.id] = sky.missing[first.scene.id] = 0
    sky.candidates[S2] = [replace(first, copies=tuple(copies[::-1]))]
    names = {"earth-search": first.scene.id} | {copy.source: copy.id for copy in copies}
    sky.broken = {(names[source], kind) for source, kind in faults}
    return sky


@pytest.mark.parametrize("kind", ["mask", "bands"])
def test_the_next_source_s_copy_stands_in_for_a_scene_that_cannot_be_read(kind):
    sky = elsewhere(Sky(1), "one", "two", faults=[("earth-search", kind)])
    (look,) = decide(sky, Limits(10.0, None))
    assert (look.scene.id, look.scene.source) == ("copy at one", "one")
    assert look.mask.pixels is not None
    assert len(look.patches) == 1


@pytest.mark.parametrize("kind", ["mask", "bands"])
def test_where_a_copy_cannot_be_read_either_the_next_stands_in(kind):
    sky = elsewhere(Sky(1), "one", "two", faults=[("earth-search", "bands"), ("one", kind)])
    (look,) = decide(sky, Limits(10.0, None))
    assert look.scene.source == "two"
    assert len(sky.seen) == len(set(sky.seen))


def test_where_no_source_can_give_a_scene_all_are_named():
    sky = elsewhere(Sky(1), "one", "two", faults=[("earth-search", "mask"), ("one", "bands"), ("two", "mask")])
    failure = decide(sky, Limits(10.0, None))
    assert (failure.reason, failure.transient) == ("unreadable", True)
    words = "earth-search: mask of sentinel-2-l2a-0 cannot be read. one: bands of copy at one cannot be read. two: mask of"
    assert f"No source gives sentinel-2-l2a-0. {words}" in failure.message


def test_a_copy_of_the_same_source_does_not_stand_in_and_nobody_s_where_all_can_be_read():
    same = elsewhere(Sky(1), "earth-search", faults=[])
    same.broken = {("sentinel-2-l2a-0", "mask")}
    failure = decide(same, Limits(10.0, None))
    assert failure.message.endswith(": mask of sentinel-2-l2a-0 cannot be read.")
    whole = elsewhere(Sky(1), "one")
    (look,) = decide(whole, Limits(10.0, None))
    assert look.scene.source == "earth-search"
    assert {id_ for id_, _ in whole.seen} == {"sentinel-2-l2a-0"}


def test_a_copy_that_is_not_clear_does_not_stand_in():
    sky = elsewhere(Sky(1), "one", faults=[("earth-search", "bands")], cloudy=90)
    assert decide(sky, Limits(10.0, None)).reason == "not-clear"
    assert ("copy at one", "bands") not in sky.seen


def test_a_host_that_is_down_is_waited_for_and_not_stood_in_for(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "SourceUnavailableError", HostDownError)
    sky = elsewhere(Sky(1), "one", faults=[("earth-search", "mask")])
    assert decide(sky, Limits(10.0, None)).reason == "unreadable"
    assert sky.seen == [("sentinel-2-l2a-0", "mask")]
