"""Opening a catalog, of ours or of others: which items there are, and their pixels."""

from __future__ import annotations

import io
import json
import posixpath
from collections.abc import Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from catalogs import fields, files, layout
from catalogs.bands import SENSORS, find_sensor
from catalogs.errors import ContractError, MissingAssetError
from catalogs.filters import Filter
from catalogs.foreign import resolve_href
from catalogs.index_listing import hash_as_listed, hash_of_index, listed_index
from catalogs.items import Items
from catalogs.locations import read_locations_table
from catalogs.odc import collection_config
from catalogs.opening import collection_sensor, find_root, open_other_store, open_our_store
from catalogs.picks import pick
from catalogs.pixels import SHA256_MULTIHASH, multihash, multihash_file, read_raster
from catalogs.planes import choose_mask, choose_planes, read_planes, to_reflectance
from catalogs.records import Scene
from catalogs.secrets import without_secrets
from catalogs.stores import AnyScene, Store
from catalogs.walk import Linked, find_collections, guard

if TYPE_CHECKING:
    import pyarrow as pa


def open_catalog(href: str | PathLike[str], *, trust_hrefs: bool = False) -> Catalog:
    """Open a catalog; nothing but its head is read until it is asked for.

    Args:
        href: A folder, a `catalog.json`, or the `http(s)://` or `s3://` address of either.
        trust_hrefs: Follow hrefs wherever they lead. Otherwise a catalog of ours stays within its folder, and another one
            within its folder and the web: no catalog names files of this machine beside its own.

    Raises:
        MissingAssetError: There is no such folder or file.
        NotACatalogError: It holds no STAC catalog.
        CatalogUnreachableError: Its server does not answer, or refuses.
        ContractError: It follows another major version of the contract.
    """
    address = fspath(href)
    if not files.is_remote(address):
        address = posixpath.normpath(Path(address).absolute())
    return Catalog(find_root(address.rstrip("/")), trust_hrefs=trust_hrefs)


