"""The protocol of change detection: what a decoder can read from how the feature maps of two dates differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn, tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from evaluate.change_seco import SecoChange
from evaluate.change_vectors import VECTORS, answer_by_vectors
from evaluate.dense_bench import CHANGE
from evaluate.dense_confidence import bootstrap_confusion
from evaluate.dense_counts import change_figures, count_thresholds, mean_figures, name_figures
from evaluate.dense_heads import UNetHead
from evaluate.dense_method import DenseAnswers, DenseMethod, Measured, answer_shares
from evaluate.dense_protocol import run_dense
from evaluate.dense_search import DenseProbe, count_answers, search_head
from evaluate.dense_settings import ChangeSettings
from evaluate.dense_shares import describe_parts, share_parts, trial_details
from evaluate.dense_task import UNKNOWN, DensePart, DenseTask, check_change, constant_f1
from evaluate.dense_training import Loss, Regime, Samples
from evaluate.errors import InputError
from evaluate.metrics import CHANGED, change_f1, iou_per_class
from evaluate.result import Result
from evaluate.task import CHANGE_F1
from train.checkpoint import LoadedBackbone
from train.config import InputSpec

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""Probabilities to choose from, from which on a pixel is answered as changed."""
EPOCHS = 30
"""Where left out."""
SAMPLES_PER_STEP = 16
"""Where left out."""


def run_change(
    catalog: str, weights: Sequence[str], settings: ChangeSettings, *, baselines: bool = True, quiet: bool = True
) -> Result:
    """Score weights by the F1 of the pixels that changed between two dates.

    The encoder stays as it is and sees both dates; a U-Net-like decoder learns from ``|first - second|`` at every scale. By
    which protocol is in the settings: `Corrected`, or `SecoChange`, which repeats SeCo's. Beside the weights: change
    vector analysis, and random weights of each architecture.

    Args:
        catalog: Path or address of a catalog of pairs, with label rasters `change`.
        weights: What to score; see `load_backbone`.
        settings: What is asked, and how.
        baselines: Score those too.
        quiet: Show no progress.

    Raises:
        EvaluateError: See `run_dense`, or the protocol cannot be followed.
        CatalogError: See `run_dense`.
        TrainError: Weights cannot be loaded.

    References:
        Mañas et al., Seasonal Contrast, 2021, https://arxiv.org/abs/2103.16607
        Daudt et al., Urban Change Detection for Multispectral Earth Observation (OSCD), 2018, https://arxiv.org/abs/1810.08468
    """
    method: DenseMethod = SecoChange(settings) if settings.protocol == "seco" else Corrected(settings)
    return run_dense(catalog, weights, settings, method, baselines=baselines, quiet=quiet)


