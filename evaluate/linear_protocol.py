"""The protocol of the linear probe: what a logistic regression reads from features, taught by all labels or by a share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from catalogs.console import progress
from evaluate.asking import Answers, run_protocol
from evaluate.errors import InputError
from evaluate.fractions import HELD_OUT, draw_fraction, hash_items, hold_out
from evaluate.linear_probe import C_VALUES, STEPS, TOLERANCE, LinearProbe, choose_c, fit_linear, sweep_linear
from evaluate.result import Result
from evaluate.settings import LinearSettings
from evaluate.task import TRAIN, TUNING, Part, Task
from evaluate.vectors import check_vectors, standardise


def run_linear(
    catalog: str, weights: Sequence[str], settings: LinearSettings, *, statistics: bool = False, quiet: bool = True
) -> Result:
    """Score weights on a labelled catalog by a linear probe; see `run_protocol`.

    There is a score for each share of the labels. The regularisation is chosen on items of `val`, of which the same share is
    drawn, or, where the catalog has none beside those tested, on a fifth of the drawn training locations; then the probe is
    fitted to all that was drawn of the training items.

    Raises:
        InputError: A share or the number of repeats is out of range, or there is nothing to choose on.
    """
    if settings.repeats < 1 or not settings.fraction:
        raise InputError(f"{settings.repeats} repeats of {len(settings.fraction)} fractions; expected one or more of both.")
    method = Probing(tuple(settings.fraction), settings.repeats, settings.seed, quiet=quiet)
    return run_protocol(catalog, weights, settings, method, statistics=statistics, quiet=quiet)


@dataclass(frozen=True, slots=True)
class Trial:
    """What is kept of one probe; lists of these, field by field, are a score's details."""

    seed: int
    """Of the draws."""
    accuracy: float
    """On the tested items."""
    train_items: int
    """How many taught."""
    tuning_items: int
    """How many the regularisation was chosen on."""
    items_hash: str
    """SHA-256 of which items did what."""
    c: float
    """Inverse strength of the regularisation that was chosen."""
    steps: int
    """Steps of the last fit."""
    gradient: float
    """Greatest element of the gradient where it stopped."""
    converged: bool
    """Whether it, and every fit that it was chosen from, came down to the tolerance."""


@dataclass(frozen=True, slots=True)
class Probing:
    """Answers are those of logistic regressions."""

    fractions: tuple[float, ...]
    """Shares of the labels to teach with."""
    repeats: int
    """How many times each is drawn."""
    seed: int
    """Of the first draw."""
    quiet: bool = True
    """Show no progress."""

    @property
    def tunes(self) -> bool:
        """The regularisation is chosen."""
        return True

    def describe(self, task: Task) -> dict[str, Any]:
        """Its settings."""
        where = {"split": TRAIN, "locations": HELD_OUT} if task.tuning is None else {"split": TUNING}
        return {
            "name": "linear",
            "solver": "L-BFGS",
            "features": "standardised by the items that teach",
            "c_values": list(C_VALUES),
            "tolerance": TOLERANCE,
            "steps": STEPS,
            "tuned_on": where,
            "fractions": list(self.fractions),
            "repeats": self.repeats,
        }

    def answer(self, features: Tensor, task: Task) -> Iterator[Answers]:
        """Answer once for each share; all labels are drawn once, as there is one way to draw them.

        Raises:
            InputError: Features are not finite, a share is none, or there is nothing to choose on.
        """
        check_vectors(features[: len(task.train)], features[len(task.train) :])
        for fraction in self.fractions:
            tried = list(self._tries(features, task, fraction))
            trials = [asdict(trial) for _, trial in tried]
            kept = {name: [trial[name] for trial in trials] for name in trials[0]}
            yield Answers(np.stack([found for found, _ in tried]), {"fraction": fraction, "trials": kept})

    def _tries(self, features: Tensor, task: Task, fraction: float) -> Iterator[tuple[NDArray[np.int64], Trial]]:
        seeds = range(self.seed, self.seed + (self.repeats if fraction < 1 else 1))
        with progress(len(seeds), f"Linear probes, {100 * fraction:g} % of the labels", quiet=self.quiet) as job:
            for seed in seeds:
                yield _try(features, task, fraction, seed=seed)
                job.advance()


def _try(features: Tensor, task: Task, fraction: float, *, seed: int) -> tuple[NDArray[np.int64], Trial]:
    """Draw a share of the labels, choose the regularisation, fit, and answer."""
    taught = draw_fraction(task.train, fraction, seed=seed)
    spare = None if task.tuning is None else draw_fraction(task.tuning, fraction, seed=seed)
    fitted, tuning = (taught, spare) if spare is not None else hold_out(taught, seed=seed)
    rows = _rows(task)
    _, scaled = standardise(features[rows[taught.items]], features)
    classes = len(task.classes)

    def known(part: Part) -> tuple[Tensor, Tensor]:
        return scaled[rows[part.items]], torch.from_numpy(part.labels).to(scaled.device)

    probes, worth = sweep_linear(*known(fitted), classes=classes, tuning=known(tuning))
    c = choose_c([probe.c for probe in probes], worth)
    chosen = next(probe for probe in probes if probe.c == c)
    probe = chosen if fitted is taught else fit_linear(*known(taught), classes=classes, c=c, start=chosen)
    found: NDArray[np.int64] = probe.predict(scaled[rows[task.test.items]]).cpu().numpy()
    return found, _trial(probe, probes, task=task, found=found, seed=seed, taught=taught, tuning=tuning)


def _trial(
    probe: LinearProbe,
    probes: Sequence[LinearProbe],
    *,
    task: Task,
    found: NDArray[np.int64],
    seed: int,
    taught: Part,
    tuning: Part,
) -> Trial:
    return Trial(
        seed=seed,
        accuracy=float((found == task.test.labels).mean()),
        train_items=len(taught),
        tuning_items=len(tuning),
        items_hash=hash_items([(TRAIN, taught), ("tuning", tuning)]),
        c=probe.c,
        steps=probe.steps,
        gradient=probe.gradient,
        converged=all(each.converged for each in (probe, *probes)),
    )


def _rows(task: Task) -> NDArray[np.int64]:
    """Rows of the features by numbers of items, -1 where an item has none."""
    items = np.concatenate([part.items for part in (task.train, task.test, task.tuning) if part is not None])
    rows = np.full(items.max() + 1, -1)
    rows[items] = np.arange(len(items))
    return rows
