"""Where the pixels of many items are and what their numbers mean, as columns: a few dozen bytes an item beside its hrefs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from catalogs import fields
from catalogs.layers import Form
from catalogs.stores import Rows, Store

ABSENT = -1
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, eq=False)
class RasterTable:
    """The rasters of some items of one sensor, item by item."""

    forms: tuple[Form, ...]
    """Every form that a raster comes in."""
    which: Mapping[str, NDArray[np.int16]]
    """By asset key, the number of each item's form, (items,); -1 where the item lacks the asset."""
    hrefs: Mapping[str, pa.StringArray]
    """By asset key, the file of each item, relative to the collection's folder."""
    checksums: Mapping[str, pa.StringArray]
    """By asset key, the multihash of each item's file."""
    scale: Mapping[str, NDArray[np.float64]]
    """By band, that of each item, (items,); NaN where there is none."""
    offset: Mapping[str, NDArray[np.float64]]
    """See `scale`."""
    valid_percent: NDArray[np.float64]
    """Share of each item's square with a measurement in every band, (items,); NaN where it is not stated."""

    def __len__(self) -> int:
        return len(self.valid_percent)

    def counts(self) -> dict[Form, int]:
        """How many items have each form."""
        found: dict[Form, int] = {}
        for numbers in self.which.values():
            tally = np.bincount(numbers[numbers >= 0], minlength=len(self.forms))
            found |= {self.forms[number]: int(tally[number]) for number in np.flatnonzero(tally)}
        return found

    def with_band(self, band: str) -> NDArray[np.bool_]:
        """Which items have a band of measurements, (items,)."""
        having = [number for number, form in enumerate(self.forms) if band in form.bands and not form.is_mask]
        has = np.zeros(len(self), bool)
        for numbers in self.which.values():
            has |= np.isin(numbers, having)
        return has

    def keep(self, bands: Collection[str]) -> RasterTable:
        """The same of those bands alone."""
        keys = {form.key for form in self.forms if not form.is_mask and not set(bands).isdisjoint(form.bands)}
        which, hrefs, checksums = ({key: part[key] for key in keys} for part in (self.which, self.hrefs, self.checksums))
        return replace(self, which=which, hrefs=hrefs, checksums=checksums, scale={}, offset={})


def read_raster_table(store: Store, rows: Rows) -> RasterTable:
    """What reading the pixels of some items of a catalog of ours takes.

    Args:
        store: The items of one sensor.
        rows: Which, in the order wanted.
    """
    columns = _Columns(len(rows))
    start = 0
    for portion in store.assets(rows):
        columns.fill(slice(start, start + len(portion)), portion)
        start += len(portion)
    return columns.table()


@dataclass(slots=True)
class _Columns:
    """A table in the making."""

    count: int
    """Items in all."""
    forms: dict[Form, int] = field(default_factory=dict)
    which: dict[str, NDArray[np.int16]] = field(default_factory=dict)
    texts: dict[tuple[str, str], list[pa.Array]] = field(default_factory=dict)
    factors: dict[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)
    valid: list[NDArray[np.float64]] = field(default_factory=list)

    def fill(self, at: slice, portion: pa.Table) -> None:
        """Take in what `Store.assets` gives of the items from `at.start` to `at.stop`."""
        assets = portion["assets"].combine_chunks()
        for key in (asset.name for asset in assets.type):
            asset = pc.struct_field(assets, key)
            numbers = self._number_forms(key, asset)
            self.which.setdefault(key, np.full(self.count, ABSENT, np.int16))[at] = numbers
            for part in ("href", "file:checksum"):
                self.texts.setdefault((key, part), []).append(pc.struct_field(asset, part))
            self._fill_factors(at, asset, numbers)
        has_valid = fields.VALID_PERCENT in portion.column_names
        self.valid.append(_floats(portion[fields.VALID_PERCENT]) if has_valid else np.full(len(portion), np.nan))

    def table(self) -> RasterTable:
        """What was taken in."""
        texts = {name: pa.chunked_array(parts, pa.string()).combine_chunks() for name, parts in self.texts.items()}
        return RasterTable(
            forms=tuple(self.forms),
            which=self.which,
            hrefs=_of_part(texts, "href"),
            checksums=_of_part(texts, "file:checksum"),
            scale=_of_part(self.factors, "raster:scale"),
            offset=_of_part(self.factors, "raster:offset"),
            valid_percent=np.concatenate([np.empty(0), *self.valid]),
        )

    def _number_forms(self, key: str, asset: pa.StructArray) -> NDArray[np.int16]:
        """Number of the form of each item's asset, told apart by text."""
        bands, shape = pc.struct_field(asset, "bands"), pc.struct_field(asset, "proj:shape")
        texts = [
            _joined(bands, bands.values.field("name")),
            _joined(bands, bands.values.field("nodata")),
            _joined(shape, shape.values),
            *(pc.struct_field(asset, name).cast(pa.string()) for name in ("gsd", "data_type")),
            *_joined_classes(asset),
        ]
        together = pc.binary_join_element_wise(*texts, "|", null_handling="replace", null_replacement="")
        encoded = pc.if_else(pc.is_valid(asset), together, pa.scalar(None, pa.string())).dictionary_encode()
        codes = encoded.indices.fill_null(ABSENT).to_numpy().astype(np.int64)
        firsts = [int(np.argmax(codes == code)) for code in range(len(encoded.dictionary))]
        found = [Form.of(key, row) for row in asset.take(pa.array(firsts, pa.int64())).to_pylist()]
        numbers = np.array([*(self.forms.setdefault(form, len(self.forms)) for form in found), ABSENT], np.int16)
        chosen: NDArray[np.int16] = numbers[codes]
        return chosen

    def _fill_factors(self, at: slice, asset: pa.StructArray, numbers: NDArray[np.int16]) -> None:
        """Scale and offset of each band of each item."""
        bands = pc.struct_field(asset, "bands")
        starts = bands.offsets.to_numpy()[:-1]
        for part in ("raster:scale", "raster:offset"):
            values = _floats(bands.values.field(part))
            for number, form in enumerate(self.forms):
                mine = np.flatnonzero(numbers == number)
                for place, band in enumerate(form.bands) if len(mine) else ():
                    column = self.factors.setdefault((band, part), np.full(self.count, np.nan))
                    column[at.start + mine] = values[starts[mine] + place]


def _of_part(values: Mapping[tuple[str, str], Value], name: str) -> dict[str, Value]:
    """What is there of one part, by asset key or band."""
    return {key: value for (key, part), value in values.items() if part == name}


def _joined(lists: pa.ListArray, values: pa.Array) -> pa.StringArray:
    """Each list of values as one text; `values` take the place of the lists' own."""
    texts = values.cast(pa.string()).fill_null("")
    return pc.binary_join(pa.ListArray.from_arrays(lists.offsets, texts, mask=lists.is_null()), ",")


def _joined_classes(asset: pa.StructArray) -> list[pa.StringArray]:
    """What the values of each item's asset mean, as text; nothing where the column has no label rasters."""
    if asset.type.get_field_index(fields.CLASSES) < 0:
        return []
    classes = pc.struct_field(asset, fields.CLASSES)
    return [_joined(classes, classes.values.field(part)) for part in ("name", "title")]


def _floats(column: Any) -> NDArray[np.float64]:
    """Numbers, NaN where there is none."""
    return np.asarray(column.cast(pa.float64()).fill_null(np.nan), np.float64)
