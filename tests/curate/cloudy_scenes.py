"""Scenes with clouds, as small tiled files beside an item collection: so many that a build looks before it fetches."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from pyproj import Transformer
from rasterio import Affine
from scipy.ndimage import gaussian_filter

EPSG, LEFT, TOP = 32631, 500_000, 5_000_040
SIDE_M, BLOCK_PX = 7_680, 128
SCENES = 12
CLOUD_M = 600
"""Width of a cloud."""
ITEMS = "items.json"
BANDS = {"B02": (10, "uint16"), "B04": (10, "uint16"), "B11": (20, "uint16"), "SCL": (20, "uint8")}
VEGETATION, CLOUD, SHADOW = 4, 9, 3


def make_cloudy_scenes(folder: Path, *, seed: int = 0) -> Path:
    """Write scenes of a year over one square; give the path of their item collection."""
    rng = np.random.default_rng(seed)
    items = []
    for number in range(SCENES):
        cloudy = _clouds(rng, float(rng.beta(0.6, 0.6)))
        home = folder / f"S2A_{number:03d}"
        home.mkdir(parents=True)
        for key, (gsd, data_type) in BANDS.items():
            shape = (SIDE_M // gsd, SIDE_M // gsd)
            pixels = _classes(cloudy) if key == "SCL" else rng.integers(1200, 1500, shape)
            _write(home / f"{key}.tif", pixels.astype(data_type), gsd)
        items.append(_item(home.name, number, 100 * float(cloudy.mean())))
    (folder / ITEMS).write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    return folder / ITEMS


def footprint(margin_m: int = 0) -> dict[str, Any]:
    """The square of the scenes less a margin, GeoJSON."""
    to_lonlat = Transformer.from_crs(EPSG, 4326, always_xy=True)
    near, far = margin_m, SIDE_M - margin_m
    corners = [(near, near), (near, far), (far, far), (far, near), (near, near)]
    return {"type": "Polygon", "coordinates": [[list(to_lonlat.transform(LEFT + x, TOP - y)) for x, y in corners]]}


def _clouds(rng, cover):
    side = SIDE_M // 20
    field = gaussian_filter(rng.normal(size=(side, side)), CLOUD_M / 20, mode="wrap")
    return field < np.quantile(field, cover)


def _classes(cloudy):
    """Clouds with their shadows, which lie half a cloud beside them."""
    shaded = np.roll(cloudy, (-CLOUD_M // 40, CLOUD_M // 40), (0, 1))
    return np.select([cloudy, shaded], [CLOUD, SHADOW], VEGETATION)


def _write(path, pixels, gsd):
    height, width = pixels.shape
    profile = {"height": height, "width": width, "count": 1, "dtype": pixels.dtype, "nodata": 0, "crs": f"EPSG:{EPSG}"}
    blocks = {"tiled": True, "blockxsize": BLOCK_PX, "blockysize": BLOCK_PX, "compress": "deflate", "predictor": 2}
    with rasterio.open(path, "w", driver="GTiff", transform=Affine(gsd, 0, LEFT, 0, -gsd, TOP), **profile, **blocks) as raster:
        raster.write(pixels, 1)


def _item(name, number, cloud_percent):
    month, day = divmod(number * 336 // SCENES, 28)
    properties = {"datetime": f"2023-{month + 1:02d}-{day + 1:02d}T10:50:31Z", "platform": "sentinel-2a", "proj:epsg": EPSG}
    ring = footprint()["coordinates"][0]
    bounds = [min(x for x, _ in ring), min(y for _, y in ring), max(x for x, _ in ring), max(y for _, y in ring)]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": "sentinel-2-l2a",
        "geometry": footprint(),
        "bbox": bounds,
        "properties": properties | {"eo:cloud_cover": cloud_percent},
        "assets": {key: _asset(name, key) for key in BANDS},
        "links": [],
    }


def _asset(name, key):
    gsd, data_type = BANDS[key]
    side = SIDE_M // gsd
    asset = {
        "href": f"./{name}/{key}.tif",
        "type": "image/tiff; application=geotiff",
        "gsd": gsd,
        "proj:shape": [side, side],
        "proj:transform": [gsd, 0, LEFT, 0, -gsd, TOP],
        "raster:bands": [{"data_type": data_type, "nodata": 0}],
    }
    return asset if key == "SCL" else asset | {"eo:bands": [{"name": key}]}
