"""The decision table of Sentinel-2's offset, row by row, with recorded items: what numbers need, and who says so.

By provider: numbers as ESA delivers them (SAFE, CDSE, Planetary Computer), Earth Engine's two kinds
of collections, Earth Search's two, Level-1C. A recorded item stands for its provider; what a row wants otherwise is changed.
"""

import copy

import pytest

from catalogs.bands import find_sensor
from catalogs.foreign import from_item
from catalogs.foreign_radiometry import calibrate, stated_addition
from tests.catalogs.foreign_items import SENTINEL_2, asset, recorded_item, small_item

MICROSOFT = ("odc_stac/S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531.json", None)
COLLECTION_1 = ("api/005_e84_v1_search.json", "S2B_T20EPT_20250731T131905_L2A")
ELEMENT_84 = ("api/005_e84_v1_search.json", "S2B_20EPT_20250731_0_L2A")
OLD_ELEMENT_84 = ("odc_stac/S2A_29RKH_20200219_0_L2A.json", None)
COGS = ("odc_stac/S2A_31NBJ_20190524_0_L2A.json", None)
LEVEL_1C = ("api/005_e84_v1_search.json", "S2B_20EPT_20250731_0_L1C")
FLAG = "earthsearch:boa_offset_applied"
LATER = {"s2:processing_baseline": "05.11"}

