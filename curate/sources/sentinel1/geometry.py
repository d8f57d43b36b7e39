"""From the ground to lines and pixels: a product's geolocation grid, inverted.

Between the points of the grid the ground is taken to be bilinear in line and pixel, in the metres of the square's own UTM
zone. Of a made-up orbit around an ellipsoid, whose places are known exactly (`tests/curate/sources/sentinel1/orbit.py`), it is
off by 1.6 m at most across the track (root mean square 1.1 m), and by 0.15 m along it. The inverse is found by Newton's
method, for all pixels of a square at once.

What lies higher than the grid has it there is seen nearer to the satellite, by dh / tan(incidence): 100 m higher, 123 m nearer
at 39 degrees. Its points are 13 by 18 km apart: between them the terrain is a plane to it, whatever mountains there are. That
is what a correction for terrain would mend, and why pixels lie elsewhere than on a map where the ground is not flat.

That an integer is the centre of a pixel, rather than its corner, follows from the points' times and lines; if it did not, all
would lie 5 m off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from catalogs.lattice import transformer
from catalogs.records import Grid, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.sources.sentinel1.annotation import GeolocationGrid

    Cells = NDArray[np.intp]

STEPS = 20
"""Of Newton's method at most; it takes three or four."""
EXACT_M = 1e-3
"""How near to a point on the ground its line and pixel must lead back, metres."""
MARGIN_PX = 2
"""Around what a square needs of an image: its pixels lie between those of the image."""


@dataclass(frozen=True, slots=True, eq=False)
class Nodes:
    """The points of a geolocation grid in a system of metres."""

    lines: NDArray[np.float64]
    """(rows,), rising."""
    pixels: NDArray[np.float64]
    """(columns,), rising."""
    x: NDArray[np.float64]
    """(rows, columns), metres."""
    y: NDArray[np.float64]
    """(rows, columns), metres."""


def project(grid: GeolocationGrid, epsg: int) -> Nodes:
    """The points of a geolocation grid in a coordinate system of metres."""
    x, y = transformer(4326, epsg).transform(grid.lons, grid.lats)
    return Nodes(grid.lines, grid.pixels, x, y)


def locate(nodes: Nodes, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The line and the pixel that show a point on the ground.

    Args:
        nodes: Of the image.
        x: Metres, of any shape.
        y: Metres, of the same shape.

    Returns:
        (lines, pixels), of that shape; integers are the centres of pixels. Points beyond the grid get those that its outermost
        cells give, which lie beyond the image too, or NaN where there are none.
    """
    u, v = _guess(nodes, x, y)
    off = np.full(np.shape(x), np.inf)
    for _ in range(STEPS):
        cell = _cell(u, nodes.x.shape[0]), _cell(v, nodes.x.shape[1])
        share = u - cell[0], v - cell[1]
        (found_x, x_u, x_v), (found_y, y_u, y_v) = (_bilinear(values, cell, share) for values in (nodes.x, nodes.y))
        left_x, left_y = x - found_x, y - found_y
        off = np.maximum(np.abs(left_x), np.abs(left_y))
        if (off < EXACT_M).all():
            break
        area = x_u * y_v - x_v * y_u
        area = np.where(area == 0, np.nan, area)
        u = u + (left_x * y_v - left_y * x_v) / area
        v = v + (left_y * x_u - left_x * y_u) / area
    is_found = off < EXACT_M
    lines, pixels = _along(nodes.lines, u), _along(nodes.pixels, v)
    return np.where(is_found, lines, np.nan), np.where(is_found, pixels, np.nan)


def pixel_centres(grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(x, y) of the centres of a grid's pixels, each (height, width)."""
    gsd, _, left, _, _, top = grid.transform
    x, y = left + gsd * (np.arange(grid.width) + 0.5), top - gsd * (np.arange(grid.height) + 0.5)
    across, down = np.meshgrid(x, y)
    return across, down


def needed_window(nodes: Nodes, grid: Grid, shape: tuple[int, int]) -> Window | None:
    """The pixels of an image that a square needs; none where it has none of it.

    The outline of the square is enough: what it encloses on the ground, its image encloses too.

    Args:
        nodes: Of the image, in the grid's system.
        grid: Of the square.
        shape: (height, width) of the image.
    """
    x, y = pixel_centres(grid)
    outline = [np.concatenate([each[0], each[-1], each[:, 0], each[:, -1]]) for each in (x, y)]
    lines, pixels = locate(nodes, *outline)
    is_found = np.isfinite(lines)
    if not is_found.any():
        return None
    row, end_row = _clipped(lines[is_found], shape[0])
    column, end_column = _clipped(pixels[is_found], shape[1])
    return (column, row, end_column - column, end_row - row) if end_column > column and end_row > row else None


def _clipped(values: NDArray[np.float64], size: int) -> tuple[int, int]:
    first, end = int(np.floor(values.min())) - MARGIN_PX, int(np.ceil(values.max())) + MARGIN_PX + 1
    return max(first, 0), min(end, size)


def _guess(nodes: Nodes, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Row and column of the grid as the plane that fits all of it has them."""
    rows, columns = np.indices(nodes.x.shape).reshape(2, -1)
    middle = nodes.x.mean(), nodes.y.mean()
    terms = np.stack([np.ones(nodes.x.size), nodes.x.ravel() - middle[0], nodes.y.ravel() - middle[1]], axis=1)
    fit, *_ = np.linalg.lstsq(terms, np.stack([rows, columns], axis=1), rcond=None)
    u, v = (fit[0, n] + fit[1, n] * (x - middle[0]) + fit[2, n] * (y - middle[1]) for n in range(2))
    return np.asarray(u), np.asarray(v)


def _bilinear(
    values: NDArray[np.float64], cell: tuple[Cells, Cells], share: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Values within cells of a table, and their slopes along its rows and columns; beyond it, as its outermost cells go on.

    Args:
        values: At the corners, (rows, columns).
        cell: Row and column of the upper left corner.
        share: How far down and across the cell, 0 to 1 within it.
    """
    (row, column), (down, across) = cell, share
    a, b = values[row, column], values[row, column + 1]
    c, d = values[row + 1, column], values[row + 1, column + 1]
    upper, lower = a + (b - a) * across, c + (d - c) * across
    return upper + (lower - upper) * down, lower - upper, (b - a) * (1 - down) + (d - c) * down


def _cell(place: NDArray[np.float64], count: int) -> Cells:
    """The cells of places; a single one, without axes, where all are in the same, as most squares are."""
    finite = np.where(np.isfinite(place), place, 0.0)
    cells = np.clip(np.floor(finite), 0, count - 2).astype(np.intp)
    return cells if cells.min() != cells.max() else np.array(cells.min())


def _along(stations: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """The line, or pixel, at a row, or column, of the grid."""
    cell = _cell(place, len(stations))
    along: NDArray[np.float64] = stations[cell] + (stations[cell + 1] - stations[cell]) * (place - cell)
    return along
