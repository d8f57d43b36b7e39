"""The question that a labelled catalog asks: which items teach, which are tested, and what the answers are. Pure functions."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from evaluate.errors import LabelError, SplitError

TRAIN = "train"
TUNING = "val"
TEST = ("test", TUNING)
"""Splits that are tested, the first that has labelled items."""


@dataclass(frozen=True, slots=True)
class Part:
    """Labelled items that teach, or that are tested."""

    split: str
    """Split of their locations."""
    items: NDArray[np.int64]
    """Their rows in the table, ascending, (items,)."""
    labels: NDArray[np.int64]
    """Places of their labels in the task's classes, (items,)."""
    locations: NDArray[np.str_]
    """Ids of their locations, (items,)."""
    ids: NDArray[np.str_]
    """Their own ids, (items,)."""

    def __len__(self) -> int:
        """Number of items."""
        return len(self.items)

    def some(self, count: int, *, seed: int) -> Part:
        """At most so many of the items, drawn without replacement."""
        if count >= len(self):
            return self
        return self.take(np.sort(np.random.default_rng(seed).permutation(len(self))[:count]))

    def take(self, places: NDArray[np.int64]) -> Part:
        """The items at such places of this part, (places,)."""
        return Part(self.split, self.items[places], self.labels[places], self.locations[places], self.ids[places])


@dataclass(frozen=True, slots=True)
class Task:
    """Items of one catalog with one label each, parted by location."""

    classes: tuple[str, ...]
    """Labels, sorted."""
    train: Part
    """What teaches."""
    test: Part
    """What is tested; its locations are not among those that teach."""
    unused: int
    """Items that were left out: without a label, of another split, or of a class that was not asked for."""
    split_hash: str
    """SHA-256 of which item teaches or is tested, and of its label: equal for equal questions, in whatever order."""
    tuning: Part | None = None
    """What settings may be chosen on, of split `val`; none where it was not asked for, or where `val` is what is tested."""

    @property
    def chance(self) -> float:
        """Accuracy of whoever always answers the most common class of the test part."""
        return float(np.bincount(self.test.labels).max() / len(self.test))


def make_task(table: pa.Table, *, classes: Sequence[str] | None = None, tuning: bool = False) -> Task:
    """Part the labelled items of one sensor by the splits of their locations.

    Each item is a sample of its own, also where a location has several dates. Those of split `train` teach; those of `test` are
    tested, or those of `val` where no item of `test` has a label.

    Args:
        table: `Items.table`, of one sensor.
        classes: Labels that count; all where absent. Items of others are left out.
        tuning: Keep the items of `val` to choose settings on, where there are some that are not tested.

    Raises:
        LabelError: No item has a label, one has several, a class asked for is unknown, there are fewer than two, or a test
            item's class has no training item.
        SplitError: No labelled item teaches, none is tested, or a location is in both parts.
    """
    labels = _single_labels(table)
    named = _choose(labels, classes)
    splits = np.asarray(table["split"].to_pylist(), dtype=object)
    wanted = np.isin(labels, np.asarray(named, dtype=object))
    tested = _tested_split(splits[wanted])
    train, test = (_part(table, labels, named, rows=wanted & (splits == split), split=split) for split in (TRAIN, tested))
    _check_disjoint(train, test)
    _check_taught(named, train, test)
    spare = _part(table, labels, named, rows=wanted & (splits == TUNING), split=TUNING) if tuning and tested != TUNING else None
    unused = len(table) - len(train) - len(test) - len(spare or ())
    return Task(named, train, test, unused, _hash(table, labels, (train, test)), spare or None)


def taught_classes(table: pa.Table) -> tuple[str, ...]:
    """Labels that some training item has, sorted.

    Args:
        table: `Items.table`, of one sensor.

    Raises:
        LabelError: No item has a label, or one has several.
    """
    labels, splits = _single_labels(table), table["split"].to_pylist()
    return tuple(sorted({label for label, split in zip(labels, splits, strict=True) if label and split == TRAIN}))


