"""Ground that no square may touch, such as a benchmark's test set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.records import MAX_SIDE_M

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.squares import Squares

BEND_DEGREES = 1.6e-4
"""What the edge of the largest square bends at most between its corners, at 84 N (18 m)."""


class Excluded:
    """An index of geometries in longitude and latitude."""

    def __init__(self, geometries: NDArray[Any]) -> None:
        """Index the geometries, as `vectors.read_geometries` gives them."""
        from shapely import STRtree

        self._tree = STRtree(geometries)

    def touched_by(self, squares: Squares) -> NDArray[np.bool_]:
        """Which squares touch one of the geometries, or come within the bend of their edges (1.3 m of a 2,640 m square)."""
        margin = BEND_DEGREES * (squares.side_m / MAX_SIDE_M) ** 2
        touched = np.zeros(len(squares), bool)
        touched[self._tree.query(squares.polygons(pieces=1), predicate="dwithin", distance=margin)[0]] = True
        return touched
