"""The kNN protocol: what weights are worth by the nearest neighbours of their features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evaluate.asking import Answers, run_protocol
from evaluate.knn import knn_predict
from evaluate.result import Result
from evaluate.settings import KnnSettings
from evaluate.task import Task


def run_knn(
    catalog: str, weights: Sequence[str], settings: KnnSettings, *, statistics: bool = False, quiet: bool = True
) -> Result:
    """Score weights on a labelled catalog by their nearest neighbours; see `run_protocol`."""
    method = Neighbours(settings.k, settings.temperature)
    return run_protocol(catalog, weights, settings, method, statistics=statistics, quiet=quiet)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Answers are what the nearest training items vote for."""

    k: int
    """How many vote."""
    temperature: float
    """How much the nearest outweigh the others."""

    @property
    def tunes(self) -> bool:
        """Nothing is chosen."""
        return False

    def describe(self, task: Task) -> dict[str, Any]:
        """Its settings."""
        del task
        return {"name": "knn", "distance": "cosine", "k": self.k, "temperature": self.temperature}

    def answer(self, features: Tensor, task: Task) -> Iterator[Answers]:
        """Answer once.

        Raises:
            InputError: See `knn_votes`.
        """
        yield Answers(answer_knn(features, task, k=self.k, temperature=self.temperature)[np.newaxis], {})


def answer_knn(features: Tensor, task: Task, *, k: int, temperature: float) -> NDArray[np.int64]:
    """The class that the neighbours of each tested item vote for.

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
    return knn_predict(train, labels, test, classes=len(task.classes), k=k, temperature=temperature).cpu().numpy()


def is_right(features: Tensor, task: Task, *, k: int, temperature: float) -> NDArray[np.bool_]:
    """Whether the neighbours of each tested item vote for its own class, (tested items,); see `answer_knn`."""
    right: NDArray[np.bool_] = answer_knn(features, task, k=k, temperature=temperature) == task.test.labels
    return right
