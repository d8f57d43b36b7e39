"""`items.parquet`: all items of a collection as stac-geoparquet. Derived: it can always be made again.

Rows are sorted by (location, id) and lie in row groups of 20,000, whatever order or portions they came in, so that the
same items give the same bytes. Writing holds one row group in memory, and a file appears under its name only when whole.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalogs import fields, layout
from catalogs.errors import ContractError
from catalogs.index_files import IndexFiles, as_index
from catalogs.rows import BBOX, FILTERED, decode_items, encode_items, items_schema

__all__ = [
    "ROW_GROUP",
    "extent",
    "folders",
    "in_columns",
    "items_schema",
    "iter_items",
    "media_types",
    "merge_items",
    "read_items",
    "rows_of",
    "write_items",
    "write_rows",
]

ROW_GROUP = 20_000
CHUNK = 200
"""Items that are dictionaries at a time. They weigh ten times their rows, and 2,000 of them keep Python's garbage collector as
busy as the conversion itself."""
SORTED_BY = [(fields.LOCATION, "ascending"), ("id", "ascending")]
Source: TypeAlias = Path | str | pq.ParquetFile | IndexFiles
"""Path of an index of one file, such a file opened for reading, or the files of an index."""
UNIQUE = {"id", "geometry", "file:checksum", "file:size", "xmin", "ymin", "xmax", "ymax"}
"""Columns whose values do not repeat, so that a dictionary of them is wasted."""


def write_items(path: Path, items: Iterable[Mapping[str, Any]], schema: pa.Schema) -> int:
    """Write an index as a whole or not at all, in bounded memory.

    Args:
        path: The file; its folder is made.
        items: In row form, sorted by (location, id).
        schema: Of `items_schema`.

    Returns:
        How many there were.

    Raises:
        ContractError: The items are not in order, two have one id, or one does not fit the schema.
        OSError: The disk is full or cannot be written.
    """
    with _whole_index(path, schema) as index:
        for chunk in _chunks(_in_order(items)):
            index.add(pa.table(encode_items(chunk, schema)))
        return index.count


def write_rows(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write an index of rows, in the bytes of `write_items` of their items.

    Args:
        path: The file; its folder is made.
        tables: Rows in the schema's columns, sorted by (location, id) throughout.
        schema: Of `items_schema`.

    Raises:
        OSError: The disk is full or cannot be written.
    """
    with _whole_index(path, schema) as index:
        for table in tables:
            index.add(table)


def merge_items(path: Path, items: Sequence[Mapping[str, Any]], schema: pa.Schema) -> None:
    """Add items to an index, in place of those of the same id; the bytes are those of `write_items` of them all.

    Args:
        path: The file; made where absent.
        items: In row form, in any order; of two with one id the later counts.
        schema: Of `items_schema`; an index of another schema is converted to it.

    Raises:
        ContractError: An item, new or old, does not fit the schema.
        OSError: The disk is full or cannot be written.
    """
    merge_rows(path, pa.concat_tables([schema.empty_table(), *encode_rows(items, schema)]), schema)


def merge_rows(path: Path, rows: pa.Table, schema: pa.Schema) -> None:
    """Add rows to an index; see `merge_items`.

    Args:
        path: The file; made where absent.
        rows: In the schema's columns, in any order; of two with one id the later counts.
        schema: Of `items_schema`.

    Raises:
        ContractError: An old item does not fit the schema.
        OSError: The disk is full or cannot be written.
    """
    with _whole_index(path, schema) as index:
        for table in _merged(_groups(path, schema), sorted_once(rows)):
            index.add(table)


def encode_rows(items: Iterable[Mapping[str, Any]], schema: pa.Schema) -> Iterator[pa.Table]:
    """Items as rows, a few hundred at a time: as rows they weigh a tenth.

    Raises:
        ContractError: An item does not fit the schema.
    """
    return (pa.table(encode_items(chunk, schema)) for chunk in _chunks(items))


def sorted_once(rows: pa.Table) -> pa.Table:
    """Rows in the order of an index; of those of one id the last."""
    places = pc.sort_indices(rows.append_column("place", pa.array(np.arange(len(rows)))), [*SORTED_BY, ("place", "ascending")])
    ordered = rows.take(places)
    ids = ordered["id"].combine_chunks()
    if len(ids) < 2:
        return ordered
    is_last = pc.not_equal(ids.slice(0, len(ids) - 1), ids.slice(1))
    return ordered.filter(pa.concat_arrays([is_last, pa.array([True])]))


