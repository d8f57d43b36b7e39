"""Shares of the labels, and what is held out of them. Drawn by hash: the same items on any machine, in any order.

An item's or location's turn is the SHA-256 of the seed and its id. A share takes the first ones, so that nothing is drawn
twice, and a smaller share of the same seed lies within a greater one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from evaluate.errors import InputError
from evaluate.task import Part

HELD_OUT = 0.2
"""Share of the locations to choose settings on."""


def draw_fraction(part: Part, fraction: float, *, seed: int) -> Part:
    """Draw a share of the items of each class, without replacement; of all items, where they may have several labels.

    Args:
        part: Labelled items.
        fraction: Share, above 0 and at most 1. Each class, or all items together, gives so many, rounded, and one at least.
        seed: Of the draw.

    Returns:
        The items, in the order of the part.

    Raises:
        InputError: The fraction is no share.
    """
    check_fraction(fraction)
    turn = _turns("item", part.ids, seed=seed)
    if part.labels.ndim == 2:
        return part.take(np.sort(_first(np.arange(len(part)), turn, fraction))) if len(part) else part
    drawn = [_first(np.flatnonzero(part.labels == label), turn, fraction) for label in np.unique(part.labels)]
    return part.take(np.sort(np.concatenate(drawn))) if drawn else part


def check_fraction(fraction: float) -> None:
    """Refuse what is no share of the labels.

    Raises:
        InputError: It is not above 0 and at most 1.
    """
    if not 0 < fraction <= 1:
        raise InputError(f"A fraction of {fraction:g} of the labels; expected more than 0 and at most 1, such as 0.01 or 1.")


def hold_out(part: Part, *, seed: int, fraction: float = HELD_OUT) -> tuple[Part, Part]:
    """Part items by location: what to fit to, and what to choose settings on.

    Args:
        part: Labelled items.
        seed: Of the draw.
        fraction: Share of the locations to hold out, rounded, one at least.

    Raises:
        InputError: There are fewer than two locations.
    """
    locations, number = np.unique(part.locations, return_inverse=True)
    if len(locations) < 2:
        raise InputError(
            f"{len(part)} training items of {len(locations)} location: none can be held out to choose the regularisation on. "
            "Give a greater --fraction, or a catalog with more locations in train or with some in val."
        )
    held = np.isin(number, _first(np.arange(len(locations)), _turns("location", locations, seed=seed), fraction))
    return part.take(np.flatnonzero(~held)), part.take(np.flatnonzero(held))


def hash_items(parts: Iterable[tuple[str, Part]]) -> str:
    """SHA-256 of which items do what, such as `train` or `tuning`; equal in whatever order they are."""
    lines = sorted(f"{role}\t{each}\n" for role, part in parts for each in part.ids.tolist())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _first(places: NDArray[np.int64], turn: NDArray[np.str_], fraction: float) -> NDArray[np.int64]:
    """Those whose turn comes first."""
    count = max(1, round(fraction * len(places)))
    return places[np.argsort(turn[places], kind="stable")[:count]]


def _turns(what: str, ids: NDArray[np.str_], *, seed: int) -> NDArray[np.str_]:
    return np.asarray([hashlib.sha256(f"{what}\t{seed}\t{each}".encode()).hexdigest() for each in ids.tolist()], dtype=np.str_)
