"""Rows of an index for checking, in order: whole ones, or of those whose files are not read what telling them apart takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow.compute as pc

from catalogs import fields
from catalogs.checks.documents import Collected
from catalogs.checks.tree import BROKEN_TABLE, Visit
from catalogs.errors import CatalogUnreachableError
from catalogs.index import as_struct, iter_items
from catalogs.index_files import IndexFiles
from catalogs.rows import decode_items, raw_items

BRIEF = ("id", "collection", fields.LOCATION)
BRIEF_OF_ASSET = ("href", "roles", "file:size", "file:checksum")


def checked_rows(
    visit: Visit, collected: Collected, is_drawn: Callable[[str], bool], *, all_drawn: bool
) -> Iterator[dict[str, Any]]:
    """All items of an index in row form; duplicates, disorder and what cannot be read are noted.

    Args:
        visit: The check that this is part of.
        collected: The collection.
        is_drawn: Whether the files of a location are read: its rows are whole.
        all_drawn: Whether all are.
    """
    if not collected.rows:
        return
    href = collected.index_name
    last = ("", "")
    try:
        with visit.tree.open_index(collected.index) as file:
            for row in iter_items(file) if all_drawn or collected.has_files else _rows_in_part(file, is_drawn):
                key = (location_of(row), str(row["id"]))
                if key == last:
                    visit.add("duplicate-id", href, f"Has two rows of item {key[1]}; expected each id once.")
                elif key < last:
                    visit.add("index", href, f"Has item {key[1]} after {last[1]}; expected rows sorted by location and id.")
                last = key
                yield row
    except CatalogUnreachableError:
        raise
    except BROKEN_TABLE as error:
        visit.add("index", href, f"Cannot be read to its end ({type(error).__name__}: {error}).")


def locations_of(visit: Visit, collected: Collected) -> set[str]:
    """Ids of the locations that have rows in an index; none where it cannot be read, which is told elsewhere."""
    if not collected.rows:
        return set()
    try:
        with visit.tree.open_index(collected.index) as file:
            return {str(location) for location in pc.unique(file.read([fields.LOCATION])[fields.LOCATION]).to_pylist()}
    except CatalogUnreachableError:
        raise
    except BROKEN_TABLE:
        return set()


def location_of(row: dict[str, Any]) -> str:
    """Id of the location of an item in row form."""
    return str(row["properties"].get(fields.LOCATION))


def _rows_in_part(file: IndexFiles, is_drawn: Callable[[str], bool]) -> Iterator[dict[str, Any]]:
    """Rows, whole only where they are drawn: a fraction of the time."""
    columns = [*BRIEF, *(f"assets.{key}.{part}" for key in file.asset_keys for part in BRIEF_OF_ASSET)]
    for group in range(file.num_row_groups):
        rows = list(raw_items(as_struct(file.read_row_group(group, columns=columns))))
        drawn = [number for number, row in enumerate(rows) if is_drawn(location_of(row))]
        if drawn:
            whole = decode_items(as_struct(file.read_row_group(group).take(drawn)))
            for number, row in zip(drawn, whole, strict=True):
                rows[number] = row
        yield from rows
