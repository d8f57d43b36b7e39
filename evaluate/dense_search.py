"""Teaching heads and choosing one: by learning rate, epoch and threshold, on samples that are neither taught nor tested."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from evaluate.dense_features import measure_maps
from evaluate.dense_heads import Standardise
from evaluate.dense_training import Loss, Regime, Samples, ask, drawn_from, teach


@dataclass(frozen=True, slots=True, eq=False)
class DenseProbe:
    """What parts one dense task from another."""

    make_head: Callable[[Sequence[int]], nn.Module]
    """From the channels of maps to a head, whose weights are drawn from torch's global generator."""
    make_loss: Callable[[NDArray[np.uint8]], Loss]
    """From the labels that teach, (samples, height, width), to the loss."""
    count: Callable[[Tensor, Tensor], NDArray[np.int64]]
    """From logits and truth to confusion matrices under several thresholds, (samples, thresholds, classes, classes)."""
    figure: Callable[[NDArray[np.int64]], float]
    """What is made great, from one matrix; NaN where it says nothing."""
    thresholds: tuple[float, ...] = (0.0,)
    """Names of the second axis of what `count` gives; of one entry where there is nothing to choose."""


@dataclass(frozen=True, slots=True, eq=False)
class TaughtHead:
    """A head with what was chosen."""

    head: nn.Module
    """From maps and the size of a label raster to logits."""
    lr: float
    """Learning rate that it was taught with."""
    epoch: int
    """After how many epochs it was taken."""
    threshold: int
    """Place among the thresholds."""
    worth: float
    """Figure on the samples that it was chosen on."""

    def describe(self) -> dict[str, Any]:
        """What was chosen, and what it is worth on the samples that it was chosen on; JSON's types."""
        return {"lr": self.lr, "epoch": self.epoch, "tuning": self.worth}


class StandardisedHead(nn.Module):
    """A head that sees its maps standardised by those that teach."""

    def __init__(self, standardise: Standardise, head: nn.Module) -> None:
        """Put them together."""
        super().__init__()
        self.standardise = standardise
        self.head = head

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Logits, (batch, values, height, width)."""
        return self.head(self.standardise(maps), size)  # type: ignore[no-any-return]  # as nn.Module has it


def search_head(
    samples: Samples,
    probe: DenseProbe,
    *,
    taught: NDArray[np.int64],
    tuning: NDArray[np.int64],
    regimes: Sequence[Regime],
    seed: int,
    advance: Callable[[int], None] = lambda _: None,
) -> TaughtHead:
    """Teach a head by each regime and choose the regime, the epoch and the threshold that are best on held-out samples.

    Args:
        samples: All of them.
        probe: What is asked of them.
        taught: Places of those that teach, (count,).
        tuning: Places of those that are chosen on, (count,).
        regimes: To try; each starts from the same weights.
        seed: Of the first weights and of the order.
        advance: Told after each epoch that one was done.

    Returns:
        The best, the first of equals.

    Raises:
        InputError: See `teach`.
    """
    standardise = Standardise(*measure_maps(samples.source, taught))
    loss = probe.make_loss(samples.labels[taught])
    chosen: TaughtHead | None = None

    def watch(head: nn.Module, regime: Regime, epoch: int) -> None:
        nonlocal chosen
        worth = _worth(head, samples, probe, tuning, at_once=regime.samples_per_step)
        best = int(np.nanargmax(worth)) if np.isfinite(worth).any() else 0
        if chosen is None or worth[best] > chosen.worth:
            chosen = TaughtHead(deepcopy(head).eval(), regime.lr, epoch, best, float(np.nan_to_num(worth[best])))
        advance(1)

    for regime in regimes:
        head = make_fresh(samples, probe, standardise, seed=seed)
        teach(head, samples, taught, regime=regime, loss=loss, seed=seed, watch=partial(watch, head, regime))
    assert chosen is not None, "there is a regime, and it has an epoch"
    return chosen


def count_answers(
    head: nn.Module, samples: Samples, probe: DenseProbe, places: NDArray[np.int64], *, at_once: int
) -> NDArray[np.int64]:
    """Confusion matrices of what a head answers, (count, thresholds, classes, classes).

    Args:
        head: From maps and the size of a label raster to logits.
        samples: Of which some are asked about.
        probe: What is asked.
        places: Those, (count,).
        at_once: Samples per block; it changes rounding at most.
    """
    return np.concatenate([probe.count(*block) for block in ask(head, samples, places, at_once=at_once)])


def make_fresh(samples: Samples, probe: DenseProbe, standardise: Standardise, *, seed: int) -> nn.Module:
    """A head with first weights of a seed, on the samples' device."""
    with drawn_from(seed, torch.device("cpu")):
        head = probe.make_head(samples.source.pyramid.channels)
    return StandardisedHead(deepcopy(standardise), head).to(samples.device)


def _worth(
    head: nn.Module, samples: Samples, probe: DenseProbe, places: NDArray[np.int64], *, at_once: int
) -> NDArray[np.float64]:
    """The figure at each threshold, (thresholds,), of all the samples together."""
    summed = count_answers(head, samples, probe, places, at_once=at_once).sum(axis=0)
    return np.array([probe.figure(each) for each in summed])
