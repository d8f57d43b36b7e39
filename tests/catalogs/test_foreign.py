"""Items of other people's catalogs become our scenes: every recorded provider, old and new versions."""

import json
from datetime import UTC, datetime

import pytest

from catalogs.bands import SENSORS, find_sensor
from catalogs.errors import ContractError
from catalogs.foreign import from_item, is_sensor, match_sensor, resolve_href
from tests.catalogs.foreign_items import SENTINEL_2, asset, recorded_item, recorded_items, small_item

ELEMENT_84 = {**{band: f"/{band}.tif" for band in SENTINEL_2}, "scl": "/SCL.tif"}
ELEMENT_84_L1C = {band: f"/{band}.jp2" for band in (*SENTINEL_2, "B10")}
LANDSAT = {**{f"B0{n}": f"_SR_B{n}.TIF" for n in range(1, 8)}, "qa_pixel": "_QA_PIXEL.TIF"}
SIZES = {**dict.fromkeys(SENTINEL_2, 20), **dict.fromkeys(("B02", "B03", "B04", "B08"), 10), "B01": 60, "B09": 60}
MICROSOFT = {**{band: f"_{band}_{SIZES[band]}m.tif" for band in SENTINEL_2}, "scl": "_SCL_20m.tif"}

EXPECTED = [
    # file, id; sensor, endings, scale, offset, decision, epsg, baseline, platform
    ("api/005_e84_v1_search.json", "S2B_T20EPT_20250731T131905_L2A",
     "sentinel-2-l2a", ELEMENT_84, 1e-4, -0.1, "metadata", 32720, "05.11", "sentinel-2b"),
    ("api/005_e84_v1_search.json", "S2B_20EPT_20250731_0_L2A",
     "sentinel-2-l2a", ELEMENT_84, 1e-4, 0, "metadata", 32720, "05.11", "sentinel-2b"),
    ("api/006_e84_v1_search.json", "S2B_24MVV_20250731_0_L1C",
     "sentinel-2-l1c", ELEMENT_84_L1C, 1e-4, -0.1, "metadata", 32724, "05.11", "sentinel-2b"),
    ("api/031_pc_v1_collections.json", "LC09_L2SR_084082_20250722_02_T1",
     "landsat-c2-l2", LANDSAT, 2.75e-5, -0.2, "metadata", 32657, None, "landsat-9"),
    ("api/064_e84_v1_search.json", "S2A_13TDE_20231008_0_L2A",
     "sentinel-2-l2a", ELEMENT_84, 1e-4, 0, "metadata", 32613, "05.09", "sentinel-2a"),
    ("api/064_e84_v1_search.json", "LC08_L2SP_033032_20231008_02_T1",
     "landsat-c2-l2", LANDSAT, 2.75e-5, -0.2, "metadata", 32613, None, "landsat-8"),
    ("odc_stac/LC08_L2SP_028030_20200114_20200824_02_T1_SR.json", None,
     "landsat-c2-l2", LANDSAT, 2.75e-5, -0.2, "default", 32615, None, "landsat-8"),
    ("odc_stac/LC08_L2SR_081119_20200101_20200823_02_T2.json", None,
     "landsat-c2-l2", LANDSAT | {"B02": "_SR_B2_small.TIF"}, 2.75e-5, -0.2, "default", 3031, None, "landsat-8"),
    ("odc_stac/S2A_28QCH_20200714_0_L2A.json", None,
     "sentinel-2-l2a", ELEMENT_84, 1e-4, 0, "baseline", 32628, "02.14", "sentinel-2a"),
    ("odc_stac/S2A_29RKH_20200219_0_L2A.json", None,
     "sentinel-2-l2a", ELEMENT_84, 1e-4, 0, "metadata", 32629, "02.14", "sentinel-2a"),
    ("odc_stac/S2A_31NBJ_20190524_0_L2A.json", None,
     "sentinel-2-l2a", ELEMENT_84, 1e-4, 0, "baseline", 32631, "02.12", "sentinel-2a"),
    ("odc_stac/S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531.json", None,
     "sentinel-2-l2a", MICROSOFT, 1e-4, 0, "baseline", 32606, "02.12", "sentinel-2b"),
    ("odc_stac/S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531_raster_ext.json", None,
     "sentinel-2-l2a", MICROSOFT, 1e-4, 0, "baseline", 32606, "02.12", "sentinel-2b"),
    ("odc_stac/site1-20200606-tall-strip-africa.geojson", None,
     "sentinel-2-l2a", MICROSOFT, 1e-4, 0, "baseline", 32735, "02.12", "sentinel-2b"),
    ("odc_stac/site2-2020_jun_jul-35MNM.geojson", None,
     "sentinel-2-l2a", MICROSOFT, 1e-4, 0, "baseline", 32735, "02.12", "sentinel-2a"),
    ("stacchip/landsat-c2l2-sr-LC09_L2SR_086107_20240311_20240312_02_T2_SR.json", None,
     "landsat-c2-l2", LANDSAT, 2.75e-5, -0.2, "default", 3031, None, "landsat-9"),
    ("stacchip/sentinel-2-l2a-S2A_T20HNJ_20240311T140636_L2A.json", None,
     "sentinel-2-l2a", ELEMENT_84, 1e-4, -0.1, "metadata", 32720, "05.10", "sentinel-2a"),
]  # fmt: skip
NOT_OURS = {
    "odc_stac/LE07_L2SP_044033_20210329_20210424_02_T1_SR.json": "Landsat 7 has other bands under the same names",
    "odc_stac/ga_ls8c_ard_3-1-0_088080_2020-05-25_final.stac-item.json": "another processing of Landsat 8",
    "odc_stac/lidar_dem.json": "an elevation model",
    "odc_stac/only_crs_proj.json": "a composite of three Landsats",
    "stacchip/stacchip_test_item.json": "says nothing of itself",
    "stacchip/naip_m_4207009_ne_19_060_20211024.json": "says nothing of itself",
}


