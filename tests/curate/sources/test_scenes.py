"""Items of a source: what is read, what is counted, and what a box and a span of time find."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import shapely

from catalogs.bands import find_sensor
from catalogs.foreign import from_item
from curate.sources.scenes import SceneIndex, read_scene
from tests.catalogs.foreign_items import asset, small_item

NOON = datetime(2023, 7, 14, 12, tzinfo=UTC)
AGES = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
WORLD = (-180.0, -90.0, 180.0, 90.0)


def scene(name="a", ring=((2, 48), (3, 48), (3, 49), (2, 49), (2, 48)), **changes):
    item = small_item() | {"id": name, "assets": {"B04": asset("B04.tif")}}
    item["geometry"] = {"type": "Polygon", "coordinates": [list(ring)]}
    return replace(from_item(item, find_sensor("sentinel-2-l2a")), **{"datetime": NOON, **changes})


def names(index, box=WORLD, span=AGES, **options):
    return [found.id for found in index.search(box, *span, **options)]


def test_scenes_are_sorted_by_time_and_then_by_id_and_each_is_once():
    later = NOON + timedelta(seconds=1)
    index = SceneIndex([scene("c"), scene("a", datetime=later), scene("b"), scene("b")])
    assert names(index) == ["b", "c", "a"]


def test_the_start_is_included_and_the_end_is_not():
    index = SceneIndex([scene()])
    tick = timedelta(microseconds=1)
    assert names(index, span=(NOON, NOON + tick)) == ["a"]
    assert names(index, span=(NOON - tick, NOON)) == []
    assert names(index, span=(NOON + tick, AGES[1])) == []


def test_a_vintage_is_found_where_its_interval_meets_the_span():
    start, end = datetime(2020, 4, 1, tzinfo=UTC), datetime(2020, 10, 1, tzinfo=UTC)
    index = SceneIndex([scene(datetime=None, start_datetime=start, end_datetime=end)])
    day = timedelta(days=1)
    assert names(index, span=(end, end + day)) == ["a"]
    assert names(index, span=(start + day, start + 2 * day)) == ["a"]
    assert names(index, span=(start - day, start)) == []
    assert names(index, span=(end + day, end + 2 * day)) == []


def test_cloudier_scenes_are_left_out_and_unknown_cloud_is_kept():
    index = SceneIndex([scene("clear", cloud_percent=10.0), scene("cloudy", cloud_percent=10.1), scene("unknown")])
    assert names(index, max_scene_cloud=10) == ["clear", "unknown"]
    assert names(index) == ["clear", "cloudy", "unknown"]


def test_the_footprint_decides_and_not_its_bounding_box():
    triangle = ((0, 0), (10, 0), (0, 10), (0, 0))
    index = SceneIndex([scene(ring=triangle)])
    assert names(index, box=(0.5, 0.5, 1, 1)) == ["a"]
    assert names(index, box=(9, 9, 10, 10)) == []
    assert names(index, box=(10, -1, 11, 0)) == ["a"]


@pytest.mark.parametrize(
    "ring",
    [
        ((179, -17), (-179, -17), (-179, -16), (179, -16), (179, -17)),
        ((179, -17), (181, -17), (181, -16), (179, -16), (179, -17)),
        ((-181, -17), (-179, -17), (-179, -16), (-181, -16), (-181, -17)),
    ],
)
def test_a_footprint_across_180_degrees_is_found_on_both_sides_however_it_is_written(ring):
    index = SceneIndex([scene(ring=ring)])
    assert names(index, box=(179.5, -16.6, 179.6, -16.5)) == ["a"]
    assert names(index, box=(-179.6, -16.6, -179.5, -16.5)) == ["a"]
    assert names(index, box=(0, -16.6, 1, -16.5)) == []
    assert names(index, box=(178.0, -16.6, 178.9, -16.5)) == []


def test_an_index_of_nothing_finds_nothing():
    assert names(SceneIndex([])) == []


def test_the_index_finds_what_a_look_at_every_scene_finds():
    rng = np.random.default_rng(3)
    scenes = []
    for number in range(300):
        x, y = rng.uniform(-170, 160), rng.uniform(-80, 70)
        corners = rng.uniform(0, 8, (3, 2)) + np.array([x, y])
        when = NOON + timedelta(hours=float(rng.uniform(-500, 500)))
        scenes.append(scene(f"{number:03d}", [tuple(map(float, corner)) for corner in (*corners, corners[0])], datetime=when))
    index = SceneIndex(scenes)
    total = 0
    for _ in range(100):
        west, south = rng.uniform(-175, 140), rng.uniform(-85, 60)
        box = (west, south, west + rng.uniform(0, 60), south + rng.uniform(0, 60))
        start = NOON + timedelta(hours=float(rng.uniform(-500, 200)))
        end = start + timedelta(hours=float(rng.uniform(0, 400)))
        plain = [
            found.id
            for found in sorted(scenes, key=lambda found: (found.datetime, found.id))
            if start <= found.datetime < end and shapely.geometry.shape(found.footprint).intersects(shapely.box(*box))
        ]
        assert names(index, box=box, span=(start, end)) == plain
        total += len(plain)
    assert total > 50


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"collection": "cop-dem-glo-90"}, "collection cop-dem-glo-90, sentinel-2b: no sensor of ours"),
        ({"geometry": None, "bbox": None}, "neither a geometry nor a bbox"),
        ({"geometry": {"type": "Polygon", "coordinates": "here"}}, "Item a has a geometry that is no GeoJSON polygon"),
        ({"geometry": {"type": "Point", "coordinates": [2, 48]}}, "Item a has a geometry that is no GeoJSON polygon .*Point"),
        ({"assets": {}}, "none of its assets could be told to be a band of sentinel-2-l2a"),
        ({"properties": {"datetime": None}}, "neither a datetime nor"),
    ],
)
def test_an_item_of_no_use_is_counted_with_its_reason(changes, reason):
    skipped = {}
    assert read_scene(small_item() | {"assets": {"B04": asset("B04.tif")}} | changes, skipped) is None
    assert list(skipped) == ["a"]
    assert re.search(reason, skipped["a"])


def test_a_useful_item_is_not_counted_as_skipped():
    skipped = {}
    found = read_scene(small_item() | {"assets": {"B04": asset("B04.tif")}}, skipped, base_href="/archive/a.json")
    assert found.bands["B04"].href == "/archive/B04.tif"
    assert skipped == {}
