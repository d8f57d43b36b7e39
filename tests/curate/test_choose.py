"""Choosing scenes: copies, order, pairs; against a plain search over all pairs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import numpy as np
import pytest

from catalogs.foreign import SourceScene
from curate.choose import Candidate, in_window, merge_copies, order_combinations, spread
from curate.seasons import DateWindow

NOON = datetime(2023, 7, 1, 10, 50, tzinfo=UTC)


def candidate(id_, when=NOON, *, covers=True, **fields):
    values = {
        "sensor": "sentinel-2-l2a",
        "footprint": {},
        "bands": {},
        "platform": "sentinel-2a",
        "epsg": 32631,
        "radiometry": "metadata",
    }
    return Candidate(SourceScene(id=id_, datetime=when, **{**values, **fields}), covers)


def ids(candidates):
    return [candidate.scene.id for candidate in candidates]


def test_overlapping_tiles_of_one_pass_are_one_scene_of_the_own_zone_first():
    copies = [
        candidate("32ULU", NOON, epsg=32632),
        candidate("31UGP", NOON + timedelta(seconds=4)),
        candidate("31UGQ", NOON - timedelta(seconds=9), covers=False),
    ]
    assert ids(merge_copies(copies, 32631)) == ["31UGP"]
    assert ids(merge_copies(copies, 32632)) == ["32ULU"]
    assert ids(merge_copies(copies[::-1], 32631)) == ["31UGP"]


def test_the_newest_of_two_reprocessings_is_taken():
    old = candidate("z-old", baseline="04.00", created="2023-07-02T00:00:00Z")
    new = candidate("a-new", baseline="05.10", created="2023-12-02T00:00:00Z")
    assert ids(merge_copies([old, new], 32631)) == ["a-new"]


def test_two_platforms_or_two_passes_stay_two_scenes():
    scenes = [candidate("a"), candidate("b", platform="sentinel-2b"), candidate("c", NOON + timedelta(minutes=100))]
    assert ids(merge_copies(scenes, 32631)) == ["a", "b", "c"]


def test_interleaved_platforms_do_not_hide_a_copy():
    scenes = [
        candidate("a1"),
        candidate("b1", NOON + timedelta(minutes=2), platform="sentinel-2b"),
        candidate("a2", NOON + timedelta(minutes=4)),
    ]
    assert len(merge_copies(scenes, 32631)) == 2


def test_of_two_sources_the_preferred_one_gives_its_copy_where_it_holds_the_square():
    """The second states when the strip was begun, and has processed it later."""
    first = candidate("a", source="one", baseline="05.09")
    second = candidate("b", NOON - timedelta(minutes=25), source="two", rank=1, baseline="05.11")
    assert ids(merge_copies([first, second], 32631)) == ["a"]
    assert ids(merge_copies([first, replace(second, scene=replace(second.scene, rank=0))], 32631)) == ["b"]
    part = candidate("a", source="one", covers=False)
    assert ids(merge_copies([part, second], 32631)) == ["b"]


def test_a_copy_elsewhere_may_be_further_off_in_time_but_not_an_orbit():
    def merged(minutes, **fields):
        others = [candidate("a", source="one", **fields), candidate("b", NOON + timedelta(minutes=minutes), **fields)]
        return len(merge_copies([others[0], replace(others[1], scene=replace(others[1].scene, source="two"))], 32631))

    assert [merged(minutes) for minutes in (11, 45, 46, 95)] == [1, 1, 2, 2]
    assert [merged(minutes, platform=None) for minutes in (200, 24 * 60, 24 * 60 + 1)] == [1, 1, 2]
    same = [candidate("a", source="one"), candidate("b", NOON + timedelta(minutes=11), source="one")]
    assert len(merge_copies(same, 32631)) == 2


def of(source, id_, when, **fields):
    return candidate(id_, when, source=source, rank=int(source != "one"), **fields)


def test_flights_of_two_days_are_not_one_by_another_sources_between_them():
    """One source knows no more than the day, and gives noon."""
    hours = {"a1": 0, "b1": 12, "a2": 24, "b2": 36, "a3": 48}
    flights = [
        of("one" if id_[0] == "a" else "two", id_, NOON + timedelta(hours=after), platform=None) for id_, after in hours.items()
    ]
    merged = merge_copies(flights, 32631)
    assert ids(merged) == ["a1", "a2", "a3"]
    assert [[copy.id for copy in each.copies] for each in merged] == [["b1"], ["b2"], []]
    assert ids(merge_copies(flights[::-1], 32631)) == ids(merged)


def test_a_platform_that_one_source_alone_states_parts_no_copies():
    stated = of("one", "a", NOON)
    for minutes, count in ((-44, 1), (44, 1), (46, 2), (-46, 2)):
        assert len(merge_copies([stated, of("two", "b", NOON + timedelta(minutes=minutes), platform=None)], 32631)) == count
    other = of("one", "c", NOON + timedelta(minutes=2), platform="sentinel-2b")
    open_one = of("two", "b", NOON + timedelta(minutes=1), platform=None)
    assert sorted(ids(merge_copies([stated, other, open_one], 32631))) == ["a", "c"]
    assert len(merge_copies([stated, of("one", "b", NOON, platform=None)], 32631)) == 2


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("days", [-1, 0, 1])
def test_a_vintage_is_always_its_own(order, days):
    span = {"start_datetime": NOON - timedelta(days=30), "end_datetime": NOON + timedelta(days=30), "platform": None}
    flight = of("two", "b", NOON + timedelta(hours=days), platform=None)
    both = [of("one", "a", None, **span), flight]
    assert len(merge_copies(both[::order], 32631)) == 2


def test_the_preferred_sources_copy_comes_before_one_in_the_own_zone():
    copies = [of("one", "a", NOON, epsg=32632), of("two", "b", NOON, epsg=32631)]
    assert ids(merge_copies(copies, 32631)) == ["a"]


def test_a_window_holds_its_start_and_not_its_end():
    window = DateWindow(0, NOON, NOON + timedelta(days=1))
    scenes = [candidate("a", NOON), candidate("b", NOON + timedelta(days=1)), candidate("c", NOON - timedelta(seconds=1))]
    assert ids(in_window(scenes, window)) == ["a"]


def test_a_vintage_counts_where_it_overlaps():
    window = DateWindow(0, NOON, NOON + timedelta(days=1))
    vintage = candidate("v", None, start_datetime=NOON - timedelta(days=60), end_datetime=NOON + timedelta(hours=1))
    past = candidate("p", None, start_datetime=NOON - timedelta(days=60), end_datetime=NOON - timedelta(hours=1))
    assert ids(in_window([vintage, past], window)) == ["v"]
    assert spread((vintage, candidate("s", NOON - timedelta(days=3)))) == timedelta(0)


def test_one_sensor_is_ordered_by_stated_cloud_then_time():
    scenes = [
        candidate("c", cloud_percent=30),
        candidate("a", cloud_percent=5),
        candidate("u"),
        candidate("b", NOON + timedelta(days=1), cloud_percent=5),
    ]
    order = [c[0].scene.id for c in order_combinations({"s": scenes}, None, lambda c: True)]
    assert order == ["a", "b", "c", "u"]


def test_pairs_come_nearest_first_as_a_plain_search_finds_them():
    rng = np.random.default_rng(5)
    first = [
        candidate(f"s{i}", NOON + timedelta(hours=float(rng.uniform(0, 900))), cloud_percent=float(rng.uniform(0, 100)))
        for i in range(20)
    ]
    second = [candidate(f"l{i}", NOON + timedelta(hours=float(rng.uniform(0, 900))), cloud_percent=None) for i in range(12)]
    found = [ids(pair) for pair in order_combinations({"s": first, "l": second}, 4, lambda c: True)]
    gaps = [(abs(a.scene.datetime - b.scene.datetime), a.scene.id, b.scene.id) for a, b in product(first, second)]
    plain = [[a, b] for gap, a, b in sorted(gaps) if gap <= timedelta(days=4)]
    assert found == plain
    assert plain


def test_many_sensors_are_judged_before_they_are_combined():
    sensors = {name: [candidate(f"{name}{i:02d}", NOON + timedelta(days=i)) for i in range(40)] for name in "abc"}
    judged = []

    def is_clear(c):
        judged.append(c.scene.id)
        return c.scene.id.endswith("7")

    best = next(order_combinations(sensors, None, is_clear))
    assert ids(best) == ["a07", "b07", "c07"]
    assert len(judged) == 120
