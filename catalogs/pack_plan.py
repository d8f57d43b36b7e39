"""What a pack holds, before there are any bytes of it: the one description that its writer and its reader share."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from catalogs import layout
from catalogs.bands import Sensor
from catalogs.layers import Form, Layer, one_nan

PLAN = b"seastars:pack"
"""Key of the plan in the metadata of a pack's table."""
VERSION = 1
FACTORS = ("scale", "offset", "nodata")
"""Columns of the table with one number per band."""


@dataclass(frozen=True, slots=True)
class PackPlan:
    """What a pack holds; two packs of one plan have the same bytes."""

    sensor: str
    """Id of the sensor."""
    index_hash: str
    """SHA-256 of the index that it is made of."""
    items: int
    """All of the index."""
    items_per_shard: int
    """Of every shard but the last."""
    layers: tuple[Layer, ...]
    """One per pixel size, finest first."""
    all_bands: tuple[str, ...]
    """Bands that any item has, packed or not, in the sensor's order."""

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands of all layers, one after the other: the order of the table's lists."""
        return tuple(band for layer in self.layers for band in layer.bands)

    def bands_in(self, sensor: Sensor) -> tuple[str, ...]:
        """Bands of all layers, in the sensor's order."""
        return tuple(band.name for band in sensor.bands if band.name in self.bands)

    @property
    def shards(self) -> int:
        """How many shards each layer has."""
        return -(-self.items // self.items_per_shard)

    @property
    def size(self) -> int:
        """Bytes of all pixels."""
        return self.items * sum(layer.size for layer in self.layers)

    def items_of(self, shard: int) -> range:
        """Numbers of the items in a shard."""
        return range(shard * self.items_per_shard, min((shard + 1) * self.items_per_shard, self.items))

    def shape(self, layer: int, shard: int) -> tuple[int, int, int, int]:
        """(items, bands, height, width) of a shard of a layer."""
        return len(self.items_of(shard)), *self.layers[layer].shape

    def shard_name(self, layer: int, shard: int) -> str:
        """File of a shard of a layer, relative to the pack's folder; layers of one pixel size are numbered."""
        same = [number for number, other in enumerate(self.layers) if other.gsd == self.layers[layer].gsd].index(layer)
        return layout.shard_name(f"{self.layers[layer].gsd:g}m{f'-{same + 1}' if same else ''}", shard)

    def form(self, band: str) -> Form:
        """What holds a band, as a raster would."""
        layer = next(layer for layer in self.layers if band in layer.bands)
        return Form("", layer.bands, layer.nodata, layer.gsd, layer.data_type, layer.height, layer.width, is_mask=False)

    def to_json(self) -> str:
        """The plan as text."""
        return json.dumps({"version": VERSION, **asdict(self)})

    @classmethod
    def from_json(cls, text: str | bytes) -> PackPlan:
        """A plan from what `to_json` gave.

        Raises:
            ValueError: It is none, or of another version of packs.
        """
        try:
            content = json.loads(text)
            if content.pop("version") != VERSION:
                raise ValueError(f"{text[:80]!r} is of another version of packs; expected {VERSION}")
            layers = tuple(Layer(**{key: _tupled(value) for key, value in layer.items()}) for layer in content.pop("layers"))
            return cls(layers=layers, **{key: _tupled(value) for key, value in content.items()})
        except (TypeError, AttributeError, LookupError) as error:
            raise ValueError(f"{text[:80]!r} is no plan of a pack") from error


@dataclass(frozen=True, slots=True)
class PackFile:
    """A file of a pack that is whole."""

    name: str
    """Relative to the pack's folder."""
    checksum: str
    """Multihash."""
    size: int
    """Bytes."""


def pack_schema(plan: PackPlan) -> pa.Schema:
    """The columns of a pack's table, one row per item in the order of the index; lists in the order of `PackPlan.bands`."""
    numbers = pa.list_(pa.float64(), len(plan.bands))
    columns = [("id", pa.string()), ("shard", pa.int32()), ("row", pa.int32()), *((name, numbers) for name in FACTORS)]
    return pa.schema([*columns, ("valid_percent", pa.float64())], metadata={PLAN: plan.to_json()})


def _tupled(value: Any) -> Any:
    return tuple(one_nan(part) if isinstance(part, float) else part for part in value) if isinstance(value, list) else value
