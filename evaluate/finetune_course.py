"""The course of a fine-tuning: how many items teach at once, how often, in which order, and how fast. Pure functions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluate.augmentation import draw_key
from evaluate.errors import InputError
from evaluate.settings import TrainingSettings
from evaluate.task import Part
from train.schedules import cosine, warm_up

WARM_UP = 0.1
"""Share of the steps that the learning rates rise in."""
LAST_RATE = 0.01
"""What is left of them at the last step."""


@dataclass(frozen=True, slots=True)
class Course:
    """How long weights are moved, and by how many items at once."""

    size: int
    """Items that teach at once; the last ones of an epoch may be fewer."""
    blocks: int
    """Times that weights are moved in an epoch."""
    epochs: int
    """Times that every item teaches."""

    @property
    def steps(self) -> int:
        """Times that weights are moved in all."""
        return self.blocks * self.epochs


def plan_course(items: int, settings: TrainingSettings, *, batched: bool) -> Course:
    """Plan the blocks of an epoch, so that they are about equal, and the epochs.

    Args:
        items: How many teach.
        settings: Batch size, which is exceeded by a few where a single item would be left over that cannot teach alone;
            epochs and steps at least.
        batched: Whether an item cannot teach alone, since batch normalisation needs others.

    Raises:
        InputError: There is but one, and it cannot.

    Examples:
        >>> plan_course(100, TrainingSettings(batch_size=64, epochs=20, min_steps=200), batched=True)
        Course(size=50, blocks=2, epochs=100)
    """
    if items < 2 and batched:
        raise InputError("One item cannot teach batch normalisation. Give a greater --fraction, or --freeze-batch-norm.")
    size = math.ceil(items / math.ceil(items / settings.batch_size))
    while batched and items % size == 1 % size:
        size += 1
    blocks = math.ceil(items / size)
    return Course(size, blocks, max(settings.epochs, math.ceil(settings.min_steps / blocks)))


def rate_factor(step: int, *, steps: int) -> float:
    """What learning rates are multiplied by at a step, from 0: a rise in a tenth of the steps, then half a cosine.

    Examples:
        >>> [round(rate_factor(step, steps=20), 2) for step in (0, 1, 2, 19)]
        [0.33, 0.67, 1.0, 0.01]
    """
    rising = round(WARM_UP * steps)
    if step < rising:
        return warm_up(step, steps=rising, peak=1.0)
    return cosine(step - rising, steps=steps - rising, start=1.0, end=LAST_RATE)


def draw_order(part: Part, *, seed: int, epoch: int) -> NDArray[np.int64]:
    """Places of a part's items as they teach in an epoch; the same items in whatever order they are listed."""
    turns = np.asarray([draw_key(f"order\t{seed}\t{epoch}\t{each}") for each in part.ids.tolist()], np.uint64)
    return np.lexsort((part.ids, turns)).astype(np.int64)
