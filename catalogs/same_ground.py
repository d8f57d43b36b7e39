"""Whether two scenes of one square differ as by an offset: another date, or another provider's copy. Pure.

Between two dates fields are ploughed and leaves fall, but the dark end of the visible bands (water, shade, plants, tar) stays
where it is to a few hundredths, while an offset that one of them lacks moves it by 0.1 in all bands. Of the 3,306 ordered
pairs of 58 dates in Flanders none is taken for an offset; with one missing or too many, 53 and 50 of the 58 dates are found by
the nearest two others, and one is called right (tests/catalogs/test_radiometry_archive.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.bands import Sensor
from catalogs.radiometry import at_size
from catalogs.records import Band

if TYPE_CHECKING:
    from numpy.typing import NDArray

POINTS = 64
"""Rows and columns of a square's points, whatever its pixel sizes."""
LOW_PERCENTILE = 5.0
"""Which points of a band are its dark end."""
FEWEST_POINTS = 200
"""Fewer tell nothing."""
FEWEST_BANDS = 2
VISIBLE_UM = 0.7
"""Wavelength below which seasons change little of the dark end."""
STILL = 0.06
"""Reflectance that no visible band's dark end moves by between dates of one ground."""
SHIFTED = 0.07
"""Reflectance that all of them move by where an offset is missing or one too many."""
SCL_GROUND = (4, 5, 6)
"""Plants, soil, water: classes whose pixels show the ground without doubt, snow or shade; "unclassified" is often haze."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A scene at the points of its square: small enough that many are held."""

    bands: Mapping[str, NDArray[np.float32]]
    """Reflectance as stated, (POINTS, POINTS), of the visible bands if there are two; NaN where the ground is not seen."""


def see_ground(sensor: Sensor, planes: Sequence[tuple[Band, NDArray[Any]]], mask: NDArray[Any] | None) -> Ground:
    """A scene at the points of its square.

    Args:
        sensor: What took it.
        planes: Its bands, scale and offset as stated, with their pixels, (height, width) DN.
        mask: The sensor's scene classification of the same square; all pixels count where absent.
    """
    shape = (POINTS, POINTS)
    seen = np.ones(shape, bool) if mask is None else np.isin(at_size(mask, shape), SCL_GROUND)
    visible = [plane for plane in planes if (sensor.band(plane[0].name).wavelength_um or VISIBLE_UM) < VISIBLE_UM]
    bands = {}
    for band, pixels in visible if len(visible) >= FEWEST_BANDS else planes:
        numbers = at_size(pixels, shape)
        is_valid = seen if band.nodata is None else seen & (numbers != band.nodata)
        values = numbers * np.float32(band.scale or 1.0) + np.float32(band.offset or 0.0)
        bands[band.name] = np.where(is_valid, values, np.float32(np.nan)).astype(np.float32)
    return Ground(bands)


def moved_between(one: Ground, other: Ground) -> tuple[float, float] | None:
    """By how much one scene's dark end lies above another's: the least and the most over the bands, reflectance.

    Returns:
        None where too little of the ground is seen in both.
    """
    names = [name for name in one.bands if name in other.bands]
    if len(names) < FEWEST_BANDS:
        return None
    ours, theirs = (np.stack([ground.bands[name] for name in names]) for ground in (one, other))
    both = np.isfinite(ours).all(axis=0) & np.isfinite(theirs).all(axis=0)
    if np.count_nonzero(both) < FEWEST_POINTS:
        return None
    low, their_low = (np.percentile(values[:, both], LOW_PERCENTILE, axis=1) for values in (ours, theirs))
    return float(np.min(low - their_low)), float(np.max(low - their_low))


def check_moved(moved: tuple[float, float] | None, offset: float | None, *, may_lack: bool) -> str:
    """What another scene of the ground, whose offset is right, says to the stated one.

    Args:
        moved: As `moved_between` gives it, from the other scene to this one.
        offset: The stated offset of this one.
        may_lack: Whether its numbers may carry an offset that is not stated.

    Returns:
        `conflict` where all bands moved as by an offset, `consistent` where none did, else `unchecked`.

    Examples:
        >>> check_moved((-0.01, 0.02), -0.1, may_lack=True), check_moved((-0.12, -0.09), -0.1, may_lack=True)
        ('consistent', 'conflict')
        >>> check_moved((0.09, 0.1), 0.0, may_lack=True), check_moved((0.09, 0.1), -0.1, may_lack=True)
        ('conflict', 'unchecked')
    """
    if moved is None:
        return "unchecked"
    least, most = moved
    if (offset and most <= -SHIFTED) or (not offset and may_lack and least >= SHIFTED):
        return "conflict"
    return "consistent" if least > -STILL and most < STILL else "unchecked"
