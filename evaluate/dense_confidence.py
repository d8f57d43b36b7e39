"""How sure a figure of many pixels is: bootstraps of confusion matrices, by location. Pure functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluate.confidence import LEVEL, REPEATS, check_level, draw_times, mean_of_drawn, percentile_interval


def bootstrap_confusion(
    counts: NDArray[np.int64],
    groups: NDArray[Any],
    figure: Callable[[NDArray[np.int64]], float],
    *,
    members: int = 1,
    repeats: int = REPEATS,
    seed: int = 0,
    level: float = LEVEL,
) -> tuple[float, float] | None:
    """Percentile interval of a figure of a confusion matrix, by drawing whole groups with replacement.

    A figure such as mean IoU is of the matrix of all pixels together, not a mean over images: matrices are drawn and added,
    and the figure is taken of the sum. Where there were several heads, the figure of a draw is the mean over them; where their
    weights were of several trainings, those are drawn too, see `bootstrap_measure`.

    Args:
        counts: Pixels of each sample by class and answer, (heads, samples, classes, classes).
        groups: To which group each sample belongs, (samples,), such as ids of locations.
        figure: From one matrix, (classes, classes), to a number; NaN where nothing can be said.
        members: How many trainings the weights were of, in equal parts and one after the other.
        repeats: Draws.
        seed: Of the draws.
        level: Share of the draws' figures within the interval, above 0 and below 1.

    Returns:
        Least and greatest figure; none where there are fewer than two groups, or no draw has one.

    Raises:
        InputError: The level is no share, or nothing is to be drawn.

    References:
        Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8 (hierarchical data).

    Examples:
        >>> same = np.array([[[[3, 1], [0, 4]], [[3, 1], [0, 4]]]])
        >>> bootstrap_confusion(same, np.array(["a", "b"]), lambda matrix: float(np.trace(matrix) / matrix.sum()))
        (0.875, 0.875)
    """
    check_level(level, repeats)
    _, group = np.unique(groups, return_inverse=True)
    number = int(group.max(initial=-1)) + 1
    if number < 2:
        return None
    summed = np.stack([_sum_groups(each, group, number) for each in counts]).astype(np.float64)  # exact below 2^53
    drawn = []
    for times, rng in draw_times(np.arange(number), repeats=repeats, seed=seed):
        matrices = np.tensordot(times.astype(np.float64), summed, axes=(0, 1)).astype(np.int64)
        drawn.append(mean_of_drawn(np.array([figure(each) for each in matrices]), members, rng))
    if not np.isfinite(drawn).any():
        return None
    return percentile_interval(np.asarray(drawn), level)


def _sum_groups(counts: NDArray[np.int64], group: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """Matrices of the samples of each group added up, (groups, classes, classes)."""
    summed = np.zeros((number, *counts.shape[1:]), np.int64)
    np.add.at(summed, group, counts)
    return summed
