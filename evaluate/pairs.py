"""How sure the difference of two scores is, where both answered the same items. Pure functions.

Two scores of one test part rise and fall together: a location that is hard for one is hard for the other. Their intervals
overlap long before their difference is in doubt, so that the difference gets an interval of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluate.confidence import LEVEL, REPEATS, check_level, draw_times, percentile_interval
from evaluate.errors import InputError
from evaluate.item_table import answers_shape
from evaluate.weighted import MEASURES


@dataclass(frozen=True, slots=True)
class Difference:
    """What one score has more than another."""

    value: float
    """The one less the other."""
    interval: tuple[float, float] | None
    """Percentile interval of the value; none of fewer than two locations."""

    @property
    def is_sure(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


def paired_difference(
    one: NDArray[Any],
    other: NDArray[Any],
    locations: NDArray[Any],
    *,
    truth: NDArray[Any],
    metric: str,
    members: tuple[int, int] = (1, 1),
    seed: int = 0,
    repeats: int = REPEATS,
    level: float = LEVEL,
) -> Difference:
    """The difference of two scores over the same items, by drawing whole locations with replacement, for both at once.

    Repeats are drawn with replacement too: those of one number together where both scores have as many (they are draws of the
    same seeds), else each score's by themselves.

    Args:
        one: Answers to the items, as in `ItemTable.found`: (repeats, items), or (repeats, items, classes), or (repeats, items,
            classes, classes).
        other: The same, of any number of repeats.
        locations: Of the items, or of what else is drawn as a whole, as in `ItemTable.groups`, (items,).
        truth: As in `ItemTable`, (items,), or (items, classes).
        metric: Which figure of them, one of `MEASURES`.
        members: How many trainings the repeats of each score are of, in equal parts; where there are several, those are drawn.
        seed: Of the draws.
        repeats: How many draws.
        level: Share of the draws within the interval, above 0 and below 1.

    Returns:
        Difference of the means over repeats. Of equal answers it is 0, and so are both ends of its interval.

    Raises:
        InputError: The answers are not of the items of the truth, the level is no share, or nothing is to be drawn.

    References:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 8 (a pair is drawn as one)
    """
    check_level(level, repeats)
    for answers in (one, other):
        if answers.shape[1:] != answers_shape(truth) or not answers.size:
            raise InputError(
                f"Answers have shape {answers.shape}, the truth {truth.shape}; expected one answer to each item in each repeat."
            )
    first, second = (MEASURES[metric](truth, answers) for answers in (one, other))
    once = np.ones(len(truth), np.int64)
    value = float(first(once).mean() - second(once).mean())
    _, group = np.unique(locations, return_inverse=True)
    if int(group.max(initial=-1)) < 1:
        return Difference(value, None)
    drawn = np.empty(repeats)
    for number, (times, rng) in enumerate(draw_times(group, repeats=repeats, seed=seed)):
        figures = [_by_training(each(times), count) for each, count in zip((first, second), members, strict=True)]
        drawn[number] = _difference(figures[0], figures[1], rng)
    return Difference(value, percentile_interval(drawn, level))


def _by_training(figures: NDArray[np.float64], members: int) -> NDArray[np.float64]:
    """Mean of each training's repeats, where there are several trainings; else the repeats themselves."""
    return figures.reshape(members, -1).mean(axis=1) if members > 1 else figures


def _difference(one: NDArray[np.float64], other: NDArray[np.float64], rng: np.random.Generator) -> float:
    """Difference of the means over repeats that are drawn."""
    if len(one) == len(other):
        chosen = rng.integers(len(one), size=len(one))
        return float(one[chosen].mean() - other[chosen].mean())
    means = (each[rng.integers(len(each), size=len(each))].mean() for each in (one, other))
    return float(next(means) - next(means))
