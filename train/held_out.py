"""Which scenes the monitors of a training look at: the same ones each time, and held out from it where the catalog has some."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.views import whole_view

if TYPE_CHECKING:
    from catalogs.stack import Stack
    from train.config import InputSpec

HELD_OUT = "val"
"""The split that nothing is trained on, and that no result is reported on."""
READ = 8
"""Scenes that are in memory in their native size at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Some locations, with a scene of each sensor."""

    locations: tuple[str, ...]
    """Their ids, sorted."""
    items: tuple[NDArray[np.int64], ...]
    """Of each sensor, numbers of items in its stack, (locations,)."""
    is_held_out: bool
    """Whether none of them is trained on."""


def choose_scenes(stacks: Sequence[Stack], trained: Sequence[str], count: int, *, least: int = 1) -> Chosen:
    """Choose locations that every sensor sees, and a scene of each: the one with the most measurements, the first of those.

    Args:
        stacks: Of each sensor.
        trained: Ids of the locations trained on, sorted, which every sensor sees.
        count: Locations at most.
        least: Locations of the `val` split that are enough.

    Returns:
        Locations of the `val` split, of more than `count` every so many; the last ones trained on, where every sensor sees
        fewer than `least` of that split.
    """
    held_out = [_best_scenes(stack, split=HELD_OUT) for stack in stacks]
    common = sorted(set.intersection(*(set(each) for each in held_out)))
    if len(common) >= least:
        places = np.linspace(0, len(common) - 1, min(count, len(common))).round().astype(int)
        names = tuple(common[place] for place in places)
        return Chosen(names, _numbers(held_out, names), is_held_out=True)
    names = tuple(trained[-count:])
    return Chosen(names, _numbers([_best_scenes(stack) for stack in stacks], names), is_held_out=False)


def read_views(stack: Stack, items: NDArray[np.int64], spec: InputSpec) -> Tensor:
    """Whole patches of some scenes as features are computed from them; see `train.views.whole_view`.

    Args:
        stack: Of the sensor.
        items: Numbers in it, (scenes,).
        spec: The input that the network expects.

    Returns:
        (scenes, bands, size, size), float32, in main memory.
    """
    return torch.cat([
        whole_view(
            pixels,
            torch.from_numpy(stack.scale[items[rows]]),
            torch.from_numpy(stack.offset[items[rows]]),
            spec=spec,
            layers=stack.layers,
            all_valid=False,
        )
        for rows, pixels in read_parts(stack, items)
    ])  # fmt: skip


def read_parts(stack: Stack, items: NDArray[np.int64]) -> Iterator[tuple[slice, tuple[Tensor, ...]]]:
    """Read some scenes, a few at a time: which they are, and of each layer their pixels, (scenes, bands, height, width)."""
    for first in range(0, len(items), READ):
        rows = slice(first, first + READ)
        scenes = [stack.empty() for _ in items[rows]]
        for item, arrays in zip(items[rows], scenes, strict=True):
            stack.read_into(int(item), arrays)
        yield rows, tuple(torch.from_numpy(np.stack(layer)) for layer in zip(*scenes, strict=True))


def _best_scenes(stack: Stack, *, split: str | None = None) -> dict[str, int]:
    """The number of the best scene of each location of a split, or of all."""
    table = stack.items
    numbers = np.arange(len(table)) if split is None else np.flatnonzero(pc.equal(table["split"], split).to_numpy())
    when = pc.coalesce(table["datetime"], table["start_datetime"]).cast("timestamp[us]").to_numpy()[numbers]
    measured = np.nan_to_num(table["valid_percent"].to_numpy(), nan=0.0)[numbers]
    best = numbers[np.lexsort((when, -measured))]
    names = table["location"].take(best).to_pylist()
    return dict(zip(reversed(names), best[::-1].tolist(), strict=True))


def _numbers(scenes: Sequence[dict[str, int]], names: Sequence[str]) -> tuple[NDArray[np.int64], ...]:
    return tuple(np.array([each[name] for name in names], np.int64) for each in scenes)
