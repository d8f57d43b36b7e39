"""Pixels of many items of one sensor, by number: what a trainer and an evaluator read through.

```python
stack = open_stack(catalog, catalog.items(sensor="sentinel-2-l2a", split="train"), ["B04", "B03", "B02", "B11"])
arrays = stack.empty()          # one array per pixel size: 10 m, 20 m
stack.read_into(17, arrays)     # the pixels of item 17, native type, nothing converted
```

They come from a pack where there is one and from the rasters where there is none, and are the same. A stack goes to another
process as it is; files are opened where they are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from catalogs import files, layout
from catalogs.bands import Sensor, find_sensor
from catalogs.cache import Cache
from catalogs.errors import ContractError, MissingAssetError, MissingBandError
from catalogs.items import Items
from catalogs.layers import Layer, group_layers
from catalogs.pack import Pack, find_pack, pack_command
from catalogs.raster_choice import check_names, choose_bands, common_forms
from catalogs.raster_pixels import RasterPixels
from catalogs.raster_table import read_raster_table
from catalogs.reader import Catalog
from catalogs.secrets import without_secrets
from catalogs.stores import Rows, Store
from catalogs.walk import is_within

__all__ = ["Layer", "Pixels", "Stack", "open_stack"]


class Pixels(Protocol):
    """Where a stack's pixels come from; goes to another process as it is."""

    def read_into(self, item: int, out: Sequence[NDArray[Any]]) -> None:
        """Copy the pixels of an item into one array per layer, (bands, height, width)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Items of one sensor, their pixels in layers of one shape; see `open_stack`."""

    sensor: str
    """Its id."""
    items: pa.Table
    """As `Items.table`, and `valid_percent` (NaN where not stated): row i is item i."""
    bands: tuple[str, ...]
    """In the order asked for."""
    layers: tuple[Layer, ...]
    """One per pixel size, finest first; within a layer bands in the order asked for."""
    scale: NDArray[np.float32]
    """`reflectance = scale * DN + offset`, (items, bands), in the order of `bands`."""
    offset: NDArray[np.float32]
    """See `scale`."""
    index_hash: str
    """SHA-256 of the collection's index, 64 hexadecimal digits: what a pack and a training run are tied to."""
    is_packed: bool
    """Whether its pixels come from a pack."""
    pixels: Pixels
    """Where they come from."""

    def __len__(self) -> int:
        return len(self.items)

    def read_into(self, item: int, out: Sequence[NDArray[Any]]) -> None:
        """Copy the pixels of an item.

        Args:
            item: Its number, from 0.
            out: One array per layer, (bands, height, width).

        Raises:
            MissingAssetError: A file is not there.
            CatalogUnreachableError: A file cannot be read.
            ContractError: A file is damaged, or not what its checksum says.
        """
        self.pixels.read_into(item, out)

    def empty(self) -> tuple[NDArray[Any], ...]:
        """One array per layer for `read_into` to fill."""
        return tuple(np.empty(layer.shape, layer.data_type) for layer in self.layers)


def open_stack(
    catalog: Catalog,
    items: Items,
    bands: Sequence[str] | None = None,
    *,
    cache: Path | None = None,
    pack: bool | None = None,
) -> Stack:
    """Open the pixels of many items.

    Args:
        catalog: One of ours, a folder or an address.
        items: Of one sensor, of this catalog.
        bands: Their names, in the order wanted; all that every item has, in the sensor's order, where absent.
        cache: Folder that keeps what is fetched of a remote catalog; without one, its rasters are fetched each time they are
            read, and its packs are left alone.
        pack: True for the pack, whose bands are then all there are; False for the rasters; the pack where there is one with
            those bands, where absent.

    Raises:
        ContractError: The catalog is another's, there are no items, they are of several sensors, or differ in the size, the
            type or the nodata value of a band; the pack is stale or damaged.
        MissingBandError: The sensor has no such band, or some items lack it; the pack that is asked for lacks it.
        MissingAssetError: There is no pack, and one is asked for.
    """
    store, rows = one_store(catalog, items)
    sensor = find_sensor(store.sensor)
    if bands is not None:
        check_names(sensor, bands)
    kept = Cache(cache) if cache is not None and files.is_remote(catalog.href) else None
    found = None if pack is False else _find_pack(catalog, sensor.id, kept, demanded=bool(pack))
    if found and (wanted := _bands_in(found, sensor, bands, demanded=bool(pack))):
        return _packed(found, items, rows, wanted)
    table = read_raster_table(store, rows)
    names = choose_bands(sensor, table, bands, items.table["id"])
    if found and bands is None and set(names) <= set(found.plan.bands):
        return _packed(found, items, rows, names)
    layers = group_layers(names, common_forms(sensor, table, names))
    return Stack(
        sensor=sensor.id,
        items=items.table.append_column("valid_percent", pa.array(table.valid_percent)),
        bands=names,
        layers=layers,
        scale=np.stack([table.scale[band] for band in names], 1).astype(np.float32),
        offset=np.stack([table.offset[band] for band in names], 1).astype(np.float32),
        index_hash=catalog.index_hash(sensor.id),
        is_packed=False,
        pixels=RasterPixels(
            table.keep(names), layers, store.folder, catalog.href, trusts_hrefs=catalog.trusts_hrefs, cache=kept
        ),
    )


