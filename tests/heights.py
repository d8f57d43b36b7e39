"""Copernicus DEM as STAC APIs have it, made up: squares of a degree whose heights are a function of longitude and latitude."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio import Affine
from rasterio.windows import Window

from catalogs.records import Location

DEM = "cop-dem-glo-30"
ROWS = 3600
WIDTHS = ((50, 3600), (60, 2400), (70, 1800), (80, 1200), (85, 720), (90, 360))
"""Columns of a square up to a latitude."""
MARGIN = 0.06
"""Degrees around a place that are written; the rest of a file is left sparse, which reads as zero."""


def height(lon: Any, lat: Any) -> Any:
    """Metres, steep enough that half a pixel is decimetres, smooth enough for a line between two pixels, the same a turn on."""
    return 2000 * np.sin(2 * np.pi * lon / 3) + 2000 * np.cos(2 * np.pi * (lat - 0.7) / 3)


def columns_at(south: int) -> int:
    """Columns of a square: pixels get wider in degrees towards the poles."""
    return next(width for edge, width in WIDTHS if south < edge)


def name_of(west: int, south: int) -> str:
    """As the provider calls a square by its lower left corner."""
    north, east = "N" if south >= 0 else "S", "E" if west >= 0 else "W"
    return f"Copernicus_DSM_COG_10_{north}{abs(south):02d}_00_{east}{abs(west):03d}_00_DEM"


def write_square(folder: Path, west: int, south: int, lonlat: tuple[float, float], *, void: float | None = None) -> None:
    """Write the file of a square around a place, as GDAL writes points: with the middle of its first pixel in its corner.

    Args:
        folder: Of all files.
        west: Its western edge, degrees.
        south: Its southern edge, degrees.
        lonlat: Around which heights are written.
        void: Heights there instead.
    """
    width = columns_at(south)
    step_x, step_y = 1 / width, 1 / ROWS
    transform = Affine(step_x, 0, west - step_x / 2, 0, -step_y, south + 1 + step_y / 2)
    lon, lat = (
        np.clip(edge, 0, 1)
        for edge in (np.add(lonlat[0] - west, (-MARGIN, MARGIN)), np.add(lonlat[1] - south, (-MARGIN, MARGIN)))
    )
    first_column, last_column = int(lon[0] * width), int(np.ceil(lon[1] * width))
    first_row, last_row = int((1 - lat[1]) * ROWS), int(np.ceil((1 - lat[0]) * ROWS))
    lons = west + np.arange(first_column, last_column) * step_x
    lats = south + 1 - np.arange(first_row, last_row) * step_y
    pixels = height(*np.meshgrid(lons, lats)) if void is None else np.full((len(lats), len(lons)), void)
    path = folder / f"{name_of(west, south)}.tif"
    path.parent.mkdir(parents=True, exist_ok=True)
    layout = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "predictor": 3, "SPARSE_OK": True}
    place = {"crs": "EPSG:4326", "transform": transform, "height": ROWS, "width": width}
    with rasterio.open(path, "w", driver="GTiff", count=1, dtype="float32", **place, **layout) as raster:
        raster.update_tags(AREA_OR_POINT="Point")
        raster.write(pixels.astype("float32"), 1, window=Window(first_column, first_row, len(lons), len(lats)))


def square_item(address: str, west: int, south: int) -> dict[str, Any]:
    """The item of a square, as both providers have it."""
    width, name = columns_at(south), name_of(west, south)
    left, top = west - 0.5 / width, south + 1 + 0.5 / ROWS
    ring = [[left, top - 1], [left + 1, top - 1], [left + 1, top], [left, top], [left, top - 1]]
    asset = {
        "href": f"{address}/{name}.tif",
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "title": "Data",
        "roles": ["data"],
        "raster:bands": [{"sampling": "point", "data_type": "float32", "spatial_resolution": 30, "unit": "meter"}],
    }
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": name,
        "collection": DEM,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [left, top - 1, left + 1, top],
        "properties": {
            "datetime": "2021-04-22T00:00:00Z",
            "platform": "tandem-x",
            "gsd": 30,
            "proj:epsg": 4326,
            "proj:shape": [ROWS, width],
            "proj:transform": [1 / width, 0, left, 0, -1 / ROWS, top],
        },
        "links": [],
        "assets": {"data": asset},
    }


def heights_on(location: Location, gsd: float = 30) -> NDArray[np.float64]:
    """What the function says at the middles of a location's pixels, (rows, columns)."""
    left, bottom, right, top = location.bounds
    xs, ys = np.arange(left + gsd / 2, right, gsd), np.arange(top - gsd / 2, bottom, -gsd)
    lon, lat = Transformer.from_crs(location.zone, 4326, always_xy=True).transform(*np.meshgrid(xs, ys))
    expected: NDArray[np.float64] = height(lon, lat)
    return expected
