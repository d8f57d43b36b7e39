"""Records of items whose files are not read, checked by the column: what can be told of a million in seconds.

Of an item whose files are read, `catalogs.checks.items` asks all this and more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from catalogs import fields
from catalogs.checks.documents import Collected
from catalogs.checks.items import DEGREES, RANGES, show
from catalogs.checks.report import Problem
from catalogs.checks.tree import BROKEN_TABLE, Visit
from catalogs.errors import CatalogUnreachableError
from catalogs.lattice import corner_lonlats
from catalogs.records import Location
from catalogs.rows import BBOX

COLUMNS = ("id", "collection", fields.LOCATION, fields.SPLIT, "bbox", "proj:code", "proj:bbox", *RANGES)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with some rows of a table."""

    kind: str
    """Of the problem."""
    rows: NDArray[np.bool_]
    """Which rows, (count,)."""
    told: Callable[[int], str]
    """What is wrong with a row, in words."""


def check_columns(
    visit: Visit, collected: Collected, locations: Mapping[str, Location | None], is_drawn: Callable[[str], bool]
) -> None:
    """Check the records of all items whose files are not read: collection, split, square, footprint and ranges.

    Args:
        visit: The check that this is part of.
        collected: The collection.
        locations: As `locations.parquet` has them; none of those that cannot be read.
        is_drawn: Whether the files of a location are read.
    """
    try:
        with visit.tree.open_index(collected.index) as index:
            lacking = [name for name in COLUMNS if name not in index.schema_arrow.names]
            if lacking:
                visit.add("index", collected.index_name, f"Lacks the column {lacking[0]!r}; expected it of every item.")
                return
            for group in range(index.num_row_groups):
                rows = index.read_row_group(group, COLUMNS)
                visit.findings.extend(_problems(rows, collected.sensor, locations, is_drawn))
    except CatalogUnreachableError:
        raise
    except BROKEN_TABLE:
        return  # Who reads its rows tells what is wrong.


def _problems(
    rows: pa.Table, sensor: str, locations: Mapping[str, Location | None], is_drawn: Callable[[str], bool]
) -> Iterator[Problem]:
    codes = rows[fields.LOCATION].combine_chunks().dictionary_encode()
    ids, places = [str(id_) for id_ in codes.dictionary.to_pylist()], codes.indices.to_numpy()
    asked = np.array([not is_drawn(id_) for id_ in ids], bool)[places]
    for fault in _faults(rows, [locations.get(id_) for id_ in ids], places, sensor):
        for row in np.flatnonzero(fault.rows & asked).tolist():
            yield Problem(fault.kind, f"{sensor}/{rows['id'][row].as_py()}", fault.told(row))


def _faults(rows: pa.Table, own: list[Location | None], places: NDArray[Any], sensor: str) -> Iterator[Fault]:
    """What is wrong with the rows of a table.

    Args:
        rows: With `COLUMNS`.
        own: Locations; none where one is not known.
        places: Of each row, which of these it belongs to.
        sensor: The collection.
    """
    collection = rows["collection"]
    other = _flags(pc.not_equal(collection, sensor), null=True)
    yield Fault("schema", other, lambda row: f"Is of collection {collection[row].as_py()!r}; expected {sensor!r}.")
    known = np.array([location is not None for location in own], bool)[places]
    yield from _place_faults(rows, own, places, known)
    for name in RANGES:
        yield _range_fault(rows[name], name)


def _range_fault(values: pa.ChunkedArray, name: str) -> Fault:
    least, most = RANGES[name]
    outside = _flags(pc.or_(pc.less(values, least), pc.greater(values, most)))
    return Fault("schema", outside, lambda row: f"{name} is {values[row].as_py()}; expected {least} to {most}.")


def _place_faults(
    rows: pa.Table, own: list[Location | None], places: NDArray[Any], known: NDArray[np.bool_]
) -> Iterator[Fault]:
    """Where rows disagree with the locations that they are of."""
    splits = pa.array([location and location.split for location in own], pa.string()).take(places)
    split = rows[fields.SPLIT]
    parted = _flags(pc.not_equal(split, splits), null=True) & known
    yield Fault("split", parted, lambda row: f"Has split {split[row].as_py()!r}; its location is in {splits[row].as_py()!r}.")
    squares = [location and [float(edge) for edge in location.bounds] for location in own]
    codes = [location and location.epsg and f"EPSG:{location.epsg}" for location in own]
    stated = rows["proj:bbox"].combine_chunks()
    moved = _differ(stated, pa.array(squares, stated.type).take(places))
    zone = _differ(rows["proj:code"].combine_chunks(), pa.array(codes, pa.string()).take(places))
    yield Fault(
        "grid",
        (moved | zone) & known,
        lambda row: (
            f"Lies on {rows['proj:code'][row].as_py()} {stated[row].as_py()}; "
            f"its location is {codes[places[row]]} {squares[places[row]]}."
        ),
    )
    boxes = _boxes(own)[places]
    found = np.stack([pc.struct_field(rows["bbox"].combine_chunks(), field.name).to_numpy() for field in BBOX], axis=-1)
    away = ~(np.abs(found - boxes) <= DEGREES).all(axis=1) & ~np.isnan(boxes).any(axis=1)
    yield Fault(
        "grid", away, lambda row: f"bbox is {show(found[row].tolist())}; that of its location is {show(boxes[row].tolist())}."
    )


def _boxes(locations: list[Location | None]) -> NDArray[np.float64]:
    """(west, south, east, north) of locations, degrees, (count, 4); NaN of those that are not known or cross 180 degrees."""
    boxes = np.full((len(locations), 4), np.nan)
    located = [(row, place) for row, place in enumerate(locations) if place is not None and place.epsg is not None]
    if located:
        corners = corner_lonlats([place.zone for _, place in located], [place.bounds for _, place in located])
        least, most = corners.min(axis=1), corners.max(axis=1)
        least[np.ptp(corners[..., 0], axis=1) > 180] = np.nan
        boxes[[row for row, _ in located]] = np.concatenate([least, most], axis=1)
    return boxes


def _differ(one: pa.Array, other: pa.Array) -> NDArray[np.bool_]:
    """Where two arrays of one type differ; two absent values are the same."""
    if pa.types.is_list(one.type):
        return np.array([left != right for left, right in zip(one.to_pylist(), other.to_pylist(), strict=True)], bool)
    same = pc.or_kleene(pc.equal(one, other), pc.and_(pc.is_null(one), pc.is_null(other)))
    return ~_flags(same)


def _flags(values: pa.Array | pa.ChunkedArray, *, null: bool = False) -> NDArray[np.bool_]:
    """Flags as numpy's."""
    return np.asarray(pc.fill_null(values, null), bool)
