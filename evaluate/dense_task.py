"""The question that label rasters ask: which samples teach, which are tested, and what their pixels are."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from catalogs.label_rasters import LabelRasters
from evaluate.errors import LabelError, SplitError
from evaluate.task import TEST, TRAIN, TUNING

TILE = re.compile(r"^((?:oscd|segmentation)-.+)-\d{6,}$")
"""Ids of locations that `curate convert` cut out of one image: `oscd-paris-000012`."""
UNKNOWN = 255
"""Label of a pixel of which nobody knows; it teaches nothing and is not tested."""


@dataclass(frozen=True, slots=True, eq=False)
class DensePart:
    """Samples that teach, or that are tested: items with a label raster, or pairs of which the later one has it."""

    split: str
    """Split of their locations."""
    inputs: NDArray[np.int64]
    """Rows in the table of the items that are looked at, (samples, 1), or (samples, 2), the earlier date first."""
    labels: NDArray[np.uint8]
    """Places in the task's classes, `UNKNOWN` where nobody knows, (samples, height, width)."""
    locations: NDArray[np.str_]
    """Ids of their locations, (samples,)."""
    ids: NDArray[np.str_]
    """Ids of the items that have the label raster, (samples,)."""

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.inputs)

    @property
    def origins(self) -> NDArray[np.str_]:
        """What each sample stands and falls with, (samples,): its location, or the image that its location is a tile of.

        Tiles of one image are alike, so that shares are drawn of, and intervals over, whole images.
        """
        return np.asarray([TILE.sub(r"\1", each) for each in self.locations.tolist()], dtype=np.str_)

    def take(self, places: NDArray[np.int64]) -> DensePart:
        """The samples at such places of this part, (places,)."""
        return DensePart(self.split, self.inputs[places], self.labels[places], self.locations[places], self.ids[places])


@dataclass(frozen=True, slots=True, eq=False)
class DenseTask:
    """Samples of one catalog with labels of their pixels, parted by location."""

    classes: tuple[str, ...]
    """In the order of the label rasters' values."""
    train: DensePart
    """What teaches."""
    test: DensePart
    """What is tested; its locations are not among those that teach."""
    tuning: DensePart | None
    """What may be chosen on, of split `val`; none where there is none, or where it is what is tested."""
    unused: int
    """Items with a label raster that were left out: of another split, or with no pixel that counts."""
    split_hash: str
    """SHA-256 of which sample teaches or is tested, and of its labels: equal for equal questions, in whatever order."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a label raster."""
        height, width = self.test.labels.shape[1:]
        return height, width


def make_dense_task(
    table: pa.Table, rasters: LabelRasters, *, classes: Sequence[str] | None = None, pairs: bool = False
) -> DenseTask:
    """Part samples by the splits of their locations, and read their labels.

    Those of split `train` teach; those of `test` are tested, or those of `val` where none is of `test`. All label rasters stay
    in memory, a byte per pixel.

    Args:
        table: `Items.table`, of one sensor.
        rasters: Label rasters of its rows.
        classes: Classes that count; all where absent. Pixels of others are as those of which nobody knows.
        pairs: Whether a sample is an item with the one before it at its location, rather than an item alone.

    Raises:
        LabelError: A class asked for is unknown, there are fewer than two, a tested class has no training pixel, or a pair
            lacks its earlier date.
        SplitError: Nothing teaches, nothing is tested, or a location does both.
        CatalogError: A label raster cannot be read.
    """
    chosen = _choose(rasters.classes, classes)
    values = np.full(256, UNKNOWN, np.uint8)
    values[[rasters.classes.index(name) for name in chosen]] = np.arange(len(chosen))
    splits = np.asarray(table["split"].take(pa.array(rasters.rows)).to_pylist(), dtype=object)
    tested = _tested_split(splits)
    inputs = _pair_up(table, rasters.rows) if pairs else rasters.rows[:, None]
    train, test = (_part(table, rasters, inputs[splits == split], values, split=split) for split in (TRAIN, tested))
    spare = _part(table, rasters, inputs[splits == TUNING], values, split=TUNING) if tested != TUNING else None
    _check_disjoint(train, test)
    if spare is not None:
        _check_disjoint(train, spare)
        _check_disjoint(spare, test)
    _check_taught(chosen, train, test)
    unused = len(rasters.rows) - len(train) - len(test) - len(spare or ())
    return DenseTask(chosen, train, test, spare or None, unused, _hash(chosen, (TRAIN, train), ("test", test)))


def count_classes(part: DensePart, classes: int) -> NDArray[np.int64]:
    """Pixels of each class, (classes,)."""
    return np.bincount(part.labels[part.labels != UNKNOWN].reshape(-1), minlength=classes).astype(np.int64)


def check_change(task: DenseTask) -> None:
    """Refuse labels of which F1 of change says nothing.

    Raises:
        LabelError: There are other classes than two, or no tested pixel changed.
    """
    if len(task.classes) != 2:
        raise LabelError(
            f"Change rasters with {len(task.classes)} classes ({', '.join(task.classes)}); expected unchanged and changed."
        )
    if not count_classes(task.test, 2)[1]:
        raise LabelError(
            f"None of {len(task.test):,} tested pairs shows a pixel that changed, so there is no F1. Take a larger catalog."
        )