@pytest.mark.parametrize(
    ("name", "item_id", "sensor", "endings", "scale", "offset", "decision", "epsg", "baseline", "platform"),
    EXPECTED,
    ids=[f"{row[0].partition('/')[2][:30]}-{row[1] or ''}" for row in EXPECTED],
)
def test_each_recorded_item_maps_to_the_bands_written_by_hand(
    shared_data, name, item_id, sensor, endings, scale, offset, decision, epsg, baseline, platform
):
    item = recorded_item(shared_data, name, item_id)
    assert match_sensor(item) == sensor
    ours = find_sensor(sensor)
    scene = from_item(item, ours, base_href="/archive/item.json")
    expected_order = [band.name for band in (*ours.bands, *([ours.mask] if ours.mask else []))]
    assert list(scene.bands) == expected_order
    assert set(endings) == set(expected_order)
    for band, ending in endings.items():
        assert scene.bands[band].href.endswith(ending), band
        assert scene.bands[band].index == 1
        is_mask = ours.mask is not None and band == ours.mask.name
        assert (scene.bands[band].scale, scene.bands[band].offset) == ((None, None) if is_mask else (scale, offset)), band
    assert (scene.radiometry, scene.epsg, scene.baseline, scene.platform) == (decision, epsg, baseline, platform)
    assert scene.sensor == sensor


def test_every_recorded_item_is_of_the_sensor_that_its_collection_says_or_of_none(shared_data):
    known = {
        "sentinel-2-l2a": "sentinel-2-l2a", "sentinel-2-c1-l2a": "sentinel-2-l2a", "sentinel-s2-l2a-cogs": "sentinel-2-l2a",
        "sentinel-2-l1c": "sentinel-2-l1c", "landsat-c2-l2": "landsat-c2-l2", "landsat-c2l2-sr": "landsat-c2-l2",
        "sentinel-1-grd": None,
    }  # fmt: skip
    seen = 0
    for path in sorted((shared_data / "stac_recorded").glob("*/*json")):
        name = f"{path.parent.name}/{path.name}"
        for item in recorded_items(shared_data, name) if "collections.json" not in name or "031" in name else []:
            if "assets" in item and "properties" in item:
                expected = None if name in NOT_OURS else known[item["collection"]]
                assert match_sensor(item) == expected, (name, item["id"])
                seen += 1
    assert seen == 69


