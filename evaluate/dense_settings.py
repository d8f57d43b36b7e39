"""What a user may choose about segmentation and change detection; every choice that changes a score is in the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evaluate.settings import Settings


@dataclass(frozen=True, slots=True)
class DenseSettings(Settings):
    """The same, and how much teaches."""

    fraction: tuple[float, ...] = (1.0,)
    """Shares of the training locations to teach with, above 0 and at most 1, such as `0.01,0.1,1`; each is drawn without
    replacement, and gets a score of its own."""
    repeats: int = 1
    """How many times a head is taught with each share, with seeds `seed`, `seed + 1`, ... of the draw, the first weights and
    the order; a score is the mean."""
    keep_gb: float = 4.0
    """Most memory for feature maps that are computed once, 10^9 bytes; where they need more they are computed in every epoch
    anew. It changes no score."""


@dataclass(frozen=True, slots=True)
class SegmentSettings(DenseSettings):
    """The same, and which head, and how it is taught."""

    head: str = "linear"
    """`linear`, a 1 x 1 convolution, or `upernet`, pyramid pooling and a feature pyramid of 64 channels."""
    lr: tuple[float, ...] = (0.001, 0.01)
    """Learning rates; each is tried, and the best on held-out locations counts."""
    epochs: int = 30
    """Times that a head sees every sample; the best one on held-out locations counts."""
    min_steps: int = 200
    """Steps that a head takes at least: where few samples teach, an epoch has several passes over them."""
    samples_per_step: int = 16
    """Samples that a head learns from at once. Unlike `--batch-size`, it changes scores."""


@dataclass(frozen=True, slots=True)
class ChangeSettings(DenseSettings):
    """The same, and by which protocol."""

    protocol: Literal["corrected", "seco"] = "corrected"
    """`corrected` scores all pixels of the test part at once, with epoch and threshold chosen on training locations; `seco`
    does as SeCo's released code does."""
    lr: tuple[float, ...] = (0.001,)
    """Learning rates; each is tried, and the best on held-out locations counts. `--protocol seco` takes one."""
    epochs: int | None = None
    """Times that a decoder sees every pair: 30, of which the best one on held-out locations counts, or 100 of `--protocol
    seco`, of which the last one counts, where left out."""
    min_steps: int = 200
    """Steps that a decoder takes at least: where few pairs teach, an epoch has several passes over them. Not of `--protocol
    seco`."""
    samples_per_step: int | None = None
    """Pairs that a decoder learns from at once, 16, or 32 of `--protocol seco`, where left out. Unlike `--batch-size`, it
    changes scores."""
