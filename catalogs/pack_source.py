"""What a pack is made of: all items of one sensor, their bands in layers, cut into shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from catalogs.bands import find_sensor
from catalogs.errors import ContractError
from catalogs.layers import group_layers
from catalogs.pack_plan import PackPlan
from catalogs.raster_choice import choose_bands, common_forms
from catalogs.raster_pixels import RasterPixels
from catalogs.raster_table import RasterTable, read_raster_table
from catalogs.reader import Catalog

SHARD_BYTES = 256 << 20
"""Most bytes of a shard; one item more where a single one has more."""


@dataclass(frozen=True, slots=True, eq=False)
class PackSource:
    """What a pack is made of."""

    plan: PackPlan
    """What it holds."""
    ids: pa.Array
    """Of the items, in the order of the index."""
    table: RasterTable
    """Of the items."""
    pixels: RasterPixels
    """Of the items, in the plan's layers."""


def plan_pack(
    catalog: Catalog, sensor: str, bands: Sequence[str] | None = None, *, shard_bytes: int = SHARD_BYTES
) -> PackSource:
    """Look at the items of a sensor, and decide what their pack holds.

    Args:
        catalog: One of ours, in a folder.
        sensor: Its id.
        bands: Names; all that every item has where absent.
        shard_bytes: Most bytes of a shard.

    Raises:
        ContractError: There are no items, or they differ in the size, type or nodata value of a band.
        MissingBandError: The sensor has no such band, or some items lack it.
    """
    known = find_sensor(sensor)
    items = catalog.items(sensor=sensor)
    if not len(items):
        raise ContractError(f"{catalog} has no items of {sensor}, so there is nothing to pack. Run curate build first.")
    store, rows = items.picks.stores[0], items.picks.rows
    table, ids = read_raster_table(store, rows), items.table["id"]
    chosen = set(choose_bands(known, table, bands, ids))
    names = [band.name for band in known.bands if band.name in chosen]
    layers = group_layers(names, common_forms(known, table, names))
    largest = max(layer.size for layer in layers)
    plan = PackPlan(
        sensor=sensor,
        index_hash=catalog.index_hash(sensor),
        items=len(rows),
        items_per_shard=min(max(shard_bytes // largest, 1), len(rows)),
        layers=layers,
        all_bands=tuple(band.name for band in known.bands if table.with_band(band.name).any()),
    )
    pixels = RasterPixels(table.keep(names), layers, store.folder, catalog.href, trusts_hrefs=catalog.trusts_hrefs)
    return PackSource(plan, ids.combine_chunks(), table, pixels)
