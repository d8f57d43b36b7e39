"""The kNN protocol: what weights are worth by the nearest neighbours of their features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evaluate.answers import Answers
from evaluate.asking import run_protocol
from evaluate.knn import check_votes, knn_votes
from evaluate.metrics import accuracy, micro_average_precision
from evaluate.neighbours import check_count, neighbour_details
from evaluate.result import Result
from evaluate.settings import KnnSettings
from evaluate.task import Task
from evaluate.thumbnails import add_pictures


def run_knn(
    catalog: str,
    weights: Sequence[str],
    settings: KnnSettings,
    *,
    baselines: bool = True,
    also: Sequence[str] = (),
    pictures: int = 0,
    quiet: bool = True,
) -> Result:
    """Score weights on a labelled catalog by their nearest neighbours; see `run_protocol`.

    With `pictures`, so many tested items are in the details of each score beside their nearest training items, as pictures.
    """
    check_count(pictures)
    method = Neighbours(settings.k, settings.temperature, pictures=pictures, seed=settings.seed)
    result = run_protocol(catalog, weights, settings, method, baselines=baselines, also=also, quiet=quiet)
    return add_pictures(result, catalog, cache=settings.cache)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Answers are what the nearest training items vote for."""

    k: int
    """How many vote."""
    temperature: float
    """How much the nearest outweigh the others."""
    pictures: int = 0
    """Tested items to keep the nearest training items of, to be shown as pictures."""
    seed: int = 0
    """Of the choice of these."""

    @property
    def tunes(self) -> bool:
        """Nothing is chosen."""
        return False

    def check(self, task: Task) -> None:
        """Refuse, before anything is computed, a vote that cannot be held; see `check_votes`."""
        check_votes(len(task.train), k=self.k, temperature=self.temperature)

    def describe(self, task: Task) -> dict[str, Any]:
        """Its settings."""
        del task
        return {"name": "knn", "distance": "cosine", "k": self.k, "temperature": self.temperature}

    def answer(self, features: Tensor, task: Task) -> Iterator[Answers]:
        """Answer once.

        Raises:
            InputError: See `knn_votes`.
        """
        votes = count_votes(features, task, k=self.k, temperature=self.temperature)
        details = neighbour_details(features, task, votes, count=self.pictures, seed=self.seed)
        if task.is_multilabel:
            yield Answers(None, details, scores=votes.cpu().numpy()[np.newaxis])
        else:
            yield Answers(votes.argmax(dim=1).cpu().numpy()[np.newaxis], details)


def count_votes(features: Tensor, task: Task, *, k: int, temperature: float) -> Tensor:
    """What the neighbours of each tested item vote for.

    Args:
        features: Of the items that teach, then of those that are tested, (items, features).
        task: Labels of both.
        k: How many neighbours vote.
        temperature: How much the nearest outweigh the others.

    Returns:
        Shares of the vote, (tested items, classes).

    Raises:
        InputError: See `knn_votes`.
    """
    train, test = features[: len(task.train)], features[len(task.train) :]
    labels = torch.from_numpy(task.train.labels).to(features.device)
    return knn_votes(train, labels, test, classes=len(task.classes), k=k, temperature=temperature)


def measure_knn(features: Tensor, task: Task, *, k: int, temperature: float) -> float:
    """What the neighbours' answers are worth, by the task's metric; arguments and errors as of `count_votes`."""
    votes = count_votes(features, task, k=k, temperature=temperature).cpu().numpy()
    if task.is_multilabel:
        return micro_average_precision(task.test.labels, votes)
    return accuracy(task.test.labels, votes.argmax(axis=1))
