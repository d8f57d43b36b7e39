"""Confusion matrices of pixels, sample by sample, and the figures of change that come of them. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evaluate.dense_task import UNKNOWN
from evaluate.metrics import CHANGED, change_f1, iou_per_class


def count_classes_found(truth: Tensor, found: Tensor, *, classes: int) -> NDArray[np.int64]:
    """Count the pixels of each class by the class that was answered, sample by sample.

    Args:
        truth: Classes, `UNKNOWN` where nobody knows, (samples, height, width), int64.
        found: Answers, the same shape.
        classes: How many there are.

    Returns:
        (samples, classes, classes): a row is a class, a column an answer.

    Examples:
        >>> count_classes_found(torch.tensor([[[0, 1, 255]]]), torch.tensor([[[1, 1, 1]]]), classes=2).tolist()
        [[[0, 1], [0, 1]]]
    """
    sample = torch.arange(len(truth), device=truth.device)[:, None, None].expand_as(truth)
    known = truth != UNKNOWN
    place = (sample[known] * classes + truth[known]) * classes + found[known]
    counts = torch.bincount(place, minlength=len(truth) * classes * classes)
    return counts.reshape(len(truth), classes, classes).cpu().numpy()


def count_thresholds(truth: Tensor, values: Tensor, thresholds: Tensor) -> NDArray[np.int64]:
    """Count the pixels that changed or not by whether that was answered, at each of several thresholds, sample by sample.

    Args:
        truth: 0, 1 where it changed, `UNKNOWN` where nobody knows, (samples, height, width), int64.
        values: The greater the likelier changed, the same shape.
        thresholds: Ascending, (thresholds,); a pixel of that value or more is answered as changed.

    Returns:
        (samples, thresholds, 2, 2): a row is the truth, a column the answer.
    """
    count = len(thresholds)
    passed = torch.searchsorted(thresholds, values.contiguous(), right=True)  # how many thresholds a pixel reaches
    sample = torch.arange(len(truth), device=truth.device)[:, None, None].expand_as(truth)
    known = truth != UNKNOWN
    place = (sample[known] * 2 + truth[known]) * (count + 1) + passed[known]
    histogram = torch.bincount(place, minlength=len(truth) * 2 * (count + 1)).reshape(len(truth), 2, count + 1)
    below = histogram.cumsum(dim=2)[..., :-1]
    above = histogram.sum(dim=2, keepdim=True) - below
    return torch.stack([below, above], dim=-1).transpose(1, 2).cpu().numpy()


def change_figures(confusion: NDArray[np.int64]) -> dict[str, float | None]:
    """Precision, recall, F1 and IoU of the pixels that changed, and the accuracy of all; none where there is no such figure.

    Args:
        confusion: Pixels by truth (row) and answer (column), (2, 2).
    """
    right = int(confusion[CHANGED, CHANGED])
    found = {
        "precision": _share(right, int(confusion[:, CHANGED].sum())),
        "recall": _share(right, int(confusion[CHANGED].sum())),
        "f1": change_f1(confusion),
        "iou": float(iou_per_class(confusion)[CHANGED]),
        "pixel_accuracy": _share(int(np.trace(confusion)), int(confusion.sum())),
    }
    return {name: None if value is None or np.isnan(value) else value for name, value in found.items()}


def batch_figures(counts: NDArray[np.int64], *, batch: int, seed: int) -> dict[str, float]:
    """Precision, recall and F1 as SeCo's released code reports them: of each batch by itself, then the mean over batches.

    Samples are shuffled, and those that fill no whole batch are left out. A figure of a batch without such pixels is 0, as in
    the library that SeCo used (PyTorch Lightning 1.1). The mean of F1 over batches is not the F1 of all pixels, and it hangs on
    the shuffling.

    Args:
        counts: Of each sample, (samples, 2, 2); at least `batch` of them.
        batch: Samples in a batch.
        seed: Of the shuffling.

    References:
        `main_oscd.py` and `datasets/oscd_datamodule.py` of SeCo's released code: `shuffle=True, drop_last=True`
    """
    order = np.random.default_rng(seed).permutation(len(counts))[: len(counts) // batch * batch]
    batches = counts[order].reshape(-1, batch, 2, 2).sum(axis=1)
    each = [change_figures(confusion) for confusion in batches]
    return {name: float(np.mean([figures[name] or 0.0 for figures in each])) for name in ("precision", "recall", "f1")}


def mean_figures(each: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Means of figures of several trainings; none where one has no such figure."""
    columns = {name: [figures[name] for figures in each] for name in each[0]}
    return {
        name: None if None in values else float(np.mean([value for value in values if value is not None]))
        for name, values in columns.items()
    }


def name_figures(classes: Sequence[str], figures: NDArray[np.float64]) -> dict[str, float | None]:
    """Figures of classes by their names; none where there is no such figure (NaN)."""
    return {name: None if np.isnan(each) else float(each) for name, each in zip(classes, figures, strict=True)}


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
