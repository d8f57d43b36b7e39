"""Items picked from several stores, in one order: what a reader's answer is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from catalogs import fields
from catalogs.filters import Filter
from catalogs.rows import FILTERED
from catalogs.stores import Rows, Store

Read = TypeVar("Read")
ORDER = [(fields.LOCATION, "ascending"), ("sensor", "ascending"), ("id", "ascending")]


@dataclass(frozen=True, slots=True, eq=False)
class Picks:
    """Which items, by their numbers."""

    stores: Sequence[Store]
    """Where items are."""
    which: NDArray[np.int16]
    """Store of each item, by its number, (count,)."""
    rows: Rows
    """Number of each item in its store, (count,)."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def sensors(self) -> list[str]:
        """Ids of the sensors that took part."""
        return [self.stores[number].sensor for number in np.unique(self.which)]

    def at(self, places: slice | NDArray[np.int64]) -> Picks:
        """Some of them."""
        return Picks(self.stores, self.which[places], self.rows[places])

    def matching(self, wanted: Filter) -> Picks:
        """Those that meet a filter."""
        return self.at(wanted.matches(self.columns(wanted.columns))) if wanted.columns else self

    def gather(self, read: Callable[[Store, Rows], Sequence[Read]]) -> list[Read]:
        """What `read` gives of each, asked store by store."""
        found: dict[int, Read] = {}
        for store, places in self._by_store():
            found.update(zip(places.tolist(), read(store, self.rows[places]), strict=True))
        return [found[place] for place in range(len(self))]

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Some columns, of `rows.FILTERED`, in the order of the items."""
        parts = list(self._by_store())
        tables = [_plain(store.columns(names, self.rows[places])) for store, places in parts]
        if not tables:
            return pa.table({name: pa.array([], type_) for name, type_ in FILTERED if name in names})
        if len(tables) == 1:
            return tables[0]
        return pa.concat_tables(tables).take(pa.array(np.argsort(np.concatenate([places for _, places in parts]))))

    def _by_store(self) -> Iterator[tuple[Store, NDArray[np.int64]]]:
        """Stores, and the places of their items."""
        for number in np.unique(self.which):
            yield self.stores[number], np.flatnonzero(self.which == number)


def pick(stores: Sequence[Store], wanted: Filter) -> Picks:
    """All items of some stores that meet a filter, sorted by (location, sensor, id)."""
    found = [store.select(wanted) for store in stores]
    which = np.repeat(np.arange(len(stores), dtype=np.int16), [len(rows) for rows in found])
    picks = Picks(stores, which, np.concatenate([np.empty(0, np.int64), *found]))
    if len(picks.sensors) <= 1:
        return picks
    names = pa.array([store.sensor for store in stores], pa.string()).take(pa.array(which))
    keys = picks.columns([fields.LOCATION, "id"]).append_column("sensor", names)
    return picks.at(pc.sort_indices(keys, ORDER).to_numpy().astype(np.int64))


def _plain(table: pa.Table) -> pa.Table:
    """A table with its dictionaries spelled out, so that tables of several files agree."""
    types = [field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, types, strict=True))))
