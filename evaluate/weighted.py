"""How well answers fit the truth where items count several times or not at all, as a bootstrap draws them. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluate.metrics import change_f1, check_ranked, mean_iou
from evaluate.task import ACCURACY, CHANGE_F1, MEAN_IOU, MICRO_PRECISION

Measure = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""From how many times each item counts, (items,), to a figure of each repeat, (repeats,)."""


def weighted_accuracy(truth: NDArray[np.int64], found: NDArray[np.int64]) -> Measure:
    """Share of right answers; NaN where no item counts.

    Args:
        truth: Classes, (items,).
        found: Answers, (repeats, items).
    """
    right = (found == truth).astype(np.float64)

    def measure(times: NDArray[np.int64]) -> NDArray[np.float64]:
        total = times.sum()
        return np.asarray(right @ times / total) if total else np.full(len(right), np.nan)

    return measure


def weighted_micro_average_precision(truth: NDArray[np.bool_], scores: NDArray[Any]) -> Measure:
    """`evaluate.metrics.micro_average_precision` of items that count several times; the ranking is sorted once.

    Args:
        truth: Whether an item has a label, (items, classes).
        scores: The greater the likelier, (repeats, items, classes).

    Raises:
        InputError: See `micro_average_precision`.
    """
    ranked = [_Ranking(truth, each) for each in scores]

    def measure(times: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray([ranking.average_precision(times) for ranking in ranked])

    return measure


def weighted_confusion(counts: NDArray[np.int64], figure: Callable[[NDArray[np.int64]], float]) -> Measure:
    """A figure of the pixels of all samples together; NaN where no sample counts.

    Args:
        counts: Pixels by class and answer, (repeats, samples, classes, classes).
        figure: From one matrix, (classes, classes), to a number.
    """
    flat = counts.reshape(*counts.shape[:2], -1).astype(np.float64)  # exact below 2^53

    def measure(times: NDArray[np.int64]) -> NDArray[np.float64]:
        if not times.any():
            return np.full(len(counts), np.nan)
        summed = (times.astype(np.float64) @ flat).astype(np.int64)
        return np.asarray([figure(each) for each in summed.reshape(len(counts), *counts.shape[2:])])

    return measure


MEASURES: Mapping[str, Callable[[NDArray[Any], NDArray[Any]], Measure]] = {
    ACCURACY: weighted_accuracy,
    MICRO_PRECISION: weighted_micro_average_precision,
    MEAN_IOU: lambda _, counts: weighted_confusion(counts, mean_iou),
    CHANGE_F1: lambda _, counts: weighted_confusion(counts, change_f1),
}
"""By the names of metrics: from the truth and a score's answers, as in `ItemTable`, to what they are worth."""


class _Ranking:
    """All pairs of item and label of one repeat, greatest score first."""

    def __init__(self, truth: NDArray[np.bool_], scores: NDArray[Any]) -> None:
        """Sort them."""
        check_ranked(truth, scores)
        flat = scores.reshape(-1)
        order = np.argsort(-flat, kind="stable")
        self._items = (order // truth.shape[1]).astype(np.int32)
        self._hits = truth.reshape(-1)[order]
        self._last_of_equals = np.append(np.flatnonzero(np.diff(flat[order])), len(flat) - 1)

    def average_precision(self, times: NDArray[np.int64]) -> float:
        """Where an item counts so many times, (items,); NaN where no item that counts has a label."""
        counted = times[self._items]
        ranks = np.cumsum(counted)[self._last_of_equals]
        hits = np.cumsum(np.where(self._hits, counted, 0))[self._last_of_equals]
        if not hits[-1]:
            return float("nan")
        return float((np.diff(hits, prepend=0) * (hits / np.maximum(ranks, 1))).sum() / hits[-1])
