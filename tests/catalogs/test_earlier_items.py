"""Items of many locations lie on the disk, and come back one location at a time as they were."""

import tracemalloc

import pytest

from catalogs import earlier_items, fields
from catalogs.bands import find_sensor
from catalogs.earlier_items import EarlierItems
from catalogs.testing import make_locations, make_scene
from catalogs.to_stac import scene_to_item

SENSOR = find_sensor("sentinel-2-l2a")
LOCATIONS = make_locations(4, side_m=120)


def items_of(location, seasons=2):
    return [scene_to_item(make_scene(SENSOR, location, season, seed=season)[0]) for season in range(seasons)]


@pytest.fixture(params=[1, 1 << 30], ids=["on the disk", "in memory"])
def held(request, tmp_path, monkeypatch):
    monkeypatch.setattr(earlier_items, "IN_MEMORY_BYTES", request.param)
    items = EarlierItems(tmp_path)
    yield items
    items.close()
    assert not list(tmp_path.iterdir())


def test_items_come_back_by_location_as_they_were_added(held):
    one, two, three, four = (items_of(location) for location in LOCATIONS)
    held.add([*one, *two[:1]])
    held.add([*two[1:], *three])
    names = [location.id for location in LOCATIONS]
    assert list(held) == names[:3]
    assert [held[name] for name in names[:3]] == [one, two, three]
    assert held.get(names[3]) is None
    held.add(four)
    assert (len(held), held[names[3]], held[names[0]]) == (4, four, one)


def test_memory_is_that_of_one_location_however_many_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(earlier_items, "IN_MEMORY_BYTES", 1 << 10)
    template = items_of(LOCATIONS[0], seasons=1)[0]

    def rows(count):
        for number in range(count):
            properties = template["properties"] | {fields.LOCATION: f"test-{number:06d}"}
            yield template | {"properties": properties, "assets": {"10m": {"href": "0123456789" * 1000}}}

    tracemalloc.start()
    try:
        found = EarlierItems(tmp_path)
        found.add(rows(1000))
        assert sum(len(items[0]["assets"]["10m"]["href"]) for items in found.values()) == 1000 * 10_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    found.close()
    assert peak < 1 << 20
