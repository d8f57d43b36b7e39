"""Many squares at once, as columns: their centres, their polygons, and which lie wholly inside a region."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.lattice import squares_around, to_lonlat
from curate.refusal import Refusal
from curate.vectors import wrap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.areas import Region

    Points = tuple[NDArray[np.float64], NDArray[np.float64]]

POINT_EVERY_M = 700
"""Closer than the cells of the land mask (930 m)."""
PIECES_PER_EDGE = 8


@dataclass(frozen=True)
class Squares:
    """Squares of one side, in order."""

    epsg: NDArray[np.int64]
    """UTM zones, (count,)."""
    bounds: NDArray[np.int64]
    """(left, bottom, right, top), metres, (count, 4)."""

    @classmethod
    def around(cls, lon: NDArray[np.float64], lat: NDArray[np.float64], side_m: int) -> Squares:
        """Squares around wished centres (degrees), snapped to the lattice."""
        return cls(*squares_around(lon, lat, side_m))

    @classmethod
    def joined(cls, parts: Iterable[Squares]) -> Squares:
        """Several sets as one."""
        sets = [cls(np.empty(0, np.int64), np.empty((0, 4), np.int64)), *parts]
        return cls(np.concatenate([part.epsg for part in sets]), np.concatenate([part.bounds for part in sets]))

    def __len__(self) -> int:
        """How many there are."""
        return len(self.epsg)

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Squares:
        """Some of them."""
        return Squares(self.epsg[chosen], self.bounds[chosen])

    @property
    def side_m(self) -> int:
        """Side of the squares, metres; 0 where there are none."""
        return int(self.bounds[0, 2] - self.bounds[0, 0]) if len(self) else 0

    def centres(self) -> Points:
        """Longitudes and latitudes of the centres, degrees, (count,)."""
        left, bottom, right, top = self.bounds.T
        return to_lonlat((left + right) / 2, (bottom + top) / 2, self.epsg)

    def lonlats(self, across: NDArray[np.float64], up: NDArray[np.float64]) -> Points:
        """Points of each square, (count, points), degrees.

        Args:
            across: Where they lie between the left edge, 0, and the right one, 1; (points,).
            up: Where they lie between the lower edge and the upper one.
        """
        x, y = self.bounds[:, :1] + self.side_m * across, self.bounds[:, 1:2] + self.side_m * up
        lon, lat = to_lonlat(x.ravel(), y.ravel(), np.repeat(self.epsg, len(across)))
        return lon.reshape(x.shape), lat.reshape(x.shape)

    def polygons(self, *, pieces: int = PIECES_PER_EDGE) -> NDArray[Any]:
        """Footprints, lon/lat, their edges in so many pieces that follow their bend; cut at 180 degrees."""
        import shapely

        if not len(self):
            return np.empty(0, object)
        rise = np.arange(pieces) / pieces
        low, high = np.zeros(pieces), np.ones(pieces)
        lon, lat = self.lonlats(np.concatenate([rise, high, 1 - rise, low]), np.concatenate([low, rise, high, 1 - rise]))
        lon = unbroken(lon)
        return wrap(np.array(shapely.polygons(np.stack([lon, lat], axis=-1)), object))


def unbroken(lon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longitudes of each row, (count, points), without the jump at 180 degrees: from there on they go beyond."""
    across = np.ptp(lon, axis=1, keepdims=True) > 180
    return np.where(across & (lon < 0), lon + 360, lon)


def wholly_inside(region: Region, squares: Squares) -> NDArray[np.bool_]:
    """Which squares lie wholly inside a region.

    Exact borders are tested against the square's polygon; countries and land at points 700 m apart or closer, edges included.
    """
    import shapely

    if not len(squares):
        return np.zeros(0, bool)
    if region.is_exact:
        shapely.prepare(region.outline())
        return np.asarray(shapely.covers(region.outline(), squares.polygons()))
    steps = np.linspace(0, 1, int(np.ceil(squares.side_m / POINT_EVERY_M)) + 1)
    across, up = np.meshgrid(steps, steps)
    lon, lat = squares.lonlats(across.ravel(), up.ravel())
    reason = region.refuse(lon.ravel(), lat.ravel(), near_place=False)
    return np.asarray((reason.reshape(lon.shape) == Refusal.NONE).all(axis=1))
