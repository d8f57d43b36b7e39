"""The kNN protocol: from a labelled catalog and names of weights to scores side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from catalogs.console import progress
from evaluate.baselines import band_statistics, standardise
from evaluate.bench import Bench, open_bench
from evaluate.confidence import LEVEL, REPEATS, bootstrap_mean
from evaluate.errors import InputError
from evaluate.features import extract_features
from evaluate.knn import knn_predict
from evaluate.result import Result, Score
from evaluate.settings import Settings
from evaluate.task import TRAIN, Task
from train.checkpoint import KINDS, LoadedBackbone, load_backbone
from train.config import InputSpec, to_json
from train.views import measure_input

STATISTICS = "band statistics"
WITHOUT_INPUT = tuple(f"{kind}:" for kind in KINDS)
"""What starts the names of weights that do not say which bands they read, and how scaled."""


def run_knn(
    catalog: str, weights: Sequence[str], settings: Settings, *, statistics: bool = False, quiet: bool = True
) -> Result:
    """Score weights on a labelled catalog by their nearest neighbours.

    Every item is one sample; items of training locations teach, items of test locations, which are others, are tested. Weights
    that say what they read are fed with that. The others (`random:`, `timm:`) get the bands and the size of the first that do,
    scaled by what is measured on the training items.

    Args:
        catalog: Path or address of a labelled catalog.
        weights: What to score: an export's folder, a run's folder, `timm:NAME`, `random:NAME`.
        settings: What is asked, and how.
        statistics: Score band statistics too, first.
        quiet: Show no progress.

    Raises:
        EvaluateError: The catalog cannot ask this question, or weights and catalog do not fit.
        CatalogError: The catalog cannot be read, or lacks a band that weights read.
        TrainError: Weights cannot be loaded.
    """
    device = _choose_device(settings.device)
    trained = {name: load_backbone(name) for name in weights if not name.startswith(WITHOUT_INPUT)}
    specs = [each.spec for each in trained.values() if each.spec is not None]
    bench = open_bench(catalog, settings, specs[0] if specs else None)
    scores = [score_statistics(bench, settings, quiet=quiet)] if statistics else []
    for name in weights:
        loaded = trained.get(name) or load_backbone(name, bands=bench.stack.bands, size_px=bench.size_px)
        scores.append(score_weights(bench, name, loaded, settings=settings, device=device, quiet=quiet))
    return _result(bench, settings, scores)


def score_statistics(bench: Bench, settings: Settings, *, quiet: bool = True) -> Score:
    """Score mean and standard deviation of each band, standardised by the training items."""
    with _counting(STATISTICS, bench, quiet=quiet) as advance:
        values = band_statistics(bench.stack, bench.rows, workers=settings.workers, advance=advance)
    taught = len(bench.task.train)
    features = torch.cat(standardise(values[:taught], values[taught:]))
    return _score(STATISTICS, features, bench.task, settings=settings, bands=bench.stack.bands)


def score_weights(
    bench: Bench, name: str, loaded: LoadedBackbone, *, settings: Settings, device: torch.device, quiet: bool = True
) -> Score:
    """Score the features of a backbone."""
    spec = loaded.spec or measure_input(bench.stack, bench.task.train.items, size_px=bench.size_px, seed=settings.seed)
    stack = bench.pixels(spec.bands)
    with _counting(name, bench, quiet=quiet) as advance:
        features = extract_features(
            stack, loaded.module, spec, bench.rows,
            batch_size=settings.batch_size, workers=settings.workers, device=device, advance=advance,
        )  # fmt: skip
    return _score(name, features, bench.task, settings=settings, bands=spec.bands, identity=loaded.identity, spec=spec)


def is_right(features: Tensor, task: Task, *, k: int, temperature: float) -> NDArray[np.bool_]:
    """Whether the neighbours of each tested item vote for its own class.

    Args:
        features: Of the items that teach, then of those that are tested, (items, features).
        task: Labels of both.
        k: How many neighbours vote.
        temperature: How much the nearest outweigh the others.

    Returns:
        (tested items,).

    Raises:
        InputError: See `knn_votes`.
    """
    train, test = features[: len(task.train)], features[len(task.train) :]
    labels = torch.from_numpy(task.train.labels).to(features.device)
    found = knn_predict(train, labels, test, classes=len(task.classes), k=k, temperature=temperature)
    right: NDArray[np.bool_] = found.cpu().numpy() == task.test.labels
    return right


def _score(
    name: str,
    features: Tensor,
    task: Task,
    *,
    settings: Settings,
    bands: tuple[str, ...],
    identity: str | None = None,
    spec: InputSpec | None = None,
) -> Score:
    right = is_right(features, task, k=settings.k, temperature=settings.temperature)
    return Score(
        name=name,
        identity=identity,
        bands=bands,
        input=to_json(spec) if spec else None,
        features=features.shape[1],
        metric="accuracy",
        value=float(right.mean()),
        interval=bootstrap_mean(right, task.test.locations, seed=settings.seed),
    )


def _result(bench: Bench, settings: Settings, scores: Sequence[Score]) -> Result:
    """The scores with all that makes them comparable."""
    task = bench.task
    return Result(
        protocol=_protocol(task, settings),
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


def _protocol(task: Task, settings: Settings) -> dict[str, Any]:
    """Every setting that a score hangs on."""
    return {
        "name": "knn",
        "distance": "cosine",
        "k": settings.k,
        "temperature": settings.temperature,
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
