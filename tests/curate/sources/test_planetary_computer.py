"""Planetary Computer as a source: what its items become, by sensor, and what a user reads who asks for something else."""

import json

import pytest

from curate.errors import CurateError, SourceSensorError
from curate.sources import open_source, planetary_computer
from curate.sources.planetary_computer import COLLECTIONS
from curate.sources.planetary_computer.tokens import PlanetaryComputerSigner
from curate.sources.scenes import read_scene
from tests.catalogs.foreign_items import SENTINEL_2
from tests.curate.sources.archive import AGES, WORLD
from tests.curate.sources.told import assert_bands_as_told
from tests.end_to_end.provider_scenes import api_landing
from tests.servers import Recording, replay

SQUARE = {"type": "Polygon", "coordinates": [[[-75, 38], [-74.9, 38], [-74.9, 38.1], [-75, 38.1], [-75, 38]]]}
"""Of items that were not recorded but made up after real ones."""


def made_up(item_id, collection, assets, **properties):
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": item_id, "collection": collection, "geometry": SQUARE,
        "properties": {"datetime": "2021-09-01T16:00:00Z", "proj:epsg": 32618, **properties}, "assets": assets, "links": [],
    }  # fmt: skip


def are_signed(scene):
    signer = PlanetaryComputerSigner()
    return all(signer.signs(band.href) for band in scene.bands.values())


def test_sentinel_2_has_all_bands_and_the_offset_of_its_baseline_of_which_its_items_say_nothing(shared_data):
    path = shared_data / "stac_recorded/odc_stac/S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531_raster_ext.json"
    old = json.loads(path.read_text())
    new = old | {"properties": old["properties"] | {"s2:processing_baseline": "05.09", "datetime": "2023-06-28T21:25:29Z"}}
    for item, offset, baseline in ((old, 0.0, "02.12"), (new, -0.1, "05.09")):
        scene = read_scene(item, {})
        assert list(scene.bands) == [*SENTINEL_2, "scl"]
        assert {(band.scale, band.offset) for name, band in scene.bands.items() if name != "scl"} == {(1e-4, offset)}
        assert_bands_as_told("planetary-computer", [scene])
        assert (scene.radiometry, scene.baseline, scene.relative_orbit) == ("baseline", baseline, 43)
        assert are_signed(scene)


def test_landsat_has_its_bands_and_its_mask_with_the_scale_that_its_items_state(shared_data):
    recorded = json.loads((shared_data / "stac_recorded/api/031_pc_v1_collections.json").read_text())
    items = recorded["response"]["json"]["features"]
    scenes = [read_scene(item, {}) for item in items]
    of_8_and_9 = [scene for scene in scenes if scene]
    assert len(of_8_and_9) >= 5
    assert_bands_as_told("planetary-computer", of_8_and_9)
    for scene in of_8_and_9:
        assert (scene.sensor, list(scene.bands)) == ("landsat-c2-l2", [f"B0{number}" for number in range(1, 8)] + ["qa_pixel"])
        assert {(band.scale, band.offset) for name, band in scene.bands.items() if name != "qa_pixel"} == {(2.75e-5, -0.2)}
        assert are_signed(scene)


def test_sentinel_1_has_both_polarisations():
    folder = "https://sentinel1euwestrtc.blob.core.windows.net/sentinel1-grd-rtc/GRD/2021/9/1/IW/DV/S1A_IW/measurement"
    raster = [{"nodata": -32768, "data_type": "float32", "spatial_resolution": 10.0}]
    tiff = "image/tiff; application=geotiff; profile=cloud-optimized"
    assets = {
        name: {"href": f"{folder}/iw-{name}.rtc.tiff", "type": tiff, "roles": ["data"], "raster:bands": raster}
        for name in ("vh", "vv")
    }
    item = made_up("S1A_IW_GRDH_1SDV_20210901_rtc", "sentinel-1-rtc", assets, platform="SENTINEL-1A")
    scene = read_scene(item, {})
    assert (scene.sensor, list(scene.bands)) == ("sentinel-1-rtc", ["vv", "vh"])
    assert_bands_as_told("planetary-computer", [scene])
    assert {band.nodata for band in scene.bands.values()} == {-32768}
    assert are_signed(scene)


def test_naip_has_its_four_bands_in_one_file():
    names = [("Red", "red"), ("Green", "green"), ("Blue", "blue"), ("NIR", "nir")]
    image = {
        "href": "https://naipeuwest.blob.core.windows.net/naip/v002/md/2021/md_060cm_2021/38075/m_3807501_se_18_060_20210901.tif",
        "type": "image/tiff; application=geotiff; profile=cloud-optimized", "roles": ["data"],
        "eo:bands": [{"name": name, "common_name": common} for name, common in names],
    }  # fmt: skip
    scene = read_scene(made_up("md_m_3807501_se_18_060_20210901", "naip", {"image": image}, gsd=0.6), {})
    assert {name: band.index for name, band in scene.bands.items()} == {"red": 1, "green": 2, "blue": 3, "nir": 4}
    assert_bands_as_told("planetary-computer", [scene])
    assert are_signed(scene)


def test_it_is_the_source_of_that_name_at_its_public_address_and_asks_nothing_to_open(monkeypatch):
    monkeypatch.delenv("SEASTARS_PLANETARY_COMPUTER_URL", raising=False)
    assert planetary_computer.address() == "https://planetarycomputer.microsoft.com/api/stac/v1"
    source = open_source("planetary-computer", max_scene_cloud=40)
    assert (source.name, source.simulated, source.max_scene_cloud) == ("planetary-computer", False, 40)
    assert set(source.sensors()) == set(COLLECTIONS)


def test_landsat_4_to_7_are_not_asked_for(monkeypatch):
    empty = Recording("POST", "/v1/search", {"type": "FeatureCollection", "features": [], "links": []})
    landing = Recording("GET", "/v1", api_landing("http://api.test/v1"))
    with replay([landing, empty, empty], instead_of="http://api.test") as server:
        monkeypatch.setenv("SEASTARS_PLANETARY_COMPUTER_URL", f"{server.url}/v1")
        source = open_source("planetary-computer")
        assert [source.search(sensor, WORLD, *AGES) for sensor in ("landsat-c2-l2", "naip")] == [[], []]
    asked = [body.get("query") for method, _, body in server.requests if method == "POST"]
    assert asked == [{"platform": {"in": ["landsat-8", "landsat-9"]}}, None]


def test_level_1c_is_refused_with_where_to_find_it():
    with pytest.raises(SourceSensorError, match=r"has no sentinel-2-l1c\. It keeps Level-2A only: choose --source cdse"):
        open_source("planetary-computer").search("sentinel-2-l1c", WORLD, *AGES)


def test_a_detail_is_a_typing_error():
    with pytest.raises(CurateError, match=r"Unknown source 'planetary-computer:x'\. Nothing follows its name"):
        open_source("planetary-computer:x")
