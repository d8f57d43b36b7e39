"""How rasters are cut into blocks, and which of them, in which ranges of bytes, some windows need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from catalogs.records import Window

Name = TypeVar("Name")

JOIN_GAP = 32 << 10
"""Bytes between two needed blocks up to which they are fetched together."""
JOINED_BYTES = 4 << 20
"""Length up to which blocks are joined."""
GAP_SHARE = 0.01
"""Of a joined range, that nobody needs."""
GHOST_BYTES = 8
"""Between the blocks of a COG: the size before each block and its last bytes repeated behind it (GDAL, COG driver)."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a block and a window share."""

    rows: slice
    """Of the block."""
    columns: slice
    """Of the block."""
    target: tuple[slice, slice]
    """(rows, columns) of the window."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How a band is cut into blocks; they are counted from 0, row by row, from the upper left."""

    height: int
    """Rows of the raster."""
    width: int
    """Columns of the raster."""
    block_height: int
    """Rows of a block; those of the last row of blocks may reach beyond the raster."""
    block_width: int
    """Columns of a block."""

    @property
    def across(self) -> int:
        """Blocks in a row."""
        return -(-self.width // self.block_width)

    @property
    def count(self) -> int:
        """Blocks of a band."""
        return -(-self.height // self.block_height) * self.across

    def corner(self, number: int) -> tuple[int, int]:
        """(row, column) of a block's upper left pixel."""
        return number // self.across * self.block_height, number % self.across * self.block_width

    def touched(self, window: Window) -> list[int]:
        """The blocks that have pixels of a window.

        Examples:
            >>> Cut(2048, 2048, 1024, 1024).touched((1000, 0, 30, 30))
            [0, 1]
        """
        column, row, width, height = window
        rows = range(row // self.block_height, (row + height - 1) // self.block_height + 1)
        columns = range(column // self.block_width, (column + width - 1) // self.block_width + 1)
        return [y * self.across + x for y in rows for x in columns]

    def extent(self, number: int) -> Window:
        """The pixels of a block that lie in the raster."""
        row, column = self.corner(number)
        return column, row, min(self.block_width, self.width - column), min(self.block_height, self.height - row)

    def part(self, number: int, window: Window) -> Part:
        """What a block and a window that touches it share."""
        column, row, width, height = window
        top, left = self.corner(number)
        first, last = max(row, top), min(row + height, top + self.block_height)
        start, end = max(column, left), min(column + width, left + self.block_width)
        target = slice(first - row, last - row), slice(start - column, end - column)
        return Part(slice(first - top, last - top), slice(start - left, end - left), target)


def join_blocks(places: Iterable[tuple[int, int, Name]]) -> Iterator[list[tuple[int, int, Name]]]:
    """Blocks of a file that are best fetched in one request.

    Neighbours are joined as long as what lies between them is a hundredth of the range, or the few bytes that a COG puts
    there, and the range stays short.

    Args:
        places: (offset, size, name) of blocks, in any order.

    Yields:
        Groups in the order of the file.

    Examples:
        >>> [len(group) for group in join_blocks([(0, 50_000, 0), (50_008, 50_000, 1), (900_000, 50_000, 2)])]
        [2, 1]
    """
    group: list[tuple[int, int, Name]] = []
    unneeded = 0
    for offset, size, name in sorted(places, key=lambda place: place[:2]):
        if group:
            end = group[-1][0] + group[-1][1]
            gap = offset - end
            length = offset + size - group[0][0]
            spared = gap if gap > GHOST_BYTES else 0
            is_near = 0 <= gap <= JOIN_GAP and unneeded + spared <= GAP_SHARE * length
            if not is_near or length > JOINED_BYTES:
                yield group
                group, unneeded, spared = [], 0, 0
            unneeded += spared
        group.append((offset, size, name))
    if group:
        yield group
