"""Figures of how well answers fit the truth, over a whole set at once, never averaged over batches. Pure functions.

A class of which nothing can be said, as no item has it and none was answered so, has no figure (NaN) and no part in a mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluate.errors import InputError

CHANGED = 1
"""Place of `changed` in the classes of a change raster."""


def accuracy(truth: NDArray[np.int64], found: NDArray[np.int64]) -> float:
    """Share of the answers that are right.

    Args:
        truth: Classes, (items,).
        found: Answers, (items,).

    Raises:
        InputError: There are none, or not as many answers as items.
    """
    _check_pair(truth, found, "answers")
    return float((truth == found).mean())


def confusion_matrix(truth: NDArray[np.int64], found: NDArray[np.int64], *, classes: int) -> NDArray[np.int64]:
    """Count the items of each class by the answer that they got.

    Args:
        truth: Classes from 0 to classes - 1, any shape, such as (items,) or the pixels of masks.
        found: Answers, the same shape.
        classes: How many there are.

    Returns:
        (classes, classes): a row is a class, a column an answer.

    Raises:
        InputError: There are none, the shapes differ, or a number is no class.

    Examples:
        >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), classes=2)
        array([[1, 1],
               [0, 1]])
    """
    _check_pair(truth, found, "answers")
    least, most = min(truth.min(), found.min()), max(truth.max(), found.max())
    if least < 0 or most >= classes:
        raise InputError(f"Classes and answers go from {least} to {most}; expected 0 to {classes - 1}.")
    counts = np.bincount(truth.reshape(-1) * classes + found.reshape(-1), minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def f1_per_class(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Harmonic mean of precision and recall of each class.

    Args:
        confusion: See `confusion_matrix`.

    Returns:
        (classes,), 0 to 1; NaN for a class that neither occurs nor was answered.
    """
    return shares(2 * np.diag(confusion), confusion.sum(axis=0) + confusion.sum(axis=1))


def macro_f1(confusion: NDArray[np.int64]) -> float:
    """Mean of F1 over the classes that occur or were answered. Micro F1 of one answer per item is its accuracy."""
    return float(np.nanmean(f1_per_class(confusion)))


def iou_per_class(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union of each class, of pixels as a rule.

    Args:
        confusion: See `confusion_matrix`.

    Returns:
        (classes,), 0 to 1; NaN for a class that neither occurs nor was answered.
    """
    both = np.diag(confusion)
    return shares(both, confusion.sum(axis=0) + confusion.sum(axis=1) - both)


def mean_iou(confusion: NDArray[np.int64]) -> float:
    """Mean of intersection over union over the classes that occur or were answered (mIoU)."""
    return float(np.nanmean(iou_per_class(confusion)))


def change_f1(confusion: NDArray[np.int64]) -> float:
    """F1 of the pixels that changed, of classes `unchanged` and `changed`; NaN where none did and none was answered."""
    return float(f1_per_class(confusion)[CHANGED])


def multilabel_f1(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> tuple[float, float]:
    """F1 where an item has any number of labels.

    Args:
        truth: Whether an item has a label, (items, classes).
        found: Whether it was answered, (items, classes).

    Returns:
        Macro, the mean over the labels that occur or were answered, and micro, of all items and labels together.

    Raises:
        InputError: There are none, the shapes differ, or nothing occurs and nothing was answered.
    """
    _check_pair(truth, found, "answers")
    both = (truth & found).sum(axis=0)
    either = truth.sum(axis=0) + found.sum(axis=0)
    if not either.any():
        raise InputError(f"None of {len(truth):,} items has a label, and none was answered: there is no F1.")
    return float(np.nanmean(shares(2 * both, either))), float(2 * both.sum() / either.sum())


def average_precision(truth: NDArray[np.bool_], scores: NDArray[Any]) -> float:
    """Area under the steps of precision over recall, of one label.

    ``sum_n (R_n - R_(n-1)) P_n`` over the thresholds from the greatest score down; items of equal score pass a threshold
    together, so that their order means nothing.

    Args:
        truth: Whether an item has the label, (items,).
        scores: The greater the likelier, (items,).

    Returns:
        0 to 1; NaN where no item has the label.

    Raises:
        InputError: There are no items, not as many scores, or a score is not a number.

    References:
        Manning, Raghavan and Schütze, Introduction to Information Retrieval, 2008, section 8.4 (without interpolation)

    Examples:
        >>> round(average_precision(np.array([True, False, True]), np.array([0.9, 0.8, 0.7])), 4)
        0.8333
    """
    check_ranked(truth, scores)
    if not truth.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    last_of_equals = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(truth[order], dtype=np.int64)[last_of_equals]
    precision = hits / (last_of_equals + 1)
    return float((np.diff(hits, prepend=0) * precision).sum() / hits[-1])


def macro_average_precision(truth: NDArray[np.bool_], scores: NDArray[Any]) -> float:
    """Mean of the average precision over the labels that some item has (mAP).

    Args:
        truth: Whether an item has a label, (items, classes).
        scores: The greater the likelier, (items, classes).

    Raises:
        InputError: See `average_precision`, or no item has any label.
    """
    return float(np.nanmean(average_precision_per_class(truth, scores)))


def average_precision_per_class(truth: NDArray[np.bool_], scores: NDArray[Any]) -> NDArray[np.float64]:
    """Average precision of each label, (classes,), NaN of one that no item has; arguments and errors as of the macro one."""
    _check_labelled(truth, scores)
    return np.asarray([average_precision(truth[:, label], scores[:, label]) for label in range(truth.shape[1])])


def micro_average_precision(truth: NDArray[np.bool_], scores: NDArray[Any]) -> float:
    """Average precision of all pairs of item and label in one ranking; arguments and errors as of the macro one.

    It is of the whole set at once. SeCo's released code, and what was copied from it, takes the mean over batches instead,
    which is another number: the two are not to be compared.
    """
    _check_labelled(truth, scores)
    return average_precision(truth.reshape(-1), scores.reshape(-1))


def shares(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of each class, what part is of a whole.

    Args:
        part: Counts, (classes,).
        whole: Counts, (classes,).

    Returns:
        (classes,), NaN where the whole is 0.
    """
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def check_ranked(truth: NDArray[Any], scores: NDArray[Any]) -> None:
    """Refuse scores that give no ranking.

    Raises:
        InputError: There are none, not as many as there is truth, or one is not a number.
    """
    _check_pair(truth, scores, "scores")
    if np.isnan(scores).any():
        raise InputError(
            f"{int(np.isnan(scores).sum()):,} of {scores.size:,} scores are not numbers. The weights may have diverged."
        )


def _check_pair(truth: NDArray[Any], other: NDArray[Any], what: str) -> None:
    if truth.shape != other.shape:
        raise InputError(f"The truth has shape {truth.shape}, the {what} {other.shape}; expected the same.")
    if not truth.size:
        raise InputError(f"There are no {what}, so there is nothing to be right about.")


def _check_labelled(truth: NDArray[np.bool_], scores: NDArray[Any]) -> None:
    _check_pair(truth, scores, "scores")
    if not truth.any():
        raise InputError(f"None of {len(truth):,} items has a label: there is no average precision.")
