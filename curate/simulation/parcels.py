"""Parcels: the fields, stands, blocks and lots of a region, on a jittered lattice along its own two axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.simulation.covers import LAYOUTS
from curate.simulation.ground import METRES_PER_DEGREE
from curate.simulation.noise import draw, hash_of, stream, value_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.simulation.regions import Regions

SLACK = 0.62
"""How far a boundary may move, in parcels."""
GUEST_WAVELENGTH_M = 950.0
GUEST_LEVEL = 0.4
"""Parcels where noise exceeds this, or is below its negative, belong to a guest cover."""
STRAY_SHARE = 0.04
"""Share of the other parcels that belong to any of the guest covers."""


@dataclass(frozen=True, slots=True)
class Parcels:
    """A table of parcels, one row each."""

    key: NDArray[np.uint32]
    """What everything else about the parcel is drawn from."""
    region_key: NDArray[np.uint32]
    """That of its region."""
    cover: NDArray[np.int64]
    """Its land cover."""
    lat: NDArray[np.float64]
    """Of its region, degrees: when spring comes."""
    width: NDArray[np.float32]
    """Along the region's first axis, metres."""
    depth: NDArray[np.float32]
    """Along the region's second axis, metres."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where each cell of a window lies in its parcel; flat arrays of all cells."""

    parcel: NDArray[np.int64]
    """Row of the table of parcels."""
    u: NDArray[np.float32]
    """Along the region's first axis, metres from a point of its own."""
    v: NDArray[np.float32]
    """Along its second axis, metres."""
    a: NDArray[np.float32]
    """From the parcel's first edge along `u`, metres."""
    b: NDArray[np.float32]
    """From the parcel's first edge along `v`, metres."""
    track: NDArray[np.bool_]
    """Whether a track or street runs along the parcel's first edge across `v`."""


def lay_parcels(
    regions: Regions, belongs: NDArray[np.int64], lonlat: NDArray[np.float64], bend: NDArray[np.float32]
) -> tuple[Parcels, Places]:
    """Cut the regions of a window into parcels.

    Args:
        regions: The table of regions.
        belongs: Row of it per cell, (cells,).
        lonlat: Longitudes and latitudes of the cells, degrees, (2, cells).
        bend: Displacements that make boundaries follow the relief, metres, (2, cells).

    Returns:
        The parcels, and each cell's place in them.
    """
    count = belongs.size
    u, v, a, b = np.empty((4, count), np.float32)
    places = Places(np.empty(count, np.int64), u, v, a, b, np.empty(count, bool))
    tables: list[Parcels] = []
    first = 0
    for row in range(regions.key.size):
        mine = np.flatnonzero(belongs == row)
        table, part = _cut(regions.take(np.array([row])), lonlat[:, mine], bend[:, mine])
        places.parcel[mine] = part.parcel + first
        for name in ("u", "v", "a", "b", "track"):
            getattr(places, name)[mine] = getattr(part, name)
        tables.append(table)
        first += table.key.size
    return Parcels(*(np.concatenate([getattr(table, name) for table in tables]) for name in Parcels.__slots__)), places


def _cut(region: Regions, lonlat: NDArray[np.float64], bend: NDArray[np.float32]) -> tuple[Parcels, Places]:
    layout = LAYOUTS[int(region.cover[0])]
    scale = float(draw(region.key, "scale", 0.75, 1.35)[0])
    straight = _turn(region, lonlat)
    u, v = (part + shift * np.float32(layout.bend) for part, shift in zip(straight, bend, strict=True))
    depth = np.float32(layout.depth_m * scale)
    rows, row_starts, row = _rows(region.key, v / depth)
    keys = hash_of(region.key, stream("row"), rows)
    wide = draw(keys, "stretch", layout.width_m * scale * 0.75, layout.width_m * scale * 1.4).astype(np.float32)
    begin = draw(keys, "begin").astype(np.float32)
    columns, starts, column = _columns(keys, row, u / wide[row] + begin[row])
    parcel = row * columns.size + column
    left, low = ((starts[:, :-1] - begin[:, None]) * wide[:, None]).ravel(), np.repeat(row_starts[:-1] * depth, columns.size)
    across, deep = (np.diff(starts, axis=1) * wide[:, None]).ravel(), np.repeat(np.diff(row_starts) * depth, columns.size)
    # Rows follow the shape of their field; crowns and shrubs are not stretched by that of their wood.
    pattern = (u, v) if layout.bend < 1 else straight
    track = _has_track(rows, layout.track_every)[row]
    places = Places(parcel, pattern[0], pattern[1], u - left[parcel], v - low[parcel], track)
    key = hash_of(keys[:, None], columns).ravel()
    cover = _covers(region, key, left + across / 2, low + deep / 2)
    return Parcels(key, np.repeat(region.key, key.size), cover, np.repeat(region.lat, key.size), across, deep), places


def _turn(region: Regions, lonlat: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Coordinates along the region's own axes, from a point of its own so that no two regions share their noise."""
    east = (lonlat[0] - region.lon[0]) * region.east_m[0]
    north = (lonlat[1] - region.lat[0]) * METRES_PER_DEGREE
    angle = float(draw(region.key, "angle", 0, np.pi)[0])
    first = east * np.cos(angle) + north * np.sin(angle) + draw(region.key, "u", 4000, 24000)
    second = north * np.cos(angle) - east * np.sin(angle) + draw(region.key, "v", 4000, 24000)
    return first.astype(np.float32), second.astype(np.float32)


def _rows(
    key: NDArray[np.uint32], position: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Numbers of the rows, their starts and the end of the last, and each cell's row counted from the first."""
    whole = np.floor(position).astype(np.int64)
    rows = np.arange(int(whole.min()) - 1, int(whole.max()) + 1)
    more = np.append(rows, rows[-1] + 1)
    starts = (more + draw(hash_of(key, stream("row"), more), "start", 0, SLACK)).astype(np.float32)
    index = whole - rows[0]
    return rows, starts, index - (position < starts[index])


def _columns(
    keys: NDArray[np.uint32], row: NDArray[np.int64], position: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """As `_rows`, with starts of their own in each row."""
    whole = np.floor(position).astype(np.int64)
    columns = np.arange(int(whole.min()) - 1, int(whole.max()) + 1)
    more = np.append(columns, columns[-1] + 1)
    starts = (more + draw(hash_of(keys[:, None], more), "start", 0, SLACK)).astype(np.float32)
    index = whole - columns[0]
    return columns, starts, index - (position < starts[row, index])


def _has_track(rows: NDArray[np.int64], every: int) -> NDArray[np.bool_]:
    return rows % every == 0 if every else np.zeros(rows.size, bool)


def _covers(region: Regions, key: NDArray[np.uint32], u: NDArray[Any], v: NDArray[Any]) -> NDArray[np.int64]:
    """Land cover of parcels from their middles: the region's own, but for groups of guests and a few strays."""
    own = int(region.cover[0])
    guests = np.array(LAYOUTS[own].guests)
    chosen = [int(guests[int(draw(region.key, name, 0, guests.size)[0])]) for name in ("first guest", "second guest")]
    level = value_noise(u, v, GUEST_WAVELENGTH_M, stream("guest"))
    stray = np.where(draw(key, "stray") < STRAY_SHARE, guests[draw(key, "which", 0, guests.size).astype(np.int64)], own)
    return np.where(level > GUEST_LEVEL, chosen[0], np.where(level < -GUEST_LEVEL, chosen[1], stray))
