"""Items that earlier runs have finished, looked up by location: of any number of locations, those of one are in memory.

As dictionaries the items of a hundred thousand locations weigh more than all else of a build, and an index is no place to look
them up: its rows go by the ids of locations, the build by where they lie, so that each location would cost a row group of
20,000 rows. So they are copied once, packed, to a file without a name.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

from catalogs import fields

IN_MEMORY_BYTES = 4 << 20
"""Packed items up to which there is no file."""
FASTEST = 1
"""Of zlib's levels."""


class EarlierItems(Mapping[str, list[dict[str, Any]]]):
    """Items in row form by the id of their location, read anew each time; of locations that have any."""

    def __init__(self, folder: Path) -> None:
        """Hold nothing yet.

        Args:
            folder: On a disk with room; the file there is gone once this is closed, or its process has ended.
        """
        self._file = SpooledTemporaryFile(IN_MEMORY_BYTES, dir=str(folder))  # noqa: SIM115 - closed by `close`
        self._places: dict[str, list[tuple[int, int]]] = {}
        self._size = 0

    def add(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Take items in row form, those of a location one after the other.

        Raises:
            OSError: The disk is full or cannot be written.
        """
        for location, mine in groupby(items, key=lambda item: str(item["properties"][fields.LOCATION])):
            packed = zlib.compress(json.dumps(list(mine)).encode(), FASTEST)
            self._file.seek(self._size)
            self._file.write(packed)
            self._places.setdefault(location, []).append((self._size, len(packed)))
            self._size += len(packed)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __getitem__(self, location: str) -> list[dict[str, Any]]:
        return [item for place in self._places[location] for item in self._read(*place)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def _read(self, start: int, size: int) -> list[dict[str, Any]]:
        self._file.seek(start)
        items: list[dict[str, Any]] = json.loads(zlib.decompress(self._file.read(size)))
        return items