@pytest.mark.parametrize("name", NOT_OURS)
def test_other_products_are_of_no_sensor_of_ours(shared_data, name):
    item = recorded_item(shared_data, name)
    assert match_sensor(item) is None
    assert not any(is_sensor(item, sensor) for sensor in SENSORS.values())


def test_a_naip_item_gives_four_bands_of_one_file_in_documented_order(shared_data):
    for name in ("stacchip/naip_m_4207009_ne_19_060_20211024.json", "stacchip/stacchip_test_item.json"):
        scene = from_item(recorded_item(shared_data, name), find_sensor("naip"), base_href="/archive/a/item.json")
        assert {band: source.index for band, source in scene.bands.items()} == {"red": 1, "green": 2, "blue": 3, "nir": 4}
        assert len({source.href for source in scene.bands.values()}) == 1
        assert scene.epsg == 26919


def test_times_sun_orbit_and_origin_of_a_microsoft_item(shared_data):
    item = recorded_item(shared_data, "odc_stac/S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531.json")
    scene = from_item(item, find_sensor("sentinel-2-l2a"))
    assert scene.datetime == datetime(2019, 6, 29, 21, 25, 29, 24000, tzinfo=UTC)
    assert scene.sun_elevation == pytest.approx(90 - 37.9128805424161)
    assert scene.sun_azimuth == pytest.approx(170.148039164397)
    assert (scene.relative_orbit, scene.orbit_state) == (43, "descending")
    assert scene.created == "2020-10-06T08:05:31.830Z"
    assert scene.cloud_percent == 0.314306
    assert scene.footprint == item["geometry"]


def test_orbit_and_checksum_of_an_earth_search_item_come_from_its_product_name_and_assets(shared_data):
    item = recorded_item(shared_data, "stacchip/sentinel-2-l2a-S2A_T20HNJ_20240311T140636_L2A.json")
    scene = from_item(item, find_sensor("sentinel-2-l2a"))
    assert "_R067_" in item["properties"]["s2:product_uri"]
    assert scene.relative_orbit == 67
    assert scene.bands["B04"].checksum == item["assets"]["red"]["file:checksum"]
    assert scene.bands["B04"].nodata == 0
    assert scene.sun_elevation == pytest.approx(47.9530815619878)


def test_an_old_landsat_item_states_its_platform_and_sun_under_old_names(shared_data):
    item = recorded_item(shared_data, "odc_stac/LC08_L2SR_081119_20200101_20200823_02_T2.json")
    scene = from_item(item, find_sensor("landsat-c2-l2"), base_href="/archive/a/item.json")
    assert scene.sun_azimuth == pytest.approx(93.54107327)
    assert (
        scene.bands["B02"].href
        == "/archive/a/tests/data-files/landsat/LC08_L2SR_081119_20200101_20200823_02_T2_SR_B2_small.TIF"
    )


def test_an_item_of_the_archive_resolves_its_relative_hrefs(shared_data):
    path = shared_data / "archive/sentinel-2-l2a/S2_T32TPS_20220612_L2A/S2_T32TPS_20220612_L2A.json"
    scene = from_item(json.loads(path.read_text()), find_sensor("sentinel-2-l2a"), base_href=path.as_posix())
    assert list(scene.bands) == ["B02", "B03", "B04", "B08", "scl"]
    assert scene.bands["B04"].href == (path.parent / "B04.tif").as_posix()
    assert (scene.bands["B04"].scale, scene.bands["B04"].offset, scene.radiometry) == (1e-4, 0, "metadata")
    assert scene.href == path.as_posix()
    assert scene.epsg == 32632


def test_an_interval_without_an_instant_is_a_vintage():
    item = small_item(datetime=None, start_datetime="2020-04-01T00:00:00Z", end_datetime="2020-10-01T02:00:00+02:00")
    scene = from_item(item, find_sensor("sentinel-2-l2a"))
    assert scene.datetime is None
    assert scene.start_datetime == datetime(2020, 4, 1, tzinfo=UTC)
    assert scene.end_datetime == datetime(2020, 10, 1, tzinfo=UTC)


