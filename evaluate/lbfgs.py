"""Minimising a smooth convex function by L-BFGS, its first guess of the curvature given. Pure functions.

`torch.optim.LBFGS` guesses a multiple of the identity. Features of a network are nearly copies of one another: a few directions
carry most of their variance, so that with such a guess hundreds of steps go into the others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

HISTORY = 10
"""Steps that are remembered."""
SUFFICIENT = 1e-4
"""Share of the decrease that the slope promises which a step has to bring."""
PATIENCE = 20
"""Steps that may follow one another without bringing more than rounding."""
TRIES = 30
"""Times that a step is shortened before it is given up."""


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """Where a function was evaluated."""

    at: Tensor
    """The arguments, any shape, float64."""
    value: float
    """The function's value."""
    gradient: Tensor
    """Shape of the arguments, float64."""

    @property
    def steepest(self) -> float:
        """Greatest element of the gradient."""
        return float(self.gradient.abs().max())


def minimise(
    evaluate: Callable[[Tensor], Point],
    start: Tensor,
    *,
    precondition: Callable[[Tensor], Tensor],
    tolerance: float,
    steps: int,
    rounding: float,
) -> tuple[Point, int]:
    """Step until the gradient is small.

    Args:
        evaluate: The function, convex and smooth.
        start: Where to start, float64.
        precondition: Multiplies by an estimate of the inverse of the Hessian, up to a factor: symmetric, positive definite.
        tolerance: Greatest element of the gradient to stop at.
        steps: Most steps.
        rounding: Relative error of the function's values, below which neither a rise nor a fall is one.

    Returns:
        The last point, and how many steps led there: fewer than `steps` where the gradient is small, or where rounding hides
        whether a step leads down.

    References:
        Nocedal and Wright, Numerical Optimization, 2006, algorithms 7.4 and 3.1 (backtracking: of a strictly convex function
        the curvature along any step is positive)
    """
    memory: deque[tuple[Tensor, Tensor]] = deque(maxlen=HISTORY)
    here, taken = evaluate(start), 0
    lowest, idle = here.value, 0
    while taken < steps and here.steepest > tolerance and idle < PATIENCE:
        there = _search(evaluate, here, -_multiply(here.gradient, memory, precondition), rounding)
        if there is None:
            break
        moved, change = there.at - here.at, there.gradient - here.gradient
        if float((moved * change).sum()) > 0:
            memory.append((moved, change))
        here, taken = there, taken + 1
        idle = 0 if here.value < lowest - rounding * abs(lowest) else idle + 1
        lowest = min(lowest, here.value)
    return here, taken


def _multiply(gradient: Tensor, memory: deque[tuple[Tensor, Tensor]], precondition: Callable[[Tensor], Tensor]) -> Tensor:
    """The inverse of the Hessian, as far as the remembered steps tell it, times the gradient."""
    left, shares = gradient.clone(), []
    for moved, change in reversed(memory):
        shares.append((moved * left).sum() / (moved * change).sum())
        left -= shares[-1] * change
    made = precondition(left)
    if memory:
        moved, change = memory[-1]
        made *= (moved * change).sum() / (change * precondition(change)).sum()
    for (moved, change), share in zip(memory, reversed(shares), strict=True):
        made += moved * (share - (change * made).sum() / (moved * change).sum())
    return made


def _search(evaluate: Callable[[Tensor], Point], here: Point, direction: Tensor, rounding: float) -> Point | None:
    """A point along a direction that is low enough; none where there is none."""
    slope = float((here.gradient * direction).sum())
    if not slope < 0:
        return None
    length = 1.0
    for _ in range(TRIES):
        there = evaluate(torch.add(here.at, direction, alpha=length))
        if there.value <= here.value + SUFFICIENT * length * slope + rounding * abs(here.value):
            return there
        lowest = -slope * length**2 / (2 * (there.value - here.value - slope * length))  # of the parabola through what is known
        length = min(max(lowest, length / 10), length / 2)
    return None