class Catalog:
    """A catalog, opened for reading; see `open_catalog`."""

    def __init__(self, root: Linked, *, trust_hrefs: bool = False) -> None:
        """Use a root document that was read already.

        Args:
            root: Catalog or collection.
            trust_hrefs: Follow hrefs wherever they lead.

        Raises:
            ContractError: It follows another major version of the contract.
        """
        self.href = posixpath.dirname(root.href)
        """Path or address of its folder."""
        self.document: Mapping[str, Any] = root.content
        """Its head, as STAC."""
        self.is_ours = fields.CONTRACT in root.content
        """Whether it follows our contract, rather than STAC alone."""
        if self.is_ours:
            fields.check_contract(root.content[fields.CONTRACT], without_secrets(root.href))
        self.trusts_hrefs = trust_hrefs
        """Whether hrefs are followed wherever they lead."""
        self._root = root
        self._check = guard(self.href, is_ours=self.is_ours, trust_hrefs=trust_hrefs)
        self._stores: dict[str, Store] = {}

    def __str__(self) -> str:
        """Where it is, as messages say it."""
        return without_secrets(self.href)

    def __repr__(self) -> str:
        return f"<catalog {self.document.get('id')} at {without_secrets(self.href)}>"

    @property
    def sensors(self) -> tuple[str, ...]:
        """Ids of the sensors that it has collections of; of another catalog, those that we know."""
        return tuple(self._collections)

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """What identifies it: region, seed, source, dates, bands; empty where it has none."""
        try:
            return files.read_json(f"{self.href}/{layout.RECIPE}")
        except MissingAssetError:
            return {}

    def locations(self) -> pa.Table:
        """What was sampled, one row per location; see `catalogs.locations` for the columns.

        Raises:
            MissingAssetError: It is another catalog, which has no locations.
        """
        return read_locations_table(io.BytesIO(files.read_bytes(f"{self.href}/{layout.LOCATIONS}")))

    def collection(self, sensor: str) -> Mapping[str, Any]:
        """The collection of one sensor, as STAC.

        Raises:
            ContractError: There is none.
        """
        return self._linked(sensor)[0].content

    def index_hash(self, sensor: str) -> str:
        """SHA-256 of what says which items a sensor has: what a pack and a training run are tied to.

        Returns:
            64 hexadecimal digits: of its index, as its collection states them where the catalog is remote; of its items
            where it has no index.
        """
        folder, collection = posixpath.dirname(self._linked(sensor)[0].href), self.collection(sensor)
        paths = {name: Path(folder, name) for name in listed_index(collection)}
        if not files.is_remote(folder) and all(path.is_file() for path in paths.values()):
            return hash_of_index({name: multihash_file(path) for name, path in paths.items()})
        stated = hash_as_listed(collection)
        if stated:
            return stated
        store = self._store(sensor)
        items = [json.dumps(item, sort_keys=True, default=str) for item in store.items(store.select(Filter()))]
        return multihash("\n".join(items).encode()).removeprefix(SHA256_MULTIHASH)

    def items(
        self,
        *,
        sensor: str | Sequence[str] | None = None,
        split: str | None = None,
        season: int | None = None,
        max_cloud_percent: float | None = None,
        location: str | Sequence[str] | None = None,
        bbox: Sequence[float] | None = None,
        start: str | datetime | None = None,
        end: str | datetime | None = None,
    ) -> Items:
        """The items that meet all conditions, sorted by (location, sensor, id).

        Args:
            sensor: One sensor or several; all where absent.
            split: `train`, `val`, `test` or `none`.
            season: Which of its location's date windows an item answers, from 0; a vintage that answers several is found by the
                last of them.
            max_cloud_percent: Most cloud on the square; items that state none are left out.
            location: Id of one location, or of several.
            bbox: (west, south, east, north) in degrees that an item's own box touches; west > east across 180 degrees.
            start: Items that end at this instant or later: `2023-07-14`, `2023-07-14T10:00:00Z`, or a datetime.
            end: Items that start before this instant.

        Raises:
            ContractError: There is no such sensor or split, a box or a time cannot be read, or nothing of another catalog
                is of a sensor that we know.
        """
        wanted = Filter.of(
            split=split, season=season, max_cloud_percent=max_cloud_percent, location=location, bbox=bbox, start=start, end=end
        )
        names = [sensor] if isinstance(sensor, str) else list(self.sensors if sensor is None else sensor)
        if not names and not self.is_ours:
            raise ContractError(f"{self} has no items of a sensor that we know. Its sensors would be: {', '.join(SENSORS)}.")
        return Items(pick([self._store(name) for name in names], wanted))

    def read(self, item: AnyScene, bands: Sequence[str] | None = None, *, reflectance: bool = False) -> NDArray[Any]:
        """Pixels of an item.

        Args:
            item: One of `items`.
            bands: Their names, in the order wanted, of one pixel size; all measurements where absent.
            reflectance: Give `scale * DN + offset` as float32, NaN where there is no measurement.

        Returns:
            (bands, height, width), in native type, or float32.

        Raises:
            MissingBandError: The item lacks one.
            ContractError: The bands are of several pixel sizes, or one has no scale.
            MissingAssetError: A file is not there.
            UnsafeHrefError: A file lies outside the catalog's folder.
        """
        planes = choose_planes(item, bands)
        pixels = read_planes(item, planes, lambda href, indexes: self._read_file(item, href, indexes))
        return to_reflectance(item, planes, pixels) if reflectance else pixels

    def read_mask(self, item: AnyScene) -> NDArray[Any]:
        """Classes or bits of an item's mask, (height, width), at the mask's own pixel size; see `catalogs.masks`.

        Raises:
            MissingBandError: It has none.
        """
        pixels: NDArray[Any] = read_planes(
            item, [choose_mask(item)], lambda href, indexes: self._read_file(item, href, indexes)
        )[0]
        return pixels

    def odc_config(self) -> dict[str, Any]:
        """The `stac_cfg` for `odc.stac.load`, so that it finds bands by their names.

        Raises:
            ContractError: It is another catalog, whose bands odc-stac finds by itself, or one of ours with items of one sensor
                whose bands lie in different places.
        """
        if not self.is_ours:
            raise ContractError(f"{self} is not of our making: odc-stac finds its bands by itself. Pass no stac_cfg.")
        return {sensor: collection_config(find_sensor(sensor), self._store(sensor).band_orders()) for sensor in self.sensors}

    def _read_file(self, item: AnyScene, href: str, indexes: Sequence[int]) -> NDArray[np.generic]:
        """Bands of a file; a remote one of ours is small, and fetched whole."""
        folder = posixpath.dirname(self._linked(item.sensor)[0].href)
        address = self._check(resolve_href(href, f"{folder}/") if isinstance(item, Scene) else href)
        if not (files.is_remote(address) and isinstance(item, Scene)):
            return read_raster(files.for_gdal(address), indexes)
        from rasterio.io import MemoryFile

        with MemoryFile(files.read_bytes(address)) as memory:
            return read_raster(memory.name, indexes)

    @cached_property
    def _collections(self) -> dict[str, list[Linked]]:
        """Collections of each sensor that we know; another catalog may have several of one."""
        found: dict[str, list[Linked]] = {}
        for linked in find_collections(self._root, self._check):
            sensor = collection_sensor(linked, self._check)
            if sensor is not None:
                found.setdefault(sensor, []).append(linked)
        return found

    def _linked(self, sensor: str) -> list[Linked]:
        if sensor not in self._collections:
            guess = get_close_matches(sensor, self.sensors, 1, 0.5)
            has = f"it has {', '.join(self.sensors)}" if self.sensors else "it has no collection of a sensor that we know"
            raise ContractError(f"No sensor {sensor!r} in {self}; {has}.{f' Did you mean {guess[0]!r}?' if guess else ''}")
        return self._collections[sensor]

    def _store(self, sensor: str) -> Store:
        if sensor not in self._stores:
            linked = self._linked(sensor)
            store = open_our_store(linked[0], self._check) if self.is_ours else open_other_store(sensor, linked, self._check)
            self._stores[sensor] = store
        return self._stores[sensor]
