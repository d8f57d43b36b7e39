"""Train, validation and test by geography: blocks of about 20 km are of one split, so that neighbours never part.

Blocks do not know UTM zones: rows of 20 km in latitude, each cut into equal columns of about 20 km. A block's split is a
hash of the seed and the block. A square belongs to a split only if, grown by its own side in every direction, it touches blocks
of that split alone: two squares of different splits are at least two sides apart.

Squares between blocks are more often lost to a rare split than to a common one, whose blocks lie together. So a rare split gets
more blocks than its share: as many as make the squares come out as asked (of squares spread evenly).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import floor
from typing import TYPE_CHECKING

import numpy as np

from catalogs.records import SPLITS
from curate.draw import draw_key
from curate.errors import CurateError
from curate.places import EARTH_RADIUS_M
from curate.squares import Squares, unbroken

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK_M = 20_000
BLOCK_DEGREES = float(np.degrees(BLOCK_M / EARTH_RADIUS_M))
NO_SPLIT = SPLITS.index("none")
POINTS_PER_EDGE = 2
BEND_DEGREES = 4e-4
"""More than the edges of a grown square bend between two of its points, even of the largest one at 84 N (40 m)."""

Shares = tuple[float, float, float]
"""Train, val, test; they sum to 1."""


def parse_shares(text: str) -> Shares:
    """Shares of train, val and test from "0.9,0.05,0.05".

    Raises:
        CurateError: They are not three numbers from 0 to 1 that sum to 1.
    """
    try:
        train, val, test = (float(part) for part in text.split(","))
    except ValueError:
        train = val = test = -1
    if min(train, val, test) < 0 or abs(train + val + test - 1) > 1e-9:
        raise CurateError(
            f'Splits "{text}" are not three shares that sum to 1. Expected train,val,test, as --splits 0.9,0.05,0.05.'
        )
    return train, val, test


def assign_splits(squares: Squares, *, seed: int, shares: Shares) -> NDArray[np.int8]:
    """The split of each square, or `none` where it lies between two.

    Args:
        squares: To assign.
        seed: Of the sample.
        shares: Wanted shares of squares.

    Returns:
        Positions in `SPLITS`, (count,).
    """
    if not len(squares):
        return np.empty(0, np.int8)
    west, south, east, north = _grown_boxes(squares)
    thresholds = np.cumsum(block_shares(shares, squares.side_m))
    first_row, last_row = _row(south), _row(north)
    split = np.full(len(squares), -1, np.int8)
    for row_step in range(int((last_row - first_row).max()) + 1):
        row = np.minimum(first_row + row_step, last_row)
        first_column, last_column = _column(west, row), _column(east, row)
        for column_step in range(int((last_column - first_column).max()) + 1):
            column = np.minimum(first_column + column_step, last_column) % columns_of(row)
            mine = np.searchsorted(thresholds[:2], block_numbers(seed, row, column), side="right").astype(np.int8)
            split = np.where((split == -1) | (split == mine), mine, NO_SPLIT).astype(np.int8)
    return split


def _grown_boxes(squares: Squares) -> tuple[NDArray[np.float64], ...]:
    """West, south, east and north of the squares grown by one side; east may exceed 180."""
    steps = np.linspace(-1, 2, POINTS_PER_EDGE + 1)
    across, up = (edge.ravel() for edge in np.meshgrid(steps, steps))
    rim = (np.abs(across - 0.5) == 1.5) | (np.abs(up - 0.5) == 1.5)
    lon, lat = squares.lonlats(across[rim], up[rim])
    lon = unbroken(lon)
    low, high = lat.min(axis=1) - BEND_DEGREES, lat.max(axis=1) + BEND_DEGREES
    return lon.min(axis=1) - BEND_DEGREES, low, lon.max(axis=1) + BEND_DEGREES, high


def _row(lat: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.asarray(np.floor((lat + 90) / BLOCK_DEGREES), np.int64)


def columns_of(row: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many blocks each row is cut into."""
    middle = np.minimum((row + 0.5) * BLOCK_DEGREES - 90, 90)
    return np.asarray(np.maximum(np.round(360 * np.cos(np.radians(middle)) / BLOCK_DEGREES), 1), np.int64)


def _column(lon: NDArray[np.float64], row: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(np.floor((lon + 180) / 360 * columns_of(row)), np.int64)


def block_numbers(seed: int, row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.float64]:
    """A number in [0, 1) for each block, a hash of seed, row and column."""
    first, second = draw_key(seed, "split")
    hashed = _mix(_mix(row.astype(np.uint64) + first) + column.astype(np.uint64) + second)
    return np.asarray((hashed >> np.uint64(11)) * 2.0**-53, np.float64)


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele et al. 2014), modulo 2**64."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@cache
def block_shares(shares: Shares, side_m: float) -> list[float]:
    """Shares of blocks that make the shares of squares come out as asked.

    A square of split *i* with block share *p* is kept if the other n - 1 blocks that it touches are of its split: a chance of
    p ** (n - 1). So p * E[p ** (n - 1)], normalised, has to be the wished share; both are monotonous, and bisected.

    Examples:
        >>> [round(share, 3) for share in block_shares((0.5, 0.5, 0.0), 2640)]
        [0.5, 0.5, 0.0]
    """

    def kept(p: float) -> float:
        return sum(chance * p**touched for touched, chance in _blocks_touched(side_m).items())

    def solve(target: float) -> float:
        return _bisect(lambda p: kept(p) - target)

    level = _bisect(lambda scale: sum(solve(scale * share) for share in shares) - 1)
    found = [solve(level * share) for share in shares]
    return [p / sum(found) for p in found]


def _blocks_touched(side_m: float) -> dict[int, float]:
    """Chance of each number of blocks that a square grown by one side touches."""
    span = 3 * side_m / BLOCK_M
    more = span - floor(span)
    fewest = floor(span) + 1
    chances: dict[int, float] = {}
    for rows, row_chance in ((fewest, 1 - more), (fewest + 1, more)):
        for columns, column_chance in ((fewest, 1 - more), (fewest + 1, more)):
            chances[rows * columns] = chances.get(rows * columns, 0) + row_chance * column_chance
    return chances


def _bisect(rising: Callable[[float], float]) -> float:
    """Where a rising function crosses zero between 0 and 1."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return high
