"""The protocol of segmentation: what a head can read from frozen feature maps about every pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from evaluate.dense_confidence import bootstrap_confusion
from evaluate.dense_counts import count_classes_found, name_figures
from evaluate.dense_heads import check_head, make_head
from evaluate.dense_method import DenseAnswers, Measured, answer_shares
from evaluate.dense_protocol import run_dense
from evaluate.dense_search import DenseProbe, count_answers, search_head
from evaluate.dense_settings import SegmentSettings
from evaluate.dense_shares import describe_parts, share_parts, trial_details
from evaluate.dense_task import UNKNOWN, DenseTask, count_classes
from evaluate.dense_training import Regime, Samples
from evaluate.metrics import iou_per_class, mean_iou
from evaluate.result import Result
from evaluate.task import MEAN_IOU
from train.checkpoint import LoadedBackbone
from train.config import InputSpec

LABELS = "labels"
"""Key of the label rasters."""


def run_segment(
    catalog: str, weights: Sequence[str], settings: SegmentSettings, *, baselines: bool = True, quiet: bool = True
) -> Result:
    """Score weights by the mean IoU of a head on their frozen feature maps, over all pixels of the test part.

    The head is taught with AdamW and a cosine for each learning rate; the rate and the epoch are those that are best on
    samples of `val`, or, where the catalog has none beside those tested, on a fifth of the training locations. Pixels of which
    nobody knows neither teach nor are tested. Beside the weights: the same with a linear head on the reflectance of each pixel
    alone, and with random weights of each architecture.

    Args:
        catalog: Path or address of a catalog with label rasters `labels`.
        weights: What to score; see `load_backbone`.
        settings: What is asked, and how.
        baselines: Score those too.
        quiet: Show no progress.

    Raises:
        EvaluateError: See `run_dense`, or there is no such head.
        CatalogError: See `run_dense`.
        TrainError: Weights cannot be loaded.
    """
    check_head(settings.head)
    return run_dense(catalog, weights, settings, Segmentation(settings), baselines=baselines, quiet=quiet)


@dataclass(frozen=True, slots=True)
class Segmentation:
    """Answers are those of heads that were taught on label rasters."""

    settings: SegmentSettings
    """As they were chosen."""
    key: str = LABELS
    """Of the label rasters."""
    stem: bool = False
    """Maps of a quarter of the image's side and less."""
    metric: str = MEAN_IOU
    """Of all the test part's pixels, over the classes that occur or were answered."""
    pixels: str = "pixel values"
    """Name of a linear head on the reflectance of each pixel."""

    @property
    def regimes(self) -> list[Regime]:
        """One for each learning rate."""
        chosen = self.settings
        return [Regime(lr, chosen.epochs, chosen.samples_per_step, chosen.min_steps) for lr in chosen.lr]

    def describe(self, task: DenseTask) -> dict[str, Any]:
        """Its settings."""
        return {
            "name": "segment",
            "head": self.settings.head,
            "features": "frozen, standardised by the samples that teach",
            "lr": list(self.settings.lr),
            **self.regimes[0].describe(),
            "fractions": list(self.settings.fraction),
            "repeats": self.settings.repeats,
            **describe_parts(task),
        }

    def check(self, task: DenseTask) -> None:
        """Any question will do."""

    def adapt(self, spec: InputSpec, loaded: LoadedBackbone, task: DenseTask) -> InputSpec:  # noqa: ARG002  as others ask for
        """Weights get what they expect."""
        return spec

    def chance(self, task: DenseTask) -> float:
        """Mean IoU of whoever knows nothing but how common the test part's classes are; see `guess_iou`."""
        return guess_iou(count_classes(task.test, len(task.classes)))

    def answer(self, samples: Samples, task: DenseTask, advance: Callable[[int], None]) -> Iterator[DenseAnswers]:
        """Answer by the head that was asked for.

        Raises:
            InputError: A share is none, or there is nothing to choose on.
        """
        return self._answers(samples, task, self.settings.head, advance)

    def answer_pixels(self, samples: Samples, task: DenseTask, advance: Callable[[int], None]) -> Iterator[DenseAnswers]:
        """Answer by a linear head; errors as above."""
        return self._answers(samples, task, "linear", advance)

    def measure(self, answers: DenseAnswers, task: DenseTask) -> Measured:
        """Mean IoU, with the IoU of each class and the share of right pixels."""
        summed = answers.counts.sum(axis=1)
        ious = np.mean([iou_per_class(each) for each in summed], axis=0)
        return Measured(
            values=tuple(mean_iou(each) for each in summed),
            interval=bootstrap_confusion(
                answers.counts, task.test.origins, mean_iou, members=answers.members, seed=self.settings.seed
            ),
            details={
                "iou": name_figures(task.classes, ious),
                "pixel_accuracy": float(np.mean([np.trace(each) / each.sum() for each in summed])),
            },
        )

    def _answers(self, samples: Samples, task: DenseTask, head: str, advance: Callable[[int], None]) -> Iterator[DenseAnswers]:
        attempt = partial(self._try, samples, task, make_probe(head, len(task.classes)), advance=advance)
        return answer_shares(self.settings, attempt)

    def _try(  # noqa: PLR0917  three that are bound, two that are tried
        self,
        samples: Samples,
        task: DenseTask,
        probe: DenseProbe,
        fraction: float,
        seed: int,
        *,
        advance: Callable[[int], None],
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        """Draw a share of the labels, teach, choose and answer."""
        taught, tuning = share_parts(task, fraction, seed=seed)
        chosen = search_head(
            samples, probe, taught=samples.places(taught), tuning=samples.places(tuning), regimes=self.regimes, seed=seed,
            advance=advance,
        )  # fmt: skip
        tested = samples.places(task.test)
        counts = count_answers(chosen.head, samples, probe, tested, at_once=self.settings.samples_per_step)[:, 0]
        return counts, {
            **trial_details(seed, taught, tuning),
            **chosen.describe(),
            "mean_iou": mean_iou(counts.sum(axis=0)),
        }


def make_probe(head: str, classes: int) -> DenseProbe:
    """Segmentation into so many classes by a head: cross-entropy and mean IoU over the pixels that are known."""

    def make(channels: Sequence[int]) -> nn.Module:
        return make_head(head, channels, classes)

    def loss(logits: Tensor, truth: Tensor) -> Tensor:
        return cross_entropy(logits, truth, ignore_index=UNKNOWN)

    def count(logits: Tensor, truth: Tensor) -> NDArray[np.int64]:
        return count_classes_found(truth, logits.argmax(dim=1), classes=classes)[:, None]

    return DenseProbe(make, lambda _: loss, count, mean_iou)


def guess_iou(counts: NDArray[np.int64]) -> float:
    """Mean IoU of answering the most common class everywhere, or each class as often as it is, at random: what is greater.

    Args:
        counts: Pixels of each class, (classes,).

    Examples:
        >>> guess_iou(np.array([50, 50])), guess_iou(np.array([90, 10, 0]))
        (0.3333333333333333, 0.45)
    """
    shares = counts[counts > 0] / counts.sum()
    return float(max(shares.max() / len(shares), np.mean(shares / (2 - shares))))
