"""Planetary Computer's other sensors from end to end: Sentinel-1, Landsat and NAIP, each in a container of its own."""

import json

import numpy as np
import pytest
import rasterio

from tests.curate.sources.test_planetary_computer import made_up
from tests.end_to_end.commands import curate, items_of
from tests.end_to_end.provider_scenes import SIDE_M, api_landing, footprint, place_at, sampled
from tests.planetary_computer_double import serve_planetary_computer, used
from tests.planted import assert_nowhere
from tests.servers import Recording, replay

API = "https://planetarycomputer.microsoft.com/api/stac/v1"
PLACE, EPSG = (-75.2, 38.3), 32618
COG = {"type": "image/tiff; application=geotiff; profile=cloud-optimized", "roles": ["data"]}
ACCOUNTS = {"sentinel-1-rtc": "sentinel1euwestrtc", "landsat-c2-l2": "landsateuwest", "naip": "naipeuwest"}
CONTAINERS = {"sentinel-1-rtc": "sentinel1-grd-rtc", "landsat-c2-l2": "landsat-c2", "naip": "naip"}
AERIAL_SIDE_M = 1200
"""Of the orthophoto, around the place."""
CLEAR = 21824
"""QA_PIXEL of a clear pixel."""

pytestmark = pytest.mark.slow


def rows(sensor):
    """Assets: key, file, pixel size, what its bands are called, and pixels of each, as that container's items have them."""
    rng = np.random.default_rng(7)

    def some(gsd, low, high, data_type):
        side = round((SIDE_M if gsd > 1 else AERIAL_SIDE_M) / gsd)
        return rng.uniform(low, high, (side, side)).astype(data_type)

    if sensor == "sentinel-1-rtc":
        stated = {"nodata": -32768, "data_type": "float32"}
        return [(name, f"iw-{name}.rtc.tiff", 10, [stated], [some(10, 0.01, 0.4, "float32")]) for name in ("vh", "vv")]
    if sensor == "naip":
        names = [{"name": name.title(), "common_name": name} for name in ("red", "green", "blue", "nir")]
        return [("image", "m_3807501_se_18_060_20210901.tif", 0.6, names, [some(0.6, 20, 200, "uint8") for _ in names])]
    bands = {"coastal": 1, "blue": 2, "green": 3, "red": 4, "nir08": 5, "swir16": 6, "swir22": 7}
    stated = {"scale": 2.75e-5, "offset": -0.2, "nodata": 0, "data_type": "uint16"}
    found = [
        (
            key,
            f"LC09_SR_B{number}.TIF",
            30,
            [stated | {"name": f"OLI_B{number}", "common_name": key}],
            [some(30, 8000, 12000, "uint16")],
        )
        for key, number in bands.items()
    ]
    return [*found, ("qa_pixel", "LC09_QA_PIXEL.TIF", 30, [{"nodata": 1}], [np.full((160, 160), CLEAR, "uint16")])]


def written(folder, sensor, *, east_m=0, name="", black=False):
    """An item of a sensor, whose files lie in a folder; moved, named and without light if that is wanted."""
    _, left, top = place_at(*PLACE)
    assets = {}
    for key, usual, gsd, bands, planes in rows(sensor):
        file = f"{name}{usual}"
        path = folder / CONTAINERS[sensor] / file
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = {"height": planes[0].shape[0], "width": planes[0].shape[1], "count": len(planes), "dtype": planes[0].dtype}
        blocks = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "nodata": bands[0].get("nodata")}
        margin = (SIDE_M - planes[0].shape[0] * gsd) / 2
        transform = rasterio.Affine(gsd, 0, left + margin + east_m, 0, -gsd, top - margin)
        with rasterio.open(path, "w", driver="GTiff", crs=f"EPSG:{EPSG}", transform=transform, **shape, **blocks) as raster:
            raster.write(np.stack(planes) * (not black))
        href = f"http://{ACCOUNTS[sensor]}.blob.core.windows.net/{CONTAINERS[sensor]}/{file}"
        assets[key] = COG | {"href": href, "gsd": gsd, "eo:bands": bands, "raster:bands": bands}
    described = {"platform": "landsat-9"} if sensor == "landsat-c2-l2" else {}
    item = made_up(f"{name}{sensor}-20210901", sensor, assets, **{"proj:epsg": EPSG, "gsd": 0.6}, **described)
    item["geometry"], item["bbox"] = footprint(EPSG, left + east_m, top)
    return json.loads(json.dumps(item))


