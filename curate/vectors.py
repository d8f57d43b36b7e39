"""Reading geometries of any vector file as longitudes and latitudes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.errors import RegionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = (".geojson", ".json", ".gpkg", ".parquet", ".fgb", ".shp", ".kml")
"""What is taken for the name of a file."""
CSV_OPTIONS = {"X_POSSIBLE_NAMES": "lon,lng,long,longitude,x", "Y_POSSIBLE_NAMES": "lat,latitude,y"}
"""Columns of a table that hold the place of each row, as GDAL's CSV driver takes them."""
TURNS = (-360, 0, 360)


def read_geometries(path: Path) -> NDArray[Any]:
    """The geometries of a file, in its order, in longitude and latitude inside -180 to 180.

    What reaches beyond 180 degrees is cut there and wrapped. Broken polygons are mended; empty geometries are left out.

    Args:
        path: GeoJSON, GeoPackage, GeoParquet or another format of GDAL, in any coordinate system; without one, WGS 84. A CSV
            has columns of longitudes and latitudes, such as `lon` and `lat`.

    Raises:
        RegionError: The file is absent, cannot be read, or holds no geometry.
    """
    import shapely

    if not path.is_file():
        raise RegionError(f"{path} is not there; expected a vector file, such as a GeoJSON or GeoPackage. Check the path.")
    frame = _read_frame(path)
    if frame.crs is not None:
        frame = frame.to_crs(4326)
    shapes = np.asarray(frame.geometry.to_numpy(), object)
    shapes = shapely.force_2d(shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))])
    if not len(shapes):
        raise RegionError(f"{path} is empty; expected at least one geometry. Choose another file.")
    west, south, east, north = shapely.total_bounds(shapes)
    if west < -360 or east > 540 or south < -90 or north > 90:
        raise RegionError(
            f"{path} has coordinates from {west:g}, {south:g} to {east:g}, {north:g}, which are no degrees, and no coordinate "
            "system that says what they are. Save it with its coordinate system, or in EPSG:4326."
        )
    return wrap(np.where(shapely.is_valid(shapes), shapes, shapely.make_valid(shapes)))


def _read_frame(path: Path) -> Any:
    import geopandas

    options = CSV_OPTIONS if path.suffix.lower() == ".csv" else {}
    try:
        frame = geopandas.read_parquet(path) if path.suffix == ".parquet" else geopandas.read_file(path, **options)
    # pyogrio and pyarrow raise errors of their own for what they cannot read; none shares a parent but Exception.
    except Exception as error:
        raise RegionError(
            f"{path} cannot be read as a vector file ({error}). Expected GeoJSON, GeoPackage or GeoParquet with geometries."
        ) from error
    if not isinstance(frame, geopandas.GeoDataFrame):
        raise RegionError(
            f"{path} has no geometries; its columns are {', '.join(map(str, frame.columns))}. Expected GeoJSON, GeoPackage or "
            "GeoParquet, or a CSV with columns such as lon and lat, in degrees."
        )
    return frame


def wrap(shapes: NDArray[Any]) -> NDArray[Any]:
    """Cut geometries at 180 degrees and bring what lies beyond back into -180 to 180."""
    import shapely
    from shapely.affinity import translate

    shapes = shapes.copy()
    bounds = shapely.bounds(shapes)
    for row in np.flatnonzero((bounds[:, 0] < -180) | (bounds[:, 2] > 180)):
        parts = [translate(shapes[row].intersection(shapely.box(turn - 180, -90, turn + 180, 90)), -turn) for turn in TURNS]
        shapes[row] = shapely.union_all([part for part in parts if not part.is_empty])
    return shapes


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
