"""How a linear probe is fitted to the items that teach: by regression with a chosen regularisation, or by descent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evaluate.fractions import HELD_OUT, draw_fraction, hash_items, hold_out
from evaluate.linear_probe import C_VALUES, STEPS, TOLERANCE, LinearProbe, choose_c, fit_linear, sweep_linear
from evaluate.metrics import accuracy, micro_average_precision
from evaluate.sgd_probe import DESCENTS, descend
from evaluate.task import TRAIN, TUNING, Part, Task
from evaluate.vectors import standardise

REGRESSION = "lbfgs"
"""The solver whose answers hang on features and labels alone; the others are `DESCENTS`."""


class Solver(Protocol):
    """How features and labels become a probe."""

    @property
    def tunes(self) -> bool:
        """Whether it chooses settings on items of `val`, where there are some."""

    @property
    def draws(self) -> bool:
        """Whether its answers hang on the seed also where all labels teach."""

    def describe(self, task: Task) -> dict[str, Any]:
        """Every setting that its answers hang on; JSON's types."""

    def solve(self, features: Tensor, task: Task, fraction: float, *, seed: int) -> tuple[Tensor, dict[str, Any]]:
        """Teach with a share of the labels.

        Args:
            features: Of the items that teach, of those that are tested, and of those to tune on, (items, features).
            task: Labels of all of them.
            fraction: Share of the labels to teach with.
            seed: Of all draws.

        Returns:
            Log-odds of the tested items, (items, classes), and what is kept of the fit; JSON's types.

        Raises:
            InputError: The fraction is no share, there is nothing to choose settings on, or the fit diverged.
        """


@dataclass(frozen=True, slots=True)
class Regression:
    """Logistic regression by L-BFGS, its regularisation chosen on `val` or on training locations that are held out."""

    @property
    def tunes(self) -> bool:
        """The regularisation is chosen."""
        return True

    @property
    def draws(self) -> bool:
        """There is one minimum."""
        return False

    def describe(self, task: Task) -> dict[str, Any]:
        """Its settings, and where the regularisation is chosen."""
        where = {"split": TRAIN, "locations": HELD_OUT} if task.tuning is None else {"split": TUNING}
        return {
            "solver": "L-BFGS",
            "features": "standardised by the items that teach",
            "c_values": list(C_VALUES),
            "tolerance": TOLERANCE,
            "steps": STEPS,
            "tuned_on": where,
        }

    def solve(self, features: Tensor, task: Task, fraction: float, *, seed: int) -> tuple[Tensor, dict[str, Any]]:
        """Draw a share of the labels, choose the regularisation, fit, and answer."""
        taught = draw_fraction(task.train, fraction, seed=seed)
        spare = None if task.tuning is None else draw_fraction(task.tuning, fraction, seed=seed)
        fitted, tuning = (taught, spare) if spare is not None else hold_out(taught, seed=seed)
        rows = _rows(task)
        _, scaled = standardise(features[rows[taught.items]], features)

        def known(part: Part) -> tuple[Tensor, Tensor]:
            return _known(scaled, rows, part)

        classes = len(task.classes)
        probes, worth = sweep_linear(*known(fitted), classes=classes, tuning=known(tuning))
        c = choose_c([probe.c for probe in probes], worth)
        chosen = next(probe for probe in probes if probe.c == c)
        probe = chosen if fitted is taught else fit_linear(*known(taught), classes=classes, c=c, start=chosen)
        logits = probe.logits(scaled[rows[task.test.items]])
        drawn = _drawn(logits, task, [(TRAIN, taught), ("tuning", tuning)], seed=seed)
        return logits, {**drawn, **_fit(probe, probes)}


@dataclass(frozen=True, slots=True)
class Descending:
    """A linear layer taught in small batches, as released codes do it."""

    name: str
    """One of `DESCENTS`."""

    @property
    def tunes(self) -> bool:
        """Nothing is chosen."""
        return False

    @property
    def draws(self) -> bool:
        """First weights and the order of the items are drawn."""
        return True

    def describe(self, task: Task) -> dict[str, Any]:
        """Its settings."""
        del task
        return {"solver": self.name, "features": "as they are, those of baselines standardised", **asdict(DESCENTS[self.name])}

    def solve(self, features: Tensor, task: Task, fraction: float, *, seed: int) -> tuple[Tensor, dict[str, Any]]:
        """Draw a share of the labels, teach, and answer."""
        taught = draw_fraction(task.train, fraction, seed=seed)
        rows = _rows(task)
        descent, classes = DESCENTS[self.name], len(task.classes)
        weight, bias = descend(*_known(features, rows, taught), classes=classes, descent=descent, seed=seed)
        logits = features[rows[task.test.items]].float() @ weight.T + bias
        return logits, _drawn(logits, task, [(TRAIN, taught)], seed=seed)


def _drawn(logits: Tensor, task: Task, parts: Sequence[tuple[str, Part]], *, seed: int) -> dict[str, Any]:
    """What was drawn, and what came of it on the tested items."""
    scores, truth = logits.cpu().numpy(), task.test.labels
    worth = micro_average_precision(truth, scores) if task.is_multilabel else accuracy(truth, scores.argmax(axis=1))
    counts = {f"{role}_items": len(part) for role, part in parts}
    return {"seed": seed, "value": worth, **counts, "items_hash": hash_items(parts)}


def _fit(probe: LinearProbe, probes: Sequence[LinearProbe]) -> dict[str, Any]:
    """The regularisation that was chosen, steps and gradient of the last fit, and whether all came down to the tolerance."""
    converged = all(each.converged for each in (probe, *probes))
    return {"c": probe.c, "steps": probe.steps, "gradient": probe.gradient, "converged": converged}


def _known(features: Tensor, rows: NDArray[np.int64], part: Part) -> tuple[Tensor, Tensor]:
    """Features and labels of some items."""
    return features[rows[part.items]], torch.from_numpy(part.labels).to(features.device)


def _rows(task: Task) -> NDArray[np.int64]:
    """Rows of the features by numbers of items, -1 where an item has none."""
    items = np.concatenate([part.items for part in (task.train, task.test, task.tuning) if part is not None])
    rows = np.full(items.max() + 1, -1)
    rows[items] = np.arange(len(items))
    return rows
