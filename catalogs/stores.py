"""Where a reader finds the items of one sensor: rows of an index, or items that links led to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from catalogs import fields, index
from catalogs.filters import CLOUD, TIMES, Filter
from catalogs.foreign import SourceScene
from catalogs.from_stac import scene_from_item
from catalogs.index_files import IndexFiles
from catalogs.records import Scene
from catalogs.rows import BBOX, FILTERED, LABEL_ASSET, NOWHERE, UNREAD, raw_items

Rows = NDArray[np.int64]
AnyScene = Scene | SourceScene
"""A scene of a catalog of ours, or of another one."""
REPEATING = (
    fields.LOCATION, fields.SPLIT, fields.CONTRACT, "platform", "collection", "grid:code", "proj:code", "processing:level",
    "processing:version",
)  # fmt: skip
"""Columns of text that repeats: kept as dictionaries, they are read in a fraction of the time."""
FILTER_TYPES = dict(FILTERED)
"""Of the columns that `Store.columns` has."""
READ_OF_ASSET = (
    "href", "roles", "gsd", "data_type", "proj:shape", "file:checksum", "bands.list.element.name",
    "bands.list.element.nodata", "bands.list.element.raster:scale", "bands.list.element.raster:offset", fields.CLASSES,
)  # fmt: skip
"""What of an asset reading its pixels takes."""
GROUPS_KEPT = 3
"""Row groups of an index that stay decoded, some 80 MB each: for reading here and there in a catalog of up to 60,000 items."""


@dataclass(frozen=True, slots=True)
class BandOrder:
    """An order of bands that an asset comes in."""

    key: str
    """Of the asset."""
    names: tuple[str, ...]
    """Of its bands, in the order of the file."""
    first_item: str
    """Id of the first item that has it so."""


class Store(Protocol):
    """The items of one sensor, numbered from 0."""

    sensor: str
    """Id of the sensor."""
    folder: str
    """Path or address of the folder that the hrefs of its items start from."""

    def select(self, wanted: Filter) -> Rows:
        """Numbers of the items that meet a filter."""
        ...

    def columns(self, names: Sequence[str], rows: Rows) -> pa.Table:
        """Some columns, of `rows.FILTERED`, of some items."""
        ...

    def scenes(self, rows: Rows) -> list[AnyScene]:
        """The records of some items."""
        ...

    def items(self, rows: Rows) -> list[dict[str, Any]]:
        """Some items as STAC, their hrefs relative to the folder or absolute."""
        ...

    def band_orders(self) -> list[BandOrder]:
        """All orders of bands that the assets of all items come in."""
        ...

    def assets(self, rows: Rows) -> Iterator[pa.Table]:
        """What reading pixels takes of some items, in portions, in their order: their valid share, and a struct of assets."""
        ...


class IndexStore:
    """Items of a catalog of ours, read from its index as far as they are asked for."""

    def __init__(self, file: IndexFiles, sensor: str, folder: str) -> None:
        self.sensor = sensor
        self.folder = folder
        self.file = file
        self._starts = file.starts
        self._groups: OrderedDict[int, pa.StructArray] = OrderedDict()
        self._needed = [field.name for field in file.schema_arrow if field.name not in UNREAD]

    def select(self, wanted: Filter) -> Rows:
        """Numbers of the items that meet a filter; reads only its columns, only of row groups that may hold some."""
        names = wanted.columns
        if not names:
            return np.arange(self._starts[-1])
        known = (self.file.least_and_greatest(group, wanted.ranges) for group in range(self.file.num_row_groups))
        groups = [group for group, statistics in enumerate(known) if wanted.may_match(statistics)]
        if not groups:
            return np.empty(0, np.int64)
        rows = np.concatenate([np.arange(self._starts[group], self._starts[group + 1]) for group in groups])
        return rows[wanted.matches(self.file.read_row_groups(groups, columns=names))]

    def columns(self, names: Sequence[str], rows: Rows) -> pa.Table:
        """Some columns of some items; reads only the row groups that hold them."""
        groups = np.unique(np.searchsorted(self._starts, rows, side="right") - 1)
        table = _whole(self.file.read_row_groups(groups.tolist(), columns=list(names)), names)
        if len(rows) == len(table) == self._starts[-1] and (rows == np.arange(len(rows))).all():
            return table
        return table.take(pa.array(_places(rows, groups, self._starts)))

    def scenes(self, rows: Rows) -> list[AnyScene]:
        """The records of some items; fastest in the order of the index."""
        scenes: list[AnyScene] = []
        for group, within in _by_group(rows, self._starts):
            block = self._group(group)
            adjacent = within[-1] - within[0] == len(within) - 1 and (np.diff(within) == 1).all()
            chosen = block.slice(within[0], len(within)) if adjacent else block.take(pa.array(within))
            scenes += [scene_from_item(item) for item in raw_items(chosen)]
        return scenes

    def items(self, rows: Rows) -> list[dict[str, Any]]:
        """Some items in row form."""
        return index.read_items(self.file, rows.tolist())

    def band_orders(self) -> list[BandOrder]:
        """All orders of bands that the assets of all items come in; reads their names alone."""
        orders: list[BandOrder] = []
        for key in self.file.asset_keys:
            table = self.file.read(columns=["id", f"assets.{key}.bands.list.element.name"])
            bands = pc.struct_field(table["assets"], [key, "bands"]).combine_chunks()
            names = pa.ListArray.from_arrays(bands.offsets, bands.values.field("name"), mask=bands.is_null())
            joined = pc.binary_join(names, "\n")
            firsts = {
                order: table["id"][joined.index(order).as_py()].as_py() for order in joined.unique().drop_null().to_pylist()
            }
            orders += [BandOrder(key, tuple(order.split("\n")), first) for order, first in firsts.items()]
        return orders

    def assets(self, rows: Rows) -> Iterator[pa.Table]:
        """What reading pixels takes of some items, one row group in memory at a time."""
        columns = [fields.VALID_PERCENT, *(f"assets.{key}.{part}" for key in self.file.asset_keys for part in READ_OF_ASSET)]
        for group, within in _by_group(rows, self._starts):
            yield self.file.read_row_group(group, columns=columns).take(pa.array(within))

    def _group(self, number: int) -> pa.StructArray:
        if number in self._groups:
            self._groups.move_to_end(number)
        else:
            self._groups[number] = index.as_struct(self.file.read_row_group(number, columns=self._needed))
            if len(self._groups) > GROUPS_KEPT:
                self._groups.popitem(last=False)
        return self._groups[number]


class WalkedStore:
    """Items that were read one by one, from a catalog without an index."""

    def __init__(self, sensor: str, folder: str, items: Sequence[Mapping[str, Any]], scenes: Sequence[AnyScene]) -> None:
        self.sensor = sensor
        self.folder = folder
        self._items = items
        self._scenes = scenes
        self._table = _filter_table(items, scenes)

    def select(self, wanted: Filter) -> Rows:
        """Numbers of the items that meet a filter."""
        return wanted.matches(self._table)

    def columns(self, names: Sequence[str], rows: Rows) -> pa.Table:
        """Some columns of some items."""
        return self._table.select(names).take(pa.array(rows))

    def scenes(self, rows: Rows) -> list[AnyScene]:
        """The records of some items."""
        return [self._scenes[row] for row in rows]

    def items(self, rows: Rows) -> list[dict[str, Any]]:
        """Some items as they were read."""
        return [dict(self._items[row]) for row in rows]

    def band_orders(self) -> list[BandOrder]:
        """All orders of bands that the assets of all items come in."""
        orders: dict[tuple[str, tuple[str, ...]], BandOrder] = {}
        for scene, item in zip(self._scenes, self._items, strict=True):
            for raster in scene.rasters if isinstance(scene, Scene) else ():
                names = tuple(band.name for band in raster.bands)
                orders.setdefault((raster.key, names), BandOrder(raster.key, names, str(item["id"])))
        return list(orders.values())

    def assets(self, rows: Rows) -> Iterator[pa.Table]:
        """What reading pixels takes of some items of ours."""
        items = [self._items[row] for row in rows]
        type_ = pa.struct([(key, LABEL_ASSET) for key in sorted({key for item in items for key in item["assets"]})])
        valid = pa.array([item["properties"].get(fields.VALID_PERCENT) for item in items], pa.float64())
        yield pa.table({fields.VALID_PERCENT: valid, "assets": pa.array([item["assets"] for item in items], type_)})


def _filter_table(items: Sequence[Mapping[str, Any]], scenes: Sequence[AnyScene]) -> pa.Table:
    """The columns of an index that filters read, of items of any catalog; what only ours have is absent of others."""
    ours = [scene if isinstance(scene, Scene) else None for scene in scenes]
    columns = {
        "id": [str(item["id"]) for item in items],
        fields.LOCATION: [scene and scene.location.id for scene in ours],
        fields.SPLIT: [scene and scene.location.split for scene in ours],
        fields.SEASON: [scene and scene.season for scene in ours],
        **{name: [getattr(scene, name) for scene in scenes] for name in TIMES},
        CLOUD: [scene.cloud_percent for scene in scenes],
        fields.LABELS: [(scene and list(scene.labels)) or None for scene in ours],
        "bbox": [_box(item) for item in items],
    }
    return pa.table([pa.array(columns[name], type_) for name, type_ in FILTERED], names=[name for name, _ in FILTERED])


def _whole(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """A table with all the columns wanted: those that an older contract lacks are null."""
    for name in names:
        if name not in table.column_names and name in FILTER_TYPES:
            table = table.append_column(name, pa.nulls(len(table), FILTER_TYPES[name]))
    return table.select(list(names))


def _box(item: Mapping[str, Any]) -> dict[str, float]:
    box = item.get("bbox") or NOWHERE
    half = len(box) // 2
    return {field.name: box[place] for field, place in zip(BBOX, (0, 1, half, half + 1), strict=True)}


def _by_group(rows: Rows, starts: Rows) -> Iterator[tuple[int, Rows]]:
    """Runs of rows in one row group, and their places in it."""
    groups = np.searchsorted(starts, rows, side="right") - 1
    edges = np.flatnonzero(np.diff(groups)) + 1
    for part in np.split(np.arange(len(rows)), edges):
        if len(part):
            group = int(groups[part[0]])
            yield group, rows[part] - starts[group]


def _places(rows: Rows, groups: Rows, starts: Rows) -> Rows:
    """Where rows lie in a table of some row groups, one after the other."""
    before = np.concatenate([[0], np.cumsum(np.diff(starts)[groups])])
    group = np.searchsorted(starts, rows, side="right") - 1
    places: Rows = rows - starts[group] + before[np.searchsorted(groups, group)]
    return places
