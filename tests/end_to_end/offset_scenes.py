"""One ground as four providers publish it: other numbers, other words, the same reflectance."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from pyproj import Transformer
from rasterio import Affine

EPSG, LEFT, TOP, SIDE_M = 32631, 500_040, 5_400_600, 1200
FLAG = "earthsearch:boa_offset_applied"
BANDS = {"B02": ("blue", 10), "B03": ("green", 10), "B04": ("red", 10), "B08": ("nir", 10), "B12": ("swir22", 20)}
SQUARE = (500_340, 5_399_700, 500_940, 5_400_300)
"""A location's bounds within the ground."""
DARK_ROW, SHADE = 40, -0.05
"""Some ground in a row is darker than none, as over-corrected shade is: its numbers are 500 with an offset, else 1."""
GAP = (slice(20, 23), slice(30, 33))
"""Pixels of 20 m without a measurement."""

Manner = dict[str, Any]
MANNERS: dict[str, Manner] = {
    "earth-search-c1": {
        "collection": "sentinel-2-c1-l2a", "added": 1000, "keys": 0, "stated": -0.1,
        "properties": {"s2:processing_baseline": "05.11", "earthsearch:payload_id": "a"},
    },
    "earth-search-shifted": {
        "collection": "sentinel-2-l2a", "added": 0, "keys": 0, "stated": -0.1,
        "properties": {"s2:processing_baseline": "05.11", FLAG: True},
    },
    "earth-search-unshifted": {
        "collection": "sentinel-2-l2a", "added": 1000, "keys": 0, "stated": 0,
        "properties": {"s2:processing_baseline": "05.11", FLAG: False},
    },
    "microsoft": {
        "collection": "sentinel-2-l2a", "added": 1000, "keys": 1, "stated": None,
        "properties": {"s2:processing_baseline": "04.00"},
    },
    "microsoft-old": {
        "collection": "sentinel-2-l2a", "added": 0, "keys": 1, "stated": None,
        "properties": {"s2:processing_baseline": "02.14"},
    },
}  # fmt: skip
"""What is added to numbers; whether assets are called by common names or by bands; which offset bands state; of all items."""


def lying(name: str) -> Manner:
    """The flag of Earth Search turned round: a scene that was shifted says it was not, and the other way round."""
    manner = copy.deepcopy(MANNERS[name])
    manner["properties"][FLAG] = not manner["properties"][FLAG]
    return manner


def reflectance(kind: str = "fields") -> dict[str, np.ndarray]:
    """Of the ground, by band, (height, width); NaN where nothing was measured."""
    rng = np.random.default_rng(7)
    fine, coarse = SIDE_M // 10, SIDE_M // 20
    texture = {10: rng.integers(80, 120, (fine, fine)) / 100, 20: rng.integers(80, 120, (coarse, coarse)) / 100}
    green = {"B02": 0.02, "B03": 0.05, "B04": 0.03, "B08": 0.4, "B12": 0.1}
    sand = {"B02": 0.14, "B03": 0.22, "B04": 0.31, "B08": 0.4, "B12": 0.5}
    found = {}
    for name, (_, gsd) in BANDS.items():
        value = np.round((sand if kind == "desert" else green)[name] * texture[gsd], 4)
        if kind == "fields" and gsd == 10:
            value[DARK_ROW, 30:35] = SHADE
        rows, columns = (slice(part.start * 20 // gsd, part.stop * 20 // gsd) for part in GAP)
        value[rows, columns] = np.nan
        found[name] = value
    return found


def publish(folder: Path, *manners: tuple[str, Manner, str], kind: str = "fields") -> Path:
    """Write scenes of the ground, each a name, its manner and its day; give the path of their item collection."""
    items = []
    for name, manner, day in manners:
        home = folder / name
        home.mkdir(parents=True)
        for band, values in reflectance(kind).items():
            numbers = np.where(np.isnan(values), 0, np.maximum(np.round(values * 10_000) + manner["added"], 1)).astype("uint16")
            _write(home / f"{band}.tif", numbers, BANDS[band][1])
        _write(home / "SCL.tif", _classes(kind), 20)
        items.append(_item(name, manner, day))
    path = folder / "items.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    return path


def _classes(kind: str) -> np.ndarray:
    scl = np.full((SIDE_M // 20, SIDE_M // 20), 5 if kind == "desert" else 4, "uint8")
    scl[GAP] = 0
    return scl


def _write(path: Path, pixels: np.ndarray, gsd: int) -> None:
    height, width = pixels.shape
    profile = {"height": height, "width": width, "count": 1, "dtype": pixels.dtype, "nodata": 0, "crs": f"EPSG:{EPSG}"}
    with rasterio.open(path, "w", driver="GTiff", transform=Affine(gsd, 0, LEFT, 0, -gsd, TOP), **profile) as raster:
        raster.write(pixels, 1)


def _item(name: str, manner: Manner, day: str) -> dict[str, Any]:
    to_lonlat = Transformer.from_crs(EPSG, 4326, always_xy=True)
    corners = [(0, 0), (0, SIDE_M), (SIDE_M, SIDE_M), (SIDE_M, 0), (0, 0)]
    ring = [list(to_lonlat.transform(LEFT + x, TOP - y)) for x, y in corners]
    bounds = [min(x for x, _ in ring), min(y for _, y in ring), max(x for x, _ in ring), max(y for _, y in ring)]
    assets = {"scl" if manner["keys"] == 0 else "SCL": _asset(f"{name}/SCL.tif", 20, manner)}
    for band, (common, gsd) in BANDS.items():
        assets[(common, band)[manner["keys"]]] = _asset(f"{name}/{band}.tif", gsd, manner) | {"eo:bands": [{"name": band}]}
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": manner["collection"],
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": bounds,
        "properties": {"datetime": f"{day}T10:50:31Z", "platform": "sentinel-2a", "proj:epsg": EPSG} | manner["properties"],
        "assets": assets,
        "links": [],
    }


def _asset(href: str, gsd: int, manner: Manner) -> dict[str, Any]:
    side = SIDE_M // gsd
    stated = {} if manner["stated"] is None else {"scale": 1e-4, "offset": manner["stated"]}
    return {
        "href": f"./{href}",
        "type": "image/tiff; application=geotiff",
        "gsd": gsd,
        "proj:shape": [side, side],
        "proj:transform": [gsd, 0, LEFT, 0, -gsd, TOP],
        "raster:bands": [{"nodata": 0, **stated}],
    }
