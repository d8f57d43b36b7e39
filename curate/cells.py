"""A region as small boxes of longitude and latitude: what makes equal-area draws cheap, for the world and for Monaco alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from curate.places import EARTH_RADIUS_M

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENOUGH = 4096
"""With so many boxes, what they hold beside the region is a thin rim."""
MAX_SPLITS = 16
"""Halvings of the first box; of the whole world, they end at boxes of about 600 m."""


def refine(cells: NDArray[np.float64], may_hold: Callable[[NDArray[np.float64]], NDArray[np.bool_]]) -> NDArray[np.float64]:
    """Cut boxes in four again and again, keeping those that may hold a point of the region.

    Args:
        cells: Boxes to start from, (count, 4) as (west, south, east, north), degrees, west <= east.
        may_hold: Which of such boxes may hold the region; it may err towards yes only.

    Returns:
        Boxes that cover the region, (count, 4); none where nothing is left.
    """
    cells = cells[may_hold(cells)]
    for _ in range(MAX_SPLITS):
        if not 0 < len(cells) < ENOUGH:
            break
        quarters = quarter(cells)
        cells = quarters[may_hold(quarters)]
    return cells


def quarter(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cut each box in four, (4 * count, 4)."""
    west, south, east, north = cells.T
    lon, lat = (west + east) / 2, (south + north) / 2
    corners = ((west, south, lon, lat), (lon, south, east, lat), (west, lat, lon, north), (lon, lat, east, north))
    return np.concatenate([np.stack(corner, axis=-1) for corner in corners])


def areas(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Areas of boxes on the unit sphere, steradians, (count,)."""
    west, south, east, north = np.radians(cells).T
    return np.asarray((east - west) * (np.sin(north) - np.sin(south)))


def radii_m(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far a point of each box can be from its centre at most, metres, (count,)."""
    west, south, east, north = np.radians(cells).T
    along_parallel = (east - west) / 2 * np.cos((south + north) / 2)
    return np.asarray(EARTH_RADIUS_M * (along_parallel + (north - south) / 2))


def centres(cells: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitudes and latitudes of the boxes' centres, degrees."""
    return (cells[:, 0] + cells[:, 2]) / 2, (cells[:, 1] + cells[:, 3]) / 2
