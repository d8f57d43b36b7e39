"""Where points of a raster lie on the globe, cheaply and the same in whatever window they are asked for.

Exact positions are computed on nodes every 60 m of a UTM zone, anchored at its origin, and interpolated bilinearly between
them (error below 0.1 mm). Smooth fields of the world (relief, clouds) are evaluated on the same nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.errors import ContractError
from catalogs.lattice import to_lonlat

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from catalogs.records import Grid, Window

NODE_M = 60.0
METRES_PER_DEGREE = 111_195.0
"""Of a sphere of 6,371 km; the world's own yardstick."""
_AXIS_M, _FLATTENING = 6_378_137.0, 1 / 298.257223563


@dataclass(frozen=True, slots=True)
class Cells:
    """A block of square ground cells, rows from north to south; hashable, so it can be a key."""

    epsg: int
    """UTM zone."""
    size: float
    """Side of a cell, metres."""
    left: float
    """Easting of the outer edge, metres."""
    top: float
    """Northing of the outer edge, metres."""
    height: int
    """Rows."""
    width: int
    """Columns."""

    @property
    def x(self) -> NDArray[np.float64]:
        """Eastings of the centres, (width,)."""
        return self.left + (np.arange(self.width, dtype=np.float64) + 0.5) * self.size

    @property
    def y(self) -> NDArray[np.float64]:
        """Northings of the centres, (height,)."""
        return self.top - (np.arange(self.height, dtype=np.float64) + 0.5) * self.size

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    def grown(self, margin: float) -> Cells:
        """The same cells and those within `margin` metres of them, a multiple of their size."""
        extra = round(margin / self.size)
        return replace(self, left=self.left - extra * self.size, top=self.top + extra * self.size,
                       height=self.height + 2 * extra, width=self.width + 2 * extra)  # fmt: skip

    def resized(self, size: float) -> Cells:
        """The same ground in cells of another size, which divides the block."""
        factor = self.size / size
        return replace(self, size=size, height=round(self.height * factor), width=round(self.width * factor))


def cells_of(grid: Grid, window: Window | None = None) -> Cells:
    """The pixels of a window of a raster; all of them without one.

    Raises:
        ContractError: Nobody knows where the raster lies.
    """
    if grid.epsg is None:
        raise ContractError("Pixels whose ground is not known have no place in the simulated world. Give a place on the globe.")
    column, row, width, height = window or (0, 0, grid.width, grid.height)
    size, _, left, _, _, top = grid.transform
    return Cells(grid.epsg, size, left + column * size, top - row * size, height, width)


@dataclass(frozen=True, slots=True)
class Nodes:
    """The nodes around some cells, one ring more than they need, rows from south to north."""

    epsg: int
    """UTM zone."""
    column: int
    """Easting of the first node, in nodes."""
    row: int
    """Northing of the first node, in nodes."""
    lon: NDArray[np.float64]
    """Degrees, unwrapped around the zone's meridian, (rows, columns)."""
    lat: NDArray[np.float64]
    """Degrees, (rows, columns)."""

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.lon.shape[0], self.lon.shape[1]

    @property
    def xyz(self) -> NDArray[np.float64]:
        """Earth-centred coordinates, metres, (3, rows * columns)."""
        return earth_centred(self.lon.ravel(), self.lat.ravel())

    @property
    def convergence(self) -> NDArray[np.float64]:
        """Angle from true north to grid north, radians, (rows, columns)."""
        return np.radians(self.lon - central_meridian(self.epsg)) * np.sin(np.radians(self.lat))

    def at(self, cells: Cells, values: NDArray[Any]) -> NDArray[Any]:
        """Interpolate values on the nodes to the centres of cells.

        Args:
            cells: Within the cells that the nodes were made for.
            values: (..., rows, columns).

        Returns:
            (..., height, width), of the values' type.
        """
        columns, across = _split(cells.x, self.column)
        rows, up = _split(cells.y, self.row)
        up, across = up.astype(values.dtype)[:, None], across.astype(values.dtype)
        lines = values[..., rows, :] * (1 - up) + values[..., rows + 1, :] * up
        return lines[..., columns] * (1 - across) + lines[..., columns + 1] * across


def _split(positions: NDArray[np.float64], first: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    scaled = positions / NODE_M
    whole = np.floor(scaled)
    return whole.astype(np.int64) - first, scaled - whole


def nodes_around(cells: Cells) -> Nodes:
    """The nodes that surround cells, with one ring to spare for slopes."""
    x, y = cells.x, cells.y
    column, row = int(np.floor(x[0] / NODE_M)) - 1, int(np.floor(y[-1] / NODE_M)) - 1
    columns, rows = np.arange(column, int(np.floor(x[-1] / NODE_M)) + 3), np.arange(row, int(np.floor(y[0] / NODE_M)) + 3)
    easting, northing = np.meshgrid(columns * NODE_M, rows * NODE_M)
    lon, lat = lonlat_of(cells.epsg, easting, northing)
    return Nodes(cells.epsg, column, row, lon, lat)


def lonlat_of(epsg: int, x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Degrees of points of a zone, any shape, longitudes unwrapped around its meridian (so beyond 180 where it needs be)."""
    lon, lat = to_lonlat(np.ravel(x), np.ravel(y), epsg)
    return unwrap(lon, central_meridian(epsg)).reshape(np.shape(x)), lat.reshape(np.shape(x))


def central_meridian(epsg: int) -> float:
    """Of a UTM zone, degrees."""
    return epsg % 100 * 6 - 183.0


def unwrap(lon: NDArray[Any], around: float) -> NDArray[np.float64]:
    """Longitudes moved by whole turns to within 180 degrees of `around`."""
    return around + (lon - around + 180) % 360 - 180


def earth_centred(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Earth-centred coordinates of points on the ellipsoid, metres, (3, points); degrees in, any whole turns."""
    a, b = np.radians(lon), np.radians(lat)
    squared = _FLATTENING * (2 - _FLATTENING)
    normal = _AXIS_M / np.sqrt(1 - squared * np.sin(b) ** 2)
    return np.stack([normal * np.cos(b) * np.cos(a), normal * np.cos(b) * np.sin(a), normal * (1 - squared) * np.sin(b)])


def east_north(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors to the east and to the north at points, each (3, points)."""
    a, b = np.radians(lon), np.radians(lat)
    east = np.stack([-np.sin(a), np.cos(a), np.zeros_like(a)])
    return east, np.stack([-np.sin(b) * np.cos(a), -np.sin(b) * np.sin(a), np.cos(b)])
