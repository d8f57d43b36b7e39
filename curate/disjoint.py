"""Keeping squares apart: which of a stream of squares may join those that were kept before.

A hash of the squares' places in space (cells as wide as two squares can interact) bounds the work for each by a constant, so a
sample does not become quadratic; cells in three dimensions know neither poles nor 180 degrees.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import product
from math import inf, pi, sin
from typing import TYPE_CHECKING

import numpy as np

from catalogs.lattice import corner_lonlats, to_utm
from curate.refusal import Refusal
from curate.squares import Squares

if TYPE_CHECKING:
    from numpy.typing import NDArray

Square = tuple[int, int, int]
"""EPSG code, left, bottom."""

SEMI_MAJOR_M, FLATTENING = 6_378_137.0, 1 / 298.257223563
LARGEST_RADIUS_M = 6_400_000.0
"""More than any radius of curvature of WGS 84: the chord of a distance is longest with it."""
REACH = 1.5
"""Squares whose centres are more than this many sides apart cannot overlap (the diagonal is 1.414)."""
NEIGHBOURS = tuple(product((0, -1, 1), repeat=3))
TOLERANCE_M = 1.0
"""Squares of two zones count as overlapping within this distance: their edges bend by centimetres in each other's zone."""


class KeptSquares:
    """Squares that were kept so far, all of one side."""

    def __init__(self, side_m: int, *, min_distance_m: float = 0, no_overlap: bool = False, may_touch: bool = False) -> None:
        """Start with none.

        Args:
            side_m: Their side, metres.
            min_distance_m: Least distance between centres, metres; exact to one part in 100,000 up to 1,000 km.
            no_overlap: Whether they must not overlap.
            may_touch: Whether two of them may share an edge all the same, as those of a grid do.
        """
        self._side = side_m
        self._no_overlap = no_overlap
        self._gap = 0 if may_touch else 1
        chord = 2 * LARGEST_RADIUS_M * sin(min(min_distance_m / (2 * LARGEST_RADIUS_M), pi / 2))
        self._near = chord**2
        self._cell = max(chord, REACH * side_m if no_overlap else 0)
        self._known: set[Square] = set()
        self._by_cell: dict[tuple[int, int, int], list[tuple[float, float, float, Square]]] = defaultdict(list)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._known)

    def judge(self, squares: Squares, most: float = inf) -> NDArray[np.int8]:
        """Keep what may be kept, one after another.

        Args:
            squares: In order.
            most: How many to keep at most; the rest is not judged.

        Returns:
            Why each was refused, as a `Refusal`, (judged,): as long as what was judged.
        """
        rows = zip(squares.epsg.tolist(), squares.bounds[:, 0].tolist(), squares.bounds[:, 1].tolist(), strict=True)
        points = centres_in_space(squares) if self._cell else np.zeros((len(squares), 3))
        verdicts: list[Refusal] = []
        kept = 0
        for square, point in zip(rows, points.tolist(), strict=True):
            if kept >= most:
                break
            verdicts.append(self._keep(square, point))
            kept += verdicts[-1] == Refusal.NONE
        return np.array(verdicts, np.int8)

    def _keep(self, square: Square, point: list[float]) -> Refusal:
        if square in self._known:
            return Refusal.REPEATED
        if self._cell:
            x, y, z = point
            cell = (int(x // self._cell), int(y // self._cell), int(z // self._cell))
            verdict = self._clash(square, point, cell)
            if verdict != Refusal.NONE:
                return verdict
            self._by_cell[cell].append((x, y, z, square))
        self._known.add(square)
        return Refusal.NONE

    def _clash(self, square: Square, point: list[float], cell: tuple[int, int, int]) -> Refusal:
        x, y, z = point
        reach = (REACH * self._side) ** 2
        overlaps = False
        for a, b, c in NEIGHBOURS:
            for other_x, other_y, other_z, other in self._by_cell.get((cell[0] + a, cell[1] + b, cell[2] + c), ()):
                apart = (x - other_x) ** 2 + (y - other_y) ** 2 + (z - other_z) ** 2
                if apart < self._near:
                    return Refusal.TOO_NEAR
                if self._no_overlap and not overlaps and apart < reach:
                    overlaps = self._overlap(square, other)
        return Refusal.OVERLAP if overlaps else Refusal.NONE

    def _overlap(self, one: Square, other: Square) -> bool:
        if one[0] == other[0]:
            return max(abs(one[1] - other[1]), abs(one[2] - other[2])) < self._side + self._gap
        return overlap_across_zones(one, other, self._side)


def overlap_across_zones(one: Square, other: Square, side_m: int) -> bool:
    """Whether squares of two zones overlap or come within a metre, by their true polygons.

    Args:
        one: A square.
        other: A square of another zone.
        side_m: Their side, metres.
    """
    from shapely import Polygon, box

    epsg, left, bottom = other
    corners = corner_lonlats(epsg, [[left, bottom, left + side_m, bottom + side_m]])[0]
    x, y = to_utm(corners[:, 0], corners[:, 1], one[0])
    mine = box(one[1], one[2], one[1] + side_m, one[2] + side_m)
    return bool(mine.distance(Polygon(np.column_stack([x, y]))) < TOLERANCE_M)


def centres_in_space(squares: Squares) -> NDArray[np.float64]:
    """Centres of squares as earth-centred coordinates of WGS 84, metres, (count, 3)."""
    lon, lat = (np.radians(angle) for angle in squares.centres())
    squared = FLATTENING * (2 - FLATTENING)
    normal = SEMI_MAJOR_M / np.sqrt(1 - squared * np.sin(lat) ** 2)
    flat = normal * np.cos(lat)
    return np.stack([flat * np.cos(lon), flat * np.sin(lon), normal * (1 - squared) * np.sin(lat)], axis=-1)
