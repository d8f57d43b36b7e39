"""Logistic regression on features: what a linear layer can read from them. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from evaluate.errors import InputError
from evaluate.lbfgs import minimise
from evaluate.logistic import LogisticProblem, second_moments
from evaluate.metrics import micro_average_precision

C_VALUES = tuple(10 ** (-4 + 6 * step / 9) for step in range(10))
"""Inverse strengths of regularisation to choose from, as scikit-learn counts them: 0.0001 to 100, spaced by a factor of 4.6."""
TOLERANCE = 1e-5
"""Greatest element of the gradient at which a fit is done; scikit-learn's default is 1e-4."""
STEPS = 1000
"""Most steps of a fit."""
PRECISIONS = ((torch.float32, 1e-7), (torch.float64, 1e-14))
"""In which features are multiplied, the fast one first, and relative errors of the objective."""
SURE = 0.9
"""Share of the tolerance that single precision aims at, so that double precision finds the gradient small as a rule."""
LEAST = 1e-6
"""Gradient of standardised features below which single precision is no help."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearProbe:
    """A fitted logistic regression."""

    weight: Tensor
    """(classes, features), float64."""
    bias: Tensor
    """(classes,), float64."""
    c: float
    """Inverse strength of the regularisation that it was fitted with."""
    steps: int
    """Steps that it took."""
    gradient: float
    """Greatest element of the gradient where it stopped."""
    tolerance: float
    """Gradient that was aimed at."""

    @property
    def converged(self) -> bool:
        """Whether the gradient came down to the tolerance."""
        return self.gradient <= self.tolerance

    def logits(self, features: Tensor) -> Tensor:
        """Log-odds before softmax or sigmoid, (items, classes), float64, of features (items, features)."""
        return features.double() @ self.weight.T + self.bias

    def predict(self, features: Tensor) -> Tensor:
        """The likeliest class of each item, (items,), int64, the first of equals."""
        return self.logits(features).argmax(dim=1)


def fit_linear(
    features: Tensor,
    truth: Tensor,
    *,
    classes: int,
    c: float,
    start: LinearProbe | None = None,
    curvature: Tensor | None = None,
    tolerance: float = TOLERANCE,
    steps: int = STEPS,
) -> LinearProbe:
    """Fit a logistic regression by L-BFGS on the device of the features.

    What is made small is ``mean(loss) + |weight|^2 / (2 c n)`` for n items, the objective of scikit-learn's
    `LogisticRegression(C=c)`; the bias is not regularised. The loss is the cross-entropy of a softmax, or, where an item may
    have several labels, that of one sigmoid per label, summed over labels (one against the rest).

    Products with the features are in single precision, all else in double; where single precision cannot tell the gradient from
    the tolerance any more, and for the last word on it, they are in double too.

    Args:
        features: (items, features), standardised.
        truth: Class of each item, (items,), int64; or whether it has each label, (items, classes), bool.
        classes: How many there are; one that no item shows becomes unlikely.
        c: Inverse strength of regularisation, above 0.
        start: Where to start; zeros where absent. The problem is convex: it changes the time, and the answer within tolerance.
        curvature: `second_moments` of the features, where they are known; another saving of time.
        tolerance: Greatest element of the gradient to stop at.
        steps: Most steps.

    Returns:
        The probe, also where it did not converge: see `LinearProbe.converged`.

    Raises:
        InputError: There are no items, not as many labels, or c is not positive.
    """
    _check(features, truth, c)
    problem = LogisticProblem(features, truth, classes, 1 / (c * len(features)))
    here = problem.start(None if start is None else (start.weight, start.bias))
    precondition = problem.preconditioner(here, second_moments(features) if curvature is None else curvature)
    taken = 0
    for precision, rounding in PRECISIONS:
        evaluate = partial(problem.evaluate, precision=precision)
        aim = tolerance if precision == torch.float64 else max(SURE * tolerance, LEAST)
        reached, more = minimise(
            evaluate, here, precondition=precondition, tolerance=aim, steps=steps - taken, rounding=rounding
        )
        here, taken = reached.at, taken + more
    return LinearProbe(here[:, :-1].clone(), here[:, -1].clone(), c, taken, reached.steepest, tolerance)


def sweep_linear(
    features: Tensor,
    truth: Tensor,
    *,
    classes: int,
    tuning: tuple[Tensor, Tensor],
    values: Sequence[float] = C_VALUES,
    steps: int = STEPS,
) -> tuple[list[LinearProbe], list[float]]:
    """Fit with each strength of regularisation, and score what was not fitted to.

    Args:
        features: Of the items to fit to, (items, features), standardised.
        truth: Their classes or labels; see `fit_linear`.
        classes: How many there are.
        tuning: Features and classes or labels of held-out items.
        values: Inverse strengths, ascending; each fit starts where the one before it ended.
        steps: Most steps of each fit.

    Returns:
        The probes, and for each its accuracy on the held-out items, or its micro average precision where an item may have
        several labels.

    Raises:
        InputError: See `fit_linear`, or nothing is held out.
    """
    probes: list[LinearProbe] = []
    worth = []
    curvature = second_moments(features)
    for c in values:
        start = probes[-1] if probes else None
        probes.append(fit_linear(features, truth, classes=classes, c=c, start=start, curvature=curvature, steps=steps))
        worth.append(_worth(probes[-1], *tuning))
    return probes, worth


def choose_c(values: Sequence[float], worth: Sequence[float]) -> float:
    """The strength that does best; of equals the strongest regularisation, which is the least c.

    Examples:
        >>> choose_c([0.1, 1.0, 10.0], [0.5, 0.75, 0.75])
        1.0
    """
    return min(zip(values, worth, strict=True), key=lambda pair: (-pair[1], pair[0]))[0]


def _worth(probe: LinearProbe, features: Tensor, truth: Tensor) -> float:
    if not len(features):
        raise InputError("No item is held out, so nothing can tell which regularisation is best.")
    if truth.ndim == 2:
        return micro_average_precision(truth.bool().cpu().numpy(), probe.logits(features).cpu().numpy())
    return float((probe.predict(features) == truth).double().mean())


def _check(features: Tensor, truth: Tensor, c: float) -> None:
    if not c > 0:
        raise InputError(f"c is {c}; expected more than 0, such as 1. The smaller, the stronger the regularisation.")
    if not len(features) or len(features) != len(truth):
        raise InputError(
            f"There are {len(features)} items to fit to and labels of {len(truth)}; expected as many, at least one."
        )
