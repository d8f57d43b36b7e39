"""What is known without training: a score means little unless it is above these.

Random weights of a backbone are the fifth of them; those are weights by name, `random:resnet18`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from catalogs.stack import Stack
from evaluate.band_values import band_histograms, band_statistics
from evaluate.errors import InputError
from evaluate.random_convolutions import random_convolutions
from evaluate.raw_pixels import raw_pixels

__all__ = ["BASELINES", "Baseline", "Compute", "band_statistics", "choose_baselines"]


class Compute(Protocol):
    """How a baseline makes features."""

    def __call__(
        self,
        stack: Stack,
        items: NDArray[np.int64],
        *,
        train: NDArray[np.int64],
        seed: int,
        workers: int,
        advance: Callable[[int], None],
    ) -> NDArray[np.float64]:
        """Features of some items.

        Args:
            stack: Pixels.
            items: Numbers of the items, (count,).
            train: Numbers of the items that teach: all that ranges, scaling and filters may be taken from, (items,).
            seed: Of what is drawn.
            workers: Processes that read; 0 reads in this one.
            advance: Told how many items have just been done.

        Returns:
            (count, features), not standardised; NaN where there is no value.
        """


@dataclass(frozen=True, slots=True)
class Baseline:
    """Features that need no training."""

    title: str
    """What people are shown, such as `band statistics`."""
    compute: Compute
    """Makes its features."""


def _statistics(
    stack: Stack,
    items: NDArray[np.int64],
    *,
    train: NDArray[np.int64],
    seed: int,
    workers: int,
    advance: Callable[[int], None],
) -> NDArray[np.float64]:
    """Band statistics, which need neither training items nor a seed."""
    del train, seed
    return band_statistics(stack, items, workers=workers, advance=advance)


BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {
        "band-statistics": Baseline("band statistics", _statistics),
        "band-histograms": Baseline("band histograms", band_histograms),
        "raw-pixels": Baseline("raw pixels", raw_pixels),
        "random-convolutions": Baseline("random convolutions", random_convolutions),
    }
)
"""By the names that users type."""


def choose_baselines(names: Sequence[str] | None) -> tuple[str, ...]:
    """The baselines asked for, each once, in the order of `BASELINES`; all where none are named.

    Raises:
        InputError: There is no baseline of that name.
    """
    for name in names or ():
        if name not in BASELINES:
            guess = get_close_matches(name.lower().replace(" ", "-"), BASELINES, 1, 0.5)
            meant = f" Did you mean {guess[0]!r}?" if guess else ""
            raise InputError(f"There is no baseline {name!r}. Choose from {', '.join(BASELINES)}.{meant}")
    return tuple(each for each in BASELINES if not names or each in names)
