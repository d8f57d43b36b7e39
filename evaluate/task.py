"""The question that a labelled catalog asks: which items teach, which are tested, and what the answers are. Pure functions."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from shlex import quote
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from evaluate.errors import LabelError, SplitError
from evaluate.metrics import micro_average_precision

TRAIN = "train"
TUNING = "val"
TEST = ("test", TUNING)
"""Splits that are tested, the first that has labelled items."""
ACCURACY = "accuracy"
MICRO_PRECISION = "micro average precision"
MEAN_IOU = "mean IoU"
CHANGE_F1 = "F1 of changed"


@dataclass(frozen=True, slots=True)
class Part:
    """Labelled items that teach, or that are tested."""

    split: str
    """Split of their locations."""
    items: NDArray[np.int64]
    """Their rows in the table, in the order of their ids whatever that of the table, (items,)."""
    labels: NDArray[Any]
    """Places of their labels in the task's classes, (items,), int64; or whether each has a label, (items, classes), bool."""
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
    """Labelled items of one catalog, parted by location."""

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
    def is_multilabel(self) -> bool:
        """Whether each label is a question of its own, as an item may have several."""
        return bool(self.test.labels.ndim == 2)

    @property
    def metric(self) -> str:
        """What answers are measured by."""
        return MICRO_PRECISION if self.is_multilabel else ACCURACY

    @property
    def chance(self) -> float:
        """What it is worth to know how common the test part's labels are, and nothing of any item.

        The accuracy of always answering the most common class; or the micro average precision of ranking labels by how common
        they are, the same for every item.
        """
        labels = self.test.labels
        if self.is_multilabel:
            return micro_average_precision(labels, np.broadcast_to(labels.mean(axis=0), labels.shape))
        return float(np.bincount(labels).max() / len(labels))


def make_task(table: pa.Table, *, classes: Sequence[str] | None = None, tuning: bool = False, multilabel: bool = False) -> Task:
    """Part the labelled items of one sensor by the splits of their locations.

    Each item is a sample of its own, also where a location has several dates. Those of split `train` teach; those of `test` are
    tested, or those of `val` where no item of `test` has a label. Where any item has several labels, each label is a question.

    Args:
        table: `Items.table`, of one sensor.
        classes: Labels that count; all where absent. Items that have none of them are left out.
        tuning: Keep the items of `val` to choose settings on, where there are some that are not tested.
        multilabel: Ask about each label by itself, also where no item has several.

    Raises:
        LabelError: No item has a label, a class asked for is unknown, there are fewer than two, or a test item's class has no
            training item.
        SplitError: No labelled item teaches, none is tested, or a location is in both parts.
    """
    lists = _labels(table)
    named = _choose(lists, classes)
    known = _table_of_labels(lists, named)
    splits = np.asarray(table["split"].to_pylist(), dtype=object)
    wanted = np.asarray(known.any(axis=1))
    tested = _tested_split(splits, wanted)
    labels = known if multilabel or (known.sum(axis=1) > 1).any() else known.argmax(axis=1)
    train, test = (_part(table, labels, rows=wanted & (splits == split), split=split) for split in (TRAIN, tested))
    _check_disjoint(train, test)
    _check_taught(named, train, test)
    spare = _part(table, labels, rows=wanted & (splits == TUNING), split=TUNING) if tuning and tested != TUNING else None
    if spare is not None:
        _check_disjoint(train, spare)
        _check_disjoint(spare, test)
    unused = len(table) - len(train) - len(test) - len(spare or ())
    return Task(named, train, test, unused, _hash(named, (train, test)), spare or None)


def shuffle_labels(task: Task, *, seed: int) -> Task:
    """The control: the labels of what teaches, and of what settings are chosen on, are dealt out anew within each part."""
    rng = np.random.default_rng(seed)

    def dealt(part: Part) -> Part:
        return replace(part, labels=part.labels[rng.permutation(len(part))])

    return replace(task, train=dealt(task.train), tuning=task.tuning and dealt(task.tuning))


def taught_classes(table: pa.Table) -> tuple[str, ...]:
    """Labels that some training item has, sorted.

    Args:
        table: `Items.table`, of one sensor.

    Raises:
        LabelError: No item has a label.
    """
    taught = zip(_labels(table), table["split"].to_pylist(), strict=True)
    return tuple(sorted({label for labels, split in taught for label in labels if split == TRAIN}))


