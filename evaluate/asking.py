"""What every protocol has in common: from a labelled catalog and names of weights to features, to scores side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from catalogs.console import progress
from evaluate.baselines import band_statistics
from evaluate.bench import Bench, open_bench
from evaluate.confidence import LEVEL, REPEATS, bootstrap_mean
from evaluate.errors import InputError
from evaluate.features import extract_features
from evaluate.metrics import confusion_matrix
from evaluate.result import Result, Score
from evaluate.settings import Settings
from evaluate.task import TRAIN, Task
from evaluate.vectors import standardise
from train.checkpoint import KINDS, LoadedBackbone, load_backbone
from train.config import InputSpec, to_json
from train.views import measure_input

STATISTICS = "band statistics"
WITHOUT_INPUT = tuple(f"{kind}:" for kind in KINDS)
"""What starts the names of weights that do not say which bands they read, and how scaled."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What was answered to each tested item."""

    found: NDArray[np.int64]
    """Classes, (repeats, tested items)."""
    details: Mapping[str, Any]
    """What else is to be known of how they came about; JSON's types."""


class Method(Protocol):
    """How features become answers."""

    @property
    def tunes(self) -> bool:
        """Whether it chooses settings on items of `val`, where there are some."""

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
    statistics: bool = False,
    quiet: bool = True,
) -> Result:
    """Score weights on a labelled catalog.

    Every item is one sample; items of training locations teach, items of test locations, which are others, are tested. Weights
    that say what they read are fed with that. The others (`random:`, `timm:`) get the bands and the size of the first that do,
    scaled by what is measured on the training items.

    Args:
        catalog: Path or address of a labelled catalog.
        weights: What to score: an export's folder, a run's folder, `timm:NAME`, `random:NAME`.
        settings: What is asked, and how features are computed.
        method: How features become answers.
        statistics: Score band statistics too, first.
        quiet: Show no progress.

    Raises:
        EvaluateError: The catalog cannot ask this question, or weights and catalog do not fit.
        CatalogError: The catalog cannot be read, or lacks a band that weights read.
        TrainError: Weights cannot be loaded.
    """
    if not weights and not statistics:
        raise InputError("There is nothing to score. Give --weights, or --baselines to score band statistics.")
    device = _choose_device(settings.device)
    trained = {name: load_backbone(name) for name in weights if not name.startswith(WITHOUT_INPUT)}
    specs = [each.spec for each in trained.values() if each.spec is not None]
    bench = open_bench(catalog, settings, specs[0] if specs else None, tuning=method.tunes)
    scores = score_statistics(bench, settings, method, quiet=quiet) if statistics else []
    for name in weights:
        loaded = trained.get(name) or load_backbone(name, bands=bench.stack.bands, size_px=bench.size_px)
        scores += score_weights(bench, name, loaded, method, settings=settings, device=device, quiet=quiet)
    return _result(bench, settings, method, scores)


def score_statistics(bench: Bench, settings: Settings, method: Method, *, quiet: bool = True) -> list[Score]:
    """Score mean and standard deviation of each band, standardised by the training items."""
    with _counting(STATISTICS, bench, quiet=quiet) as advance:
        values = torch.from_numpy(band_statistics(bench.stack, bench.rows, workers=settings.workers, advance=advance))
    _, features = standardise(values[: len(bench.task.train)], values)
    return _scores(STATISTICS, features, bench.task, method, seed=settings.seed, bands=bench.stack.bands)


def score_weights(
    bench: Bench,
    name: str,
    loaded: LoadedBackbone,
    method: Method,
    *,
    settings: Settings,
    device: torch.device,
    quiet: bool = True,
) -> list[Score]:
    """Score the features of a backbone."""
    spec = loaded.spec or measure_input(bench.stack, bench.task.train.items, size_px=bench.size_px, seed=settings.seed)
    stack = bench.pixels(spec.bands)
    with _counting(name, bench, quiet=quiet) as advance:
        features = extract_features(
            stack, loaded.module, spec, bench.rows,
            batch_size=settings.batch_size, workers=settings.workers, device=device, advance=advance,
        )  # fmt: skip
    return _scores(
        name, features, bench.task, method, seed=settings.seed, bands=spec.bands, identity=loaded.identity, spec=spec
    )


def _scores(
    name: str,
    features: Tensor,
    task: Task,
    method: Method,
    *,
    seed: int,
    bands: tuple[str, ...],
    identity: str | None = None,
    spec: InputSpec | None = None,
) -> list[Score]:
    """One score for each condition that the method answers under."""
    return [
        Score(
            name=name,
            identity=identity,
            bands=bands,
            input=to_json(spec) if spec else None,
            features=features.shape[1],
            metric="accuracy",
            value=float((each.found == task.test.labels).mean()),
            interval=bootstrap_mean((each.found == task.test.labels).mean(axis=0), task.test.locations, seed=seed),
            confusion=_confusion(each.found, task),
            details=each.details,
        )
        for each in method.answer(features, task)
    ]


def _confusion(found: NDArray[np.int64], task: Task) -> tuple[tuple[int, ...], ...]:
    truth = np.broadcast_to(task.test.labels, found.shape)
    return tuple(tuple(row) for row in confusion_matrix(truth, found, classes=len(task.classes)).tolist())


def _result(bench: Bench, settings: Settings, method: Method, scores: Sequence[Score]) -> Result:
    """The scores with all that makes them comparable."""
    task = bench.task
    return Result(
        protocol=method.describe(task) | _common(task, settings),
        catalog=str(bench.catalog.document.get("id")),
        catalog_hash=bench.stack.index_hash,
        split_hash=task.split_hash,
        sensor=bench.stack.sensor,
        classes=task.classes,
        train_items=len(task.train),
        test_items=len(task.test),
        test_locations=len(np.unique(task.test.locations)),
        unused_items=task.unused,
        chance=task.chance,
        scores=tuple(scores),
    )


def _common(task: Task, settings: Settings) -> dict[str, Any]:
    """The settings that every score hangs on."""
    return {
        "train_split": TRAIN,
        "test_split": task.test.split,
        "season": settings.season,
        "seed": settings.seed,
        "interval": {"method": "percentile bootstrap over locations", "repeats": REPEATS, "level": LEVEL},
    }


@contextmanager
def _counting(name: str, bench: Bench, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show how many items have been looked at."""
    with progress(len(bench.rows), f"Features of {name}", quiet=quiet) as job:
        yield job.advance


def _choose_device(name: str) -> torch.device:
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
        raise InputError(f"Device {name!r} cannot be used: {reason}. Choose another --device, such as cpu.") from error
