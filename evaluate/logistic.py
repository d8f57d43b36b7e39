"""The objective of a logistic regression, its gradient, and how it is curved. Pure functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from evaluate.lbfgs import Point

BLOCK = 2048
"""Items that are multiplied at once, so that they are still in the processor's cache when the gradient needs them."""


@dataclass(frozen=True, slots=True, eq=False)
class LogisticProblem:
    """``mean(loss) + penalty / 2 * |weight|^2``; see `evaluate.linear_probe.fit_linear`.

    Its arguments are one table, (classes, features + 1), float64, the bias last.
    """

    features: Tensor
    """(items, features)."""
    truth: Tensor
    """Class of each item, (items,), int64; or whether it has each label, (items, classes), bool."""
    classes: int
    """How many there are."""
    penalty: float
    """Strength of the regularisation, above 0."""

    def start(self, like: tuple[Tensor, Tensor] | None) -> Tensor:
        """Zeros, or the weight and bias of another solution."""
        if like is not None:
            return torch.cat([like[0], like[1].unsqueeze(1)], dim=1).to(self.features.device, torch.float64)
        return torch.zeros(self.classes, self.features.shape[1] + 1, dtype=torch.float64, device=self.features.device)

    def evaluate(self, at: Tensor, *, precision: torch.dtype) -> Point:
        """Value and gradient; products with the features in the precision asked for, all else in double.

        Args:
            at: (classes, features + 1).
            precision: Of the products.
        """
        weight, bias = at[:, :-1].to(precision).contiguous(), at[:, -1].to(precision)
        gradient = torch.zeros_like(at)
        total = torch.zeros((), dtype=torch.float64, device=at.device)
        for start in range(0, len(self.features), BLOCK):
            block = self.features[start : start + BLOCK].to(precision)
            error, loss = errors(torch.addmm(bias, block, weight.T).double(), self.truth[start : start + BLOCK])
            gradient[:, :-1] += error.to(precision).T @ block
            gradient[:, -1] += error.sum(dim=0)
            total += loss
        gradient /= len(self.features)
        gradient[:, :-1] += self.penalty * at[:, :-1]
        value = total / len(self.features) + self.penalty / 2 * at[:, :-1].square().sum()
        return Point(at, float(value), gradient)

    def preconditioner(self, at: Tensor, moments: Tensor) -> Callable[[Tensor], Tensor]:
        """An estimate of the inverse Hessian, as a function of a gradient (classes, features + 1).

        The Hessian weighs the square of each item by ``p (1 - p)`` of its probabilities. Here all items have the same weight,
        the mean of theirs, and classes are apart: one matrix then serves all of them.

        Args:
            at: Where the weights are taken, (classes, features + 1).
            moments: `second_moments` of the features.
        """
        some = self.features[:BLOCK].double()
        logits = some @ at[:, :-1].T + at[:, -1]
        likely = logits.sigmoid() if self.truth.ndim == 2 else logits.softmax(dim=1)
        curved = moments * float((likely * (1 - likely)).mean())
        curved.diagonal()[:-1] += self.penalty
        curved.diagonal()[:] += torch.finfo(torch.float32).eps * curved.diagonal().max()
        factor = torch.linalg.cholesky(curved)
        return lambda gradient: torch.cholesky_solve(gradient.T, factor).T


def errors(logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient of the summed loss with respect to the logits, and that sum.

    Args:
        logits: (items, classes); used up.
        truth: Class of each item, (items,), int64; or whether it has each label, (items, classes), bool.

    Returns:
        Probabilities less the truth, (items, classes), and the loss, a scalar in nats: the cross-entropy of a softmax, or that
        of one sigmoid per label, summed over labels.
    """
    if truth.ndim == 2:
        target = truth.to(logits.dtype)
        return logits.sigmoid() - target, (softplus(logits) - target * logits).sum()
    logs = logits.log_softmax(dim=1)
    places = truth.unsqueeze(1)
    loss = -logs.gather(1, places).sum()
    error = logs.exp_()
    return error.scatter_add_(1, places, error.new_full(places.shape, -1)), loss


def second_moments(features: Tensor) -> Tensor:
    """Means of the products of all pairs of features, with a feature of ones at the end.

    Args:
        features: (items, features).

    Returns:
        (features + 1, features + 1), float64, of products in single precision.
    """
    count, size = features.shape
    moments = torch.zeros(size + 1, size + 1, dtype=torch.float64, device=features.device)
    table = features.float()
    moments[:size, :size] = table.T @ table
    moments[size, :size] = moments[:size, size] = table.sum(dim=0, dtype=torch.float64)
    moments /= count
    moments[size, size] = 1
    return moments
