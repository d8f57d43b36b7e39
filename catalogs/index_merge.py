"""The rows of several indices as those of one: sorted, each item once, in bounded memory.

Each index is read once, a row group at a time, and its rows are put into bins: runs of locations of about a row group each. A
bin then fits into memory, where it is sorted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from catalogs import fields
from catalogs.index import ROW_GROUP, in_columns, sorted_once
from catalogs.index_files import IndexFiles


def merged_rows(indices: Sequence[IndexFiles], schema: pa.Schema, scratch: Path) -> Iterator[pa.Table]:
    """The rows of all indices, sorted by (location, id), in portions.

    Args:
        indices: Of one sensor, in one schema or an older one.
        schema: Of the rows wanted.
        scratch: A folder for the bins, about as large as the indices; it is there already, and left empty.

    Raises:
        ContractError: A row does not fit the schema.
        OSError: The disk is full or cannot be written.
    """
    edges = _edges(indices)
    paths = [scratch / f"{number:05d}.arrow" for number in range(len(edges) + 1)]
    try:
        _fill(paths, edges, indices, schema)
        for path in paths:
            with pa.memory_map(str(path)) as source:
                yield sorted_once(pa.ipc.open_stream(source).read_all())
            path.unlink()
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


def _edges(indices: Sequence[IndexFiles]) -> list[str]:
    """First locations of all bins but the first."""
    counts: dict[str, int] = {}
    for index in indices:
        for row in pc.value_counts(index.read([fields.LOCATION])[fields.LOCATION]).to_pylist():
            counts[row["values"]] = counts.get(row["values"], 0) + row["counts"]
    locations = sorted(counts)
    rows_before = np.cumsum([0, *(counts[location] for location in locations)])[:-1]
    firsts = np.flatnonzero(np.diff(rows_before // ROW_GROUP)) + 1
    return [locations[first] for first in firsts]


def _fill(paths: Sequence[Path], edges: Sequence[str], indices: Sequence[IndexFiles], schema: pa.Schema) -> None:
    with ExitStack() as stack:
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        bins = [stack.enter_context(pa.ipc.new_stream(str(path), schema, options=options)) for path in paths]
        for index in indices:
            for group in range(index.num_row_groups):
                rows = in_columns(index.read_row_group(group), schema)
                places = _bins_of(rows[fields.LOCATION], edges)
                for number in np.unique(places):
                    bins[number].write_table(rows.filter(pa.array(places == number)))


def _bins_of(locations: pa.ChunkedArray, edges: Sequence[str]) -> NDArray[np.int64]:
    """Bin of each row, (rows,)."""
    codes = locations.combine_chunks().dictionary_encode()
    bins = np.searchsorted(np.asarray(edges, object), np.asarray(codes.dictionary.to_pylist(), object), side="right")
    return np.asarray(bins[codes.indices.to_numpy()], np.int64)
