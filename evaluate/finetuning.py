"""Fine-tuning: all weights of a backbone are moved, with a new head on its features, to answer the items that teach."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.backends import cudnn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import AdamW

from catalogs.stack import Stack
from evaluate.augmentation import TeachingImages
from evaluate.errors import InputError
from evaluate.features import extract_features
from evaluate.finetune_course import Course, draw_order, plan_course, rate_factor
from evaluate.layer_decay import layer_groups
from evaluate.metrics import accuracy, micro_average_precision
from evaluate.reading import read_blocks
from evaluate.settings import TrainingSettings
from evaluate.task import Part
from train.backbones import feature_size, has_batch_norm, is_convolutional

if TYPE_CHECKING:
    from train.config import InputSpec

MAX_NORM = 1.0
"""Of all gradients together; greater ones are clipped."""
HEAD_STD = 2e-5
"""Standard deviation of the head's first weights: so small that at first all classes are equally likely."""


@dataclass(frozen=True, slots=True, eq=False)
class Tuned:
    """What came of fine-tuning."""

    network: nn.Module
    """(batch, bands, size, size) to a number for each class, (batch, classes); of the epoch that was chosen."""
    epoch: int
    """Which that is, from 1; the last one where none was chosen."""
    steps: int
    """Times that the weights were moved, in all epochs."""
    losses: tuple[float, ...]
    """Mean loss of each epoch's training images."""
    worth: tuple[float, ...]
    """What each epoch's weights are worth on the items that were kept to choose on: accuracy, or micro average precision where
    items have several labels; empty where none were."""


@dataclass(frozen=True, slots=True, eq=False)
class _Teaching:
    """What is moved, by what."""

    network: nn.Sequential
    """Backbone and head."""
    optimizer: AdamW
    """Of their parameters, by layer."""
    fitted: Part
    """Items that teach."""
    course: Course
    """How often, and how many at once."""


class FineTuner:
    """Fine-tunes weights on items of one stack."""

    def __init__(
        self, stack: Stack, spec: InputSpec, settings: TrainingSettings, *, classes: int, device: torch.device, seed: int
    ) -> None:
        """Say what is read and how it is learnt.

        Args:
            stack: Pixels, opened with the bands of `spec`.
            spec: What the weights expect of their input.
            settings: How long and how fast.
            classes: How many there are.
            device: Where it computes.
            seed: Of the head's first weights, of the items' order and of what is drawn for their images.
        """
        self._stack = stack
        self._spec = spec
        self._settings = settings
        self._classes = classes
        self._device = device
        self._seed = seed
        self._images = TeachingImages(stack, spec, seed=seed, augment=not settings.no_augment)

    def tune(
        self, backbone: nn.Module, fitted: Part, tuning: Part | None, *, advance: Callable[[int], None] = lambda _: None
    ) -> Tuned:
        """Fine-tune a copy of a backbone with a linear head.

        AdamW, learning rates by depth (`layer_groups`) that rise in a tenth of the steps and fall by half a cosine, gradients
        clipped; cross entropy, or binary cross entropy where items have several labels. Batch normalisation takes the
        statistics of the batch, unless it is frozen: then those that came with the weights, as in SeCo's released code, which
        moves their scale and shift all the same.

        Two runs give the same weights: bit for bit on a CPU with as many threads.

        Args:
            backbone: One of timm's, (batch, bands, size, size) to (batch, features); it stays as it is.
            fitted: Items that teach.
            tuning: Items that the epoch is chosen on, the later one of equals; none for the last epoch.
            advance: Told how many items have just taught.

        Raises:
            InputError: The loss is no number, the device's memory does not suffice, or one item has to teach batch
                normalisation.
        """
        with _reproducible(self._device, self._seed), _memory_words(self._settings):
            return self._run(self._start(backbone, fitted), tuning, advance)

    def plan(self, backbone: nn.Module, fitted: Part) -> Course:
        """How often a backbone will be moved by some items, and by how many of them at once; see `plan_course`."""
        batched = has_batch_norm(backbone) and not self._settings.freeze_batch_norm
        return plan_course(len(fitted), self._settings, batched=batched)

    def predict(self, network: nn.Module, part: Part) -> Tensor:
        """A number for each class of each item, (items, classes), float32, on the device; computed as features are.

        Raises:
            InputError: Some are not finite.
        """
        settings = self._settings
        answers = extract_features(
            self._stack, network, self._spec, part.items,
            batch_size=settings.batch_size, workers=settings.workers, device=self._device,
        )  # fmt: skip
        if not bool(answers.isfinite().all()):
            raise InputError(f"Answers are not finite: fine-tuning has diverged. Pass a smaller --lr than {settings.lr:g}.")
        return answers

    def _start(self, backbone: nn.Module, fitted: Part) -> _Teaching:
        settings = self._settings
        network = make_network(backbone, classes=self._classes).to(self._device)
        groups = layer_groups(*network, lr=settings.lr, layer_decay=settings.layer_decay, weight_decay=settings.weight_decay)
        return _Teaching(network, AdamW(groups, fused=True), fitted, self.plan(backbone, fitted))

    def _run(self, teaching: _Teaching, tuning: Part | None, advance: Callable[[int], None]) -> Tuned:
        """All epochs; the best one's weights, or the last one's."""
        network, course = teaching.network, teaching.course
        losses: list[float] = []
        worth: list[float] = []
        best = course.epochs, network.state_dict()
        for epoch in range(course.epochs):
            losses.append(self._teach(teaching, epoch, advance))
            if tuning is not None:
                worth.append(self._measure(network, tuning))
                if worth[-1] >= max(worth):
                    best = epoch + 1, deepcopy(network.state_dict())
        network.load_state_dict(best[1])
        return Tuned(network.eval(), best[0], course.steps, tuple(losses), tuple(worth))

    def _teach(self, teaching: _Teaching, epoch: int, advance: Callable[[int], None]) -> float:
        """One epoch; the mean loss."""
        fitted, course = teaching.fitted, teaching.course
        set_modes(teaching.network, freeze_batch_norm=self._settings.freeze_batch_norm)
        labels = torch.from_numpy(fitted.labels).to(self._device)
        order = draw_order(fitted, seed=self._seed, epoch=epoch)
        total = torch.zeros((), device=self._device)
        blocks = read_blocks(self._stack, fitted.items[order], batch_size=course.size, workers=self._settings.workers)
        for block, (numbers, pixels) in enumerate(blocks):
            set_rates(teaching.optimizer, self._settings.lr * rate_factor(epoch * course.blocks + block, steps=course.steps))
            images = self._images.make(numbers, [part.to(self._device) for part in pixels], epoch=epoch)
            places = torch.from_numpy(order[block * course.size :][: len(numbers)]).to(self._device)
            total += len(numbers) * self._step(teaching, images, labels[places])
            advance(len(numbers))
        return self._check(float(total) / len(fitted), epoch)

    def _step(self, teaching: _Teaching, images: Tensor, labels: Tensor) -> Tensor:
        """Move the weights once; the loss."""
        network, optimizer = teaching.network, teaching.optimizer
        mixed = is_mixed(self._settings.precision, self._device)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=mixed):
            answers = network(images)
        loss = compute_loss(answers.float(), labels, smoothing=self._settings.label_smoothing)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), MAX_NORM)
        optimizer.step()
        return loss.detach()

    def _measure(self, network: nn.Module, tuning: Part) -> float:
        """What a network is worth on the items that the epoch is chosen on."""
        found = self.predict(network, tuning).cpu().numpy()
        if tuning.labels.ndim == 2:
            return micro_average_precision(tuning.labels, found)
        return accuracy(tuning.labels, found.argmax(axis=1))

    def _check(self, loss: float, epoch: int) -> float:
        if not math.isfinite(loss):
            single = ", or --precision 32-true" if is_mixed(self._settings.precision, self._device) else ""
            raise InputError(
                f"The loss of epoch {epoch + 1} is {loss}: fine-tuning has diverged. "
                f"Pass a smaller --lr than {self._settings.lr:g}{single}."
            )
        return loss


