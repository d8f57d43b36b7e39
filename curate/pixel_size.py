"""How large a raster's pixels are on the ground, whatever unit its coordinate system counts in."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

from catalogs.records import Grid

TURN = 360.0
"""Degrees."""
EARTH_RADIUS_M = 6_371_007.0
"""Of the sphere of the ellipsoid's area."""
UTM = frozenset((*range(32601, 32661), *range(32701, 32761)))
"""EPSG codes of the zones of UTM on WGS 84, north and south; in metres."""


def pixel_size_m(grid: Grid) -> tuple[float, float]:
    """Width and height of a pixel in metres; of a grid in degrees in its middle latitude.

    Examples:
        >>> pixel_size_m(Grid(32631, (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 60, 60))
        (10.0, 10.0)
        >>> [round(side, 2) for side in pixel_size_m(Grid(4326, (0.0002, 0.0, 2.0, 0.0, -0.0001, 60.0), 10, 10))]
        [11.12, 11.12]
    """
    width, height = grid.transform[0], -grid.transform[4]
    if grid.epsg is None:
        return width, height
    unit, is_angle = _unit(grid.epsg)
    if not is_angle:
        return width * unit, height * unit
    _, south, _, north = grid.bounds
    arc = unit * EARTH_RADIUS_M
    return width * arc * math.cos((south + north) / 2 * unit), height * arc


def beside(grid: Grid, lon: float) -> Grid:
    """A raster in degrees, a whole turn further where that brings its middle nearer to a longitude; any other as it is.

    Examples:
        >>> fiji = Grid(4326, (0.5, 0.0, -180.0, 0.0, -0.5, -16.0), 2, 2)
        >>> beside(fiji, 179.9).transform[2], beside(fiji, -179.9).transform[2]
        (180.0, -180.0)
    """
    if grid.epsg is None or not is_in_degrees(grid.epsg):
        return grid
    a, b, left, d, e, top = grid.transform
    turns = round((lon - left - a * grid.width / 2) / TURN)
    return replace(grid, transform=(a, b, left + TURN * turns, d, e, top)) if turns else grid


def is_in_degrees(epsg: int) -> bool:
    """Whether a coordinate system counts in angles, so that pixels that are square on the ground are oblong in it."""
    return _unit(epsg)[1]


@lru_cache(maxsize=256)
def _unit(epsg: int) -> tuple[float, bool]:
    """A system's unit in metres, or in radians; whether it is the latter. Of a code that nobody knows, metres."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        system = CRS.from_epsg(epsg)
    except CRSError:
        return 1.0, False
    return float(system.axis_info[0].unit_conversion_factor), bool(system.is_geographic)
