"""Land and sea, from the mask of global-land-mask: 30 arc seconds, lakes count as land.

The package unpacks its mask to 0.9 GB when imported; here the same file is read in pieces and kept as bits (0.12 GB).

References:
    global-land-mask, https://github.com/toddkarin/global-land-mask, from the GLOBE elevation model.
"""

from __future__ import annotations

import zipfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

ROWS, COLUMNS = 21_600, 43_200
CELLS_PER_DEGREE = 120
ROWS_AT_ONCE = 120
MASK_FILE = "globe_combined_mask_compressed.npz"


def is_land(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.bool_]:
    """Whether points are on land; lakes count as land.

    Args:
        lon: Longitudes, degrees, -180 to 180, (count,).
        lat: Latitudes, degrees, (count,).

    Examples:
        >>> is_land([2.35, -30.0, 33.0], [48.86, 40.0, -1.0]).tolist()  # Paris, the Atlantic, Lake Victoria
        [True, False, True]
    """
    row, column = _row(lat), _column(lon)
    bit = _sea()[row, column >> 3] >> (7 - (column & 7)) & 1
    return np.asarray(bit == 0)


def has_land(west: ArrayLike, south: ArrayLike, east: ArrayLike, north: ArrayLike) -> NDArray[np.bool_]:
    """Whether boxes may hold land: none that does is missed.

    Args:
        west: Left edges, degrees, -180 to 180, (count,).
        south: Lower edges, (count,).
        east: Right edges, not less than `west`, (count,).
        north: Upper edges, (count,).
    """
    top, bottom = _row(north), _row(south)
    left, right = _column(west) >> 3, _column(east) >> 3
    sea = _sea()
    boxes = zip(np.atleast_1d(top), np.atleast_1d(bottom), np.atleast_1d(left), np.atleast_1d(right), strict=True)
    return np.array([(sea[t : b + 1, a : z + 1] != 255).any() for t, b, a, z in boxes], bool)


def _row(lat: ArrayLike) -> NDArray[np.int64]:
    return np.asarray(np.clip((90 - np.asarray(lat, float)) * CELLS_PER_DEGREE, 0, ROWS - 1), np.int64)


def _column(lon: ArrayLike) -> NDArray[np.int64]:
    return np.asarray(np.clip((np.asarray(lon, float) + 180) * CELLS_PER_DEGREE, 0, COLUMNS - 1), np.int64)


@cache
def _sea() -> NDArray[np.uint8]:
    """Sea as bits, (21600, 5400), north to south. Takes about two seconds."""
    spec = find_spec("global_land_mask")
    folders = spec.submodule_search_locations if spec else None
    assert folders, "global-land-mask is a dependency of seastars"
    sea = np.empty((ROWS, COLUMNS // 8), np.uint8)
    with (
        zipfile.ZipFile(Path(folders[0]) / MASK_FILE) as archive,
        archive.open("mask.npy") as file,
    ):
        np.lib.format.read_magic(file)
        shape, _, _ = np.lib.format.read_array_header_1_0(file)
        assert shape == (ROWS, COLUMNS), f"global-land-mask has a mask of {shape}; expected {(ROWS, COLUMNS)}"
        for row in range(0, ROWS, ROWS_AT_ONCE):
            piece = np.frombuffer(file.read(ROWS_AT_ONCE * COLUMNS), bool).reshape(ROWS_AT_ONCE, COLUMNS)
            sea[row : row + ROWS_AT_ONCE] = np.packbits(piece, axis=1)
    return sea
