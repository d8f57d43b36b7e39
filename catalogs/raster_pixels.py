"""Pixels of many items from their own files, one file at a time: no more of an item is looked at than where its bands are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from catalogs import files
from catalogs.cache import Cache
from catalogs.foreign import resolve_href
from catalogs.layers import Form, Layer
from catalogs.pixels import read_raster
from catalogs.raster_table import RasterTable
from catalogs.walk import guard


@dataclass(frozen=True, slots=True)
class Part:
    """What of a file goes where in a layer."""

    key: str
    """Of the asset."""
    indexes: tuple[int, ...]
    """Bands of the file, from 1."""
    slots: slice | list[int]
    """Their places in the layer; a slice where they are in a row, which needs no copy."""


@dataclass(slots=True, eq=False)
class RasterPixels:
    """Reads items from their rasters, wherever the catalog is."""

    table: RasterTable
    """Of the items, in their order."""
    layers: tuple[Layer, ...]
    """What is read."""
    folder: str
    """Path or address of the collection's folder."""
    root: str
    """Path or address of the catalog's folder, which hrefs may not leave."""
    trusts_hrefs: bool
    """Whether they may."""
    cache: Cache | None = None
    """What keeps the files of a remote catalog."""
    _plans: dict[tuple[int, ...], tuple[tuple[Part, ...], ...]] = field(default_factory=dict)
    """By the forms of an item's assets, what to read for each layer."""

    def read_into(self, item: int, out: Sequence[NDArray[Any]]) -> None:
        """Copy the pixels of an item.

        Args:
            item: Its number.
            out: One array per layer, (bands, height, width).

        Raises:
            MissingAssetError: A file is not there.
            CatalogUnreachableError: A file cannot be read.
            UnsafeHrefError: A file lies outside the catalog's folder.
        """
        forms = tuple(int(numbers[item]) for numbers in self.table.which.values())
        plan = self._plans.get(forms)
        if plan is None:
            plan = self._plans[forms] = tuple(_parts(layer, self._forms_of(forms)) for layer in self.layers)
        for parts, array in zip(plan, out, strict=True):
            for part in parts:
                self._read(part, item, array)

    def read_asset(self, item: int, key: str) -> NDArray[Any]:
        """All bands of one file of an item, (bands, height, width).

        Args:
            item: Its number.
            key: Of the asset.

        Raises:
            MissingAssetError: The file is not there.
            CatalogUnreachableError: It cannot be read.
            UnsafeHrefError: It lies outside the catalog's folder.
        """
        with self._opened(key, item) as name:
            return read_raster(name)

    def _forms_of(self, numbers: Sequence[int]) -> list[Form]:
        return [self.table.forms[number] for number in numbers if number >= 0]

    def _read(self, part: Part, item: int, array: NDArray[Any]) -> None:
        """Copy what a part says into the array of its layer."""
        with self._opened(part.key, item) as name:
            if isinstance(part.slots, slice):
                read_raster(name, part.indexes, out=array[part.slots])
            else:
                array[part.slots] = read_raster(name, part.indexes)

    @contextmanager
    def _opened(self, key: str, item: int) -> Iterator[str]:
        """A name by which to read an asset, whole on this machine."""
        address = resolve_href(self.table.hrefs[key][item].as_py(), f"{self.folder}/")
        guard(self.root, is_ours=True, trust_hrefs=self.trusts_hrefs)(address)
        if not files.is_remote(address):
            yield address
        elif self.cache:
            yield str(self.cache.fetch(address, self.table.checksums[key][item].as_py()))
        else:
            from rasterio.io import MemoryFile

            with MemoryFile(files.read_bytes(address)) as memory:
                yield memory.name


def _parts(layer: Layer, forms: Sequence[Form]) -> tuple[Part, ...]:
    """What to read of an item for one layer, given the forms of its assets."""
    parts = []
    for form in forms:
        slots = [slot for slot, band in enumerate(layer.bands) if band in form.bands and not form.is_mask]
        if slots:
            indexes = tuple(form.bands.index(layer.bands[slot]) + 1 for slot in slots)
            is_run = slots == list(range(slots[0], slots[-1] + 1))
            parts.append(Part(form.key, indexes, slice(slots[0], slots[-1] + 1) if is_run else slots))
    return tuple(parts)
