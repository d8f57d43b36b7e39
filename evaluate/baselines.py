"""What is known without a network: statistics of each band. A score means little unless it is above this one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from catalogs.stack import Layer, Stack
from evaluate.reading import read_blocks

BATCH_SIZE = 16


def band_statistics(
    stack: Stack, items: NDArray[np.int64], *, workers: int = 0, advance: Callable[[int], None] = lambda _: None
) -> NDArray[np.float64]:
    """Mean and standard deviation of each band of each item, in reflectance, over the pixels that are measurements.

    Args:
        stack: Pixels.
        items: Numbers of the items, (count,).
        workers: Processes that read; 0 reads in this one.
        advance: Told how many items have just been done.

    Returns:
        (count, 2 * bands): the means in the order of `stack.bands`, then the standard deviations; NaN for a band without any
        measurement.
    """
    found = [np.empty((0, 2 * len(stack.bands)))]
    for numbers, pixels in read_blocks(stack, items, batch_size=BATCH_SIZE, workers=workers):
        found.append(np.stack([_statistics(stack, item, pixels, place) for place, item in enumerate(numbers.tolist())]))
        advance(len(numbers))
    return np.concatenate(found)


def _statistics(stack: Stack, item: int, pixels: tuple[Tensor, ...], place: int) -> NDArray[np.float64]:
    """Means, then standard deviations, of one item."""
    found = np.full((2, len(stack.bands)), np.nan)
    for layer, block in zip(stack.layers, pixels, strict=True):
        for plane, name in enumerate(layer.bands):
            band = stack.bands.index(name)
            values = _measured(block[place, plane].numpy(), layer, plane)
            if values.size:
                scale, offset = float(stack.scale[item, band]), float(stack.offset[item, band])
                found[:, band] = values.mean() * scale + offset, values.std() * abs(scale)
    return found.reshape(-1)


def _measured(numbers: NDArray[np.generic], layer: Layer, plane: int) -> NDArray[np.float64]:
    """The numbers of a band that are measurements."""
    values = numbers.astype(np.float64)
    nodata = layer.nodata[plane]
    measured: NDArray[np.float64] = values[np.isfinite(values) & (values != (np.nan if nodata is None else nodata))]
    return measured
