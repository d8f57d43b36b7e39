"""Which squares of two sets share ground: in metres, across zones too, in nearly linear time. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from evaluate.leakage_zones import central_meridian, from_globe, to_globe, wrap

TOLERANCE_M = 0.01
"""Squares of two zones must share this much to each side: less is rounding."""
EQUATOR_M = 10_000_000
"""Northing of the equator in a southern zone."""
DEGREE_M = 100_000
"""Less than any degree of latitude, in the metres of a zone."""
BLOCK = 1 << 20
"""Pairs that are looked at together."""
STRIDE = 1 << 32

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Pairs = tuple[Rows, Rows, Floats]
"""Row of the one set, row of the other, and metres between their centres, (pairs,) each."""


@dataclass(frozen=True)
class Squares:
    """Squares of ground."""

    zone: Rows
    """Numbers of their UTM zones, 1 to 60, (count,)."""
    bounds: Floats
    """Left, bottom, right, top, metres, northings from the equator and negative south of it, (count, 4)."""

    @classmethod
    def of(cls, epsg: Rows, bounds: NDArray[np.int64]) -> Squares:
        """From EPSG codes, 32601-32660 and 32701-32760, and bounds as catalogs have them."""
        south = np.where(epsg > 32700, EQUATOR_M, 0)[:, None] * np.array([0, 1, 0, 1])
        return cls((epsg % 100).astype(np.int64), (bounds - south).astype(np.float64))

    def __len__(self) -> int:
        """How many they are."""
        return len(self.zone)

    @property
    def reach_m(self) -> float:
        """From the centre of the largest to its corner, metres."""
        return float((self.bounds[:, 2] - self.bounds[:, 0]).max(initial=0)) * 0.7072

    @cached_property
    def centres(self) -> tuple[Floats, Floats]:
        """Longitudes and latitudes of their centres, degrees, (count,) each."""
        x, y = _centres(self.bounds)
        return to_globe(x, y, self.zone)

    def corners_in(self, zone: int, rows: Rows) -> Floats:
        """Corners of some of them in the metres of any zone, anticlockwise, (rows, 4, 2)."""
        x, y = self.bounds[rows][:, [0, 2, 2, 0]], self.bounds[rows][:, [1, 1, 3, 3]]
        return np.stack(from_globe(*to_globe(x, y, self.zone[rows, None]), zone), axis=-1)


def find_overlaps(asked: Squares, held: Squares, *, buffer_m: float = 0) -> Iterator[Pairs]:
    """Find the pairs of squares that share ground, once those that are asked about have grown by a buffer to each side.

    Squares of one zone, on both sides of the equator too, are compared exactly; those that only touch share nothing. A square
    of another zone is taken as the quadrangle of its corners in the zone of the asked one, which is exact to 1 cm for squares
    of 2.6 km and to 20 cm for those of 10 km (their edges bend); it counts if it shares more than `TOLERANCE_M`.

    Args:
        asked: What to ask about.
        held: What may lie below it.
        buffer_m: 0 or more, metres.

    Yields:
        Some of the pairs: rows of `asked`, rows of `held`, metres between the centres. Each pair once, in no order.
    """
    for zone in np.unique(asked.zone).tolist():
        mine, same = np.flatnonzero(asked.zone == zone), np.flatnonzero(held.zone == zone)
        boxes = asked.bounds[mine] + buffer_m * np.array([-1, -1, 1, 1])
        for one, other in _boxes_that_meet(boxes, held.bounds[same]):
            yield mine[one], same[other], _distance(_centres(boxes[one]), _centres(held.bounds[same[other]]))
        others = _within_reach(asked, mine, held, zone=zone, buffer_m=buffer_m)
        corners = held.corners_in(zone, others)
        hulls = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
        boxes += TOLERANCE_M * np.array([1, 1, -1, -1])
        for one, other in _boxes_that_meet(boxes, hulls):
            meets = ~_is_apart(corners[other], boxes[one])
            near, far = one[meets], other[meets]
            middle = corners[far].mean(axis=1)
            yield mine[near], others[far], _distance(_centres(boxes[near]), (middle[:, 0], middle[:, 1]))


def _within_reach(asked: Squares, mine: Rows, held: Squares, *, zone: int, buffer_m: float) -> Rows:
    """Rows of squares of other zones that lie near enough to those asked about in one zone to be worth a look."""
    lon, lat = (part[mine] for part in asked.centres)
    margin = (asked.reach_m + held.reach_m + 1.5 * buffer_m) / DEGREE_M
    shrink = np.cos(np.radians(min(np.abs(lat).max() + margin, 90)))
    margin_lon = margin / shrink if shrink > margin / 180 else 180.0
    middle = central_meridian(np.array([zone]))
    away, held_away = wrap(lon - middle), wrap(held.centres[0] - middle)
    near = (held_away >= away.min() - margin_lon) & (held_away <= away.max() + margin_lon)
    near &= (held.centres[1] >= lat.min() - margin) & (held.centres[1] <= lat.max() + margin)
    return np.flatnonzero(near & (held.zone != zone))


def _boxes_that_meet(boxes: Floats, held: Floats) -> Iterator[tuple[Rows, Rows]]:
    """Pairs of upright boxes with a common inside, block by block; those alike in size share a grid of cells as wide."""
    sizes, held_sizes = _sizes(boxes), _sizes(held)
    for size, held_size in product(np.unique(sizes).tolist(), np.unique(held_sizes).tolist()):
        mine, others = np.flatnonzero(sizes == size), np.flatnonzero(held_sizes == held_size)
        for one, other in _neighbours(boxes[mine], held[others], cell=2.0 ** max(size, held_size)):
            first, second = boxes[mine[one]], held[others[other]]
            meets = ((first[:, :2] < second[:, 2:]) & (second[:, :2] < first[:, 2:])).all(axis=1)
            yield mine[one[meets]], others[other[meets]]


def _neighbours(boxes: Floats, held: Floats, *, cell: float) -> Iterator[tuple[Rows, Rows]]:
    """Pairs that may meet, of boxes no wider than a cell: held ones by the cell of their lower left corner."""
    column, row = np.floor(held[:, :2] / cell).astype(np.int64).T
    keys = column * STRIDE + row
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    column, lowest = np.floor(boxes[:, :2] / cell).astype(np.int64).T
    highest = np.floor(boxes[:, 3] / cell).astype(np.int64)
    for offset in (-1, 0, 1):
        start = np.searchsorted(keys, (column + offset) * STRIDE + lowest - 1, "left")
        end = np.searchsorted(keys, (column + offset) * STRIDE + highest, "right")
        for one, place in _expand(start, end):
            yield one, order[place]


def _expand(start: Rows, end: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Each row with every place from its start to before its end, about a block at a time."""
    counts = end - start
    parts = np.cumsum(counts) // BLOCK
    for rows in np.split(np.arange(len(counts)), np.flatnonzero(np.diff(parts)) + 1):
        one = np.repeat(rows, counts[rows])
        before = np.cumsum(counts[rows]) - counts[rows]
        if len(one):
            yield one, np.arange(len(one)) + np.repeat(start[rows] - before, counts[rows])


def _is_apart(corners: Floats, boxes: Floats) -> NDArray[np.bool_]:
    """Whether some edge of each quadrangle has the whole box beyond it; the box's own edges were asked before.

    References:
        Separating axis theorem: Ericson, Real-Time Collision Detection, 2005, section 5.2.1.
    """
    edges = np.roll(corners, -1, axis=1) - corners
    points = np.stack([boxes[:, [0, 2, 2, 0]], boxes[:, [1, 1, 3, 3]]], axis=-1)
    offset = points[:, None] - corners[:, :, None]
    inside = edges[:, :, None, 0] * offset[..., 1] - edges[:, :, None, 1] * offset[..., 0]
    return np.asarray(np.any(np.all(inside <= 0, axis=2), axis=1), np.bool_)


def _sizes(boxes: Floats) -> Rows:
    """Power of two that holds the longer side of each box."""
    powers: Floats = np.ceil(np.log2((boxes[:, 2:] - boxes[:, :2]).max(axis=1)))
    return powers.astype(np.int64)


def _centres(bounds: Floats) -> tuple[Floats, Floats]:
    return (bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2


def _distance(first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> Floats:
    return np.hypot(first[0] - second[0], first[1] - second[1])