def test_an_instant_beside_an_interval_is_an_instant():
    item = small_item(start_datetime="2020-04-01T00:00:00Z", end_datetime="2020-10-01T00:00:00Z")
    scene = from_item(item, find_sensor("sentinel-2-l2a"))
    assert scene.datetime == datetime(2023, 7, 14, 10, 50, 31, 24000, tzinfo=UTC)
    assert scene.start_datetime is scene.end_datetime is None


def test_a_time_without_a_zone_is_read_as_utc():
    scene = from_item(small_item(datetime="2023-07-14T10:50:31"), find_sensor("sentinel-2-l2a"))
    assert scene.datetime == datetime(2023, 7, 14, 10, 50, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        (
            {"datetime": None},
            "Item a has neither a datetime nor a start_datetime and an end_datetime; expected one of both. Repair it",
        ),
        ({"datetime": None, "start_datetime": "2020-01-01T00:00:00Z"}, "neither a datetime nor"),
        ({"datetime": "last summer"}, "Item a has a time that is not RFC 3339: .*last summer.* Repair it in its catalog"),
    ],
)
def test_an_item_without_a_time_is_refused_in_words(properties, words):
    with pytest.raises(ContractError, match=words):
        from_item(small_item(**properties), find_sensor("sentinel-2-l2a"))


def test_a_bounding_box_stands_in_for_a_missing_geometry_and_without_both_an_item_is_refused():
    item = small_item() | {"geometry": None, "bbox": [2.0, 48.0, 0.0, 3.0, 49.0, 500.0]}
    scene = from_item(item, find_sensor("sentinel-2-l2a"))
    assert scene.footprint["coordinates"] == [[[2.0, 48.0], [3.0, 48.0], [3.0, 49.0], [2.0, 49.0], [2.0, 48.0]]]
    with pytest.raises(
        ContractError, match=r"Item a has neither a geometry nor a bbox; expected one\. Repair it in its catalog"
    ):
        from_item(item | {"bbox": None}, find_sensor("sentinel-2-l2a"))


@pytest.mark.parametrize(
    ("stated", "of_asset", "epsg"),
    [
        ({"proj:epsg": 32631}, {}, 32631),
        ({"proj:code": "EPSG:32631"}, {}, 32631),
        ({"proj:code": None, "proj:epsg": 32631}, {}, 32631),
        ({}, {"proj:code": "EPSG:32632"}, 32632),
        ({}, {"proj:epsg": 32632}, 32632),
        ({"proj:code": "IAU_2015:30100"}, {}, None),
        ({"proj:epsg": None}, {}, None),
    ],
)
def test_the_grid_s_code_is_read_old_and_new_of_item_and_asset(stated, of_asset, epsg):
    item = small_item()
    del item["properties"]["proj:code"]
    item["properties"] |= stated
    item["assets"] = {"B04": asset("B04.tif", **of_asset), "B08": asset("B08.tif", **of_asset)}
    assert from_item(item, find_sensor("sentinel-2-l2a")).epsg == epsg


def test_assets_that_disagree_on_the_grid_leave_its_code_open():
    item = small_item()
    del item["properties"]["proj:code"]
    item["assets"] = {"B04": asset("B04.tif", **{"proj:epsg": 32631}), "B08": asset("B08.tif", **{"proj:epsg": 32632})}
    assert from_item(item, find_sensor("sentinel-2-l2a")).epsg is None


