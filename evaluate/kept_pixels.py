"""Pixels that are read many times, kept in memory where they fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalogs.stack import Stack
from evaluate.reading import read_blocks

LIMIT = 2 * 2**30
"""Bytes that are kept at most."""
BLOCK = 256
"""Items read at once."""


@dataclass(frozen=True, slots=True, eq=False)
class KeptPixels:
    """Pixels of some items of a stack, as `catalogs.stack.Pixels`."""

    rows: NDArray[np.int64]
    """Place of each of the stack's items in `layers`, -1 where it is not kept, (items,)."""
    layers: tuple[NDArray[Any], ...]
    """(kept items, bands, height, width) each, native type."""

    def read_into(self, item: int, out: Sequence[NDArray[Any]]) -> None:
        """Copy the pixels of an item into one array per layer, (bands, height, width)."""
        row = self.rows[item]
        assert row >= 0, f"item {item} was not kept"
        for layer, room in zip(self.layers, out, strict=True):
            np.copyto(room, layer[row])


def keep_pixels(
    stack: Stack,
    items: NDArray[np.int64],
    *,
    workers: int = 0,
    limit: int = LIMIT,
    advance: Callable[[int], None] = lambda _: None,
) -> Stack:
    """Read some items once, for whoever reads them many times.

    Args:
        stack: Pixels.
        items: Numbers of those that will be read, each once, (count,).
        workers: Processes that read; 0 reads in this one.
        limit: Bytes that may be kept.
        advance: Told how many items have just been read.

    Returns:
        The same stack, which reads these items, and no others, from memory; the very stack that was given where they are more
        than `limit`, or come from a pack, which the operating system keeps in memory by itself.
    """
    size = len(items) * sum(layer.size for layer in stack.layers)
    if stack.is_packed or size > limit:
        advance(len(items))
        return stack
    layers = tuple(np.empty((len(items), *layer.shape), layer.data_type) for layer in stack.layers)
    start = 0
    for numbers, pixels in read_blocks(stack, items, batch_size=BLOCK, workers=workers):
        for room, part in zip(layers, pixels, strict=True):
            room[start : start + len(numbers)] = part.numpy()
        start += len(numbers)
        advance(len(numbers))
    rows = np.full(len(stack), -1)
    rows[items] = np.arange(len(items))
    return replace(stack, pixels=KeptPixels(rows, layers))