def compare(folder, asset, storage):
    """How many bands of an asset are cut out of their file, whose pixels they are then."""
    compared = 0
    with rasterio.open(folder / asset["href"]) as ours:
        for index, source in enumerate(asset["seastars:sources"], 1):
            column, row, width, height = source["window"]
            if (height, width) == ours.shape:
                with rasterio.open(next(storage.rglob(source["href"].rpartition("/")[2]))) as theirs:
                    expected = theirs.read(1)[row : row + height, column : column + width]
                np.testing.assert_array_equal(ours.read(index), expected)
                compared += 1
    return compared


def build(storage, catalog, sensor, items, monkeypatch, *more, code=0):
    """Build a catalog from items whose files lie in a storage, which lends one token for them."""
    page = {"type": "FeatureCollection", "features": items, "links": []}
    recordings = [Recording("GET", "/api/stac/v1", api_landing(API)), Recording("POST", "/api/stac/v1/search", page)]
    with (
        replay(recordings, instead_of="https://planetarycomputer.microsoft.com") as api,
        serve_planetary_computer(storage) as double,
        used(double, monkeypatch),
    ):
        monkeypatch.setenv("SEASTARS_PLANETARY_COMPUTER_URL", f"{api.url}/api/stac/v1")
        words = ("--source", "planetary-computer", "--sensor", sensor, "--seasons", 1, *more)
        assert curate("build", catalog, *words, "--start", "2021-08-15", "--end", "2021-09-15") == code
        assert len(double.lent) == 1


@pytest.mark.parametrize("sensor", ACCOUNTS)
def test_a_sensor_is_built_with_the_token_of_its_own_container(tmp_path, monkeypatch, capfd, sensor):
    storage, catalog = tmp_path / "storage", sampled(tmp_path / "cat", place_at(*PLACE)[0])
    build(storage, catalog, sensor, [written(storage, sensor)], monkeypatch)
    ((path, item),) = items_of(catalog, sensor)
    assert item["properties"]["seastars:source"] == "planetary-computer"
    compared = sum(compare(path.parent, asset, storage) for asset in item["assets"].values())
    assert compared == {"sentinel-1-rtc": 2, "landsat-c2-l2": 8, "naip": 0}[sensor]  # NAIP comes at 0.6 m and is resampled
    assert curate("verify", catalog, "--quiet") == 0
    assert_nowhere(["plantedSignature"], catalog, *capfd.readouterr())


def test_a_square_half_outside_an_orthophoto_is_no_scene_of_black_ground(tmp_path, monkeypatch, capfd):
    """Its file states no number for what it lacks: what lies beyond it is missing, and counts against the scene."""
    storage, catalog = tmp_path / "storage", sampled(tmp_path / "cat", place_at(*PLACE)[0])
    build(storage, catalog, "naip", [written(storage, "naip", east_m=600)], monkeypatch, code=2)
    assert items_of(catalog, "naip") == []
    assert "the only candidate has 50" in " ".join(capfd.readouterr().err.split())


def test_a_square_across_two_orthophotos_of_a_day_has_pixels_of_both_and_real_black_is_kept(tmp_path, monkeypatch):
    storage, catalog = tmp_path / "storage", sampled(tmp_path / "cat", place_at(*PLACE)[0])
    west, east = written(storage, "naip", east_m=-600, name="w_"), written(storage, "naip", east_m=600, name="e_", black=True)
    build(storage, catalog, "naip", [west, east], monkeypatch)
    ((path, item),) = items_of(catalog, "naip")
    assert item["properties"]["seastars:valid_percent"] == 100
    (asset,) = item["assets"].values()
    with rasterio.open(path.parent / asset["href"]) as file:
        pixels = file.read(1)
        assert file.nodata == 0
    half = pixels.shape[1] // 2
    assert pixels[:, : half - 4].min() > 10
    assert set(np.unique(pixels[:, half + 4 :])) == {1}
    assert curate("verify", catalog, "--quiet") == 0
