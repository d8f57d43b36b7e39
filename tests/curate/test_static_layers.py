"""Layers of no season: what is read of which candidate, and what is kept."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from catalogs.bands import SENSORS, find_sensor
from catalogs.foreign import SourceBand, SourceScene
from catalogs.journal import NO_SEASON, Failure
from catalogs.records import Location
from catalogs.writer import Patch
from curate.choose import Candidate
from curate.errors import HostDownError, SourceUnavailableError
from curate.fetch import band_asks
from curate.static_layers import decide_static, in_order, of_no_season, of_seasons, span_of, static_window

DEM, S2 = "cop-dem-glo-30", "sentinel-2-l2a"
PLACE = Location("a-000000", 32631, (500040, 5400000, 500640, 5400600))
SPAN = (datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))
VOID = -32767


def candidate(name, *, covers=True, rank=0):
    start, end = find_sensor(DEM).interval
    band = {"elevation": SourceBand(f"{name}.tif")}
    scene = SourceScene(name, DEM, {}, band, start_datetime=start, end_datetime=end, source=name, rank=rank)
    return Candidate(scene, covers)


def heights(*, missing=0):
    pixels = np.full((1, 20, 20), 123, "float32")
    pixels.flat[:missing] = VOID
    return [Patch("30m", pixels, find_sensor(DEM).bands, PLACE.grid(30))]


def decide(answers, *candidates):
    """What is decided, and what was read for it."""
    steps, seen, given = decide_static(DEM, PLACE, candidates), [], None
    while True:
        try:
            wish = steps.send(given)
        except StopIteration as decided:
            return decided.value, seen
        assert not wish.masks
        (scene,) = wish.scenes
        seen.append(scene.id)
        given = [answers[scene.id]]


def test_one_sensor_is_static_and_its_interval_is_when_it_was_measured():
    assert [sensor.id for sensor in SENSORS.values() if sensor.is_static] == [DEM]
    assert find_sensor(DEM).unit == "m"
    by_sensor = {S2: 1, DEM: 2}
    assert (of_seasons(by_sensor), of_no_season(by_sensor)) == ({S2: 1}, {DEM: 2})
    window = static_window(DEM)
    assert (window.season, window.text) == (NO_SEASON, "2010-12-12..2015-01-16")


def test_it_is_searched_for_in_its_own_interval_whatever_the_dates_are():
    assert span_of(S2, SPAN) == SPAN
    start, end = find_sensor(DEM).interval
    assert span_of(DEM, SPAN) == (start, end + timedelta(seconds=1))


def test_what_holds_the_whole_square_is_read_first_then_the_preferred_source():
    found = [candidate("d", covers=False), candidate("c", rank=1), candidate("b", rank=1), candidate("a", rank=2)]
    assert [each.scene.id for each in in_order(found)] == ["b", "c", "a", "d"]


def test_the_first_with_a_measurement_is_kept_and_no_further_one_is_read():
    answers = {"a": heights(missing=400), "b": heights(missing=399), "c": heights()}
    (look,), seen = decide(answers, *(candidate(name) for name in answers))
    assert (look.scene.id, seen) == ("b", ["a", "b"])
    assert look.patches is answers["b"]
    assert (look.mask, look.shares, look.radiometry) == (None, None, None)


@pytest.mark.parametrize("candidates", [(), (candidate("a"), candidate("b"))])
def test_where_nobody_has_a_measurement_a_failure_of_no_season_says_so(candidates):
    failure, seen = decide(dict.fromkeys("ab", heights(missing=400)), *candidates)
    assert len(seen) == len(candidates)
    assert (failure.season, failure.sensor, failure.reason, failure.transient) == (NO_SEASON, DEM, "no-scene", False)
    assert failure.message == (
        "No cop-dem-glo-30 over location a-000000 (48.76N, 3.00E): no file of it has a measurement there, as over open sea. "
        "The seasons of other sensors are kept without it."
    )


def test_what_cannot_be_read_is_read_elsewhere_or_else_tried_again_by_the_next_run():
    broken = SourceUnavailableError("404")
    (look,), _ = decide({"a": broken, "b": heights()}, candidate("a"), candidate("b"))
    assert look.scene.id == "b"
    failure, seen = decide({"a": broken, "b": heights(missing=400)}, candidate("a"), candidate("b"))
    assert seen == ["a", "b"]
    assert isinstance(failure, Failure)
    assert (failure.season, failure.sensor, failure.reason, failure.transient) == (NO_SEASON, DEM, "unreadable", True)


def test_a_host_that_is_down_is_waited_for_and_nobody_stands_in():
    failure, seen = decide({"a": HostDownError("down"), "b": heights()}, candidate("a"), candidate("b"))
    assert (seen, failure.reason, failure.transient) == (["a"], "unreadable", True)


def test_heights_are_warped_between_their_four_neighbours_and_reflectance_is_not():
    (ask,) = band_asks(candidate("a").scene, find_sensor(DEM).bands, PLACE)
    assert (ask.kernel, ask.gsd, ask.nodata) == ("bilinear", 30, VOID)
    optical = SourceScene("s", S2, {}, {"B04": SourceBand("b.tif")}, datetime=SPAN[0])
    assert band_asks(optical, find_sensor(S2).bands, PLACE)[0].kernel == "cubic"
