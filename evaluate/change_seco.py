"""Change detection as SeCo's released code does it, faults and all, for scores to be held against published ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from evaluate.change_vectors import VECTORS, answer_by_vectors
from evaluate.dense_bench import CHANGE
from evaluate.dense_confidence import bootstrap_confusion
from evaluate.dense_counts import batch_figures, change_figures, count_thresholds, mean_figures
from evaluate.dense_heads import UNetHead
from evaluate.dense_method import DenseAnswers, Measured, answer_shares
from evaluate.dense_search import DenseProbe, count_answers
from evaluate.dense_settings import ChangeSettings
from evaluate.dense_shares import draw_locations, trial_details
from evaluate.dense_task import UNKNOWN, DenseTask, check_change, constant_f1
from evaluate.dense_training import Regime, Samples, drawn_from, teach
from evaluate.errors import InputError
from evaluate.metrics import change_f1
from evaluate.task import CHANGE_F1
from train.backbones import is_convolutional
from train.checkpoint import LoadedBackbone
from train.config import InputSpec

EPOCHS = 100
BATCH = 32
SIDE_PX = 96
"""Side of a patch."""
DECAY = 0.95
"""Factor on the learning rate from epoch to epoch."""
WEIGHT_DECAY = 1e-4
THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class SecoChange:
    """Change detection of SeCo: patches of 96 px, Adam at 0.001, a factor of 0.95 each epoch, 100 epochs, batches of 32.

    What the released code does, and this repeats: the figures are means over batches of figures of a batch, which are shuffled
    and of which the last, if not full, is left out, so that a few pairs are never scored and the value hangs on the
    shuffling; nothing is held out, as what is called validation is the test list of OSCD, and the last of 100 epochs counts;
    all pixels weigh alike, though few changed; a pixel changed from a probability of 0.5. Patches are turned and mirrored as
    they teach.

    Where it differs: the encoder stays in evaluation mode, while the released code keeps its weights out of the optimizer but
    leaves its batch normalisation in training mode, so that its statistics drift to those of the training patches; the
    finest map is taken behind batch normalisation and ReLU rather than before; pixels are scaled as the weights expect rather
    than by fixed quantiles to 8 bits; what lies beyond a border is not there rather than black and unchanged. Any
    convolutional backbone will do rather than ResNet-18 alone.

    A mean over shuffled batches has neither an interval nor a difference to another; `whole_set` in the details has all pixels'
    figures, with an interval.

    References:
        `main_oscd.py`, `models/segmentation.py` and `datasets/oscd_datamodule.py` of
        https://github.com/ServiceNow/seasonal-contrast
    """

    settings: ChangeSettings
    """As they were chosen."""
    key: str = CHANGE
    """Of the label rasters."""
    stem: bool = True
    """Maps of all sizes."""
    metric: str = f"{CHANGE_F1}, mean over batches"
    """Not to be compared with the F1 of all pixels."""
    pixels: str = VECTORS
    """Name of the baseline without a network."""

    @property
    def regimes(self) -> list[Regime]:
        """The one there is, of the first learning rate; `check` refuses several."""
        chosen = self.settings
        epochs = EPOCHS if chosen.epochs is None else chosen.epochs
        return [
            Regime(
                chosen.lr[0], epochs, self._batch, optimizer="adam", weight_decay=WEIGHT_DECAY, decay=DECAY,
                turned=True, drops_last=True,
            )
        ]  # fmt: skip

    @property
    def _batch(self) -> int:
        return BATCH if self.settings.samples_per_step is None else self.settings.samples_per_step

    def describe(self, task: DenseTask) -> dict[str, Any]:  # noqa: ARG002  as others ask for
        """Its settings."""
        return {
            "name": "change",
            "variant": self.settings.protocol,
            "head": "U-Net on |first - second|",
            "features": "frozen",
            "loss": "binary cross-entropy",
            "lr": list(self.settings.lr),
            **self.regimes[0].describe(),
            "augmentation": "turned and mirrored",
            "thresholds": [THRESHOLD],
            "figures": "mean over shuffled batches, the last left out if not full",
            "fractions": list(self.settings.fraction),
            "repeats": self.settings.repeats,
        }

    def check(self, task: DenseTask) -> None:
        """Refuse what SeCo's protocol cannot ask.

        Raises:
            LabelError: See `check_change`.
            InputError: There are several learning rates, and nothing to choose one on; patches are of another size, or fill no
                batch.
        """
        if len(self.settings.lr) > 1:
            raise InputError(
                f"--protocol seco holds nothing out to choose one of {len(self.settings.lr)} learning rates on. Give one --lr."
            )
        check_change(task)
        if task.size != (SIDE_PX, SIDE_PX):
            raise InputError(
                f"SeCo's protocol has patches of {SIDE_PX} px, and these label rasters have {task.size[1]} x {task.size[0]}. "
                f"Convert the data set with patches of {SIDE_PX} px, or take --protocol corrected."
            )
        if len(task.test) < self._batch:
            raise InputError(
                f"{len(task.test)} tested pairs fill no batch of {self._batch}, and SeCo's protocol leaves out one that is "
                "not full. Take a larger catalog, --protocol corrected, or fewer --samples-per-step."
            )

    def adapt(self, spec: InputSpec, loaded: LoadedBackbone, task: DenseTask) -> InputSpec:  # noqa: ARG002  as others ask for
        """Patches stay as large as they are.

        Raises:
            InputError: The backbone cannot take them.
        """
        if not is_convolutional(loaded.module):
            raise InputError(
                f"SeCo's protocol feeds patches of {SIDE_PX} px to a convolutional backbone, and {loaded.name} is a "
                f"{loaded.timm_name}. Take --protocol corrected."
            )
        return replace(spec, size_px=SIDE_PX)

    def chance(self, task: DenseTask) -> float:
        """See `constant_f1`."""
        return constant_f1(task)

    def answer(self, samples: Samples, task: DenseTask, advance: Callable[[int], None]) -> Iterator[DenseAnswers]:
        """Answer by the decoder of the last epoch.

        Raises:
            InputError: A share is none, or fills no batch.
        """
        return answer_shares(self.settings, partial(self._try, samples, task, advance=advance))

    def answer_pixels(self, samples: Samples, task: DenseTask, advance: Callable[[int], None]) -> Iterator[DenseAnswers]:
        """See `answer_by_vectors`; a choice takes the place of all epochs."""
        epochs = sum(regime.epochs for regime in self.regimes)
        at_once = self.regimes[0].samples_per_step
        return answer_by_vectors(samples, task, self.settings, at_once=at_once, advance=lambda: advance(epochs))

    def measure(self, answers: DenseAnswers, task: DenseTask) -> Measured:
        """Means over batches, and beside them the figures of all pixels."""
        repeats = len(answers.counts) // answers.members  # each of several seeds of a training is asked as it is alone
        seeds = [self.settings.seed + number % repeats for number in range(len(answers.counts))]
        each = [batch_figures(one, batch=self._batch, seed=seed) for one, seed in zip(answers.counts, seeds, strict=True)]
        figures = mean_figures(each)
        interval = bootstrap_confusion(
            answers.counts, task.test.origins, change_f1, members=answers.members, seed=self.settings.seed
        )
        whole = {**mean_figures([change_figures(one) for one in answers.counts.sum(axis=1)]), "interval": interval}
        details = {"precision": figures["precision"], "recall": figures["recall"], "whole_set": whole}
        return Measured(tuple(one["f1"] for one in each), None, details)

    def _try(
        self, samples: Samples, task: DenseTask, fraction: float, seed: int, *, advance: Callable[[int], None]
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        taught = draw_locations(task.train, fraction, seed=seed)
        with drawn_from(seed, torch.device("cpu")):
            head = UNetHead(samples.source.pyramid.channels).to(samples.device)
        places, (regime,) = samples.places(taught), self.regimes
        teach(head, samples, places, regime=regime, loss=plain_loss, seed=seed, watch=lambda _: advance(1))
        counts = count_answers(head, samples, _PROBE, samples.places(task.test), at_once=self._batch)[:, 0]
        return counts, {**trial_details(seed, taught, None), "f1": change_figures(counts.sum(axis=0))["f1"]}


def plain_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy in which all known pixels weigh alike.

    Args:
        logits: (batch, 1, height, width).
        truth: (batch, height, width), int64, 255 where nobody knows.
    """
    known = truth != UNKNOWN
    return binary_cross_entropy_with_logits(logits[:, 0][known], truth[known].float())


def _count(logits: Tensor, truth: Tensor) -> NDArray[np.int64]:
    return count_thresholds(truth, logits[:, 0].sigmoid(), logits.new_tensor([THRESHOLD]))


def _head(channels: Sequence[int]) -> nn.Module:
    return UNetHead(channels)


_PROBE = DenseProbe(_head, lambda _: plain_loss, _count, change_f1, (THRESHOLD,))
