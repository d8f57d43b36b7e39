"""The protocol of the linear probe: what a linear layer reads from features, taught by all labels or by a share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import numpy as np
from torch import Tensor

from catalogs.console import progress
from evaluate.answers import Answers
from evaluate.asking import run_protocol
from evaluate.errors import InputError
from evaluate.fractions import check_fraction
from evaluate.linear_solvers import REGRESSION, Descending, Regression, Solver
from evaluate.result import Result
from evaluate.settings import LinearSettings
from evaluate.sgd_probe import DESCENTS
from evaluate.task import Task
from evaluate.vectors import check_vectors

SOLVERS = (REGRESSION, *DESCENTS)


def run_linear(
    catalog: str,
    weights: Sequence[str],
    settings: LinearSettings,
    *,
    baselines: bool = True,
    also: Sequence[str] = (),
    quiet: bool = True,
) -> Result:
    """Score weights on a labelled catalog by a linear probe; see `run_protocol`.

    There is a score for each share of the labels. The regularisation is chosen on items of `val`, of which the same share is
    drawn, or, where the catalog has none beside those tested, on a fifth of the drawn training locations; then the probe is
    fitted to all that was drawn of the training items. Solvers of released codes choose nothing; see `evaluate.sgd_probe`.

    Raises:
        InputError: There is nothing to choose on, or no such solver.
    """
    method = Probing(tuple(settings.fraction), settings.repeats, settings.seed, choose_solver(settings.solver), quiet=quiet)
    return run_protocol(catalog, weights, settings, method, baselines=baselines, also=also, quiet=quiet)


def choose_solver(name: str) -> Solver:
    """The solver of a name: `lbfgs`, `seco` or `dino`.

    Raises:
        InputError: There is none.
    """
    if name not in SOLVERS:
        guess = get_close_matches(name.lower(), SOLVERS, 1, 0.5)
        meant = f" Did you mean {guess[0]!r}?" if guess else ""
        raise InputError(f"There is no solver {name!r}. Choose from {', '.join(SOLVERS)}.{meant}")
    return Regression() if name == REGRESSION else Descending(name)


@dataclass(frozen=True, slots=True)
class Probing:
    """Answers are those of linear layers."""

    fractions: tuple[float, ...]
    """Shares of the labels to teach with."""
    repeats: int
    """How many times each is drawn."""
    seed: int
    """Of the first draw."""
    solver: Solver = field(default_factory=Regression)
    """How a layer is fitted."""
    quiet: bool = True
    """Show no progress."""

    @property
    def tunes(self) -> bool:
        """Whether the solver chooses settings."""
        return self.solver.tunes

    def check(self, task: Task) -> None:
        """Refuse, before anything is computed, shares of the labels that are none; see `check_fraction`."""
        del task
        for fraction in self.fractions:
            check_fraction(fraction)

    def describe(self, task: Task) -> dict[str, Any]:
        """The solver's settings, and what is drawn."""
        return {
            "name": "linear",
            **self.solver.describe(task),
            "fractions": list(self.fractions),
            "repeats": self.repeats,
        }

    def answer(self, features: Tensor, task: Task) -> Iterator[Answers]:
        """Answer once for each share; where nothing is drawn, as all labels teach, there is one repeat.

        Raises:
            InputError: Features are not finite, a share is none, there is nothing to choose on, or a fit diverged.
        """
        check_vectors(features[: len(task.train)], features[len(task.train) :])
        for fraction in self.fractions:
            tried = list(self._tries(features, task, fraction))
            trials = {name: [trial[name] for _, trial in tried] for name in tried[0][1]}
            details = {"fraction": fraction, "trials": trials}
            logits = np.stack([found.cpu().numpy() for found, _ in tried])
            if task.is_multilabel:
                yield Answers(None, details, scores=logits, threshold=0.0)
            else:
                yield Answers(logits.argmax(axis=2), details)

    def _tries(self, features: Tensor, task: Task, fraction: float) -> Iterator[tuple[Tensor, dict[str, Any]]]:
        """What is answered with each draw of a share of the labels, and what is kept of it."""
        is_drawn = fraction < 1 or self.solver.draws
        seeds = range(self.seed, self.seed + (self.repeats if is_drawn else 1))
        with progress(len(seeds), f"Linear probes, {100 * fraction:g} % of the labels", quiet=self.quiet) as job:
            for seed in seeds:
                yield self.solver.solve(features, task, fraction, seed=seed)
                job.advance()