def _labels(table: pa.Table) -> list[tuple[str, ...]]:
    """The labels of each item."""
    lists = [tuple(each or ()) for each in table["labels"].to_pylist()]
    if not any(lists):
        raise LabelError(
            f"None of {len(lists):,} items has a label, so there is nothing to be right about. "
            "Take a labelled catalog, such as one that curate convert or curate build --source simulated made; "
            "labels of pixels are scored by evaluate segment, and those of change by evaluate change."
        )
    return lists


def _table_of_labels(lists: Sequence[Sequence[str]], classes: Sequence[str]) -> NDArray[np.bool_]:
    """Whether each item has each of the classes, (items, classes)."""
    numbers = {name: number for number, name in enumerate(classes)}
    known = np.zeros((len(lists), len(classes)), np.bool_)
    for row, labels in enumerate(lists):
        known[row, [numbers[label] for label in labels if label in numbers]] = True
    return known


def _choose(lists: Sequence[Sequence[str]], classes: Sequence[str] | None) -> tuple[str, ...]:
    present = sorted({label for labels in lists for label in labels})
    for name in classes or ():
        if name not in present:
            guess = get_close_matches(name, present, 1, 0.5)
            meant = f" Did you mean {guess[0]!r}?" if guess else ""
            raise LabelError(f"No item has label {name!r}. Choose from: {', '.join(present)}.{meant}")
    chosen = tuple(sorted(set(classes))) if classes else tuple(present)
    if len(chosen) < 2:
        raise LabelError(f"There is one class, {chosen[0]!r}: every answer is right. Expected two or more.")
    return chosen


def _tested_split(splits: NDArray[np.object_], wanted: NDArray[np.bool_]) -> str:
    """The split that is tested, of the items that are asked about."""
    counts = Counter(split or "none" for split in splits[wanted])
    tested = next((split for split in TEST if counts[split]), None)
    if not counts[TRAIN] or tested is None:
        has = ", ".join(f"{count:,} in {split}" for split, count in sorted(counts.items())) or "there are none"
        without = Counter(split or "none" for split in splits[~wanted])
        lacks = ", ".join(f"{count:,} in {split}" for split, count in sorted(without.items()))
        raise SplitError(
            f"The labelled items cannot be parted: {has}. Expected some in train, and some in test or val. "
            + (f"Without a label that counts: {lacks}; label them, or choose other --classes." if lacks else "")
            + ("" if lacks else "Sample the catalog's locations with --splits, such as 0.6,0.1,0.3.")
        )
    return tested


def _part(table: pa.Table, labels: NDArray[Any], *, rows: NDArray[np.bool_], split: str) -> Part:
    items = np.flatnonzero(rows)
    ids = _texts(table["id"], items)
    items, ids = items[np.argsort(ids)], np.sort(ids)
    return Part(split, items, labels[items], _texts(table["location"], items), ids)


def _texts(column: pa.ChunkedArray, rows: NDArray[np.int64]) -> NDArray[np.str_]:
    return np.asarray(column.take(pa.array(rows)).to_pylist(), dtype=np.str_)


def _check_disjoint(train: Part, test: Part) -> None:
    both = np.intersect1d(train.locations, test.locations)
    if len(both):
        raise SplitError(
            f"{len(both):,} locations have items in {train.split} and in {test.split} (first: {both[0]}), so that a test would "
            "ask for what was shown. Each location belongs to one split; curate verify says more."
        )


def _check_taught(classes: tuple[str, ...], train: Part, test: Part) -> None:
    shown, asked = _count(train, len(classes)), _count(test, len(classes))
    missing = np.flatnonzero((shown == 0) & (asked > 0))
    if len(missing):
        names = ", ".join(f"{classes[label]} ({asked[label]:,})" for label in missing)
        known = [classes[label] for label in np.flatnonzero(shown)]
        others = f", or score the others alone: --classes {quote(','.join(known))}" if len(known) > 1 else "."
        raise LabelError(
            f"Test items are of classes that no training item shows: {names}. Nothing can answer them. "
            f"Take a larger catalog{others}"
        )


def _count(part: Part, classes: int) -> NDArray[np.int64]:
    """Items of each class."""
    counts: NDArray[np.int64] = (
        part.labels.sum(axis=0) if part.labels.ndim == 2 else np.bincount(part.labels, minlength=classes)
    )
    return counts


def _hash(classes: tuple[str, ...], parts: Sequence[Part]) -> str:
    lines = []
    for name, part in zip((TRAIN, "test"), parts, strict=True):
        for each, label in zip(part.ids.tolist(), part.labels, strict=True):
            # a task of several labels says so, where each item has one too
            words = "\t".join(classes[n] for n in np.flatnonzero(label)) + "\t" if part.labels.ndim == 2 else classes[label]
            lines.append(f"{name}\t{each}\t{words}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()