def read_items(source: Source, rows: Sequence[int] | None = None) -> list[dict[str, Any]]:
    """Items of an index in row form, equal to those that were written.

    Args:
        source: The index.
        rows: Which, counted from 0, in the order wanted; all where absent.
    """
    file = as_index(source)
    if rows is None:
        return list(iter_items(file))
    starts = file.starts
    groups = np.searchsorted(starts, rows, side="right") - 1
    found: dict[int, dict[str, Any]] = {}
    for group in np.unique(groups):
        places = np.flatnonzero(groups == group)
        table = file.read_row_group(int(group)).take(pa.array(np.asarray(rows)[places] - starts[group]))
        found.update(zip(places.tolist(), decode_items(as_struct(table)), strict=True))
    return [found[place] for place in range(len(groups))]


def iter_items(source: Source, locations: Collection[str] | None = None) -> Iterator[dict[str, Any]]:
    """Items of an index in row form, in its order, one row group in memory at a time; of all locations unless some are told."""
    file = as_index(source)
    groups = map(file.read_row_group, range(file.num_row_groups)) if locations is None else _groups_of(file, locations)
    for table in groups:
        rows = as_struct(table)
        for start in range(0, len(rows), CHUNK):
            yield from decode_items(rows.slice(start, CHUNK))


def folders(source: Source) -> pa.Table:
    """Where the items of an index lie.

    Returns:
        Columns `id` and `folder`, the latter relative to the collection's folder; in the order of the index.
    """
    file = as_index(source)
    keys = file.asset_keys
    table = file.read(columns=["id", fields.LOCATION, *(f"assets.{key}.href" for key in keys)])
    hrefs = (pc.struct_field(table["assets"], [key, "href"]) for key in keys)
    mine = pc.coalesce(*(pc.if_else(pc.starts_with(href, "../"), pa.scalar(None, pa.string()), href) for href in hrefs))
    found = pc.replace_substring_regex(mine, "/?[^/]*$", "").to_pylist()
    locations = table[fields.LOCATION].to_pylist()  # of an item none of whose files is in its own folder
    told = [folder or layout.numbered_folder(location) for folder, location in zip(found, locations, strict=True)]
    return pa.table({"id": table["id"], "folder": pa.array(told, pa.string())})


def media_types(source: Source) -> dict[str, list[str]]:
    """What the files of an index's items are, by asset key, sorted; keys that no item has are absent."""
    file = as_index(source)
    keys = file.asset_keys
    assets = file.read(columns=[f"assets.{key}.type" for key in keys])["assets"]
    found = {key: pc.unique(pc.drop_null(pc.struct_field(assets, [key, "type"]))).to_pylist() for key in keys}
    return {key: sorted(types) for key, types in found.items() if types}


def extent(source: Source) -> tuple[list[float] | None, tuple[datetime, datetime] | None, int]:
    """What the items of an index cover.

    Returns:
        (west, south, east, north) in degrees, west > east where an item crosses 180 degrees; the first and the last
        instant; the number of items. The first is none where no item's ground is known, the first two where there are none.
    """
    file = as_index(source)
    count = file.num_rows
    if not count:
        return None, None, 0
    table = file.read(columns=["bbox", "datetime", "start_datetime", "end_datetime"])
    first = pc.min(pc.coalesce(table["start_datetime"], table["datetime"])).as_py()
    last = pc.max(pc.coalesce(table["end_datetime"], table["datetime"])).as_py()
    edges = np.stack([pc.struct_field(table["bbox"], field.name).to_numpy() for field in BBOX])
    west, south, east, north = edges[:, edges[1] <= edges[3]]  # others are inside out: nobody knows their ground
    if not len(west):
        return None, (first, last), count
    left, right = _around(west, east)
    return [left, float(south.min()), right, float(north.max())], (first, last), count


def rows_of(source: Source, locations: Collection[str]) -> pa.Table:
    """The rows of some locations, in the order of the index; reads only row groups that may hold some."""
    index = as_index(source)
    return pa.concat_tables([index.schema_arrow.empty_table(), *_groups_of(index, locations)])