def _single_labels(table: pa.Table) -> NDArray[np.object_]:
    """The label of each item, none where it has none."""
    lists = table["labels"].to_pylist()
    several = [row for row, each in enumerate(lists) if each and len(each) > 1]
    if several:
        first = several[0]
        raise LabelError(
            f"{len(several):,} of {len(lists):,} items have several labels (first: {table['id'][first].as_py()}, "
            f"{', '.join(lists[first])}). Accuracy is of one label per item; multi-label catalogs cannot be scored yet."
        )
    if not any(lists):
        raise LabelError(
            f"None of {len(lists):,} items has a label, so there is nothing to be right about. "
            "Take a labelled catalog, such as one that curate convert or curate build --source simulated made."
        )
    return np.asarray([each[0] if each else None for each in lists], dtype=object)


def _choose(labels: NDArray[np.object_], classes: Sequence[str] | None) -> tuple[str, ...]:
    present = sorted({label for label in labels if label is not None})
    for name in classes or ():
        if name not in present:
            guess = get_close_matches(name, present, 1, 0.5)
            meant = f" Did you mean {guess[0]!r}?" if guess else ""
            raise LabelError(f"No item has label {name!r}. Choose from: {', '.join(present)}.{meant}")
    chosen = tuple(sorted(set(classes))) if classes else tuple(present)
    if len(chosen) < 2:
        raise LabelError(f"There is one class, {chosen[0]!r}: every answer is right. Expected two or more.")
    return chosen


def _tested_split(splits: NDArray[np.object_]) -> str:
    counts = Counter(split or "none" for split in splits)
    tested = next((split for split in TEST if counts[split]), None)
    if not counts[TRAIN] or tested is None:
        has = ", ".join(f"{count:,} in {split}" for split, count in sorted(counts.items()))
        raise SplitError(
            f"The labelled items cannot be parted: {has}. Expected some in train, and some in test or val. "
            "Sample the catalog's locations with --splits, such as 0.6,0.1,0.3."
        )
    return tested


def _part(
    table: pa.Table, labels: NDArray[np.object_], classes: tuple[str, ...], *, rows: NDArray[np.bool_], split: str
) -> Part:
    items = np.flatnonzero(rows)
    numbers = {name: number for number, name in enumerate(classes)}
    locations, ids = (np.asarray(table[name].take(pa.array(items)).to_pylist(), dtype=np.str_) for name in ("location", "id"))
    return Part(split, items, np.asarray([numbers[label] for label in labels[items]], np.int64), locations, ids)


def _check_disjoint(train: Part, test: Part) -> None:
    both = np.intersect1d(train.locations, test.locations)
    if len(both):
        raise SplitError(
            f"{len(both):,} locations have items in {train.split} and in {test.split} (first: {both[0]}), so that a test would "
            "ask for what was shown. Each location belongs to one split; curate verify says more."
        )


def _check_taught(classes: tuple[str, ...], train: Part, test: Part) -> None:
    taught = set(train.labels.tolist())
    missing = Counter(label for label in test.labels.tolist() if label not in taught)
    if missing:
        names = ", ".join(f"{classes[label]} ({count:,})" for label, count in sorted(missing.items()))
        known = ",".join(classes[label] for label in sorted(taught))
        raise LabelError(
            f"Test items are of classes that no training item shows: {names}. Nothing can answer them. "
            f"Take a larger catalog, or score the others alone: --classes {known}"
        )


def _hash(table: pa.Table, labels: NDArray[np.object_], parts: Sequence[Part]) -> str:
    ids = table["id"]
    role = (TRAIN, "test")
    lines = [
        f"{name}\t{ids[row].as_py()}\t{labels[row]}\n" for name, part in zip(role, parts, strict=True) for row in part.items
    ]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()
