"""The index holds what was written, in one order, in the same bytes however it came in."""

import json
import random
from copy import deepcopy
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from catalogs import index
from catalogs.bands import SENSORS
from catalogs.errors import ContractError
from catalogs.from_stac import read_time
from catalogs.index import extent, folders, items_schema, iter_items, merge_items, read_items, write_items
from catalogs.to_stac import item_folder, scene_to_item
from tests.catalogs.scenes import every_kind, make_items, make_location, make_scene

SENTINEL_2 = SENSORS["sentinel-2-l2a"]


def schema_of(sensor_id="sentinel-2-l2a"):
    sensor = SENSORS[sensor_id]
    return items_schema(sensor, sensor.bands, has_mask=sensor.mask is not None)


def sorted_items(items):
    return sorted(items, key=lambda item: (item["properties"]["seastars:location"], item["id"]))


def many_items(count):
    """Items of one band: cheap copies of one, two per location."""
    template = scene_to_item(make_scene(sensor_id="naip"))
    for number in range(count):
        location = f"many-{number // 2:06d}"
        item = {
            **template,
            "id": f"{location}_{number % 2}",
            "properties": {**template["properties"], "seastars:location": location},
        }
        yield item


@pytest.fixture
def small_groups(monkeypatch):
    monkeypatch.setattr(index, "ROW_GROUP", 7)
    monkeypatch.setattr(index, "CHUNK", 4)


@pytest.mark.parametrize("sensor_id", SENSORS)
def test_what_is_read_equals_what_was_written(tmp_path, sensor_id):
    scenes = {scene_to_item(scene)["id"]: scene for scene in every_kind() if scene.sensor == sensor_id}
    items = sorted_items(map(scene_to_item, scenes.values()))
    assert write_items(tmp_path / "items.parquet", items, schema_of(sensor_id)) == len(items) >= 18
    assert read_items(tmp_path / "items.parquet") == items


def test_whole_numbers_come_back_as_integers_and_times_as_text(tmp_path):
    items = make_items(1)
    write_items(tmp_path / "items.parquet", items, schema_of())
    assert json.dumps(read_items(tmp_path / "items.parquet"), sort_keys=True) == json.dumps(items, sort_keys=True)


def test_rows_are_read_in_the_order_asked_for(tmp_path, small_groups):
    items = make_items(10, visits=2)
    write_items(tmp_path / "items.parquet", items, schema_of())
    wanted = [19, 0, 8, 8, 7]
    assert read_items(tmp_path / "items.parquet", wanted) == [items[row] for row in wanted]
    assert list(iter_items(tmp_path / "items.parquet")) == items


def test_row_groups_hold_twenty_thousand_items(tmp_path):
    write_items(tmp_path / "items.parquet", many_items(40_500), schema_of("naip"))
    metadata = pq.read_metadata(tmp_path / "items.parquet")
    assert [metadata.row_group(group).num_rows for group in range(3)] == [20_000, 20_000, 500]


def test_same_items_in_other_portions_give_the_same_bytes(tmp_path, monkeypatch):
    items = list(many_items(20_100))
    contents = []
    for chunk in (200, 333):
        monkeypatch.setattr(index, "CHUNK", chunk)
        write_items(tmp_path / "items.parquet", iter(items), schema_of("naip"))
        contents.append((tmp_path / "items.parquet").read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize("seed", range(5))
def test_merging_gives_the_bytes_of_writing_all_at_once(tmp_path, small_groups, seed):
    rng = random.Random(seed)
    items = make_items(12, visits=3)
    write_items(tmp_path / "whole.parquet", items, schema_of())
    rest = deepcopy(items)
    rng.shuffle(rest)
    merged = tmp_path / "merged.parquet"
    while rest:
        count = rng.randint(1, 20)
        again = rng.sample(items, 2)
        merge_items(merged, [*again, *rest[:count]], schema_of())
        del rest[:count]
    assert merged.read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_merging_replaces_an_item_of_the_same_id(tmp_path, small_groups):
    items = make_items(9)
    write_items(tmp_path / "items.parquet", items, schema_of())
    newer = deepcopy(items[4])
    newer["properties"]["eo:cloud_cover"] = 99
    merge_items(tmp_path / "items.parquet", [items[4], newer], schema_of())
    assert read_items(tmp_path / "items.parquet") == [*items[:4], newer, *items[5:]]


def test_merging_nothing_makes_an_empty_index_and_keeps_a_full_one(tmp_path):
    path = tmp_path / "new" / "items.parquet"
    merge_items(path, [], schema_of())
    assert (read_items(path), extent(path)) == ([], (None, None, 0))
    assert folders(path).to_pydict() == {"id": [], "folder": []}
    items = make_items(2)
    merge_items(path, items, schema_of())
    before = path.read_bytes()
    merge_items(path, [], schema_of())
    assert path.read_bytes() == before


def test_merging_converts_an_index_of_fewer_bands(tmp_path):
    red = items_schema(SENTINEL_2, SENTINEL_2.select(["B04"]), has_mask=True)
    old, new = make_items(3)[:2], make_items(3)[2]
    for item in old:
        item["assets"] = {"10m": item["assets"]["10m"]}
    write_items(tmp_path / "items.parquet", old, red)
    merge_items(tmp_path / "items.parquet", [new], schema_of())
    write_items(tmp_path / "whole.parquet", [*old, new], schema_of())
    assert (tmp_path / "items.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


@pytest.mark.parametrize("order", [[1, 0], [0, 0]])
def test_items_out_of_order_are_refused(tmp_path, order):
    items = make_items(2)
    with pytest.raises(ContractError, match=r"comes after .* takes each item once, sorted by location and id"):
        write_items(tmp_path / "items.parquet", [items[row] for row in order], schema_of())


def test_a_failure_leaves_the_index_as_it_was(tmp_path):
    write_items(tmp_path / "items.parquet", make_items(2), schema_of())
    before = (tmp_path / "items.parquet").read_bytes()
    with pytest.raises(ContractError):
        write_items(tmp_path / "items.parquet", make_items(2)[::-1], schema_of())
    assert (tmp_path / "items.parquet").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["items.parquet"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda item: item.update(self="x"), "has 'self', for which this index has no column"),
        (lambda item: item["properties"].update({"eo:bands": []}), "has 'properties.eo:bands', for which"),
        (lambda item: item["assets"].update(thumbnail={}), "has 'assets.thumbnail', for which"),
        (lambda item: item["assets"]["10m"]["bands"][1].update(unit="1"), "has 'assets.10m.bands.unit', for which"),
        (lambda item: item["assets"]["scl"]["seastars:sources"][0].update(token="x"), r"'assets.scl.seastars:sources.token'"),
        (lambda item: item["properties"].update({"eo:cloud_cover": "few"}), "has 'few' as eo:cloud_cover; expected double"),
        (lambda item: item["properties"].update(datetime="yesterday"), "has 'yesterday' as datetime; expected timestamp"),
        (lambda item: item.update(geometry={"type": "Point", "coordinates": [0, 0]}), "is a Point; expected a Polygon"),
    ],
)
def test_an_item_that_does_not_fit_is_refused_and_named(tmp_path, spoil, words):
    items = make_items(3)
    spoil(items[1])
    with pytest.raises(ContractError, match=words) as caught:
        write_items(tmp_path / "items.parquet", items, schema_of())
    assert items[1]["id"] in str(caught.value) or "footprint" in str(caught.value)


