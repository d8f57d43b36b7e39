"""From a step to a value: learning rates and what else changes as training goes on. Pure.

Steps count from 0 to `steps - 1`. A peak is met at one step, and the last step has the last value. (In the released codes of
MoCo, SeCo and DINO the last value is never reached, and DINO's peak is met twice.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from train.config import Distillation, Optimizer
from train.errors import ConfigError


def learning_rate(optimizer: Optimizer, step: int, *, steps: int, steps_per_epoch: int) -> float:
    """The learning rate of a step.

    Args:
        optimizer: Peak, schedule and its constants.
        step: From 0.
        steps: Of the whole training.
        steps_per_epoch: What `warmup_epochs` counts in.

    Raises:
        ConfigError: The warm-up is as long as the training.
    """
    warmup = warm_up_steps(optimizer, steps=steps, steps_per_epoch=steps_per_epoch)
    if step < warmup:
        return warm_up(step, steps=warmup, peak=optimizer.lr)
    if optimizer.schedule == "cosine":
        return cosine(step - warmup, steps=steps - warmup, start=optimizer.lr, end=optimizer.final_lr)
    if optimizer.schedule == "step":
        return optimizer.lr * decay(step, steps=steps, milestones=optimizer.milestones, gamma=optimizer.gamma)
    return optimizer.lr


def warm_up_steps(optimizer: Optimizer, *, steps: int, steps_per_epoch: int) -> int:
    """How many steps the learning rate rises.

    Raises:
        ConfigError: That is as long as the training.
    """
    warmup = round(optimizer.warmup_epochs * steps_per_epoch)
    if warmup >= steps:
        raise ConfigError(
            f"A warm-up of {optimizer.warmup_epochs:g} epochs takes {warmup:,} steps, and the whole training has {steps:,}. "
            "Choose a shorter warm-up (--warmup-epochs), or more epochs."
        )
    return warmup


def warm_up(step: int, *, steps: int, peak: float) -> float:
    """A straight rise from 0, which is before the first step, to the peak, which is after the last.

    Examples:
        >>> [warm_up(step, steps=3, peak=1.0) for step in range(3)]
        [0.25, 0.5, 0.75]
    """
    return peak * (step + 1) / (steps + 1)


def ramp(step: int, *, steps: int, start: float, end: float) -> float:
    """A straight line over the first `steps` steps, from the first to the last of them, and its end ever after.

    Examples:
        >>> [ramp(step, steps=3, start=1.0, end=2.0) for step in range(4)]
        [1.0, 1.5, 2.0, 2.0]
    """
    if step >= steps:
        return end
    return start if steps == 1 else start + (end - start) * step / (steps - 1)


def weight_decay(optimizer: Optimizer, step: int, *, steps: int) -> float:
    """The weight decay of a step.

    Args:
        optimizer: Where it begins and ends.
        step: From 0.
        steps: Of the whole training.
    """
    if optimizer.final_weight_decay is None:
        return optimizer.weight_decay
    return cosine(step, steps=steps, start=optimizer.weight_decay, end=optimizer.final_weight_decay)


@dataclass(frozen=True, slots=True)
class TeacherPace:
    """How DINO's teacher follows and sharpens in one step."""

    momentum: float
    """Share of it that stays."""
    temperature: float
    """Of its softmax."""
    is_first: bool
    """Whether the step is of the first epochs, in which the prototypes stay as they were drawn."""


def teacher_pace(constants: Distillation, step: int, *, steps: int, steps_per_epoch: int) -> TeacherPace:
    """How the teacher follows and sharpens in a step: its momentum by steps, all else by epochs.

    Args:
        constants: Where each begins and ends.
        step: From 0.
        steps: Of the whole training.
        steps_per_epoch: Of those.
    """
    epoch, warmup = step // steps_per_epoch, constants.teacher_warmup_epochs
    first, last = constants.first_teacher_temperature, constants.teacher_temperature
    return TeacherPace(
        momentum=cosine(step, steps=steps, start=constants.ema_momentum, end=constants.final_ema_momentum),
        temperature=ramp(epoch, steps=warmup, start=first, end=last),
        is_first=epoch < constants.freeze_last_layer,
    )


def cosine(step: int, *, steps: int, start: float, end: float) -> float:
    """Half a cosine from the first step to the last.

    Examples:
        >>> [round(cosine(step, steps=3, start=1.0, end=0.0), 3) for step in range(3)]
        [1.0, 0.5, 0.0]
    """
    if steps == 1:
        return start
    share = (1 + math.cos(math.pi * step / (steps - 1))) / 2
    return end + (start - end) * share


def decay(step: int, *, steps: int, milestones: Sequence[float], gamma: float) -> float:
    """The factor after some milestones: `gamma` for each that the step has met.

    Args:
        step: From 0.
        steps: Of the whole training.
        milestones: Shares of it, in 0 to 1.
        gamma: Factor at each.

    Examples:
        >>> [round(decay(step, steps=10, milestones=(0.6, 0.8), gamma=0.1), 3) for step in (0, 5, 6, 7, 8, 9)]
        [1.0, 1.0, 0.1, 0.1, 0.01, 0.01]
    """
    met = sum(step >= round(milestone * steps) for milestone in milestones)
    return float(gamma**met)
