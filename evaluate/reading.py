"""Pixels of some items of a stack, a block at a time, read by this process or by others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from catalogs.stack import Stack
from evaluate.errors import InputError


def read_blocks(
    stack: Stack, items: NDArray[np.int64], *, batch_size: int, workers: int = 0
) -> Iterator[tuple[NDArray[np.int64], tuple[Tensor, ...]]]:
    """Read items in their order.

    No global random state is touched, so that an evaluation in the middle of a training changes nothing of it.

    Args:
        stack: Pixels.
        items: Numbers of the items wanted, (count,).
        batch_size: Items per block; the last one may have fewer.
        workers: Processes that read; 0 reads in this one.

    Yields:
        Numbers of a block's items, and their pixels per layer, (items, bands, height, width) in native type.

    Raises:
        InputError: The batch size or the number of workers is out of range.
    """
    if batch_size < 1 or workers < 0:
        raise InputError(f"batch_size is {batch_size} and workers {workers}; expected 1 or more, and 0 or more.")
    parts = [items[start : start + batch_size] for start in range(0, len(items), batch_size)]
    blocks = _Blocks(stack, parts)
    if not workers:
        yield from zip(parts, map(blocks.__getitem__, range(len(parts))), strict=True)
        return
    loader: DataLoader[tuple[Tensor, ...]] = DataLoader(
        blocks, batch_size=None, num_workers=min(workers, len(parts)), generator=torch.Generator()
    )
    yield from zip(parts, loader, strict=True)


class _Blocks(Dataset[tuple[Tensor, ...]]):
    """The blocks by number; what a worker process takes along."""

    def __init__(self, stack: Stack, parts: list[NDArray[np.int64]]) -> None:
        self._stack = stack
        self._parts = parts

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, number: int) -> tuple[Tensor, ...]:
        items = self._parts[number]
        rooms: list[NDArray[Any]] = [
            np.empty((len(items), len(layer.bands), layer.height, layer.width), layer.data_type) for layer in self._stack.layers
        ]
        for place, item in enumerate(items.tolist()):
            self._stack.read_into(item, [room[place] for room in rooms])
        return tuple(torch.from_numpy(room) for room in rooms)
