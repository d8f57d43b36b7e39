"""How sure a mean is, where what was measured comes in groups that are alike. Pure functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluate.errors import InputError

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
    if not 0 < level < 1 or repeats < 1:
        raise InputError(f"A bootstrap of {repeats} draws to level {level}; expected 1 draw or more and a share such as 0.95.")
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max(initial=-1)) + 1
    if count < 2:
        return None
    sums, sizes = np.bincount(group, np.asarray(values, np.float64)), np.bincount(group)
    rng = np.random.default_rng(seed)
    means = np.empty(repeats)
    for number in range(repeats):
        drawn = rng.integers(count, size=count)
        means[number] = sums[drawn].sum() / sizes[drawn].sum()
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