def constant_f1(task: DenseTask) -> float:
    """F1 of answering `changed` for every tested pixel: whoever answers `unchanged`, which most are, has 0."""
    unchanged, changed = count_classes(task.test, 2).tolist()
    return float(2 * changed / (2 * changed + unchanged))


def _choose(known: tuple[str, ...], classes: Sequence[str] | None) -> tuple[str, ...]:
    for name in classes or ():
        if name not in known:
            guess = get_close_matches(name, known, 1, 0.5)
            meant = f" Did you mean {guess[0]!r}?" if guess else ""
            raise LabelError(f"No label raster has class {name!r}. Choose from: {', '.join(known)}.{meant}")
    chosen = tuple(name for name in known if classes is None or name in classes)
    if len(chosen) < 2:
        raise LabelError(f"There is one class, {chosen[0]!r}: every answer is right. Expected two or more.")
    return chosen


def _tested_split(splits: NDArray[np.object_]) -> str:
    counts = Counter(split or "none" for split in splits)
    tested = next((split for split in TEST if counts[split]), None)
    if not counts[TRAIN] or tested is None:
        has = ", ".join(f"{count:,} in {split}" for split, count in sorted(counts.items()))
        raise SplitError(
            f"The items with label rasters cannot be parted: {has}. Expected some in train, and some in test or val. "
            "Sample the catalog's locations with --splits, or convert the data set with --split-lists."
        )
    return tested


def _pair_up(table: pa.Table, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of each labelled item and of the one before it at its location, (samples, 2)."""
    locations = table["location"].to_pylist()
    times = [
        one or other for one, other in zip(*(table[name].to_pylist() for name in ("datetime", "start_datetime")), strict=True)
    ]
    if None in times:
        raise LabelError(
            f"{times.count(None):,} of {len(times):,} items have no date, so that nobody knows which of two is the earlier. "
            "Convert the data set anew with its dates."
        )
    at: dict[str, list[int]] = {}
    for row, location in enumerate(locations):
        at.setdefault(location, []).append(row)
    earlier = [
        max((other for other in at[locations[row]] if times[other] < times[row]), key=times.__getitem__, default=-1)
        for row in rows.tolist()
    ]
    alone = [row for row, other in zip(rows.tolist(), earlier, strict=True) if other < 0]
    if alone:
        raise LabelError(
            f"{len(alone):,} of {len(rows):,} items with a change raster have no earlier item at their location "
            f"(first: {table['id'][alone[0]].as_py()}). Change is seen between two dates: take a catalog that has both."
        )
    return np.stack([np.asarray(earlier, np.int64), rows], axis=1)


def _part(
    table: pa.Table, rasters: LabelRasters, inputs: NDArray[np.int64], values: NDArray[np.uint8], *, split: str
) -> DensePart:
    """Samples of one split, but those with no pixel that counts."""
    labels = np.empty((len(inputs), rasters.height, rasters.width), np.uint8)
    for place, row in enumerate(inputs[:, -1].tolist()):
        np.take(values, rasters.read(row), out=labels[place])
    kept = np.flatnonzero((labels != UNKNOWN).any(axis=(1, 2)))
    labelled = pa.array(inputs[kept, -1])
    locations, ids = (np.asarray(table[name].take(labelled).to_pylist(), dtype=np.str_) for name in ("location", "id"))
    return DensePart(split, inputs[kept], labels[kept], locations, ids)


def _check_disjoint(train: DensePart, test: DensePart) -> None:
    both = np.intersect1d(train.locations, test.locations)
    if len(both):
        raise SplitError(
            f"{len(both):,} locations have samples in {train.split} and in {test.split} (first: {both[0]}), so that a test "
            "would ask for what was shown. Each location belongs to one split; curate verify says more."
        )


def _check_taught(classes: tuple[str, ...], train: DensePart, test: DensePart) -> None:
    for part in (train, test):
        if not len(part):
            raise SplitError(
                f"No label raster of split {part.split} has a pixel of {', '.join(classes)}. "
                "Choose other --classes, or take a larger catalog."
            )
    taught, tested = (count_classes(part, len(classes)) for part in (train, test))
    missing = [f"{classes[label]} ({tested[label]:,} pixels)" for label in np.flatnonzero((tested > 0) & (taught == 0))]
    if missing:
        known = ",".join(classes[label] for label in np.flatnonzero(taught))
        raise LabelError(
            f"Test pixels are of classes that no training pixel shows: {', '.join(missing)}. Nothing can answer them. "
            f"Take a larger catalog, or score the others alone: --classes {known}"
        )


def _hash(classes: tuple[str, ...], *parts: tuple[str, DensePart]) -> str:
    lines = [f"class\t{number}\t{name}\n" for number, name in enumerate(classes)]
    lines += [
        f"{role}\t{each}\t{hashlib.sha256(labels.tobytes()).hexdigest()}\n"
        for role, part in parts
        for each, labels in zip(part.ids.tolist(), part.labels, strict=True)
    ]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()
