"""The files of one index, read as one: `items.parquet` alone, or `items/00000.parquet` and those that follow.

What a large index is divided by is in `catalogs.partitions`; each file holds the rows that follow those of the one before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from catalogs import files

OPENED_AT_ONCE = 16
"""Files of a remote index whose ends are fetched side by side."""


class IndexFiles:
    """Parquet files whose row groups are numbered through, from 0."""

    def __init__(self, opened: Sequence[pq.ParquetFile]) -> None:
        """Use files that are opened already.

        Args:
            opened: One or more, in the order of their rows.
        """
        self._files = opened
        counts = [file.num_row_groups for file in opened]
        self._places = [(file, group) for file, count in zip(opened, counts, strict=True) for group in range(count)]
        sizes = [file.metadata.row_group(group).num_rows for file, group in self._places]
        self.starts: NDArray[np.int64] = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        """First row of each row group, and the number of all rows."""
        self.schema_arrow: pa.Schema = opened[0].schema_arrow
        """Columns of the first file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close all files."""
        for file in self._files:
            file.close()

    @cached_property
    def _column_numbers(self) -> dict[pq.ParquetFile, dict[str, int]]:
        return {file: _column_numbers(file) for file in self._files}

    @property
    def num_rows(self) -> int:
        """Rows of all files."""
        return int(self.starts[-1])

    @property
    def num_row_groups(self) -> int:
        """Row groups of all files."""
        return len(self._places)

    @property
    def asset_keys(self) -> list[str]:
        """Keys that the assets of an item may have."""
        return [field.name for field in self.schema_arrow.field("assets").type]

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows; columns that are not there are left out."""
        return _joined([file.read(columns=_list(columns)) for file in self._files])

    def read_row_group(self, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of one row group."""
        file, group = self._places[number]
        return file.read_row_group(group, columns=_list(columns))

    def read_row_groups(self, numbers: Sequence[int], columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of some row groups, in the order given, which is that of the index."""
        tables = []
        for file in self._files:
            groups = [self._places[number][1] for number in numbers if self._places[number][0] is file]
            if groups:
                tables.append(file.read_row_groups(groups, columns=_list(columns)))
        return _joined(tables or [self._files[0].read_row_groups([], columns=_list(columns))])

    def least_and_greatest(self, number: int, paths: Sequence[str] | Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        """Least and greatest value of some columns in a row group, by their paths; of those that are known."""
        file, group = self._places[number]
        columns, chunks = self._column_numbers[file], file.metadata.row_group(group)
        known = {path: chunks.column(columns[path]).statistics for path in paths if path in columns}
        return {path: (one.min, one.max) for path, one in known.items() if one is not None and one.has_min_max}


def open_index(hrefs: Sequence[str], *, dictionaries: tuple[str, ...] = ()) -> IndexFiles:
    """Open the files of an index; see `files.open_parquet` for the arguments and errors.

    Args:
        hrefs: Paths or addresses, one or more, in the order of their rows.
        dictionaries: Columns of text that repeats, to be kept as dictionaries.
    """
    if len(hrefs) == 1 or not files.is_remote(hrefs[0]):
        return IndexFiles([files.open_parquet(href, dictionaries=dictionaries) for href in hrefs])
    with ThreadPoolExecutor(OPENED_AT_ONCE) as pool:
        return IndexFiles(list(pool.map(lambda href: files.open_parquet(href, dictionaries=dictionaries), hrefs)))


def as_index(source: Path | str | pq.ParquetFile | IndexFiles) -> IndexFiles:
    """An index by the path of its only file, by that file opened, or opened already."""
    if isinstance(source, IndexFiles):
        return source
    return IndexFiles([pq.ParquetFile(source) if isinstance(source, Path | str) else source])


def _list(columns: Sequence[str] | None) -> list[str] | None:
    return None if columns is None else list(columns)


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables one after the other; a column that only some have is null in the others."""
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables, promote_options="default")


def _column_numbers(file: pq.ParquetFile) -> dict[str, int]:
    """Numbers of the parquet columns of a file by their paths."""
    schema = file.metadata.schema
    return {schema.column(number).path: number for number in range(len(schema))}
