"""Cost of kNN and of a linear probe beside scikit-learn: `python -m tests.benchmarks.evaluation`.

27,000 made-up features of 512 and of 2,048 numbers, four in five teach. They look like those of a network: a few directions
carry most, none is negative, and ten classes overlap. Each measurement has a process of its own, so that its peak memory is its
own; memory is what is added to a process that holds the features and both libraries. Both kNN vote by exp(cosine / 0.07) of 20
neighbours; both probes are fitted to standardised features with C = 1 down to a gradient of 1e-5. Wall time on all cores.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import psutil
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from evaluate.knn import knn_predict
from evaluate.linear_probe import TOLERANCE, fit_linear
from evaluate.vectors import standardise
from tests.benchmarks.machine import asked, describe_machine

ITEMS = 27_000
CLASSES = 10
K, TEMPERATURE = 20, 0.07
SIZES = (512, 2048)
LATENT = 24
SAMPLE_S = 0.002


@dataclass(frozen=True)
class Cost:
    """What an answer cost, and what it is worth."""

    seconds: float
    megabytes: float
    accuracy: float


def make_features(size: int, items: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (items, size), float32, and classes (items,)."""
    rng = np.random.default_rng(0)
    classes = rng.integers(CLASSES, size=items)
    latent = 0.45 * rng.normal(size=(CLASSES, LATENT))[classes] + rng.normal(size=(items, LATENT))
    mixing = rng.normal(size=(LATENT, size)) * (1 / np.arange(1, LATENT + 1))[:, None] ** 0.5
    noise = 0.3 * rng.normal(size=(items, size))
    return np.maximum(latent @ mixing + noise, 0).astype(np.float32), classes


def our_knn(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    votes = (torch.from_numpy(each) for each in (train, labels, test))
    return knn_predict(*votes, classes=CLASSES, k=K, temperature=TEMPERATURE).numpy()


def their_knn(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    def weigh(distances: np.ndarray) -> np.ndarray:
        return np.exp(-distances / TEMPERATURE)  # of a cosine distance; a common factor changes no vote

    model = KNeighborsClassifier(K, weights=weigh, metric="cosine", algorithm="brute")
    return model.fit(train, labels).predict(test)


def our_probe(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    probe = fit_linear(torch.from_numpy(train), torch.from_numpy(labels), classes=CLASSES, c=1.0)
    assert probe.converged, f"a gradient of {probe.gradient} after {probe.steps} steps"
    return probe.predict(torch.from_numpy(test)).numpy()


def their_probe(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    model = LogisticRegression(C=1.0, tol=TOLERANCE, max_iter=5000)
    return model.fit(train, labels).predict(test)


ANSWERS: dict[str, tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]] = {
    "kNN": (our_knn, their_knn),
    "linear probe": (our_probe, their_probe),
}
"""Ours and scikit-learn's."""


def measure(task: str, *, ours: bool, size: int, items: int = ITEMS) -> Cost:
    """Answer once in a new process; without `__main__`, which a spawned one would run again."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_answer, (task, ours, size, items))


def compare(task: str, size: int, items: int = ITEMS) -> tuple[Cost, Cost]:
    """Ours and scikit-learn's."""
    ours, theirs = (measure(task, ours=each, size=size, items=items) for each in (True, False))
    assert abs(ours.accuracy - theirs.accuracy) <= 0.001, f"{task}: {ours.accuracy} and {theirs.accuracy} are not one answer"
    return ours, theirs


def _answer(task: str, ours: bool, size: int, items: int) -> Cost:
    features, classes = make_features(size, items)
    taught = items * 4 // 5
    train, test = features[:taught], features[taught:]
    if task == "linear probe":
        train, test = (each.numpy() for each in standardise(torch.from_numpy(train), torch.from_numpy(test)))
    answer = ANSWERS[task][0 if ours else 1]
    answer(train[:500], classes[:500], test[:100])  # what is loaded or started once is no cost of the method
    with _PeakMemory() as memory:
        start = time.perf_counter()
        found = answer(train, classes[:taught], test)
        seconds = time.perf_counter() - start
    return Cost(seconds, memory.megabytes, float((found == classes[taught:]).mean()))


class _PeakMemory:
    """What a process takes at most beyond what it had."""

    def __enter__(self) -> Self:
        self._process = psutil.Process()
        self._before = self._peak = self._process.memory_info().rss
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            self._peak = max(self._peak, self._process.memory_info().rss)

    @property
    def megabytes(self) -> float:
        return (self._peak - self._before) / 1e6


def main() -> None:
    asked(__doc__)
    print(describe_machine())
    print(f"{ITEMS * 4 // 5:,} features teach, {ITEMS // 5:,} are asked about; seconds, MB and accuracy")
    for task in ANSWERS:
        for size in SIZES:
            ours, theirs = compare(task, size)
            told = " | ".join(f"{each.seconds:6.2f} s {each.megabytes:6.0f} MB {each.accuracy:.4f}" for each in (ours, theirs))
            print(f"{task:12} of {size:5,}: {told} | {theirs.seconds / ours.seconds:.1f} x as fast")


if __name__ == "__main__":
    main()
