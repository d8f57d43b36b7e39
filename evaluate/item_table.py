"""The table beside a result file: what was answered to each tested item, which pairs, leakage and maps are computed from.

`knn.json` has `knn.items.parquet`. It is written whole, and before the result, which holds its SHA-256: no result speaks of
answers that are not there.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from evaluate.errors import ResultError

SUFFIX = ".items.parquet"
ITEMS_HASH = "items_hash"
"""Key of the table's SHA-256 in a result."""


@dataclass(frozen=True, eq=False)
class ItemTable:
    """What was answered to each tested item, items in the order of their ids."""

    ids: NDArray[np.str_]
    """Ids of the items, (tests,)."""
    locations: NDArray[np.str_]
    """Ids of their locations, (tests,)."""
    truth: NDArray[Any]
    """Their classes, (tests,), int64; or whether each has a label, (tests, classes), bool; or its pixels of each class, (tests,
    classes), int64."""
    lonlat: NDArray[np.float64]
    """Middle of each item, degrees, (tests, 2); NaN where nobody knows the ground."""
    found: tuple[NDArray[Any], ...]
    """Per score of the result: classes, (repeats, tests), int64; or scores of labels, (repeats, tests, classes), float32; or
    pixels by class and answer, (repeats, tests, classes, classes), int64."""
    origins: NDArray[np.str_] | None = None
    """What each item stands and falls with, (tests,), see `DensePart.origins`; none where that is its location."""

    @property
    def groups(self) -> NDArray[np.str_]:
        """What a bootstrap draws of, (tests,): origins, or locations where there are none."""
        return self.locations if self.origins is None else self.origins


def counts_pixels(truth: NDArray[Any]) -> bool:
    """Whether what is true of each item is how many pixels it has of each class."""
    return truth.ndim == 2 and truth.dtype != np.bool_


def answers_shape(truth: NDArray[Any]) -> tuple[int, ...]:
    """Shape of the answers of one repeat, as in `ItemTable.found`.

    Examples:
        >>> answers_shape(np.array([[3, 1], [0, 4], [2, 2]]))
        (3, 2, 2)
    """
    return (*truth.shape, truth.shape[1]) if counts_pixels(truth) else truth.shape


def items_path(result_path: Path) -> Path:
    """Where the table of a result file is.

    Examples:
        >>> items_path(Path("results/knn.json")).name
        'knn.items.parquet'
    """
    return result_path.with_suffix(SUFFIX)


def box_centres(boxes: pa.StructArray) -> NDArray[np.float64]:
    """Longitude and latitude of the middle of each box, (boxes, 2), degrees; NaN where nobody knows the ground.

    Args:
        boxes: As in column `bbox` of `Items.table`: `xmin` > `xmax` across 180 degrees, `ymin` > `ymax` on unknown ground.
    """
    west, south, east, north = (
        boxes.field(name).to_numpy(zero_copy_only=False).astype(np.float64) for name in ("xmin", "ymin", "xmax", "ymax")
    )
    lon = (west + np.where(west > east, east + 360, east)) / 2
    centres = np.stack([(lon + 180) % 360 - 180, (south + north) / 2], axis=1)
    centres[~(south <= north)] = np.nan
    return centres


def write_items(result_path: Path, table: ItemTable) -> str:
    """Write the table of a result file, atomically.

    Args:
        result_path: Of the result file.
        table: What was answered.

    Returns:
        SHA-256 of what was written.

    Raises:
        ResultError: It cannot be written there.
    """
    from catalogs.pixels import write_whole

    sink = io.BytesIO()
    pq.write_table(pa.table(dict(_columns(table))), sink, compression="zstd")
    path = items_path(result_path)
    try:
        write_whole(path, sink.getvalue())
    except OSError as error:
        raise ResultError(f"{path} cannot be written: {error.strerror or error}. Choose another --out.") from error
    return hashlib.sha256(sink.getvalue()).hexdigest()


def read_items(result_path: Path) -> ItemTable | None:
    """Read the table of a result file.

    Args:
        result_path: Of the result file.

    Returns:
        The table; none where the result was written without one.

    Raises:
        ResultError: The result cannot be read, or its table is not there, damaged, or another result's.
    """
    path = items_path(result_path)
    try:
        content = json.loads(result_path.read_bytes())
    except (OSError, ValueError) as error:
        raise ResultError(f"{result_path} is no result file: {error}. Expected what evaluate wrote with --out.") from error
    expected = content.get(ITEMS_HASH) if isinstance(content, dict) else None
    if expected is None:
        return None
    try:
        written = path.read_bytes()
    except OSError as error:
        raise ResultError(
            f"{path} cannot be read: {error.strerror or error}. It belongs beside {result_path.name}; "
            "copy both, or write the result again with --out."
        ) from error
    found = hashlib.sha256(written).hexdigest()
    if found != expected:
        raise ResultError(
            f"{path} is not the table that {result_path.name} was written with: its SHA-256 is {found[:12]}, "
            f"the result says {expected[:12]}. Write the result again with --out."
        )
    return _from_table(pq.read_table(io.BytesIO(written)))


def _columns(table: ItemTable) -> Iterator[tuple[str, pa.Array]]:
    yield "id", pa.array(table.ids.tolist(), pa.string())
    yield "location", pa.array(table.locations.tolist(), pa.string())
    if table.origins is not None:
        yield "origin", pa.array(table.origins.tolist(), pa.string())
    yield "lon", pa.array(table.lonlat[:, 0])
    yield "lat", pa.array(table.lonlat[:, 1])
    yield "truth", _lists(table.truth) if table.truth.ndim == 2 else pa.array(table.truth)
    kind = np.int32 if table.truth.ndim == 1 else np.int64 if counts_pixels(table.truth) else np.float32
    for number, found in enumerate(table.found):
        narrow = found.astype(kind)
        yield f"found_{number}", _lists(np.moveaxis(narrow, 0, 1).reshape(len(table.ids), -1))


def _lists(rows: NDArray[Any]) -> pa.Array:
    """(items, numbers) as a list of each item."""
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), rows.shape[1])


def _from_table(table: pa.Table) -> ItemTable:
    ids, locations = (np.asarray(table[name].to_pylist(), dtype=np.str_) for name in ("id", "location"))
    lonlat = np.stack([table[name].to_numpy() for name in ("lon", "lat")], axis=1)
    is_list = pa.types.is_fixed_size_list(table["truth"].type)
    truth = _rows(table["truth"]) if is_list else table["truth"].to_numpy()
    origins = np.asarray(table["origin"].to_pylist(), dtype=np.str_) if "origin" in table.column_names else None
    found = []
    for name in (name for name in table.column_names if name.startswith("found_")):
        each = np.moveaxis(_rows(table[name]).reshape(len(ids), -1, *answers_shape(truth)[1:]), 1, 0)
        found.append(np.ascontiguousarray(each, None if is_list else np.int64))
    return ItemTable(ids, locations, truth, lonlat, tuple(found), origins)


def _rows(column: pa.ChunkedArray) -> NDArray[Any]:
    """Lists of equal length as (items, numbers)."""
    lists = column.combine_chunks()
    values: NDArray[Any] = lists.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(lists), -1)
