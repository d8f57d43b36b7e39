"""Regions: irregular pieces of about 4.6 km with one dominant cover, one orientation, one soil.

Their centres lie one to a cell of latitude bands that close around the globe, jittered by hashes, so that neither a UTM zone
nor the equator nor the antimeridian is seen. A point belongs to the nearest centre after a bend by smooth noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from curate.simulation.covers import LAYOUTS
from curate.simulation.ground import METRES_PER_DEGREE, NODE_M
from curate.simulation.noise import draw, hash_of, stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.simulation.ground import Cells, Nodes

REGION_M = 4600.0
DISTRICT_M = 14_000.0
DISTRICT_SHARE = 0.65
"""How often a region takes its district's dominant cover rather than its own."""
_REACH = 3


@dataclass(frozen=True, slots=True)
class Regions:
    """A table of regions, one row each."""

    lon: NDArray[np.float64]
    """Of the centre, degrees, unwrapped like the points that were asked about."""
    lat: NDArray[np.float64]
    """Of the centre, degrees."""
    key: NDArray[np.uint32]
    """What everything else about the region is drawn from."""
    cover: NDArray[np.int64]
    """The dominant cover."""

    @property
    def east_m(self) -> NDArray[np.float64]:
        """Metres per degree of longitude."""
        return METRES_PER_DEGREE * np.cos(np.radians(self.lat))

    def take(self, rows: NDArray[np.int64]) -> Regions:
        """Some of the rows."""
        return Regions(self.lon[rows], self.lat[rows], self.key[rows], self.cover[rows])


def regions_of(cells: Cells, nodes: Nodes, bent: NDArray[np.float64], seed: int) -> tuple[Regions, NDArray[np.int64]]:
    """The regions under some cells, and which of them each cell belongs to.

    Args:
        cells: Where to look.
        nodes: Of the cells.
        bent: Longitudes and latitudes of the nodes, bent so that borders wind, degrees, (2, rows, columns).
        seed: The world's.

    Returns:
        The table, and a row of it per cell, (height, width).
    """
    near = _regions_near(bent[0], bent[1], seed)
    candidates = _candidates(near, bent[0], bent[1])
    column = np.floor(cells.x / NODE_M).astype(np.int64) - nodes.column
    row = np.floor(cells.y / NODE_M).astype(np.int64) - nodes.row
    belongs = candidates[0][row[:, None], column]
    torn = np.flatnonzero(candidates[1][row[:, None], column] >= 0)
    if torn.size:
        rows, columns = np.divmod(torn, cells.width)
        lon, lat = nodes.at(cells, bent).reshape(2, -1)[:, torn]
        belongs.ravel()[torn] = _nearest(near, candidates[:, row[rows], column[columns]], lon, lat)
    used, compact = np.unique(belongs, return_inverse=True)
    return near.take(used), compact.reshape(belongs.shape)


def _regions_near(lon: NDArray[np.float64], lat: NDArray[np.float64], seed: int) -> Regions:
    height = REGION_M / METRES_PER_DEGREE
    first, last = (int(np.floor(edge / height)) for edge in (lat.min(), lat.max()))
    lons, lats, keys = [], [], []
    for band in range(first - _REACH, last + _REACH + 1):
        count = _cells_in_band(band, height)
        west, east = (int(np.floor((edge + 180) / 360 * count)) for edge in (lon.min(), lon.max()))
        columns = np.arange(west - _REACH, east + _REACH + 1)
        key = hash_of(seed, stream("region"), band, columns % count)
        lons.append((columns + draw(key, "lon", 0.12, 0.88)) / count * 360 - 180)
        lats.append((band + draw(key, "lat", 0.12, 0.88)) * height)
        keys.append(key)
    centre_lon, centre_lat, key = np.concatenate(lons), np.concatenate(lats), np.concatenate(keys)
    return Regions(centre_lon, centre_lat, key, _dominant(centre_lon, centre_lat, key, seed))


def _cells_in_band(band: int, height: float) -> int:
    return max(1, round(360 * float(np.cos(np.radians(min(abs(band + 0.5) * height, 89.9)))) / height))


def _dominant(lon: NDArray[np.float64], lat: NDArray[np.float64], key: NDArray[np.uint32], seed: int) -> NDArray[np.int64]:
    height = DISTRICT_M / METRES_PER_DEGREE
    band = np.floor(lat / height).astype(np.int64)
    count = np.array([_cells_in_band(int(each), height) for each in band])
    district = hash_of(seed, stream("district"), band, np.floor((lon + 180) / 360 * count).astype(np.int64) % count)
    chooser = np.where(draw(key, "loyal") < DISTRICT_SHARE, district, key)
    bounds = np.cumsum([layout.weight for layout in LAYOUTS])
    return np.searchsorted(bounds / bounds[-1], draw(chooser, "dominant"), side="right")


def _candidates(near: Regions, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.int64]:
    """Regions that may own a point between four nodes, nearest first, -1 where there are no more: (rank, rows, columns)."""
    corners = [(slice(a, a - 1 or None), slice(b, b - 1 or None)) for a in (0, 1) for b in (0, 1)]
    mean_lon, mean_lat = (np.mean([part[corner] for corner in corners], axis=0) for part in (lon, lat))
    east = METRES_PER_DEGREE * np.cos(np.radians(mean_lat))
    away = [np.hypot((lon[corner] - mean_lon) * east, (lat[corner] - mean_lat) * METRES_PER_DEGREE) for corner in corners]
    reach = np.max(away, axis=0)
    distance = np.sqrt(_squares(near, mean_lon[..., None], mean_lat[..., None]))
    rival = distance <= distance.min(axis=-1, keepdims=True) + 2.02 * reach[..., None] + 1
    order = np.argsort(np.where(rival, distance, np.inf), axis=-1, kind="stable")[..., : int(rival.sum(axis=-1).max())]
    ranked = np.where(np.take_along_axis(rival, order, axis=-1), order, -1)
    if ranked.shape[-1] == 1:
        ranked = np.concatenate([ranked, np.full_like(ranked, -1)], axis=-1)
    return np.moveaxis(ranked, -1, 0)


def _squares(near: Regions, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(((lon - near.lon) * near.east_m) ** 2 + ((lat - near.lat) * METRES_PER_DEGREE) ** 2)


def _nearest(near: Regions, ranks: NDArray[np.int64], lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.int64]:
    best: NDArray[np.int64] = ranks[0].copy()
    shortest = _squares(near.take(best), lon, lat)
    for rank in ranks[1:]:
        there = np.flatnonzero(rank >= 0)
        distance = _squares(near.take(rank[there]), lon[there], lat[there])
        closer = distance < shortest[there]
        best[there[closer]], shortest[there[closer]] = rank[there[closer]], distance[closer]
    return best
