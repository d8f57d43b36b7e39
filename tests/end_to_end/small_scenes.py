"""Small scenes of files with STAC items, to be served: a tile of 13 km, three bands and the classification, half cloudy."""

import json

import numpy as np
import rasterio
from pyproj import Transformer
from rasterio import Affine

ITEMS, REGION = "items.json", "region.json"
EPSG, LEFT, TOP, SIDE_M = 32631, 499980, 5400000, 12800
BANDS = {"B02": 10, "B04": 10, "B11": 20, "SCL": 20}


def make_scenes(folder, count, *, seed=0):
    """Write scenes of the year 2023, evenly spread, with an item collection and the region that they cover."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    items = [_write_scene(folder, f"scene-{number:02d}", 5 + 360 * number // count, rng) for number in range(count)]
    (folder / ITEMS).write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    (folder / REGION).write_text(json.dumps(_square(1200)))
    return folder


def _write_scene(folder, name, day, rng):
    (folder / name).mkdir()
    for band, gsd in BANDS.items():
        _write_band(folder / name / f"{band}.tif", gsd, rng, classes=band == "SCL")
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": "sentinel-2-l2a",
        "geometry": _square(0),
        "bbox": _box(_square(0)),
        "properties": {
            "datetime": f"{np.datetime64('2023-01-01') + np.timedelta64(day, 'D')}T10:50:31Z",
            "platform": "sentinel-2a",
            "proj:epsg": EPSG,
            "eo:cloud_cover": float(rng.integers(0, 100)),
        },
        "assets": {band: _asset(name, band, gsd) for band, gsd in BANDS.items()},
        "links": [],
    }


def _write_band(path, gsd, rng, *, classes):
    side = SIDE_M // gsd
    if classes:  # clouds in squares of 2 km
        clouds = rng.random((11, 11)) < 0.5
        pixels = np.where(np.kron(clouds, np.ones((100, 100)))[:side, :side], 9, 4).astype("uint8")
    else:
        pixels = (1000 + np.arange(side)[:, None] % 512 + rng.integers(0, 64, (side, side))).astype("uint16")
    place = {"crs": f"EPSG:{EPSG}", "transform": Affine(gsd, 0, LEFT, 0, -gsd, TOP), "nodata": 0}
    tiled = {"tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "deflate", "zlevel": 1, "predictor": 2}
    shape = {"count": 1, "height": side, "width": side, "dtype": pixels.dtype}
    with rasterio.open(path, "w", driver="GTiff", **shape, **place, **tiled) as raster:
        raster.write(pixels, 1)


def _asset(name, band, gsd):
    side = SIDE_M // gsd
    asset = {
        "href": f"./{name}/{band}.tif",
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "gsd": gsd,
        "proj:shape": [side, side],
        "proj:transform": [gsd, 0, LEFT, 0, -gsd, TOP],
        "raster:bands": [{"data_type": "uint8" if band == "SCL" else "uint16", "nodata": 0}],
    }
    return asset if band == "SCL" else asset | {"eo:bands": [{"name": band}]}


def _square(margin_m):
    to_lonlat = Transformer.from_crs(EPSG, 4326, always_xy=True)
    near, far = margin_m, SIDE_M - margin_m
    corners = [(near, near), (near, far), (far, far), (far, near), (near, near)]
    ring = [[round(degrees, 7) for degrees in to_lonlat.transform(LEFT + x, TOP - y)] for x, y in corners]
    return {"type": "Polygon", "coordinates": [ring]}


def _box(square):
    lon, lat = zip(*square["coordinates"][0], strict=True)
    return [min(lon), min(lat), max(lon), max(lat)]