@pytest.mark.parametrize(
    ("described", "sensor"),
    [
        ({"properties": {"constellation": "sentinel-2", "processing:level": "L2A"}}, "sentinel-2-l2a"),
        ({"properties": {"platform": "Sentinel-2C", "s2:product_type": "S2MSI1C"}}, "sentinel-2-l1c"),
        ({"properties": {"platform": "sentinel-2a", "product:type": "S2MSI2A", "processing:level": "L2"}}, "sentinel-2-l2a"),
        (
            {"properties": {"constellation": "Sentinel 2", "s2:product_uri": "S2B_MSIL2A_20250731T1_N0511_R095_T.SAFE"}},
            "sentinel-2-l2a",
        ),
        ({"properties": {"constellation": "sentinel-2"}}, None),
        ({"properties": {"platform": "LANDSAT_9", "landsat:correction": "L2SP"}}, "landsat-c2-l2"),
        ({"properties": {"platform": "landsat-8", "landsat:correction": "L2SP", "landsat:collection_number": "01"}}, None),
        ({"properties": {"platform": "landsat-5", "landsat:correction": "L2SP"}}, None),
        ({"collection": "landsat-c2-l2", "properties": {"platform": "landsat-7"}}, None),
        ({"collection": "landsat-c2-l2", "properties": {"platform": "landsat-9"}}, "landsat-c2-l2"),
        ({"collection": "Sentinel-2-L2A", "properties": {}}, "sentinel-2-l2a"),
        ({"collection": "sentinel-1-rtc", "properties": {"constellation": "Sentinel-1"}}, "sentinel-1-rtc"),
        ({"collection": "mine", "properties": {"platform": "sentinel-1a", "sar:product_type": "RTC"}}, "sentinel-1-rtc"),
        ({"collection": "naip", "properties": {}}, "naip"),
        ({"collection": "spot-ortho", "properties": {}}, "spot-ortho"),
        ({"id": "landsat-c2-l2", "summaries": {"platform": ["landsat-4", "landsat-7", "landsat-8"]}}, "landsat-c2-l2"),
        ({"id": "landsat-c2-l2", "summaries": {"platform": ["landsat-4", "landsat-7"]}}, None),
        ({"id": "mine", "summaries": {"constellation": ["sentinel-2"], "processing:level": ["L2A"]}}, "sentinel-2-l2a"),
        ({"id": "sentinel-2-c1-l2a"}, "sentinel-2-l2a"),
        ({"id": "cop-dem-glo-30"}, "cop-dem-glo-30"),
        ({"id": "cop-dem-glo-90"}, None),
    ],
)
def test_a_sensor_is_recognised_by_its_collection_or_by_what_is_said(described, sensor):
    assert match_sensor(described) == sensor


@pytest.mark.parametrize(
    ("href", "base", "resolved"),
    [
        ("./B04.tif", "/data/a/item.json", "/data/a/B04.tif"),
        ("../b/B04.tif", "/data/a/item.json", "/data/b/B04.tif"),
        ("/abs/B04.tif", "/data/a/item.json", "/abs/B04.tif"),
        ("B04.tif", "https://host/a/item.json?x=1", "https://host/a/B04.tif"),
        ("/B04.tif", "https://host/a/item.json", "https://host/B04.tif"),
        ("../B04.tif?sig=a", "https://host/a/item.json", "https://host/B04.tif?sig=a"),
        ("s3://bucket/B04.tif", "https://host/a/item.json", "s3://bucket/B04.tif"),
        ("/vsizip/a.zip/B04.tif", "https://host/a/item.json", "/vsizip/a.zip/B04.tif"),
        ("B04.tif", None, "B04.tif"),
    ],
)
def test_hrefs_are_resolved_against_the_item_s_own_address(href, base, resolved):
    assert resolve_href(href, base) == resolved


def test_an_item_s_address_is_where_it_was_read_else_its_self_link_and_holds_no_secret():
    item = small_item() | {"links": [{"rel": "self", "href": "https://host/items/a?token=abc"}]}
    item["assets"] = {"B04": asset("B04.tif?sig=1")}
    scene = from_item(item, find_sensor("sentinel-2-l2a"))
    assert scene.href == "https://host/items/a"
    assert scene.bands["B04"].href == "https://host/items/B04.tif?sig=1"
    moved = from_item(item, find_sensor("sentinel-2-l2a"), base_href="/moved/a.json")
    assert (moved.href, moved.bands["B04"].href) == ("/moved/a.json", "/moved/B04.tif?sig=1")
