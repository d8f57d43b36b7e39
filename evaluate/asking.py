"""What every protocol on features has in common: from a labelled catalog and names of weights to scores side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from catalogs.console import progress
from evaluate.answers import Answers, make_result, score_answers
from evaluate.baselines import BASELINES, choose_baselines
from evaluate.bench import Bench, open_bench
from evaluate.entries import read_entries, spec_of, with_random
from evaluate.errors import InputError
from evaluate.features import extract_features
from evaluate.opened import find_sensors
from evaluate.result import Result, Score
from evaluate.seeds import join_answers, join_identities
from evaluate.settings import Settings
from evaluate.task import Task
from evaluate.vectors import standardise
from train.checkpoint import LoadedBackbone

__all__ = ["Answers", "Asked", "Method", "choose_device", "make_result", "run_protocol", "score_answers"]

STATISTICS = "band-statistics"
"""The baseline that stands beside every result."""


class Method(Protocol):
    """How features become answers."""

    @property
    def tunes(self) -> bool:
        """Whether it chooses settings on items of `val`, where there are some."""

    def check(self, task: Task) -> None:
        """Refuse, before anything is computed, settings that do not fit the task.

        Raises:
            InputError: Some do not.
        """

    def describe(self, task: Task) -> dict[str, Any]:
        """Its name, and every setting that its answers hang on; JSON's types."""

    def answer(self, features: Tensor, task: Task) -> Iterator[Answers]:
        """Answer the tested items, once or under several conditions.

        Args:
            features: Of the items that teach, of those that are tested, and of those to tune on, (items, features).
            task: Labels of all of them.
        """


def run_protocol(
    catalog: str,
    weights: Sequence[str],
    settings: Settings,
    method: Method,
    *,
    baselines: bool = True,
    also: Sequence[str] = (),
    quiet: bool = True,
) -> Result:
    """Score weights on a labelled catalog, beside what needs no training.

    Every item is one sample; items of training locations teach, items of test locations, which are others, are tested. Weights
    that say what they read are fed with that. The others (`random:`, `timm:`) get the bands and the size of the first that do,
    scaled by what is measured on the training items.

    Args:
        catalog: Path or address of a labelled catalog.
        weights: What to score: an export's folder, a run's folder, `timm:NAME`, `random:NAME`; or several seeds of one
            training, joined by commas, which get one score together.
        settings: What is asked, and how features are computed.
        method: How features become answers.
        baselines: Score band statistics and random weights of each backbone too, first, and those fed as the backbone is.
        also: Names of `BASELINES` to score in any case.
        quiet: Show no progress.

    Raises:
        EvaluateError: The catalog cannot ask this question, or weights and catalog do not fit.
        CatalogError: The catalog cannot be read, or lacks a band that weights read.
        TrainError: Weights cannot be loaded.
    """
    plain = choose_baselines((*also, STATISTICS) if baselines else also) if baselines or also else ()
    if not weights and not plain:
        raise InputError("There is nothing to score. Give --weights, or leave --no-baselines out to score what needs none.")
    device = choose_device(settings.device)
    entries = read_entries(weights, find_sensors(catalog, settings))
    bench = open_bench(catalog, settings, entries.like, tuning=method.tunes)
    method.check(bench.task)
    asked = Asked(bench, settings, method, device, quiet)
    groups = entries.feed(bench.stack, bench.task.train.items, size_px=bench.size_px, seed=settings.seed)
    scores = [score for name in plain for score in asked.score_baseline(name)]
    for group in with_random(groups) if baselines else groups:
        scores += asked.score_weights(group)
    return make_result(bench, settings, method.describe(bench.task), scores)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A question, and how whoever is asked shall answer."""

    bench: Bench
    """Items, labels and pixels."""
    settings: Settings
    """As they were chosen."""
    method: Method
    """How features become answers."""
    device: torch.device
    """Where backbones compute."""
    quiet: bool
    """Show no progress."""

    def score_baseline(self, name: str) -> list[Score]:
        """Score features that need no training, standardised by the training items; `name` is one of `BASELINES`."""
        bench, baseline = self.bench, BASELINES[name]
        train = bench.task.train
        with self._counting(baseline.title) as advance:
            made = baseline.compute(
                bench.stack, bench.rows,
                train=train.items, seed=self.settings.seed, workers=self.settings.workers, advance=advance,
            )  # fmt: skip
        values = torch.from_numpy(made)
        _, features = standardise(values[: len(train)], values)
        return [
            score_answers(
                baseline.title, each, bench.task,
                features=features.shape[1], bands=bench.stack.bands, seed=self.settings.seed,
            )
            for each in self.method.answer(features, bench.task)
        ]  # fmt: skip

    def score_weights(self, group: Sequence[LoadedBackbone]) -> list[Score]:
        """Score the features of a backbone; of several seeds of one training together."""
        answers = []
        for loaded in group:
            features = self.features(loaded)
            answers.append(list(self.method.answer(features, self.bench.task)))
        spec = spec_of(group[0])
        scores = [
            score_answers(
                ",".join(loaded.name for loaded in group), join_answers(group, each), self.bench.task,
                features=features.shape[1], bands=spec.bands, seed=self.settings.seed,
                identity=join_identities(group), spec=spec,
            )
            for each in zip(*answers, strict=True)
        ]  # fmt: skip
        return [replace(each, details={**each.details, "pooling": group[0].pooling}) for each in scores]

    def features(self, loaded: LoadedBackbone) -> Tensor:
        """Features of all items that are asked about, in the order of `Bench.rows`."""
        spec, settings = spec_of(loaded), self.settings
        with self._counting(loaded.name) as advance:
            return extract_features(
                self.bench.pixels(spec.bands, spec.sensor), loaded.module, spec, self.bench.rows,
                batch_size=settings.batch_size, workers=settings.workers, device=self.device, advance=advance,
            )  # fmt: skip

    @contextmanager
    def _counting(self, name: str) -> Iterator[Callable[[int], None]]:
        """Show how many items have been looked at."""
        with progress(len(self.bench.rows), f"Features of {name}", quiet=self.quiet) as job:
            yield job.advance


def choose_device(name: str) -> torch.device:
    """The device asked for, if it can be used.

    Raises:
        InputError: It cannot.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        reason = "torch knows none of that name" if reason.startswith("Expected one of") else reason
        raise InputError(f"Device {name!r} cannot be used: {reason}. Choose another --device, such as cpu.") from error
