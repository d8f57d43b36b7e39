"""What a sensor's own mask says of each pixel: clear or not, snow, unclassified; and which labels mean nothing. Pure numpy.

References:
    Sentinel-2 Products Specification Document, table of scene classification values (SCL).
    Landsat 8-9 Collection 2 Level-2 Science Product Guide, QA_PIXEL bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.errors import ContractError
from catalogs.records import UNKNOWN_LABEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCL_CLASSES = {
    0: "no_data", 1: "saturated_or_defective", 2: "dark_area", 3: "cloud_shadow", 4: "vegetation", 5: "not_vegetated",
    6: "water", 7: "unclassified",
    8: "cloud_medium_probability", 9: "cloud_high_probability", 10: "thin_cirrus", 11: "snow_or_ice",
}  # fmt: skip
SCL_NOT_CLEAR = (0, 1, 3, 8, 9, 10)
SCL_UNCLASSIFIED = 7
SCL_SNOW = 11
QA_BITS = {"fill": 0, "dilated_cloud": 1, "cirrus": 2, "cloud": 3, "cloud_shadow": 4, "snow": 5, "clear": 6, "water": 7}
QA_NOT_CLEAR = ("fill", "dilated_cloud", "cloud", "cirrus", "cloud_shadow")


@dataclass(frozen=True, slots=True)
class MaskShares:
    """How much of a square is what, percent of its mask's pixels."""

    not_clear: float
    """Cloud, shadow, fill or defect."""
    snow: float
    """Snow or ice."""
    unclassified: float
    """Left open by the mask."""


def is_clear(mask: NDArray[Any], mask_name: str) -> NDArray[np.bool_]:
    """Which pixels show the ground.

    Args:
        mask: `scl` classes or `qa_pixel` bits, any shape, integers.
        mask_name: `scl` or `qa_pixel`.

    Returns:
        True where the pixel is neither fill, defect, cloud nor cloud shadow; snow and unclassified pixels are clear.

    Raises:
        ContractError: The mask is of another kind.
    """
    if mask_name == "scl":
        return ~np.isin(mask, SCL_NOT_CLEAR)
    return ~_any_bit(mask, mask_name, QA_NOT_CLEAR)


def mask_shares(mask: NDArray[Any], mask_name: str) -> MaskShares:
    """Shares of a square by its mask; see `is_clear` for the arguments.

    Examples:
        >>> mask_shares(np.array([[4, 9], [11, 7]]), "scl")
        MaskShares(not_clear=25.0, snow=25.0, unclassified=25.0)
    """
    if mask_name == "scl":
        snow, unclassified = mask == SCL_SNOW, mask == SCL_UNCLASSIFIED
    else:
        snow, unclassified = _any_bit(mask, mask_name, ("snow",)), np.zeros(mask.shape, bool)
    return MaskShares(*(round(100 * float(np.mean(part)), 4) for part in (~is_clear(mask, mask_name), snow, unclassified)))


def _any_bit(mask: NDArray[Any], mask_name: str, names: tuple[str, ...]) -> NDArray[np.bool_]:
    if mask_name != "qa_pixel":
        raise ContractError(f"Unknown mask {mask_name!r}. Expected scl or qa_pixel.")
    bits: NDArray[np.bool_] = (mask & sum(1 << QA_BITS[name] for name in names)) != 0
    return bits


def unknown_labels(labels: NDArray[Any], classes: Sequence[str]) -> list[int]:
    """Values of a label raster that no class has, ascending; 255, where nobody knows, is none of them.

    Examples:
        >>> unknown_labels(np.array([[0, 1, 7, 255]], "uint8"), ("water", "land"))
        [7]
    """
    counts = np.bincount(labels.ravel(), minlength=256)
    counts[: len(classes)] = counts[UNKNOWN_LABEL] = 0
    return [int(value) for value in np.flatnonzero(counts)]
