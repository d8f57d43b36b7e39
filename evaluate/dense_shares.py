"""Shares of samples by location: what teaches, what is chosen on, and what is kept of it. Drawn by hash, as items are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluate.dense_task import DensePart, DenseTask
from evaluate.errors import InputError
from evaluate.fractions import HELD_OUT
from evaluate.task import TRAIN, TUNING


def share_parts(task: DenseTask, fraction: float, *, seed: int) -> tuple[DensePart, DensePart]:
    """Draw a share of the training locations: what to teach with, and what to choose on.

    What is chosen on is as great a share of the locations of `val`, or, where the catalog has none beside those tested, a
    fifth of the drawn training locations.

    Raises:
        InputError: The fraction is no share, or nothing can be held out.
    """
    drawn = draw_locations(task.train, fraction, seed=seed)
    if task.tuning is not None:
        return drawn, draw_locations(task.tuning, fraction, seed=seed)
    return hold_out_locations(drawn, seed=seed)


def describe_parts(task: DenseTask) -> dict[str, Any]:
    """Where learning rates, epochs and thresholds are chosen; JSON's types."""
    return {"tuned_on": {"split": TRAIN, "locations": HELD_OUT} if task.tuning is None else {"split": TUNING}}


def trial_details(seed: int, taught: DensePart, tuning: DensePart | None) -> dict[str, Any]:
    """What is kept of every teaching: its seed, how many samples did what, and which."""
    parts = [(TRAIN, taught), *([("tuning", tuning)] if tuning is not None else [])]
    return {
        "seed": seed,
        "train_items": len(taught),
        "tuning_items": len(tuning or ()),
        "items_hash": hash_samples(*parts),
    }


def join_trials(trials: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Details of several trials, field by field."""
    return {name: [trial[name] for trial in trials] for name in trials[0]}


def draw_locations(part: DensePart, fraction: float, *, seed: int) -> DensePart:
    """Draw a share of the locations with all their samples; a smaller share of the same seed lies within a greater one.

    Here and below, tiles of one image count as one location; see `DensePart.origins`.

    Args:
        part: Of samples.
        fraction: Share of the locations, above 0 and at most 1, rounded, one at least.
        seed: Of the draw.

    Raises:
        InputError: The fraction is no share.
    """
    if not 0 < fraction <= 1:
        raise InputError(f"A fraction of {fraction:g} of the labels; expected more than 0 and at most 1, such as 0.01 or 1.")
    return part.take(np.flatnonzero(_first_locations(part, fraction, seed=seed)))


def hold_out_locations(part: DensePart, *, seed: int) -> tuple[DensePart, DensePart]:
    """Part samples by location: what to teach with, and a fifth of the locations to choose on.

    Raises:
        InputError: There are fewer than two locations.
    """
    origins = len(np.unique(part.origins))
    if origins < 2:
        raise InputError(
            f"{len(part)} training samples of {origins} location or image: none can be held out to choose on. "
            "Give a greater --fraction, or a catalog with more locations in train or with some in val."
        )
    held = _first_locations(part, HELD_OUT, seed=seed, purpose="held out")
    return part.take(np.flatnonzero(~held)), part.take(np.flatnonzero(held))


def shuffle_labels(part: DensePart, *, seed: int) -> DensePart:
    """The same samples with one another's label rasters."""
    return replace(part, labels=part.labels[np.random.default_rng(seed).permutation(len(part))])


def hash_samples(*parts: tuple[str, DensePart]) -> str:
    """SHA-256 of which samples do what, such as `train` or `tuning`; equal in whatever order they are."""
    lines = sorted(f"{role}\t{each}\n" for role, part in parts for each in part.ids.tolist())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _first_locations(part: DensePart, fraction: float, *, seed: int, purpose: str = "location") -> NDArray[np.bool_]:
    """Whether each sample is of the locations whose SHA-256 of purpose, seed and id comes first."""
    names, number = np.unique(part.origins, return_inverse=True)
    turn = np.argsort([hashlib.sha256(f"{purpose}\t{seed}\t{name}".encode()).hexdigest() for name in names.tolist()])
    return np.isin(number, turn[: max(1, round(fraction * len(names)))])
