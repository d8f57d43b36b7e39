"""What a dense protocol has to say of itself, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from evaluate.dense_settings import DenseSettings
from evaluate.dense_shares import join_trials
from evaluate.dense_task import DenseTask
from evaluate.dense_training import Regime, Samples
from train.checkpoint import LoadedBackbone
from train.config import InputSpec


@dataclass(frozen=True, slots=True, eq=False)
class DenseAnswers:
    """What was answered to the pixels of each tested sample."""

    counts: NDArray[np.int64]
    """Pixels by class and answer, (repeats, tested samples, classes, classes)."""
    details: Mapping[str, Any]
    """How they came about; JSON's types."""
    members: int = 1
    """How many trainings the weights are of, whose repeats are in equal parts and one after the other."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What answers are worth."""

    values: tuple[float, ...]
    """Of each repeat."""
    interval: tuple[float, float] | None
    """Of their mean, by locations of the test part."""
    details: Mapping[str, Any]
    """Other figures; JSON's types."""


class DenseMethod(Protocol):
    """One way to ask about pixels."""

    @property
    def key(self) -> str:
        """Of the label rasters: `labels` or `change`."""

    @property
    def stem(self) -> bool:
        """Whether maps of more than a quarter of the image's side are looked at."""

    @property
    def metric(self) -> str:
        """Name of the figure."""

    @property
    def pixels(self) -> str:
        """Name of the baseline that looks at pixels alone."""

    @property
    def regimes(self) -> Sequence[Regime]:
        """How heads are taught: each is tried."""

    def describe(self, task: DenseTask) -> dict[str, Any]:
        """Its name, and every setting that its answers hang on; JSON's types."""

    def check(self, task: DenseTask) -> None:
        """Refuse a question that it cannot ask."""

    def adapt(self, spec: InputSpec, loaded: LoadedBackbone, task: DenseTask) -> InputSpec:
        """The input that weights are given, of the one that they expect."""

    def chance(self, task: DenseTask) -> float:
        """What it is worth to answer all pixels alike."""

    def answer(self, samples: Samples, task: DenseTask, advance: Callable[[int], None]) -> Iterator[DenseAnswers]:
        """Answer the tested samples from feature maps, for each share of the labels."""

    def answer_pixels(self, samples: Samples, task: DenseTask, advance: Callable[[int], None]) -> Iterator[DenseAnswers]:
        """Answer them from the reflectance of each pixel alone."""

    def measure(self, answers: DenseAnswers, task: DenseTask) -> Measured:
        """What answers are worth."""


def answer_shares(
    settings: DenseSettings, attempt: Callable[[float, int], tuple[NDArray[np.int64], dict[str, Any]]]
) -> Iterator[DenseAnswers]:
    """Answers for each share of the labels, with each seed.

    Args:
        settings: Shares, repeats and seed.
        attempt: From a share and a seed to matrices of the tested samples, (samples, classes, classes), and details.
    """
    for fraction in settings.fraction:
        tried = [attempt(fraction, seed) for seed in range(settings.seed, settings.seed + settings.repeats)]
        trials = join_trials([trial for _, trial in tried])
        yield DenseAnswers(np.stack([counts for counts, _ in tried]), {"fraction": fraction, "trials": trials})
