"""A kNN on a labelled catalog during a training: `train seco ... --hook evaluate.online:knn=data/labelled`.

The trainer calls it by its name after an epoch and never imports the evaluator. It draws nothing from global generators, so
that a training with it ends in the same bits as one without.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from catalogs.console import counted, say
from catalogs.secrets import without_secrets
from evaluate.bench import Bench, open_bench
from evaluate.features import extract_features
from evaluate.protocol import measure_knn
from evaluate.settings import KnnSettings
from train.config import InputSpec

if TYPE_CHECKING:
    import torch
    from torch import nn

ITEMS = 1000
"""Most items of each part: enough to see where a training goes."""
SEED = 0
"""Of their choice, so that every epoch is asked the same."""
DEFAULTS = KnnSettings()


class Context(Protocol):
    """What is read of the trainer's `HookContext`."""

    @property
    def backbone(self) -> nn.Module:
        """In evaluation mode."""

    @property
    def spec(self) -> InputSpec:
        """What it expects of its input."""

    @property
    def device(self) -> torch.device:
        """Where it is."""

    def log(self, name: str, value: float, /) -> None:
        """Write a figure beside the loss."""


def knn(context: Context, argument: str) -> None:
    """Log the kNN accuracy of the backbone as it is now, as `knn`; micro average precision where items have several labels.

    Args:
        context: The trainer's.
        argument: Path or address of a labelled catalog that has the training's bands, of the same sensor or of its only one.

    Raises:
        EvaluateError: The catalog cannot be asked, as for `evaluate knn`.
        CatalogError: It cannot be read, or lacks a band.
    """
    bench = _open_once(argument, context.spec)
    stack = bench.pixels(context.spec.bands, context.spec.sensor)
    features = extract_features(stack, context.backbone, context.spec, bench.rows, device=context.device)
    k = min(DEFAULTS.k, len(bench.task.train))
    context.log("knn", measure_knn(features, bench.task, k=k, temperature=DEFAULTS.temperature))


@lru_cache(maxsize=4)
def _open_once(href: str, spec: InputSpec) -> Bench:
    bench = open_bench(href, DEFAULTS, spec, only_taught=True)
    chosen = bench.at_most(ITEMS, seed=SEED)
    train, test = chosen.task.train, chosen.task.test
    unused = len(bench.items) - len(train) - len(test)
    say(
        f"Online kNN on {without_secrets(href)}: {len(chosen.task.classes)} classes, {counted(len(train), 'training item')}, "
        f"{counted(len(test), 'item')} tested (split {test.split}); {counted(unused, 'item')} not used."
    )
    return chosen
