"""Whether a scene's scale and offset fit its pixels. Pure.

The one silent fault of Sentinel-2 archives is an offset of -0.1 (1,000 DN, processing baseline 04.00 and later) that is
stated but already applied, or applied nowhere. Dark ground tells: in some band of nearly every square some pixels are
darker than 0.1, and hardly any far below zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.bands import Sensor
from catalogs.masks import is_clear
from catalogs.records import Band

if TYPE_CHECKING:
    from numpy.typing import NDArray

DARK_PERCENTILE = 1.0
"""Which pixels of a band are its dark ones."""
TOO_DARK = 0.5
"""Share of the offset that dark pixels lie below zero where it was applied twice: they lie at all of it, less their own few
hundredths; noise and over-corrected water or shade do not come that far."""
DARK_ENOUGH = 0.1
"""Reflectance that the darkest band's dark pixels are expected to stay under: the offset of Sentinel-2."""

CONSTELLATIONS = ("sentinel-2", "landsat")
"""Whose numbers are reflectance with an offset."""


def check_scene(
    sensor: Sensor, planes: Sequence[tuple[Band, NDArray[Any]]], mask: NDArray[Any] | None, baseline: str | None
) -> str | None:
    """What the clear dark pixels of a scene say to its offset.

    Args:
        sensor: What took it.
        planes: Its bands, scale and offset as stated, with their pixels, (height, width) DN.
        mask: The sensor's own mask of the same square, of any pixel size; all pixels count where absent.
        baseline: The provider's processing version.

    Returns:
        As `check_offset`; none for a sensor without calibrated reflectance.
    """
    if sensor.constellation not in CONSTELLATIONS:
        return None
    name = sensor.mask.name if sensor.mask else ""
    clear = [(band, pixels if mask is None else pixels[clear_pixels(mask, name, pixels.shape)]) for band, pixels in planes]
    offset = next((band.offset for band, _ in planes), None)
    return check_offset(dark_reflectance(clear), offset, may_lack=adds_offset(baseline))


def clear_pixels(mask: NDArray[Any], mask_name: str, shape: Sequence[int]) -> NDArray[np.bool_]:
    """Clear pixels by a mask, brought to another pixel size by the mask's nearest pixel.

    Args:
        mask: (height, width), classes or bits.
        mask_name: `scl` or `qa_pixel`.
        shape: (height, width) wanted, of the same square.
    """
    clear = is_clear(mask, mask_name)
    rows, columns = ((np.arange(count) + 0.5) / count for count in shape)
    shown: NDArray[np.bool_] = clear[(rows * clear.shape[0]).astype(int)[:, None], (columns * clear.shape[1]).astype(int)]
    return shown


def dark_reflectance(planes: Iterable[tuple[Band, NDArray[Any]]]) -> float | None:
    """Reflectance of the dark pixels of the darkest band.

    Args:
        planes: Bands with their pixels, (height, width) DN; nodata is passed over.

    Returns:
        The lowest first percentile over the bands; none where no band has a valid pixel.
    """
    darks = []
    for band, pixels in planes:
        valid = pixels if band.nodata is None else pixels[pixels != band.nodata]
        if valid.size and band.scale is not None:
            darks.append(float(np.percentile(valid, DARK_PERCENTILE)) * band.scale + (band.offset or 0.0))
    return min(darks, default=None)


def check_offset(dark: float | None, offset: float | None, *, may_lack: bool = False) -> str:
    """What the dark pixels say to the stated offset.

    Args:
        dark: As `dark_reflectance` gives it, the stated offset applied.
        offset: The stated offset.
        may_lack: Whether the provider's processing (baseline 04.00 and later) added 1,000 DN to what it delivers.

    Returns:
        `conflict` where dark ground is below zero by half the offset or more, or where an offset is missing: none is stated,
        the processing may have added it, and dark ground is as bright as that; `consistent` where dark ground is dark;
        `unchecked` where the square has no dark ground to tell by.

    Examples:
        >>> check_offset(0.02, -0.1), check_offset(-0.08, -0.1), check_offset(0.3, -0.1), check_offset(-0.03, -0.2)
        ('consistent', 'conflict', 'unchecked', 'consistent')
        >>> check_offset(0.12, 0.0, may_lack=True), check_offset(0.12, 0.0)
        ('conflict', 'unchecked')
    """
    if dark is None:
        return "unchecked"
    if offset and dark < TOO_DARK * offset:
        return "conflict"
    if dark <= DARK_ENOUGH:
        return "consistent"
    return "conflict" if may_lack and not offset and dark < 2 * DARK_ENOUGH else "unchecked"


def adds_offset(baseline: str | None) -> bool:
    """Whether a Sentinel-2 processing baseline adds 1,000 DN: 04.00 and later."""
    return baseline is not None and baseline >= "04.00"