@pytest.mark.parametrize("sensor_id", ["sentinel-2-l2a", "spot-ortho", "aerial-ortho"])
def test_folders_are_those_of_the_first_asset(tmp_path, sensor_id):
    items = make_items(3, 2, sensor_id)
    for item, kept in zip(items[:2], ("scl", "20m"), strict=False):
        item["assets"] = {key: asset for key, asset in item["assets"].items() if key == kept} or item["assets"]
    write_items(tmp_path / "items.parquet", items, schema_of(sensor_id))
    expected = {"id": [item["id"] for item in items], "folder": [item_folder(item) for item in items]}
    assert folders(tmp_path / "items.parquet").to_pydict() == expected


def test_extent_spans_all_items(tmp_path):
    items = sorted_items(scene_to_item(scene) for scene in every_kind() if scene.sensor == "naip")
    items = [item for item in items if "bbox" not in item or abs(item["bbox"][0]) < 170]
    write_items(tmp_path / "items.parquet", items, schema_of("naip"))
    bbox, interval, count = extent(tmp_path / "items.parquet")
    boxes = list(zip(*(item["bbox"] for item in items if "bbox" in item), strict=True))
    assert 0 < len(boxes[0]) < len(items)
    assert bbox == [min(boxes[0]), min(boxes[1]), max(boxes[2]), max(boxes[3])]
    times = [read_time(item["properties"].get(key)) for item in items for key in ("datetime", "start_datetime", "end_datetime")]
    assert interval == (min(filter(None, times)), max(filter(None, times)))
    assert interval[1] == datetime(2024, 2, 29, 23, 59, 59, 250_000, tzinfo=UTC)
    assert count == len(items)


@pytest.mark.parametrize(
    ("longitudes", "west_east"),
    [
        ([2.0, 5.0], (1.98, 5.02)),
        ([177.0, 179.9999, -179.0], (176.98, -178.98)),
        ([179.9999], (179.98, -179.98)),
        ([177.0, -179.0], (-179.02, 177.02)),
        ([0.0, 179.9999], (-0.02, -179.98)),
    ],
)
def test_extent_goes_around_the_widest_gap_where_an_item_crosses_180_degrees(tmp_path, longitudes, west_east):
    places = [make_location(number, lonlat=(lon, -17.8)) for number, lon in enumerate(longitudes)]
    write_items(tmp_path / "items.parquet", [scene_to_item(make_scene(place, "naip")) for place in places], schema_of("naip"))
    bbox = extent(tmp_path / "items.parquet")[0]
    assert (bbox[0], bbox[2]) == pytest.approx(west_east, abs=0.02)
    assert (bbox[0] > bbox[2]) == (west_east[0] > west_east[1])


def test_columns_of_filters_lie_side_by_side(tmp_path):
    write_items(tmp_path / "items.parquet", make_items(1), schema_of())
    columns = pq.read_metadata(tmp_path / "items.parquet").row_group(0)
    names = [columns.column(number).path_in_schema for number in range(13)]
    expected = {"seastars:location", "seastars:split", "datetime", "eo:cloud_cover", "bbox.xmin", "bbox.ymax"}
    assert expected | {"seastars:labels.list.element"} <= set(names)
    assert all(columns.column(number).is_stats_set == (number < 13) for number in range(columns.num_columns))
