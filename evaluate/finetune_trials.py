"""Fine-tuning as it is repeated: which items teach, which the epoch is chosen on, and what is kept of each trial."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from catalogs.console import progress
from catalogs.stack import Stack
from evaluate.answers import Answers
from evaluate.entries import RANDOM
from evaluate.errors import InputError
from evaluate.finetuning import FineTuner, Tuned
from evaluate.fractions import draw_fraction, hash_items, hold_out
from evaluate.settings import FinetuneSettings
from evaluate.task import TRAIN, Part, Task
from train.checkpoint import LoadedBackbone
from train.config import InputSpec


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Weights to start from, with what they are fed."""

    loaded: LoadedBackbone
    """The weights, which stay as they are, with their input."""
    stack: Stack
    """Pixels, opened with the bands of that input."""
    device: torch.device
    """Where they are fine-tuned."""

    @property
    def spec(self) -> InputSpec:
        """What they expect of their input."""
        assert self.loaded.spec is not None, "what is scored is fed somehow"
        return self.loaded.spec


@dataclass(frozen=True, slots=True)
class Trial:
    """What is kept of one fine-tuning; lists of these, field by field, are a score's details."""

    seed: int
    """Of the draws, the head's first weights, and the images."""
    train_items: int
    """How many taught."""
    tuning_items: int
    """How many the epoch was chosen on."""
    items_hash: str
    """SHA-256 of which items did what."""
    epoch: int
    """Whose weights answered, from 1."""
    steps: int
    """Times that the weights were moved, in all epochs."""
    losses: tuple[float, ...]
    """Mean loss of each epoch."""
    tuning: tuple[float, ...]
    """What each epoch's weights were worth on the items that it was chosen on."""


def answer_tuned(start: Start, task: Task, settings: FinetuneSettings, *, fraction: float, quiet: bool = True) -> Answers:
    """Fine-tune weights with a share of the labels, once for each repeat, and let them answer.

    Weights that were never trained are moved alike in all layers: nothing in the lower ones is worth being kept.

    Args:
        start: Where from.
        task: What is asked.
        settings: How long and how fast, how often, and from which seed.
        fraction: Share of the labels, above 0 and at most 1.
        quiet: Show no progress.

    Raises:
        InputError: The fraction is no share, there is nothing to choose an epoch on, or fine-tuning diverged.
    """
    settings = replace(settings, layer_decay=1.0) if start.loaded.name.startswith(RANDOM) else settings
    seeds = range(settings.seed, settings.seed + settings.repeats)
    tried = [_try(start, task, settings, fraction=fraction, seed=seed, quiet=quiet) for seed in seeds]
    trials = [asdict(trial) for _, trial in tried]
    kept: dict[str, Any] = {name: [trial[name] for trial in trials] for name in trials[0]}
    details = {"fraction": fraction, "layer_decay": settings.layer_decay, "trials": kept}
    numbers = np.stack([each for each, _ in tried])
    if not task.is_multilabel:
        return Answers(numbers.argmax(axis=2), details)
    return Answers(None, details, scores=torch.from_numpy(numbers).sigmoid().numpy())


def part_items(task: Task, settings: FinetuneSettings, *, fraction: float, seed: int) -> tuple[Part, Part | None]:
    """Draw the items that teach, and those that the epoch is chosen on, if one is.

    Raises:
        InputError: The fraction is no share, or there is nothing to choose on.
    """
    drawn = draw_fraction(task.train, fraction, seed=seed)
    if settings.last_epoch:
        return drawn, None
    if task.tuning is not None:
        return drawn, draw_fraction(task.tuning, fraction, seed=seed)
    if len(np.unique(drawn.locations)) < 2:
        raise InputError(
            f"{100 * fraction:g} % of the labels are {len(drawn)} training items of one location: none can be held out to "
            "choose an epoch on. Pass --last-epoch, a greater --fraction, or a catalog with some locations in val."
        )
    return hold_out(drawn, seed=seed)


def _try(
    start: Start, task: Task, settings: FinetuneSettings, *, fraction: float, seed: int, quiet: bool
) -> tuple[NDArray[np.float32], Trial]:
    """Fine-tune once; a number for each class of each tested item, (tests, classes)."""
    fitted, tuning = part_items(task, settings, fraction=fraction, seed=seed)
    tuner = FineTuner(start.stack, start.spec, settings, classes=len(task.classes), device=start.device, seed=seed)
    what = f"Fine-tuning {start.loaded.name}, {100 * fraction:g} % of the labels"
    module = start.loaded.module
    with progress(tuner.plan(module, fitted).epochs * len(fitted), what, quiet=quiet) as job:
        tuned = tuner.tune(module, fitted, tuning, advance=job.advance)
    numbers: NDArray[np.float32] = tuner.predict(tuned.network, task.test).cpu().numpy()
    return numbers, _trial(tuned, fitted, tuning, seed=seed)


def _trial(tuned: Tuned, fitted: Part, tuning: Part | None, *, seed: int) -> Trial:
    return Trial(
        seed=seed,
        train_items=len(fitted),
        tuning_items=0 if tuning is None else len(tuning),
        items_hash=hash_items([(TRAIN, fitted), *([("tuning", tuning)] if tuning is not None else [])]),
        epoch=tuned.epoch,
        steps=tuned.steps,
        losses=tuned.losses,
        tuning=tuned.worth,
    )
