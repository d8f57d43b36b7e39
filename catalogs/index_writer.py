"""Writing the index of one sensor: one file, or several, of which only those that change are written."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalogs import fields, layout
from catalogs.index import CHUNK, encode_rows, in_columns, merge_rows, sorted_once, write_rows
from catalogs.index_files import IndexFiles, open_index
from catalogs.partitions import Partitions
from catalogs.pixels import multihash_file


class IndexWriter:
    """The index of one collection, in whatever files it lies."""

    def __init__(self, collection: Path, schema: pa.Schema, partitions: Partitions | None) -> None:
        """Use the index of a collection's folder; one that an older seastars kept in a single file is divided.

        Args:
            collection: The folder, which may be absent.
            schema: Of `items_schema`.
            partitions: How it is divided; one file where absent.
        """
        self._folder = collection
        self._schema = schema
        self._partitions = partitions
        self._checksums: dict[tuple[str, int, int], str] = {}
        self._is_current = False
        self._items: list[Mapping[str, Any]] = []
        self._rows: list[pa.Table] = []
        self._old = collection / layout.INDEX if partitions else None
        if self._old is not None and self._old.exists():
            with pq.ParquetFile(self._old) as old:
                self.replace(map(old.read_row_group, range(old.num_row_groups)))

    @property
    def names(self) -> list[str]:
        """Its files, relative to the collection's folder, in the order of their rows; empty where there are none yet."""
        if not self._partitions:
            return [layout.INDEX] if (self._folder / layout.INDEX).exists() else []
        found = (path.relative_to(self._folder).as_posix() for path in self._folder.glob(f"{layout.INDEX_FOLDER}/*"))
        return sorted(name for name in found if re.fullmatch(layout.INDEX_PART, name))

    def open(self) -> IndexFiles:
        """Its files, opened for reading."""
        return open_index([str(self._folder / name) for name in self.names])

    def locations(self) -> set[str]:
        """Ids of the locations that it has items of."""
        if not self.names:
            return set()
        with self.open() as index:
            return set(pc.unique(index.read([fields.LOCATION])[fields.LOCATION]).to_pylist())

    def checksums(self) -> dict[str, str]:
        """Multihash of each file, by its name; of those that stayed as they were it is known."""
        return {name: self._checksum(name) for name in self.names}

    def add(self, item: Mapping[str, Any]) -> None:
        """Take an item, for `merge` to write; a few hundred are dictionaries at a time, the others rows."""
        self._items.append(item)
        if len(self._items) == CHUNK:
            self._encode()

    def merge(self) -> None:
        """Write the items taken, in place of those of the same id. Files that none of them is in are left alone."""
        self._encode()
        new = sorted_once(pa.concat_tables([self._schema.empty_table(), *self._rows]))
        self._rows.clear()
        by_file = {name: pa.concat_tables(rows) for name, rows in self._by_file([new]).items()}
        touched = {*by_file, *(self._older() if by_file and not self._is_current else ())}
        if not self.names:
            touched.add(self._name(0))
        for name in sorted(touched):
            merge_rows(self._folder / name, by_file.get(name, self._schema.empty_table()), self._schema)
        self._is_current |= bool(by_file)

    def _encode(self) -> None:
        self._rows += encode_rows(self._items, self._schema)
        self._items.clear()

    def _by_file(self, tables: Iterable[pa.Table]) -> dict[str, list[pa.Table]]:
        found: dict[str, list[pa.Table]] = defaultdict(list)
        for name, rows in self._runs(tables):
            found[name].append(rows)
        return found

    def replace(self, tables: Iterable[pa.Table]) -> None:
        """Write the whole index anew.

        Args:
            tables: All rows, sorted by (location, id).
        """
        written = set()
        for name, runs in groupby(self._runs(tables), key=lambda run: run[0]):
            write_rows(self._folder / name, (rows for _, rows in runs), self._schema)
            written.add(name)
        if self._name(0) not in written:
            write_rows(self._folder / self._name(0), (), self._schema)
        for name in set(self.names) - written - {self._name(0)}:
            (self._folder / name).unlink()

    def forget_old(self) -> None:
        """Remove the single file of a divided index, once its collection lists the others."""
        if self._old is not None:
            self._old.unlink(missing_ok=True)

    def _name(self, number: int) -> str:
        return layout.index_part(number) if self._partitions else layout.INDEX

    def _name_of(self, location: str) -> str:
        return self._name(self._partitions.number(location) if self._partitions else 0)

    def _older(self) -> list[str]:
        """Files of an older contract's columns: the files of an index have the same ones."""
        return [name for name in self.names if not pq.read_schema(self._folder / name).equals(self._schema)]

    def _runs(self, tables: Iterable[pa.Table]) -> Iterator[tuple[str, pa.Table]]:
        """Rows that follow each other in one file, with its name."""
        for table in tables:
            rows = in_columns(table, self._schema)
            runs = pc.run_end_encode(rows[fields.LOCATION].combine_chunks())
            start = 0
            ends = zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True)
            for name, group in groupby(ends, key=lambda pair: self._name_of(pair[0])):
                *_, (_, end) = group
                yield name, rows.slice(start, end - start)
                start = end

    def _checksum(self, name: str) -> str:
        path = self._folder / name
        state = path.stat()
        key = (name, state.st_size, state.st_mtime_ns)
        if key not in self._checksums:
            self._checksums[key] = multihash_file(path)
        return self._checksums[key]
