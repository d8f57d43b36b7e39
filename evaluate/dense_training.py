"""Teaching a head on feature maps: a plain loop, the same numbers for the same seed on one machine's CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.backends import cudnn

from evaluate.dense_features import TURNS, MapSource, turn
from evaluate.dense_task import DensePart
from evaluate.errors import InputError
from train.schedules import cosine

Loss = Callable[[Tensor, Tensor], Tensor]
"""From logits (batch, values, height, width) and the truth (batch, height, width), int64, to a scalar."""
OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}


@dataclass(frozen=True, slots=True)
class Regime:
    """How a head is taught."""

    lr: float
    """Learning rate at first."""
    epochs: int
    """Times that it sees every sample."""
    samples_per_step: int
    """Samples that it learns from at once."""
    min_steps: int = 0
    """Steps that it takes at least: where there are few samples, an epoch has as many passes over them as that needs."""
    optimizer: str = "adamw"
    """`adamw`, or `adam`, whose weight decay is part of the gradient."""
    weight_decay: float = 1e-4
    """On every weight."""
    decay: float | None = None
    """Factor on the learning rate from epoch to epoch; where absent it goes down to 0 by a cosine, step by step."""
    turned: bool = False
    """Whether each sample is laid on itself in a way drawn anew each time."""
    drops_last: bool = False
    """Whether samples that fill no whole step are left out of an epoch."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            InputError: A number is out of range.
        """
        if not self.lr > 0 or self.epochs < 1 or self.samples_per_step < 1 or self.min_steps < 0:
            raise InputError(
                f"Learning rate {self.lr:g}, {self.epochs} epochs, {self.samples_per_step} samples per step and at least "
                f"{self.min_steps} steps; expected a rate above 0, one or more epochs and samples, and no fewer than 0 steps."
            )

    def describe(self) -> dict[str, Any]:
        """What a result says of it, but for the learning rate; JSON's types."""
        return {
            "epochs": self.epochs,
            "min_steps": self.min_steps,
            "samples_per_step": self.samples_per_step,
            "optimizer": self.optimizer,
            "weight_decay": self.weight_decay,
            "schedule": "cosine" if self.decay is None else f"times {self.decay:g} each epoch",
        }

    def passes(self, count: int) -> tuple[int, int]:
        """How many passes over so many samples make an epoch, and how many steps a pass has.

        Examples:
            >>> Regime(0.1, epochs=10, samples_per_step=4, min_steps=100).passes(12)
            (4, 3)
        """
        steps = count // self.samples_per_step if self.drops_last else -(-count // self.samples_per_step)
        return max(1, -(-self.min_steps // max(1, self.epochs * steps))), steps

    def rate(self, step: int, *, per_epoch: int) -> float:
        """Learning rate of a step, from 0."""
        if self.decay is not None:
            return self.lr * self.decay ** (step // per_epoch)
        return cosine(step, steps=self.epochs * per_epoch, start=self.lr, end=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples that can be looked at and asked about."""

    source: MapSource
    """Their feature maps."""
    labels: NDArray[np.uint8]
    """Classes, 255 where nobody knows, (samples, height, width), as many as the source has."""
    device: torch.device
    """Where they are worked on."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a label raster."""
        height, width = self.labels.shape[1:]
        return height, width

    def places(self, part: DensePart) -> NDArray[np.int64]:
        """Where the samples of a part are, (samples,); each labelled item is one sample."""
        labelled = self.source.inputs[:, -1]
        order = np.argsort(labelled)
        found: NDArray[np.int64] = order[np.searchsorted(labelled, part.inputs[:, -1], sorter=order)]
        return found

    def truth(self, places: NDArray[np.int64]) -> Tensor:
        """Labels of some samples, (count, height, width), int64."""
        return torch.from_numpy(self.labels[places]).to(self.device).long()


def teach(
    head: nn.Module,
    samples: Samples,
    places: NDArray[np.int64],
    *,
    regime: Regime,
    loss: Loss,
    seed: int,
    watch: Callable[[int], None] = lambda _: None,
) -> None:
    """Teach a head; the backbone behind the maps stays as it is.

    Args:
        head: From maps and the size of a label raster to logits; on the samples' device. Its weights change.
        samples: Of which some teach.
        places: Those that do, (count,).
        regime: How.
        loss: What is made small.
        seed: Of the order, of turns, and of what the head draws.
        watch: Told after each epoch how many there were.

    Raises:
        InputError: There are no samples, or none for a whole step; the loss is not finite.
    """
    passes, steps = regime.passes(len(places))
    if not steps:
        raise InputError(
            f"{len(places)} training samples do not fill one step of {regime.samples_per_step}, and those that fill none are "
            "left out. Take a larger catalog, or another --protocol."
        )
    optimizer = OPTIMIZERS[regime.optimizer](head.parameters(), lr=regime.lr, weight_decay=regime.weight_decay)
    rng = np.random.default_rng(seed)
    with drawn_from(seed, samples.device):
        for epoch in range(regime.epochs):
            head.train()
            for number, batch in enumerate(_batches(places, regime, rng)):
                turns = rng.integers(TURNS, size=len(batch)) if regime.turned else None
                rate = regime.rate(epoch * passes * steps + number, per_epoch=passes * steps)
                _step(optimizer, loss(*_asked(head, samples, batch, turns)), rate=rate, epoch=epoch)
            watch(epoch + 1)


@torch.no_grad()
def ask(head: nn.Module, samples: Samples, places: NDArray[np.int64], *, at_once: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Logits of some samples and what is true, a block after the other; the head answers as it was taught, without dropout.

    Args:
        head: From maps and the size of a label raster to logits.
        samples: Of which some are asked about.
        places: Those, (count,).
        at_once: Samples per block; it changes rounding at most.

    Yields:
        (block, values, height, width) and (block, height, width).
    """
    was_training = head.training
    head.eval()
    try:
        for start in range(0, len(places), at_once):
            yield _asked(head, samples, places[start : start + at_once], None)
    finally:
        head.train(was_training)


@contextmanager
def drawn_from(seed: int, device: torch.device) -> Iterator[None]:
    """Let torch's global generators draw from a seed, and be as they were afterwards; in full precision meanwhile."""
    exact = cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), exact:
        torch.manual_seed(seed)
        yield


def _batches(places: NDArray[np.int64], regime: Regime, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """The samples of one epoch, step by step, in an order drawn anew for each pass."""
    passes, steps = regime.passes(len(places))
    for _ in range(passes):
        order = rng.permutation(places)
        for step in range(steps):
            yield order[step * regime.samples_per_step : (step + 1) * regime.samples_per_step]


def _asked(
    head: nn.Module, samples: Samples, places: NDArray[np.int64], turns: NDArray[np.int64] | None
) -> tuple[Tensor, Tensor]:
    logits = head(samples.source.read(places, turns), samples.size)
    truth = samples.truth(places)
    if turns is not None:
        truth = torch.stack([turn(each, how) for each, how in zip(truth, turns.tolist(), strict=True)])
    return logits, truth


def _step(optimizer: torch.optim.Optimizer, value: Tensor, *, rate: float, epoch: int) -> None:
    if not value.isfinite():
        raise InputError(
            f"The loss is {value.item()} in epoch {epoch + 1}. The weights may have diverged, or read numbers that they were "
            "not made for: check their bands and scaling, or give a lower --lr."
        )
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    value.backward()  # type: ignore[no-untyped-call]  # torch leaves it without annotations
    optimizer.step()
