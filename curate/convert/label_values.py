"""What the values of masks mean: names from a file beside them, else the numbers as words; 255 where nobody knows.

A catalog's classes are numbered from 0 without gaps. Values of masks that are not are renumbered in their order, and the name
of a class says which it was where nobody named it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from catalogs.records import UNKNOWN_LABEL
from curate.convert.data_files import DataFiles
from curate.errors import CurateError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILES = ("classes.txt", "classes.json")
SHOWN = 4
"""Values that a message names."""


@dataclass(frozen=True, slots=True)
class LabelValues:
    """Which class each value of a mask is."""

    values: tuple[int, ...]
    """Of the classes, ascending: the first one is number 0."""
    names: tuple[str, ...]
    """Of the classes."""
    ignored: tuple[int, ...]
    """Values where nobody knows."""

    def number(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Numbers of classes for the values of a mask, 255 where nobody knows.

        Raises:
            CurateError: It has a value that no class has.
        """
        numbers = np.full(256, UNKNOWN_LABEL, np.uint8)
        numbers[list(self.values)] = np.arange(len(self.values))
        strange = self.strange(mask)
        if strange:
            raise CurateError(f"it has {_listed(strange)}, which no class has")
        found: NDArray[np.uint8] = numbers[mask]
        return found

    def strange(self, mask: NDArray[np.uint8]) -> list[int]:
        """Values of a mask that are neither classes nor ignored, ascending."""
        counts = count_values(mask)
        counts[[*self.values, *self.ignored]] = 0
        return [int(value) for value in np.flatnonzero(counts)]


def count_values(mask: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How many pixels have each value, (256,)."""
    return np.bincount(mask.ravel(), minlength=256)


def read_names(path: Path, files: DataFiles) -> dict[int, str] | None:
    """Names of values, from the file that lies beside the masks; none where there is no such file.

    `classes.txt` has a name a line, the first one for value 0; `classes.json` has `{"0": "water", "7": "forest"}`, or a list.

    Args:
        path: Where the masks lie, for messages.
        files: What lies there.

    Raises:
        CurateError: There are several such files, or one that cannot be read so.
    """
    found = [name for name in files.sizes() if PurePosixPath(name).name in FILES]
    if not found:
        return None
    if len(found) > 1:
        raise CurateError(f"{path} has {len(found)} files of class names: {', '.join(found[:SHOWN])}. Keep one.")
    (name,) = found
    try:
        text = files.read(name).decode("utf-8-sig")
        lines = [line.strip() for line in text.strip().splitlines()]
        content = json.loads(text) if name.endswith(".json") else lines
        pairs = enumerate(content) if isinstance(content, list) else ((int(key), word) for key, word in content.items())
        names = {value: str(word) for value, word in pairs}
    except (ValueError, AttributeError) as error:
        raise CurateError(f'{name} of {path} cannot be read ({error}); expected {{"0": "water", "1": "forest"}}.') from error
    if not names or not set(names) <= set(range(256)) or "" in names.values() or len(set(names.values())) < len(names):
        raise CurateError(f"{name} of {path} has {names}; expected a name, each once, for values within 0 to 255.")
    return names


def choose_values(
    path: Path, counted: Mapping[str, NDArray[np.int64]], names: Mapping[int, str] | None, *, ignore: int | None
) -> LabelValues:
    """The classes of some masks.

    Args:
        path: Where the masks lie, for messages.
        counted: How many pixels of each mask have each value, (256,), by file.
        names: Of the values; where absent, every value is a class, named by its number.
        ignore: A value that means that nobody knows, beside 255, which does unless it has a name.

    Raises:
        CurateError: A mask has a value without a name, or there is nothing to tell apart.
    """
    total = sum(counted.values(), np.zeros(256, np.int64))
    unnamed = {UNKNOWN_LABEL} - (names or {}).keys()
    ignored = unnamed if ignore is None else {*unnamed, ignore}
    there = [int(value) for value in np.flatnonzero(total)]
    if names is None:
        names = {value: str(value) for value in there}
    values = tuple(value for value in sorted(names) if value not in ignored)
    found = LabelValues(values, tuple(names[value] for value in values), tuple(sorted(ignored)))
    strange = [value for value in there if value not in {*values, *ignored}]
    if strange:
        mask = next(name for name, counts in counted.items() if counts[strange[0]])
        raise CurateError(
            f"Masks of {path} have {_listed(strange)}, which no class has (first: {mask}, {counted[mask][strange[0]]:,} "
            f"pixels); the classes are {_listed(list(values))}. Name them in {FILES[1]}, or give --ignore {strange[0]}."
        )
    if len(values) < 2 or len(values) > UNKNOWN_LABEL:
        raise CurateError(
            f"Masks of {path} have {_listed(there)}, of which {_listed(sorted(ignored))} means that nobody knows, and "
            f"{len(values)} are classes; expected 2 to {UNKNOWN_LABEL}. Name the values in {FILES[1]}: "
            '{"0": "ground", "255": "building"}.'
        )
    return found


def _listed(values: list[int]) -> str:
    shown = ", ".join(map(str, values[:SHOWN]))
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return f"value{'s' if len(values) > 1 else ''} {shown or 'none'}{more}"