@dataclass(frozen=True, slots=True)
class Corrected:
    """SeCo's change detection with its faults put right; what they are is told by `SecoChange`.

    All pixels of the test part are scored at once. The learning rate, the epoch and the threshold are those that are best on
    samples of `val`, or on a fifth of the training locations. In the loss, changed pixels weigh as much in all as the others.
    Any backbone of timm's that gives feature maps will do, fed as its weights expect.
    """

    settings: ChangeSettings
    """As they were chosen."""
    key: str = CHANGE
    """Of the label rasters."""
    stem: bool = True
    """Maps of all sizes."""
    metric: str = CHANGE_F1
    """Of all the test part's pixels."""
    pixels: str = VECTORS
    """Name of the baseline without a network."""

    @property
    def regimes(self) -> list[Regime]:
        """One for each learning rate."""
        chosen = self.settings
        epochs = EPOCHS if chosen.epochs is None else chosen.epochs
        at_once = SAMPLES_PER_STEP if chosen.samples_per_step is None else chosen.samples_per_step
        return [Regime(lr, epochs, at_once, chosen.min_steps) for lr in chosen.lr]

    def describe(self, task: DenseTask) -> dict[str, Any]:
        """Its settings."""
        return {
            "name": "change",
            "variant": self.settings.protocol,
            "head": "U-Net on |first - second|",
            "features": "frozen, standardised by the samples that teach",
            "loss": "binary cross-entropy, changed pixels weighed up",
            "lr": list(self.settings.lr),
            **self.regimes[0].describe(),
            "thresholds": list(THRESHOLDS),
            "fractions": list(self.settings.fraction),
            "repeats": self.settings.repeats,
            **describe_parts(task),
        }

    def check(self, task: DenseTask) -> None:
        """See `check_change`."""
        check_change(task)

    def adapt(self, spec: InputSpec, loaded: LoadedBackbone, task: DenseTask) -> InputSpec:  # noqa: ARG002  as others ask for
        """Weights get what they expect."""
        return spec

    def chance(self, task: DenseTask) -> float:
        """See `constant_f1`."""
        return constant_f1(task)

    def answer(self, samples: Samples, task: DenseTask, advance: Callable[[int], None]) -> Iterator[DenseAnswers]:
        """Answer by a decoder.

        Raises:
            InputError: A share is none or shows no change, or there is nothing to choose on.
        """
        return answer_shares(self.settings, partial(self._try, samples, task, advance=advance))

    def answer_pixels(self, samples: Samples, task: DenseTask, advance: Callable[[int], None]) -> Iterator[DenseAnswers]:
        """See `answer_by_vectors`; a choice takes the place of all epochs."""
        epochs = sum(regime.epochs for regime in self.regimes)
        at_once = self.regimes[0].samples_per_step
        return answer_by_vectors(samples, task, self.settings, at_once=at_once, advance=lambda: advance(epochs))

    def measure(self, answers: DenseAnswers, task: DenseTask) -> Measured:
        """F1 of all pixels, with precision and recall, the IoU of each class, and the share of right pixels."""
        each = [change_figures(one) for one in answers.counts.sum(axis=1)]
        interval = bootstrap_confusion(
            answers.counts, task.test.origins, change_f1, members=answers.members, seed=self.settings.seed
        )
        means, ious = mean_figures(each), np.mean([iou_per_class(one) for one in answers.counts.sum(axis=1)], axis=0)
        details: dict[str, Any] = {name: means[name] for name in ("precision", "recall", "pixel_accuracy")}
        details["iou"] = name_figures(task.classes, ious)
        return Measured(tuple(one["f1"] or 0.0 for one in each), interval, details)

    def _try(
        self, samples: Samples, task: DenseTask, fraction: float, seed: int, *, advance: Callable[[int], None]
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        """Draw a share of the labels, teach, choose and answer."""
        taught, tuning = share_parts(task, fraction, seed=seed)
        _check_tuning(tuning)
        probe = make_probe()
        chosen = search_head(
            samples, probe, taught=samples.places(taught), tuning=samples.places(tuning), regimes=self.regimes, seed=seed,
            advance=advance,
        )  # fmt: skip
        tested = samples.places(task.test)
        counts = count_answers(chosen.head, samples, probe, tested, at_once=self.regimes[0].samples_per_step)
        found = counts[:, chosen.threshold]
        return found, {
            **trial_details(seed, taught, tuning),
            **chosen.describe(),
            "threshold": probe.thresholds[chosen.threshold],
            "f1": change_figures(found.sum(axis=0))["f1"],
        }


def _check_tuning(tuning: DensePart) -> None:
    if not (tuning.labels == CHANGED).any():
        raise InputError(
            f"None of {len(tuning):,} pairs to choose epoch and threshold on shows a pixel that changed. "
            "Give a greater --fraction, another --seed, or a catalog with more locations in train or val."
        )


def make_probe(thresholds: Sequence[float] = THRESHOLDS) -> DenseProbe:
    """Change by a `UNetHead`, binary cross-entropy in which both answers weigh alike, and F1."""
    levels = tensor(thresholds)

    def make_head(channels: Sequence[int]) -> nn.Module:
        return UNetHead(channels)

    def count(logits: Tensor, truth: Tensor) -> NDArray[np.int64]:
        return count_thresholds(truth, logits[:, 0].sigmoid(), levels.to(logits.device))

    return DenseProbe(make_head, weigh_change, count, change_f1, tuple(thresholds))


def weigh_change(labels: NDArray[np.uint8]) -> Loss:
    """Binary cross-entropy in which the pixels that changed weigh as much in all as those that did not.

    Args:
        labels: That teach, (samples, height, width).

    Raises:
        InputError: Not both occur.
    """
    changed, others = int((labels == CHANGED).sum()), int(((labels != CHANGED) & (labels != UNKNOWN)).sum())
    if not changed or not others:
        raise InputError(
            f"The {len(labels):,} training samples that were drawn show {changed:,} changed and {others:,} unchanged pixels: "
            "both are needed to learn from. Give a greater --fraction, or another --seed."
        )
    weight = others / changed

    def loss(logits: Tensor, truth: Tensor) -> Tensor:
        known = truth != UNKNOWN
        return binary_cross_entropy_with_logits(logits[:, 0][known], truth[known].float(), pos_weight=logits.new_tensor(weight))

    return loss
