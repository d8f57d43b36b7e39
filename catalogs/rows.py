"""Items in row form as Arrow rows, and back: the columns of `items.parquet`.

An item's properties are columns of their own, its assets a struct with one child per asset key, its footprint WKB, its
times timestamps. Every column is declared, so that writing needs no look at all items first, and an item that holds more
than its index can is refused rather than trimmed. The columns that filters read come first and side by side: a remote
reader fetches them in one request per row group.

References:
    stac-geoparquet 1.1.0, https://github.com/radiantearth/stac-geoparquet-spec
    GeoParquet 1.1.0, https://geoparquet.org/releases/v1.1.0/
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import pyarrow as pa

from catalogs import fields
from catalogs.bands import Sensor, asset_key
from catalogs.errors import ContractError
from catalogs.from_stac import read_time
from catalogs.records import Band
from catalogs.to_stac import write_time
from catalogs.wkb import from_wkb, to_wkb

TEXT, NUMBER, SMALL, SIZE, FLAG = pa.string(), pa.float64(), pa.int32(), pa.int64(), pa.bool_()
TIME = pa.timestamp("us", tz="UTC")
BBOX = pa.struct([(name, NUMBER) for name in ("xmin", "ymin", "xmax", "ymax")])
NOWHERE = (181.0, 91.0, -181.0, -91.0)
"""Box of an item whose ground is not known, whose polygon is empty: beyond the globe and inside out, so that it touches no box
and adds nothing to an extent. Nulls would be plainer, but stac-geoparquet 0.8 cannot read an index that has one in either
column, nor rustac 0.9 one with NaN in a box."""
LINK = pa.struct([("rel", TEXT), ("href", TEXT), ("type", TEXT)])
BAND = pa.struct(
    [
        ("name", TEXT),
        ("gsd", NUMBER),
        ("eo:common_name", TEXT),
        ("eo:center_wavelength", NUMBER),
        ("nodata", NUMBER),
        ("raster:scale", NUMBER),
        ("raster:offset", NUMBER),
    ]
)
SOURCE = pa.struct([("href", TEXT), ("window", pa.list_(SMALL)), ("checksum", TEXT)])
ASSET = pa.struct(
    [
        ("href", TEXT),
        ("type", TEXT),
        ("roles", pa.list_(TEXT)),
        ("gsd", NUMBER),
        ("data_type", TEXT),
        ("proj:shape", pa.list_(SMALL)),
        ("proj:transform", pa.list_(NUMBER)),
        ("file:checksum", TEXT),
        ("file:size", SIZE),
        ("bands", pa.list_(BAND)),
        (fields.RESAMPLING, TEXT),
        (fields.SOURCES, pa.list_(SOURCE)),
    ]
)
CLASS = pa.struct([("value", SMALL), ("name", TEXT), ("title", TEXT)])
LABEL_ASSET = pa.struct([*ASSET, (fields.CLASSES, pa.list_(CLASS))])
"""Of a label raster, which says what its values mean: no other asset has a column for it."""
FILTERED = (
    ("id", TEXT),
    (fields.LOCATION, TEXT),
    (fields.SPLIT, TEXT),
    (fields.SEASON, SMALL),
    ("datetime", TIME),
    ("start_datetime", TIME),
    ("end_datetime", TIME),
    ("eo:cloud_cover", NUMBER),
    (fields.LABELS, pa.list_(TEXT)),
    ("bbox", BBOX),
)
"""What a reader filters by or groups by: first in the file."""
OTHERS = (
    ("type", TEXT),
    ("stac_version", TEXT),
    ("stac_extensions", pa.list_(TEXT)),
    ("collection", TEXT),
    ("geometry", pa.binary()),
    ("platform", TEXT),
    ("constellation", TEXT),
    ("instruments", pa.list_(TEXT)),
    ("gsd", NUMBER),
    ("eo:snow_cover", NUMBER),
    ("view:sun_elevation", NUMBER),
    ("view:sun_azimuth", NUMBER),
    ("sat:relative_orbit", SMALL),
    ("sat:orbit_state", TEXT),
    ("grid:code", TEXT),
    ("proj:code", TEXT),
    ("proj:bbox", pa.list_(NUMBER)),
    ("processing:level", TEXT),
    ("processing:version", TEXT),
    ("processing:expression", pa.struct([("format", TEXT), ("expression", TEXT)])),
    (fields.CONTRACT, TEXT),
    (fields.VALID_PERCENT, NUMBER),
    (fields.UNCLASSIFIED_PERCENT, NUMBER),
    (fields.SOURCE_CLOUD_PERCENT, NUMBER),
    (fields.CLOUD_SOURCE, TEXT),
    (fields.SOURCE, TEXT),
    (fields.SOURCE_ID, TEXT),
    (fields.RADIOMETRY, pa.struct([(name, TEXT) for name in ("decision", "check", "harmonized", "evidence")])),
    (fields.SHIFT_M, pa.list_(NUMBER)),
    (fields.SIMULATED, FLAG),
    ("links", pa.list_(LINK)),
)
TOP_LEVEL = ("id", "type", "stac_version", "stac_extensions", "collection", "geometry", "bbox", "links", "assets")
UNREAD = ("type", "stac_version", "stac_extensions", "geometry", "bbox", "constellation", "instruments", "gsd")
"""Columns that a record does not need."""
METADATA = {
    "geo": {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {
            "geometry": {
                "encoding": "WKB",
                "geometry_types": [],  # unknown: told both, rustac reads every Polygon as a MultiPolygon
                "orientation": "counterclockwise",
                "covering": {"bbox": {field.name: ["bbox", field.name] for field in BBOX}},
            }
        },
    },
    "stac-geoparquet": {"version": "1.1.0"},
}


def items_schema(
    sensor: Sensor,
    bands: Sequence[Band],
    *,
    has_mask: bool,
    label_rasters: Collection[str] = (),
    bands_apart: bool = False,
) -> pa.Schema:
    """The columns of one collection's index.

    Args:
        sensor: What the collection holds.
        bands: All bands that its items may have.
        has_mask: Whether items may have the sensor's mask.
        label_rasters: Keys of the label rasters that items may have.
        bands_apart: Whether each band is an asset of its own.
    """
    keys = {asset_key(band, apart=bands_apart) for band in bands} | ({sensor.mask.name} if has_mask and sensor.mask else set())
    types = {**dict.fromkeys(keys, ASSET), **dict.fromkeys(label_rasters, LABEL_ASSET)}
    assets = pa.struct(sorted(types.items()))
    metadata = {key: json.dumps(value) for key, value in METADATA.items()}
    return pa.schema([*FILTERED, *OTHERS, ("assets", assets)], metadata=metadata)


def encode_items(items: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Items in row form as rows.

    Raises:
        ContractError: An item holds what the schema has no column for, or a value of another type.
    """
    shape = _item_shape(schema)
    for item in items:
        surplus = shape.surplus(item)
        if surplus:
            raise ContractError(
                f"Item {item.get('id')!r} has {surplus!r}, for which this index has no column. "
                "Expected what catalogs.to_stac writes, of the bands that the collection declares."
            )
    return pa.RecordBatch.from_arrays([_column(items, field) for field in schema], schema=schema)