def in_columns(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows of an index, of an older contract perhaps, in the columns of another schema.

    Raises:
        ContractError: A row holds what the schema has no column for.
    """
    if rows.schema.equals(schema):
        return rows
    items = (item for start in range(0, len(rows), CHUNK) for item in decode_items(as_struct(rows.slice(start, CHUNK))))
    return pa.concat_tables([schema.empty_table(), *encode_rows(items, schema)])


def as_struct(table: pa.Table) -> pa.StructArray:
    """A table as one array of rows, which is read row by row far faster."""
    return pa.StructArray.from_arrays([_whole(column) for column in table.columns], fields=list(table.schema))


def _groups_of(index: IndexFiles, locations: Collection[str]) -> Iterator[pa.Table]:
    """The rows of some locations, of one row group after the other."""
    wanted = pa.array(sorted(locations), pa.string())
    for group in range(index.num_row_groups):
        least, greatest = index.least_and_greatest(group, [fields.LOCATION]).get(fields.LOCATION, ("", None))
        if not len(wanted) or wanted[-1].as_py() < least or (greatest is not None and wanted[0].as_py() > greatest):
            continue
        rows = index.read_row_group(group)
        yield rows.filter(pc.is_in(rows[fields.LOCATION], wanted))


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _around(west: np.ndarray[Any, Any], east: np.ndarray[Any, Any]) -> tuple[float, float]:
    """West and east of many boxes: the plain ones, or around the widest gap where a box crosses 180 degrees."""
    if (west <= east).all():
        return float(west.min()), float(east.max())
    order = np.argsort(west)
    start = west[order]
    reach = np.maximum.accumulate(np.where(west > east, east + 360, east)[order])
    gaps = np.append(start[1:], start[0] + 360) - reach
    widest = int(np.argmax(gaps))
    if gaps[widest] <= 0:
        return -180.0, 180.0
    left, right = start[(widest + 1) % len(start)], reach[widest]
    return float(left), float(right - 360 if right > 180 else right)


class _Index:
    """Takes rows in portions of any size, writes them in row groups of one size."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._pending: list[pa.Table] = []
        self.count = 0

    def add(self, table: pa.Table) -> None:
        """Take rows that follow those before."""
        self._pending.append(table)
        self.count += len(table)
        if sum(map(len, self._pending)) >= ROW_GROUP:
            self.flush(ROW_GROUP)

    def flush(self, least: int = 1) -> None:
        """Write all row groups of at least so many rows."""
        while sum(map(len, self._pending)) >= least:
            rows = pa.concat_tables(self._pending)
            self._writer.write_table(rows.slice(0, ROW_GROUP).combine_chunks(), ROW_GROUP)
            self._pending = [rows.slice(ROW_GROUP)]


@contextmanager
def _whole_index(path: Path, schema: pa.Schema) -> Iterator[_Index]:
    """An index to be filled, which takes its name when it is complete and on the disk."""
    part = path.with_name(path.name + layout.TEMPORARY)
    path.parent.mkdir(parents=True, exist_ok=True)
    dictionary = [leaf for leaf in _leaves(schema, "") if leaf.rpartition(".")[2] not in UNIQUE]
    statistics = list(_leaves(pa.schema(FILTERED), ""))
    try:
        with part.open("wb") as file:
            with pq.ParquetWriter(
                file, schema, compression="zstd", use_dictionary=dictionary, write_statistics=statistics
            ) as writer:
                index = _Index(writer)
                yield index
                index.flush()
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _leaves(fields_: Iterable[pa.Field], prefix: str) -> Iterator[str]:
    """Paths of the parquet columns of some fields."""
    for field in fields_:
        type_, path = field.type, f"{prefix}{field.name}"
        while pa.types.is_list(type_):
            type_, path = type_.value_type, f"{path}.list.element"
        if pa.types.is_struct(type_):
            yield from _leaves(type_, f"{path}.")
        else:
            yield path


def _key(item: Mapping[str, Any]) -> tuple[str, str]:
    return str(item["properties"][fields.LOCATION]), str(item["id"])


def _in_order(items: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    last = ("", "")
    for item in items:
        key = _key(item)
        if key <= last:
            raise ContractError(
                f"Item {key[1]!r} of location {key[0]!r} comes after {last[1]!r} of {last[0]!r}. "
                "An index takes each item once, sorted by location and id: sort them, or use merge_items."
            )
        yield item
        last = key


def _chunks(items: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    chunk: list[Mapping[str, Any]] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _groups(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    """Row groups of the index there is, in another one's columns."""
    if not path.exists():
        return
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield in_columns(file.read_row_group(group), schema)


def _merged(old: Iterable[pa.Table], new: pa.Table) -> Iterator[pa.Table]:
    """Rows of both, in order, a new one in place of an old one of its id."""
    ids = new["id"].combine_chunks()
    keys = list(zip(new[fields.LOCATION].to_pylist(), ids.to_pylist(), strict=True))
    done = 0
    for table in old:
        upto = bisect_right(keys, (table[fields.LOCATION][-1].as_py(), table["id"][-1].as_py()))
        kept = table.filter(pc.invert(pc.is_in(table["id"], ids)))
        both = pa.concat_tables([kept, new.slice(done, upto - done)])
        yield both.take(pc.sort_indices(both, SORTED_BY)) if upto > done else both
        done = upto
    yield new.slice(done)
