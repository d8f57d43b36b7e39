"""What each band of an item holds, without looking at where: moments, percentiles, histograms. No network, no geometry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from catalogs.stack import Layer, Stack
from evaluate.reading import read_blocks

BATCH_SIZE = 16
"""Items that are read at once."""
PERCENTILES = (5.0, 25.0, 50.0, 75.0, 95.0)
BINS = 16
SAMPLE = 1024
"""Training items that the range of the histograms is taken from; all of them, where there are fewer."""
_RANGE_DRAW = 0x8135
"""Keeps this draw apart from others of the same seed."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean and standard deviation of a band."""

    @property
    def count(self) -> int:
        """Numbers per band."""
        return 2

    def describe(self, values: NDArray[np.float64], band: int) -> NDArray[np.float64]:
        """The numbers of one band of one item.

        Args:
            values: Its measurements, reflectance, (pixels,), at least one.
            band: Its number.
        """
        del band
        return np.array([values.mean(), values.std()])


@dataclass(frozen=True, slots=True, eq=False)
class Histograms:
    """Mean, standard deviation, `PERCENTILES`, and how large a share of the pixels lies in each of `BINS` equal bins."""

    low: NDArray[np.float64]
    """Where the first bin begins, reflectance, (bands,); what is below counts into it."""
    high: NDArray[np.float64]
    """Where the last bin ends; what is above counts into it."""

    @property
    def count(self) -> int:
        """Numbers per band."""
        return 2 + len(PERCENTILES) + BINS

    def describe(self, values: NDArray[np.float64], band: int) -> NDArray[np.float64]:
        """See `Moments.describe`."""
        width = (self.high[band] - self.low[band]) / BINS or 1.0
        bins = np.clip((values - self.low[band]) / width, 0, BINS - 1).astype(np.int64)
        shares = np.bincount(bins, minlength=BINS) / len(values)
        return np.concatenate([Moments().describe(values, band), np.percentile(values, PERCENTILES), shares])


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
    return _describe(stack, items, Moments(), workers=workers, advance=advance)


def band_histograms(
    stack: Stack,
    items: NDArray[np.int64],
    *,
    train: NDArray[np.int64],
    seed: int = 0,
    workers: int = 0,
    advance: Callable[[int], None] = lambda _: None,
) -> NDArray[np.float64]:
    """Mean, standard deviation, five percentiles and a histogram of 16 bins of each band of each item.

    The percentiles are the 5th, 25th, 50th, 75th and 95th. The bins are equal and reach from the least to the greatest
    measurement of the training items, of 1,024 that are drawn where there are more.

    Args:
        stack: Pixels.
        items: Numbers of the items, (count,).
        train: Numbers of the items that the range of the bins may be taken from, (items,).
        seed: Of the draw among them.
        workers: Processes that read; 0 reads in this one.
        advance: Told how many items have just been done.

    Returns:
        (count, 23 * bands): the means in the order of `stack.bands`, the standard deviations, each percentile, and the share of
        the pixels in each bin; NaN for a band without any measurement.
    """
    histograms = measure_range(stack, train, seed=seed, workers=workers)
    return _describe(stack, items, histograms, workers=workers, advance=advance)


def measure_range(stack: Stack, train: NDArray[np.int64], *, seed: int, workers: int = 0) -> Histograms:
    """From the least to the greatest measurement of each band; from 0 to 0 for a band without any.

    Args:
        stack: Pixels.
        train: Numbers of the items that may be looked at, (items,).
        seed: Of the draw among them.
        workers: Processes that read; 0 reads in this one.
    """
    generator = np.random.default_rng([seed, _RANGE_DRAW])
    chosen = np.sort(generator.choice(train, min(SAMPLE, len(train)), replace=False))
    low, high = np.full(len(stack.bands), np.inf), np.full(len(stack.bands), -np.inf)
    for numbers, pixels in read_blocks(stack, chosen, batch_size=BATCH_SIZE, workers=workers):
        for place, item in enumerate(numbers.tolist()):
            for band, values in _bands(stack, item, pixels, place):
                low[band], high[band] = min(low[band], values.min()), max(high[band], values.max())
    known = np.isfinite(low)
    return Histograms(np.where(known, low, 0.0), np.where(known, high, 0.0))


def _describe(
    stack: Stack,
    items: NDArray[np.int64],
    what: Moments | Histograms,
    *,
    workers: int,
    advance: Callable[[int], None],
) -> NDArray[np.float64]:
    """Numbers of each item, (count, numbers * bands): number by number, within each band by band."""
    found = np.full((len(items), what.count, len(stack.bands)), np.nan)
    done = 0
    for numbers, pixels in read_blocks(stack, items, batch_size=BATCH_SIZE, workers=workers):
        for place, item in enumerate(numbers.tolist()):
            for band, values in _bands(stack, item, pixels, place):
                found[done + place, :, band] = what.describe(values, band)
        done += len(numbers)
        advance(len(numbers))
    return found.reshape(len(items), -1)


def _bands(stack: Stack, item: int, pixels: tuple[Tensor, ...], place: int) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Number and reflectance of each band of one item that has any measurement."""
    for layer, block in zip(stack.layers, pixels, strict=True):
        for plane, name in enumerate(layer.bands):
            values = _measured(block[place, plane].numpy(), layer, plane)
            if values.size:
                band = stack.bands.index(name)
                yield band, values * float(stack.scale[item, band]) + float(stack.offset[item, band])


def _measured(numbers: NDArray[np.generic], layer: Layer, plane: int) -> NDArray[np.float64]:
    """The numbers of a band that are measurements."""
    values = numbers.astype(np.float64)
    nodata = layer.nodata[plane]
    measured: NDArray[np.float64] = values[np.isfinite(values) & (values != (np.nan if nodata is None else nodata))]
    return measured