def make_network(backbone: nn.Module, *, classes: int) -> nn.Sequential:
    """A copy of a backbone with a linear head on its features.

    The head's weights are normal with a standard deviation of 2e-5, cut at two of them, and its biases 0, as in MAE's
    released code; drawn from torch's global generator.
    """
    head = nn.Linear(feature_size(backbone), classes)
    nn.init.trunc_normal_(head.weight, std=HEAD_STD, a=-2 * HEAD_STD, b=2 * HEAD_STD)
    nn.init.zeros_(head.bias)
    network = nn.Sequential(deepcopy(backbone), head)
    return network.to(memory_format=torch.channels_last) if is_convolutional(backbone) else network


def set_modes(network: nn.Module, *, freeze_batch_norm: bool) -> None:
    """Put a network into training mode, its batch normalisation perhaps not."""
    network.train()
    for layer in network.modules():
        if freeze_batch_norm and isinstance(layer, _BatchNorm):
            layer.eval()


def compute_loss(answers: Tensor, labels: Tensor, *, smoothing: float) -> Tensor:
    """Cross entropy of classes, or binary cross entropy of labels that are there or not.

    Args:
        answers: (items, classes), float32.
        labels: (items,) int64, or (items, classes) bool.
        smoothing: Share of the truth that is spread evenly: over all classes, or over there and not there.

    Returns:
        The mean over items (and classes), a scalar in nats.
    """
    if labels.dtype != torch.bool:
        return cross_entropy(answers, labels, label_smoothing=smoothing)
    return binary_cross_entropy_with_logits(answers, labels * (1 - smoothing) + smoothing / 2)


def set_rates(optimizer: AdamW, lr: float) -> None:
    """Set the learning rate of the head, and those of the layers below by their share of it."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_scale"]


def is_mixed(precision: str, device: torch.device) -> bool:
    """Whether layers compute in bfloat16, where that suffices."""
    return precision == "bf16-mixed" or (precision == "auto" and device.type == "cuda")


@contextmanager
def _reproducible(device: torch.device, seed: int) -> Iterator[None]:
    """Draws from the seed, and algorithms that give the same bits again; the global generators stay as they are."""
    with (
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
    ):
        torch.manual_seed(seed)
        yield


@contextmanager
def _memory_words(settings: TrainingSettings) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise InputError(
            f"The device cannot hold {settings.batch_size} images at a time while it fine-tunes. Pass a smaller --batch-size."
        ) from error