def decode_items(rows: pa.StructArray) -> list[dict[str, Any]]:
    """Rows as items in row form, equal to those that were encoded; whole numbers are integers, times text."""
    items = []
    for item in raw_items(rows):
        tidy = {name: _tidy(item[name]) for name in ("type", "stac_version", "stac_extensions", "id", "collection")}
        tidy |= _footprint(item)
        groundless = {"proj:code": None} if tidy["geometry"] is None else {}
        tidy["properties"] = {"datetime": None, **groundless, **_tidy(item["properties"])}
        items.append(tidy | {"links": _tidy(item["links"]), "assets": _tidy(item["assets"])})
    return items


def raw_items(rows: pa.StructArray) -> Iterator[dict[str, Any]]:
    """Rows as items, their values as Arrow gives them: all `from_stac` needs, at half the price of `decode_items`."""
    for row in rows.to_pylist():
        item = {name: row.pop(name) for name in TOP_LEVEL if name in row}
        item["assets"] = {key: asset for key, asset in item["assets"].items() if asset is not None}
        item["properties"] = row
        yield item


def _footprint(item: Mapping[str, Any]) -> dict[str, Any]:
    """Geometry and box of a row; of unknown ground a geometry of none, and as STAC then asks, no box."""
    geometry = from_wkb(item["geometry"])
    return {"geometry": geometry, **({"bbox": [item["bbox"][field.name] for field in BBOX]} if geometry else {})}


def _column(items: Sequence[Mapping[str, Any]], field: pa.Field) -> pa.Array:
    """One column of the rows of some items."""
    convert: Callable[[Any], Any] | None = _CONVERSIONS.get(field.name, read_time if field.type == TIME else None)
    values = [(item if field.name in TOP_LEVEL else item["properties"]).get(field.name) for item in items]
    try:
        return pa.array(values if convert is None else [convert(value) for value in values], field.type)
    except (pa.ArrowException, TypeError, ValueError) as error:
        if len(items) > 1:
            for item in items:
                _column([item], field)
        raise ContractError(
            f"Item {items[0].get('id')!r} has {values[0]!r} as {field.name}; expected {field.type} ({error}). "
            "Make the item with catalogs.to_stac."
        ) from error


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "geometry": to_wkb,
    "bbox": lambda box: dict(zip(("xmin", "ymin", "xmax", "ymax"), box or NOWHERE, strict=True)),
}


def _tidy(value: Any) -> Any:
    """Without absent keys; whole numbers as integers, times as text."""
    if isinstance(value, dict):
        return {key: _tidy(part) for key, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_tidy(part) for part in value]
    if isinstance(value, datetime):
        return write_time(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which keys a dictionary may have, and those of the dictionaries in it."""

    names: frozenset[str]
    """All keys."""
    inner: tuple[tuple[str, _Shape, bool], ...]
    """Keys that hold a dictionary, its shape, and whether there is a list of them."""

    @classmethod
    def of(cls, type_: pa.DataType) -> _Shape:
        """The shape of a struct."""
        inner = []
        for field in type_:
            is_list = pa.types.is_list(field.type)
            element = field.type.value_type if is_list else field.type
            if pa.types.is_struct(element):
                inner.append((field.name, cls.of(element), is_list))
        return cls(frozenset(field.name for field in type_), tuple(inner))

    def surplus(self, value: Mapping[str, Any]) -> str | None:
        """The way to the first key too many; none where all have their place."""
        if not value.keys() <= self.names:
            return min(value.keys() - self.names)
        for name, shape, is_list in self.inner:
            part = value.get(name)
            if part is None:
                continue
            for element in part if is_list else (part,):
                found = shape.surplus(element)
                if found:
                    return f"{name}.{found}"
        return None


@lru_cache(maxsize=16)
def _item_shape(schema: pa.Schema) -> _Shape:
    """The shape of an item in row form."""
    properties = _Shape.of([field for field in schema if field.name not in TOP_LEVEL])
    top = _Shape.of([field for field in schema if field.name in TOP_LEVEL and field.name != "bbox"])
    return _Shape(top.names | {"properties", "bbox"}, (*top.inner, ("properties", properties, False)))
