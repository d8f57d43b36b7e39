"""How sure a figure is, where what was measured comes in groups that are alike. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluate.errors import InputError
from evaluate.weighted import Measure

REPEATS = 1000
"""Draws of a bootstrap."""
LEVEL = 0.95
"""Share of the draws that lies within the interval."""


def bootstrap_mean(
    values: NDArray[Any], groups: NDArray[Any], *, repeats: int = REPEATS, seed: int = 0, level: float = LEVEL
) -> tuple[float, float] | None:
    """Percentile interval of a mean, by drawing whole groups with replacement.

    Images of one location are much alike, so that drawing them one by one would promise more than was seen.

    Args:
        values: What was measured, (count,), such as whether each prediction is right.
        groups: To which group each belongs, (count,), such as ids of locations.
        repeats: How many times as many groups as there are, are drawn.
        seed: Of the draws.
        level: Share of the draws' means within the interval, above 0 and below 1.

    Returns:
        Least and greatest mean; none where there are fewer than two groups, of which nothing can be said.

    Raises:
        InputError: The level is no share, or nothing is to be drawn.

    References:
        Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8 (hierarchical data).

    Examples:
        >>> bootstrap_mean(np.array([1, 1, 1]), np.array(["a", "b", "b"]))
        (1.0, 1.0)
    """
    numbers = np.asarray(values, np.float64)
    return bootstrap_measure(
        lambda times: np.atleast_1d(numbers @ times / times.sum()), groups, repeats=repeats, seed=seed, level=level
    )


def bootstrap_measure(
    measure: Measure,
    groups: NDArray[Any],
    *,
    members: int = 1,
    repeats: int = REPEATS,
    seed: int = 0,
    level: float = LEVEL,
) -> tuple[float, float] | None:
    """Percentile interval of any figure of items, by drawing whole groups with replacement.

    Where the figures are of several trainings, those are drawn with replacement too: the interval covers what another seed
    would have given as well as other locations. Of few trainings it is rather too narrow.

    Args:
        measure: From how many times each item counts to its figures, of which the mean is taken; a draw without a figure (NaN)
            counts for nothing.
        groups: To which group each item belongs, (items,), such as ids of locations.
        members: How many trainings the figures are of, in equal parts and one after the other.
        repeats: How many draws.
        seed: Of the draws.
        level: Share of the draws within the interval, above 0 and below 1.

    Returns:
        Least and greatest figure; none where there are fewer than two groups, of which nothing can be said.

    Raises:
        InputError: The level is no share, or nothing is to be drawn.

    References:
        Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8 (hierarchical data).
    """
    check_level(level, repeats)
    _, group = np.unique(groups, return_inverse=True)
    if int(group.max(initial=-1)) < 1:
        return None
    drawn = [mean_of_drawn(measure(times), members, rng) for times, rng in draw_times(group, repeats=repeats, seed=seed)]
    return percentile_interval(np.asarray(drawn), level)


def draw_times(group: NDArray[np.int64], *, repeats: int, seed: int) -> Iterator[tuple[NDArray[np.int64], np.random.Generator]]:
    """Draw as many groups as there are, with replacement, again and again.

    Args:
        group: Number of each item's group, from 0, (items,).
        repeats: How many times.
        seed: Of the draws.

    Yields:
        How many times each item counts, (items,), and the generator, for whatever is drawn along.
    """
    rng = np.random.default_rng(seed)
    count = int(group.max(initial=-1)) + 1
    for _ in range(repeats):
        yield np.bincount(rng.integers(count, size=count), minlength=count)[group], rng


def percentile_interval(values: NDArray[np.float64], level: float) -> tuple[float, float]:
    """Between which two numbers such a share of the values lies, as much being left out below as above."""
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def check_level(level: float, repeats: int) -> None:
    """Refuse a bootstrap that gives no interval.

    Raises:
        InputError: The level is no share, or nothing is to be drawn.
    """
    if not 0 < level < 1 or repeats < 1:
        raise InputError(f"A bootstrap of {repeats} draws to level {level}; expected 1 draw or more and a share such as 0.95.")


def mean_of_drawn(figures: NDArray[np.float64], members: int, rng: np.random.Generator) -> float:
    """Mean of the figures of some trainings, drawn with replacement where there are several."""
    if members > 1:
        figures = figures.reshape(members, -1)[rng.integers(members, size=members)]
    return float(figures.mean())