def _packed(pack: Pack, items: Items, rows: Rows, bands: tuple[str, ...]) -> Stack:
    """A stack of a pack, if that holds the items.

    Raises:
        ContractError: Its rows are not those of the index.
    """
    if not pack.table["id"].take(pa.array(rows)).combine_chunks().equals(items.table["id"].combine_chunks()):
        raise ContractError(f"The rows of the pack of {pack.plan.sensor} are not those of its index. {pack.files.remedy}")
    layers = group_layers(bands, {band: pack.plan.form(band) for band in bands})
    return Stack(
        sensor=pack.plan.sensor,
        items=items.table.append_column("valid_percent", pack.table["valid_percent"].take(pa.array(rows))),
        bands=bands,
        layers=layers,
        scale=pack.factors("scale", rows, bands).astype(np.float32),
        offset=pack.factors("offset", rows, bands).astype(np.float32),
        index_hash=pack.plan.index_hash,
        is_packed=True,
        pixels=pack.pixels(rows, layers),
    )


def _find_pack(catalog: Catalog, sensor: str, cache: Cache | None, *, demanded: bool) -> Pack | None:
    """The pack that may be read from.

    Raises:
        ContractError: It is stale or damaged, or demanded though it is remote and there is no cache.
        MissingAssetError: There is none, and it is demanded.
    """
    if files.is_remote(catalog.href) and cache is None:
        if demanded:
            raise ContractError(f"A pack of {catalog} is read through a cache, since it is remote. Give a cache folder.")
        return None
    found = find_pack(catalog, sensor, cache)
    if found is None and demanded:
        raise MissingAssetError(f"{catalog} has no pack of {sensor}. Make one: {pack_command(catalog, sensor)}")
    return found


def _bands_in(pack: Pack, sensor: Sensor, bands: Sequence[str] | None, *, demanded: bool) -> tuple[str, ...] | None:
    """The bands to read of a pack; none where it cannot tell, or lacks some.

    Raises:
        MissingBandError: It lacks some, and it is demanded.
    """
    has = pack.plan.bands
    if bands is None:
        return pack.plan.bands_in(sensor) if demanded or set(has) == set(pack.plan.all_bands) else None
    lacking = [band for band in bands if band not in has]
    if lacking and demanded:
        raise MissingBandError(
            f"The pack of {sensor.id} lacks {', '.join(lacking)}; it has {', '.join(has)}. "
            "Read the rasters, without it, or make it anew with other --bands: see curate pack --help."
        )
    return None if lacking else tuple(bands)


def one_store(catalog: Catalog, items: Items) -> tuple[Store, Rows]:
    """Where the items are, and their rows there.

    Raises:
        ContractError: They are no items of one sensor of this catalog, which is one of ours.
    """
    if not catalog.is_ours:
        raise ContractError(
            f"{catalog} is not of our making: its scenes belong to no location and share no grid. "
            f"Build a catalog from it: curate build CATALOG --source {without_secrets(catalog.href)}"
        )
    if not len(items):
        raise ContractError(f"No items of {catalog} were given. Widen what you ask of it; curate info counts what there is.")
    sensors = items.picks.sensors
    if len(sensors) > 1:
        raise ContractError(
            f"The items are of {len(sensors)} sensors ({', '.join(sensors)}), and a stack holds those of one. "
            f'Take them apart: catalog.items(sensor="{sensors[0]}").'
        )
    store = items.picks.stores[items.picks.which[0]]
    if not is_within(f"{store.folder}/{layout.INDEX}", catalog.href):
        raise ContractError(f"The items are of {without_secrets(store.folder)}, outside {catalog}. Give the catalog's own.")
    return store, items.picks.rows
