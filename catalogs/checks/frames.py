"""What the pixels of one band tell by themselves: blank, constant, saturated. Pure numpy."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.records import Band

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENOUGH_PX = 16
"""Valid pixels below which a single value says nothing: a 240 m square has so many of 60 m."""
SATURATED_PERCENT = 10.0
"""Share of the valid pixels at the highest value from which a frame counts as clipped: bright cloud and snow vary."""
BRIGHT = 0.9
"""Reflectance from which a common highest value is a ceiling: what is clipped to 10,000 DN has it, with either offset."""


def frame_fault(pixels: NDArray[Any], band: Band, *, is_mask: bool = False, may_clip: bool = False) -> tuple[str, str] | None:
    """What is wrong with a frame as a whole.

    Args:
        pixels: (height, width), DN or classes.
        band: Its nodata, scale and offset.
        is_mask: Classes or bits, which may well be the same everywhere.
        may_clip: Display values, which their publisher may have clipped.

    Returns:
        `blank`, `constant` or `saturated`, and the words; none where it is a picture.

    Examples:
        >>> frame_fault(np.zeros((8, 8), "uint16"), Band("B02", 10, nodata=0))
        ('blank', 'B02 is nodata (0) everywhere.')
    """
    valid = valid_pixels(pixels, band)
    if not valid.size:
        return "blank", f"{band.name} is nodata ({band.nodata if band.nodata is not None else 'NaN'}) everywhere."
    if is_mask or valid.size < ENOUGH_PX:
        return None
    highest = valid.max()
    share = 100 * float(np.mean(valid == highest))
    if not may_clip and share >= SATURATED_PERCENT and _is_ceiling(highest, band, valid.dtype):
        return (
            "saturated",
            f"{share:.0f} % of {band.name} are at its highest value, {highest:g}; expected under {SATURATED_PERCENT:g} %.",
        )
    if highest == valid.min():
        return "constant", f"{band.name} is {highest:g} everywhere."
    return None


def valid_pixels(pixels: NDArray[Any], band: Band) -> NDArray[Any]:
    """The pixels that hold a measurement, as a flat array."""
    valid = ~np.isnan(pixels) if pixels.dtype.kind == "f" else np.ones(pixels.shape, bool)
    if band.nodata is not None:
        valid &= pixels != band.nodata
    shown: NDArray[Any] = pixels[valid]
    return shown


def frame_digest(pixels: NDArray[Any]) -> bytes:
    """What tells the pixels of one band from others."""
    return hashlib.blake2b(np.ascontiguousarray(pixels).tobytes(), digest_size=16).digest()


def _is_ceiling(value: Any, band: Band, type_: np.dtype[Any]) -> bool:
    """Whether a value is one that a sensor or a format cannot exceed, or a reflectance that only clipping makes common."""
    if type_.kind in "iu" and value == np.iinfo(type_).max:
        return True
    if not np.isfinite(value):
        return True
    is_reflectance = band.scale is not None and type_.kind in "iu"
    return is_reflectance and float(value) * (band.scale or 0.0) + (band.offset or 0.0) >= BRIGHT