ROWS = [
    # recorded item; changed properties; changed offset of its bands; offset, decision, disputed
    ("Planetary Computer before 04.00", MICROSOFT, {}, "", 0.0, "baseline", False),
    ("Planetary Computer 04.00", MICROSOFT, {"s2:processing_baseline": "04.00"}, "", -0.1, "baseline", False),
    ("Planetary Computer, reprocessed", MICROSOFT, {"s2:processing_baseline": "05.00"}, "", -0.1, "baseline", False),
    ("ESA's own word wins", MICROSOFT, {"s2:processing_baseline": "05.00", "BOA_ADD_OFFSET": 0}, "", 0.0, "metadata", False),
    ("Earth Search Collection 1", COLLECTION_1, {}, "", -0.1, "metadata", False),
    ("Collection 1 needs no flag", COLLECTION_1, {FLAG: True}, "", -0.1, "metadata", False),
    ("Earth Search, shifted though its bands deny it", ELEMENT_84, {}, "", 0.0, "metadata", True),
    ("Earth Search, not shifted", ELEMENT_84, {FLAG: False}, "", -0.1, "metadata", True),
    ("Earth Search, not shifted though its bands deny it", ELEMENT_84, {FLAG: False}, 0, -0.1, "metadata", True),
    ("Earth Search, shifted, and its bands agree", ELEMENT_84, {FLAG: True}, 0, 0.0, "metadata", True),
    ("Earth Search without the flag", ELEMENT_84, {FLAG: None}, "", -0.1, "metadata", True),
    ("Earth Search without any word", ELEMENT_84, {FLAG: None}, None, -0.1, "baseline", True),
    ("Earth Search before 04.00", OLD_ELEMENT_84, {}, "", 0.0, "metadata", False),
    ("Earth Search before 04.00, its bands wrong", OLD_ELEMENT_84, {}, -0.1, 0.0, "baseline", False),
    ("Earth Search v0", COGS, {}, "", 0.0, "baseline", False),
    ("Earth Search v0, shifted, silent bands", COGS, LATER | {FLAG: True}, None, 0.0, "metadata", True),
    ("Earth Search v0, not shifted, silent bands", COGS, LATER | {FLAG: False}, None, -0.1, "baseline", True),
    ("Earth Search v0, without any word", COGS, LATER, None, -0.1, "baseline", True),
    ("Earth Search, Level-1C", LEVEL_1C, {}, "", -0.1, "metadata", False),
    ("Level-1C, silent", LEVEL_1C, {}, None, -0.1, "baseline", False),
    ("Level-1C before 04.00, silent", LEVEL_1C, {"s2:processing_baseline": "02.09"}, None, 0.0, "baseline", False),
    ("Level-1C, ESA's own word", LEVEL_1C, {"RADIO_ADD_OFFSET": -1000}, None, -0.1, "metadata", False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("recorded", "properties", "stated", "offset", "decision", "disputed"),
    [row[1:] for row in ROWS],
    ids=[row[0] for row in ROWS],
)
def test_each_row_with_a_recorded_item(shared_data, recorded, properties, stated, offset, decision, disputed):
    item = copy.deepcopy(recorded_item(shared_data, *recorded))
    item["properties"] |= properties
    sensor = find_sensor("sentinel-2-l1c" if recorded is LEVEL_1C else "sentinel-2-l2a")
    for described in item["assets"].values():
        for band in described.get("raster:bands", []) if stated != "" else []:
            band.pop("offset", None)
            band.update({} if stated is None else {"offset": stated})
    scene = from_item(item, sensor, base_href="/archive/item.json")
    assert {scene.bands[band.name].offset for band in sensor.bands} == {offset}
    assert {scene.bands[band.name].scale for band in sensor.bands} == {1e-4}
    assert (scene.radiometry, scene.disputed) == (decision, disputed)


@pytest.mark.parametrize(("baseline", "offset"), [("03.01", 0.0), ("05.11", -0.1)])
def test_copernicus_data_space_states_it_per_asset_or_leaves_it_to_the_baseline(baseline, offset):
    item = small_item(**{"processing:version": baseline})
    item["assets"] = {f"{name}_10m": asset(f"s3://eodata/{name}.jp2", type="image/jp2") for name in ("B02", "B04")}
    item["assets"]["SCL_20m"] = asset("s3://eodata/SCL.jp2", type="image/jp2")
    scene = from_item(item, find_sensor("sentinel-2-l2a"))
    assert (scene.bands["B04"].offset, scene.radiometry, scene.disputed) == (offset, "baseline", False)
    for described in item["assets"].values():
        described |= {"raster:scale": 1e-4, "raster:offset": -0.1}
    scene = from_item(item, find_sensor("sentinel-2-l2a"))
    assert (scene.bands["B04"].offset, scene.radiometry) == (-0.1, "metadata")
    assert (scene.bands["scl"].scale, scene.bands["scl"].offset) == (None, None)


@pytest.mark.parametrize(
    ("collection", "sensor", "properties", "offset", "decision"),
    [
        ("COPERNICUS/S2_SR_HARMONIZED", "sentinel-2-l2a", {"BOA_ADD_OFFSET_B4": -1000}, 0.0, "collection"),
        ("COPERNICUS/S2_SR_HARMONIZED", "sentinel-2-l2a", {"s2:processing_baseline": "02.14"}, 0.0, "collection"),
        ("COPERNICUS/S2_HARMONIZED", "sentinel-2-l1c", {"s2:processing_baseline": "05.11"}, 0.0, "collection"),
        ("COPERNICUS/S2_SR", "sentinel-2-l2a", {"s2:processing_baseline": "04.00"}, -0.1, "baseline"),
        ("COPERNICUS/S2_SR", "sentinel-2-l2a", {"s2:processing_baseline": "02.14"}, 0.0, "baseline"),
        ("COPERNICUS/S2_SR", "sentinel-2-l2a", {"BOA_ADD_OFFSET_B4": -1000}, -0.1, "metadata"),
        ("COPERNICUS/S2", "sentinel-2-l1c", {"RADIO_ADD_OFFSET_B4": -1000}, -0.1, "metadata"),
        ("COPERNICUS/S2", "sentinel-2-l1c", {"datetime": "2021-07-14T10:50:31Z"}, 0.0, "default"),
    ],
)  # fmt: skip
def test_earth_engine_is_told_by_its_collection(collection, sensor, properties, offset, decision):
    item = small_item(**properties) | {"collection": collection, "assets": {"B04": asset("B04.tif")}}
    scene = from_item(item, find_sensor(sensor))
    assert (scene.bands["B04"].offset, scene.radiometry, scene.disputed) == (offset, decision, False)


def test_offsets_are_those_of_each_band():
    stated = {"BOA_ADD_OFFSET_B4": -1000, "BOA_ADD_OFFSET_B8A": -500, "s2:processing_baseline": "05.11"}
    offsets = {
        name: calibrate({}, name, sensor=find_sensor("sentinel-2-l2a"), properties=stated, when=None).offset
        for name in ("B04", "B8A", "B11")
    }
    assert offsets == {"B04": -0.1, "B8A": -0.05, "B11": -0.1}
    assert stated_addition({"s2:boa_add_offset": {"B8A": -1000, "B1": 0}}, "B01") == 0
    assert stated_addition({"BOA_ADD_OFFSET": "no number"}, "B04") is None


def test_masks_and_pictures_are_never_shifted(shared_data):
    item = copy.deepcopy(recorded_item(shared_data, *COLLECTION_1))
    for described in item["assets"].values():
        described["raster:bands"] = [{"scale": 1e-4, "offset": -0.1, "nodata": 0}]
    scene = from_item(item, find_sensor("sentinel-2-l2a"))
    assert set(scene.bands) == {*SENTINEL_2, "scl"}
    assert (scene.bands["scl"].scale, scene.bands["scl"].offset) == (None, None)


def test_an_offset_that_is_no_number_is_no_offset():
    item = small_item(**{"processing:version": "05.11"})
    item["assets"] = {"B04": asset("B04.tif", **{"raster:bands": [{"scale": 1e-4, "offset": "nan"}]})}
    assert from_item(item, find_sensor("sentinel-2-l2a")).bands["B04"].offset == -0.1
