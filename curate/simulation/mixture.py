"""The landscape at a date as shares of materials, and its blur by a sensor's optics."""

from __future__ import annotations

from functools import lru_cache
from math import erf, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.simulation.textures import FLAT, PAVED, POND, TILED, TONE, TREE, VIGOUR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from curate.simulation.landscape import Landscape
    from curate.simulation.phenology import Attire

BLUR = 0.32
"""Standard deviation of the optics' blur in pixels, on top of the pixel's own square: contrast at Nyquist of about 0.4."""


def mixture_of(landscape: Landscape, attire: Attire, fold: int) -> NDArray[np.float32]:
    """Shares of the ten materials of `spectra`, averaged over blocks of `fold` x `fold` cells.

    Returns:
        (10, height / fold, width / fold); what is missing to 1 is shade.
    """
    height, width = landscape.parcel.shape
    out = np.empty((10, height // fold, width // fold), np.float32)
    for material, share in enumerate(_shares(landscape, attire)):
        out[material] = _folded(share, fold)
    return out


def _shares(landscape: Landscape, attire: Attire) -> Iterator[NDArray[np.float32]]:
    surface, parcel = landscape.surface, landscape.parcel
    tone = np.maximum(1 + (surface[TONE] - 1) * np.take(attire.contrast, parcel), 0.1) * np.take(attire.albedo, parcel)
    ground = 1 - surface[TREE] - surface[PAVED] - surface[TILED] - surface[FLAT] - surface[POND]
    ground *= tone
    vigour = surface[VIGOUR] * ground
    trees, pond = surface[TREE] * tone, surface[POND] * tone
    stirred = pond * (1 + surface[VIGOUR])
    parts = [ground * np.take(attire.ground[k], parcel) + vigour * np.take(attire.swing[k], parcel) for k in range(4)]
    yield parts[0] + stirred * np.take(attire.algae, parcel)
    yield parts[1] + trees * np.take(attire.trees[1], parcel)
    yield parts[2] + stirred * np.take(attire.sediment, parcel)
    yield parts[3]
    yield trees * np.take(attire.trees[0], parcel)
    yield trees * np.take(attire.trees[2], parcel)
    yield pond
    for kind in (PAVED, TILED, FLAT):
        yield surface[kind] * tone


def _folded(values: NDArray[np.float32], fold: int) -> NDArray[np.float32]:
    total = np.zeros((values.shape[0] // fold, values.shape[1] // fold), np.float32)
    for row in range(fold):
        for column in range(fold):
            total += values[row::fold, column::fold]
    total /= fold * fold
    return total


def blurred(values: NDArray[np.float32], factor: int, margin: int) -> NDArray[np.float32]:
    """What pixels of `factor` x `factor` cells measure: their square, widened by the optics.

    Args:
        values: Cells, (..., rows, columns), `margin` of them on every side beyond the pixels.
        factor: Cells along a pixel's side.
        margin: Cells beyond; at least one pixel, so that no weight is lost.

    Returns:
        (..., pixel rows, pixel columns). The sum runs in one order, so that a pixel has the same bits in any window.
    """
    return _along(_along(values, factor, margin).swapaxes(-1, -2), factor, margin).swapaxes(-1, -2)


def _along(values: NDArray[Any], factor: int, margin: int) -> NDArray[Any]:
    """Blur and thin the second last axis."""
    count = (values.shape[-2] - 2 * margin) // factor
    total: Any = 0.0
    for offset, weight in blur_weights(factor):
        first = margin + offset
        total = total + np.float32(weight) * values[..., first : first + (count - 1) * factor + 1 : factor, :]
    return np.ascontiguousarray(total)


@lru_cache(maxsize=16)
def blur_weights(factor: int) -> tuple[tuple[int, float], ...]:
    """Weights of the cells around a pixel, by their offset from its first cell; they sum to 1."""
    spread = BLUR * factor * sqrt(2)
    places = {offset: offset + 0.5 - factor / 2 for offset in range(-factor, 2 * factor)}
    raw = {offset: erf((at + factor / 2) / spread) - erf((at - factor / 2) / spread) for offset, at in places.items()}
    kept = {offset: weight for offset, weight in raw.items() if weight > 1e-3}
    total = sum(kept.values())
    return tuple((offset, weight / total) for offset, weight in kept.items())
