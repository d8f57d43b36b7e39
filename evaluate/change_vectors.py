"""Change vector analysis: a pixel changed where its reflectance moved far enough. The baseline without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evaluate.dense_counts import change_figures, count_thresholds
from evaluate.dense_method import DenseAnswers, answer_shares
from evaluate.dense_settings import ChangeSettings
from evaluate.dense_shares import draw_locations, trial_details
from evaluate.dense_task import UNKNOWN, DenseTask
from evaluate.dense_training import Samples
from evaluate.metrics import change_f1

VECTORS = "change vector analysis"
THRESHOLDS = 512
"""Lengths to choose from, evenly many training pixels apart."""


def answer_by_vectors(
    samples: Samples, task: DenseTask, settings: ChangeSettings, *, at_once: int, advance: Callable[[], None]
) -> Iterator[DenseAnswers]:
    """Answer `changed` where the difference of reflectance between the dates is long, for each share of the labels.

    The length is Euclid's, over the bands. The least length is the one with the greatest F1 on the training samples.

    Args:
        samples: Whose one map is the absolute difference of reflectance.
        task: What is asked.
        settings: Shares, repeats and seed.
        at_once: Samples looked at together; it changes nothing.
        advance: Called after each choice.

    Raises:
        InputError: A share is none.

    References:
        Malila, Change Vector Analysis: An Approach for Detecting Forest Changes with Landsat, 1980
    """

    def attempt(fraction: float, seed: int) -> tuple[NDArray[np.int64], dict[str, Any]]:
        taught = draw_locations(task.train, fraction, seed=seed)
        threshold = choose_threshold(samples, samples.places(taught), at_once=at_once)
        counts = _count(samples, samples.places(task.test), torch.tensor([threshold]), at_once=at_once)[:, 0]
        advance()
        f1 = change_figures(counts.sum(axis=0))["f1"]
        return counts, {**trial_details(seed, taught, None), "threshold": threshold, "f1": f1}

    return answer_shares(settings, attempt)


def choose_threshold(samples: Samples, places: NDArray[np.int64], *, at_once: int) -> float:
    """The length with the greatest F1 on some samples, the first of equals.

    Args:
        samples: All of them.
        places: Those to choose on, (count,).
        at_once: Samples looked at together; it changes nothing.
    """
    blocks = [places[start : start + at_once] for start in range(0, len(places), at_once)]
    known = torch.cat([_lengths(samples, block)[samples.truth(block) != UNKNOWN] for block in blocks])
    ranks = torch.linspace(0, len(known) - 1, THRESHOLDS, dtype=torch.float64).round().long()
    levels = torch.unique(known.sort().values[ranks.to(known.device)])
    worth = [change_f1(each) for each in _count(samples, places, levels, at_once=at_once).sum(axis=0)]
    return float(levels[int(np.nan_to_num(worth).argmax())])


def _count(samples: Samples, places: NDArray[np.int64], levels: Tensor, *, at_once: int) -> NDArray[np.int64]:
    blocks = [places[start : start + at_once] for start in range(0, len(places), at_once)]
    on_device = levels.to(samples.device)
    return np.concatenate([count_thresholds(samples.truth(block), _lengths(samples, block), on_device) for block in blocks])


def _lengths(samples: Samples, places: NDArray[np.int64]) -> Tensor:
    """How far reflectance moved, (count, height, width)."""
    (difference,) = samples.source.read(places)
    return difference.square().sum(dim=1).sqrt()
