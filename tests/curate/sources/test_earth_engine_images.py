"""Images of Earth Engine as scenes of ours, and what the address of a band says."""

import re
from datetime import UTC, datetime

import pytest

from catalogs.foreign import SourceBand
from catalogs.records import Grid
from curate.errors import SourceUnavailableError
from curate.sources.earth_engine.images import COLLECTIONS, SECO_COLLECTIONS, EngineBand, read_address, to_scene
from tests.curate.sources.engine_images import S2, landsat, sentinel_1, sentinel_2

SENTINEL_2, SENTINEL_2_L1C = COLLECTIONS["sentinel-2-l2a"][0], COLLECTIONS["sentinel-2-l1c"][0]


def scene_of(image, sensor="sentinel-2-l2a", collection=SENTINEL_2):
    return to_scene(image if isinstance(image, dict) else image.to_json(), sensor, collection, source="earth-engine")


def test_an_image_of_sentinel_2_is_a_scene_with_our_bands_in_our_order():
    scene = scene_of(sentinel_2(0, cloudy=0.25))
    assert scene.id == "20230106T105031_20230106T105031_T31UES"
    assert list(scene.bands) == ["B01", "B02", "B03", "B04", "B05", "B08", "B8A", "B09", "B11", "B12", "scl"]
    assert scene.datetime == datetime(2023, 1, 6, 10, 50, 31, tzinfo=UTC)
    assert (scene.epsg, scene.cloud_percent, scene.platform, scene.baseline) == (32631, 25.0, "sentinel-2b", "05.09")
    assert (scene.sun_elevation, scene.sun_azimuth, scene.relative_orbit, scene.orbit_state) == (50.0, 150.0, 51, "descending")
    assert (scene.source, scene.created) == ("earth-engine", "2023-11-14T22:13:20Z")
    assert scene.href == f"https://earthengine.googleapis.com/v1/projects/earthengine-public/assets/{S2}/{scene.id}"


def test_what_is_harmonized_has_no_offset_and_what_is_not_goes_by_its_baseline():
    seco = SECO_COLLECTIONS["sentinel-2-l2a"][0]
    decided = {
        (collection.id, baseline): (scene.bands["B04"].scale, scene.bands["B04"].offset, scene.radiometry)
        for collection in (SENTINEL_2, seco)
        for baseline in ("02.14", "05.09")
        for scene in [scene_of(sentinel_2(0, baseline=baseline, collection=collection.id), collection=collection)]
    }
    assert decided == {
        (S2, "02.14"): (1e-4, 0.0, "collection"),
        (S2, "05.09"): (1e-4, 0.0, "collection"),
        ("COPERNICUS/S2_SR", "02.14"): (1e-4, 0.0, "baseline"),
        ("COPERNICUS/S2_SR", "05.09"): (1e-4, -0.1, "baseline"),
    }
    assert scene_of(sentinel_2(0)).bands["scl"].scale is None


def test_level_1c_has_cirrus_and_no_mask():
    image = sentinel_2(0, collection=SENTINEL_2_L1C.id)
    image.bands = {**image.bands, "B10": image.bands["B1"]}
    scene = scene_of(image, "sentinel-2-l1c", SENTINEL_2_L1C)
    assert "B10" in scene.bands
    assert "scl" not in scene.bands
    assert scene.bands["B10"].offset == 0.0


def test_an_image_of_landsat_is_a_scene_with_its_mask_and_its_own_scale():
    scene = scene_of(landsat(0), "landsat-c2-l2", COLLECTIONS["landsat-c2-l2"][0])
    assert list(scene.bands) == ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "qa_pixel"]
    assert (scene.bands["B04"].scale, scene.bands["B04"].offset, scene.radiometry) == (2.75e-5, -0.2, "default")
    assert (scene.platform, scene.cloud_percent, scene.sun_elevation) == ("landsat-8", 1.5, 48.0)
    assert read_address(scene.bands["qa_pixel"]).nodata == 1


def test_an_image_that_runs_from_east_to_west_has_the_same_pixels_turned_round():
    scene = scene_of(sentinel_1(0), "sentinel-1-grd", COLLECTIONS["sentinel-1-grd"][0])
    band = read_address(scene.bands["vv"])
    assert band.grid == Grid(32631, (10.0, 0.0, 499_984.2, 0.0, -10.0, 5_700_003.7), 600, 600)
    assert (band.data_type, band.nodata, scene.footprint["type"]) == ("float32", -32768, "Polygon")
    assert (scene.platform, scene.relative_orbit, scene.orbit_state) == ("sentinel-1a", 37, "ascending")


@pytest.mark.parametrize("mode", ["EW", None])
def test_radar_of_another_mode_has_coarser_pixels_and_is_not_taken(mode):
    image = sentinel_1(0)
    image.properties = {**image.properties, "instrumentMode": mode}
    why = scene_of(image, "sentinel-1-grd", COLLECTIONS["sentinel-1-grd"][0])
    assert why == f"it was taken in mode {mode}; IW alone has the pixels of 10 m that sentinel-1-grd stands for"


@pytest.mark.parametrize("left", [600_000.0, 593_620.2, -0.125, 1e-9 + 5])
def test_an_address_says_all_of_a_band(left):
    band = EngineBand(f"{S2}/a_b", "B8A", Grid(32631, (20.0, 0.0, left, 0.0, -20.0, 5_700_000.5), 5490, 5491), "uint16", 0.0)
    assert read_address(SourceBand(band.href, nodata=0.0)) == band


@pytest.mark.parametrize("href", ["https://host/B04.tif", "earth-engine://a/b/B4", "earth-engine://a/b/B4?grid=1,2&type=uint8"])
def test_another_address_is_refused(href):
    with pytest.raises(SourceUnavailableError, match=r"is no band of an image of Earth Engine\. Expected earth-engine://COLL"):
        read_address(SourceBand(href))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"geometry": None}, "it states no footprint"),
        ({"geometry": {"type": "Point", "coordinates": [1, 2]}}, "it states no footprint"),
        ({"startTime": None}, "it states no time"),
        ({"bands": []}, "it has none of the bands B1, B2"),
    ],
)
def test_an_image_that_lacks_what_is_needed_says_so(change, reason):
    assert reason in scene_of(sentinel_2(0).to_json() | change)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"crsCode": "SR-ORG:6974"}, r"its grid is of SR-ORG:6974 and 480 x 480 pixels; expected an EPSG code and a size"),
        ({"dimensions": {}}, "0 x 0 pixels"),
        ({"affineTransform": {"scaleX": 10, "scaleY": -10, "shearX": 0.5}}, r"its pixels are rotated or oblong \(10 x -10\)"),
        ({"affineTransform": {"scaleX": 10, "scaleY": -20}}, r"its pixels are rotated or oblong \(10 x -20\)"),
        ({"affineTransform": {}}, r"its pixels are rotated or oblong \(0 x 0\)"),
    ],
)
def test_an_image_on_a_grid_of_another_kind_says_so(change, reason):
    image = sentinel_2(0).to_json()
    for band in image["bands"]:
        if band["id"] == "B2":
            band["grid"] |= change
    assert re.search(reason, scene_of(image))


def test_an_image_that_is_named_by_its_asset_alone_is_known():
    image = sentinel_2(0).to_json()
    del image["id"]
    assert scene_of(image) == scene_of(sentinel_2(0))
