"""The squares that a file of points and polygons names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from curate.areas import UTM_LATITUDES
from curate.errors import RegionError
from curate.squares import Squares
from curate.tiling import covering_squares

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMED = ("Point", "MultiPoint", "Polygon", "MultiPolygon")


def named_squares(shapes: NDArray[Any], side_m: int, *, tile: bool) -> Squares:
    """One square around each point and around the centroid of each polygon, or squares that cover each polygon.

    Args:
        shapes: Points and polygons, lon/lat, as `vectors.read_geometries` gives them.
        side_m: Side of the squares, metres.
        tile: Whether to cover polygons.

    Raises:
        RegionError: A line, or a place beyond 80 S or 84 N.
    """
    found: list[Squares] = []
    for shape in _checked(shapes):
        if tile and "Polygon" in shape.geom_type:
            found.append(covering_squares(shape, side_m))
        else:
            lon, lat = centre_of(shape)
            found.append(Squares.around(np.array([lon]), np.array([lat]), side_m))
    return Squares.joined(found)


def centre_of(shape: Any) -> tuple[float, float]:
    """Longitude and latitude of a point, or of a polygon's centroid in the plane of both; across 180 degrees too."""
    import shapely

    west, _, east, _ = shape.bounds
    if east - west > 180:
        shape = shapely.transform(shape, lambda lonlat: np.where(lonlat[:, :1] < 0, lonlat + np.array([360, 0]), lonlat))
    centre = shape.centroid
    return (centre.x + 180) % 360 - 180, centre.y


def _checked(shapes: NDArray[Any]) -> list[Any]:
    """The shapes, several points as points of their own."""
    import shapely

    for number, shape in enumerate(shapes, start=1):
        if shape.geom_type not in NAMED:
            raise RegionError(
                f"Feature {number} of the file is a {shape.geom_type}; expected points and polygons. "
                "Leave it out, or buffer it to a polygon."
            )
        _, south, _, north = shape.bounds
        if south < UTM_LATITUDES[0] or north > UTM_LATITUDES[1]:
            raise RegionError(
                f"Feature {number} of the file spans latitudes {south:.2f} to {north:.2f}; UTM ends at 80 S and 84 N. "
                "Leave it out, or cut it there."
            )
    return [part for shape in shapes for part in (shapely.get_parts(shape) if shape.geom_type == "MultiPoint" else [shape])]
