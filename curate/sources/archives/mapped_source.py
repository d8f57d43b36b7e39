"""The source behind `--source my-archive.toml`: an API, a static catalog or a folder, read as its mapping file says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from catalogs.foreign import SourceBand, SourceScene
from catalogs.foreign_bands import band_fields, shared_fields
from catalogs.foreign_radiometry import DISPUTED, SHIFTED_FLAGS
from catalogs.records import GEOTIFF
from catalogs.secrets import without_secrets
from catalogs.terms import SourceTerms
from curate.errors import CurateError
from curate.sources import CONTENTS
from curate.sources.archives.mapped_bands import MappedBand
from curate.sources.archives.mapping import ArchiveMapping, MappedSensor, read_mapping
from curate.sources.archives.mosaics import with_mosaics
from curate.sources.protocol import LonLatBox, Source, SourceRaster

ENOUGH = 5
"""Items of an API after which an asset that none of them has is taken for a mistake of the mapping."""
OWN = "earthsearch:"
"""Begins the names of properties of Earth Search's own."""
_KEPT = ("href", "gsd", "file:checksum", "proj:epsg", "proj:code", "proj:transform", "proj:shape")
"""What is kept of an asset beside what is said of its bands."""


def open_mapping(text: str, *, max_scene_cloud: float) -> Source:
    """The source that a mapping file describes; an API is asked nothing yet.

    Args:
        text: The file's path, perhaps with what tells its contents, as a recipe has it.
        max_scene_cloud: Percent of a whole scene above which it is not offered.

    Raises:
        CurateError: The file has a mistake, or is another than it was when the catalog was begun.
        NotACatalogError: There is no STAC at the address of a static catalog.
        SourceUnavailableError: A static catalog does not answer.
    """
    path, _, digest = text.partition(CONTENTS)
    mapping = read_mapping(path)
    if digest and digest != mapping.digest:
        raise CurateError(
            f"{path} was changed since the catalog was begun: its contents are {mapping.digest}, and were {digest}. "
            "A catalog keeps one mapping: restore the file, or choose another folder for a new catalog."
        )
    return with_mosaics(MappedSource(mapping, max_scene_cloud=max_scene_cloud), mapping.sensors)


class MappedSource:
    """A source of scenes under the names, and with the radiometry, of a mapping file."""

    simulated = False
    reads_files = True

    def __init__(self, mapping: ArchiveMapping, *, max_scene_cloud: float) -> None:
        """Open what the mapping names; see `open_mapping`."""
        self.name = f"{without_secrets(mapping.path)}{CONTENTS}{mapping.digest}"
        """The file and what tells its contents: it is in the recipe, so that a changed mapping is noticed."""
        self.about = mapping.about
        self.max_scene_cloud = max_scene_cloud
        self.mapping = mapping
        self.skipped: dict[str, str] = {}
        """Why an item, by its id, or a file, by its path, is of no use."""
        self._items = MappedItems(mapping)
        self._inner = _open(mapping, self._items, max_scene_cloud)
        self._note()

    def sensors(self) -> Sequence[str]:
        """Ids of the sensors it has."""
        return [sensor for sensor in self._inner.sensors() if sensor in self.mapping.sensors]

    def search(self, sensor: str, box: LonLatBox, start: datetime, end: datetime) -> list[SourceScene]:
        """Find scenes; see `curate.sources.protocol.Source`.

        Raises:
            CurateError: The mapping names an asset that none of some items has.
            SourceSensorError: The archive has no scene of the sensor.
            SourceUnavailableError: It does not answer.
        """
        scenes = self._inner.search(sensor, box, start, end)
        self._note()
        mapped = self.mapping.sensors[sensor]
        return [_as_mapped(scene, mapped, self.mapping.name) for scene in scenes]

    @property
    def terms(self) -> Mapping[str, SourceTerms]:
        """What the collections of a mapped catalog ask, by sensor, where they say so; see `StaticCatalogSource.terms`."""
        found: Mapping[str, SourceTerms] = getattr(self._inner, "terms", {})
        return found

    def open(self, band: SourceBand) -> AbstractContextManager[SourceRaster]:
        """Open one band; see `curate.sources.rasters.open_raster`."""
        return self._inner.open(band)

    def _note(self) -> None:
        self._items.check(1 if self.mapping.kind == "catalog" else ENOUGH)
        self.skipped |= self._inner.skipped
        self.skipped |= self._items.lacking


class MappedItems:
    """Puts items of an archive under our names of bands, and knows what the mapping names and they lack."""

    def __init__(self, mapping: ArchiveMapping) -> None:
        """See no item yet."""
        self.lacking: dict[str, str] = {}
        """Which asset an item lacks, by its id: it is not as the mapping says, and not used."""
        self._mapping = mapping
        self._seen: dict[str, Counter[str]] = {name: Counter() for name in mapping.sensors}
        self._count = Counter[str]()

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        """An item as if its archive used our names; without assets where it is not as the mapping says."""
        mapped, assets = self._of(item), item.get("assets", {})
        if mapped is None:
            return item | {"assets": {}}
        self._seen[mapped.sensor.id].update(assets.keys())
        self._count[mapped.sensor.id] += 1  # last: another thread may `check` in between
        lacks = next((name for name, band in mapped.bands.items() if band.asset not in assets), None)
        if lacks:
            self.lacking[str(item.get("id"))] = self._lacks(mapped, lacks, "it lacks", assets)
            return item | {"assets": {}}
        renamed = item | {"collection": mapped.sensor.id, "properties": _properties(item)}
        return renamed | {"assets": _renamed(item, mapped.bands)} if mapped.bands else renamed

    def check(self, enough: int) -> None:
        """Refuse a mapping that names an asset which no item has.

        Args:
            enough: Items of a sensor that have to be seen before that is said.

        Raises:
            CurateError: There is one.
        """
        for sensor, mapped in self._mapping.sensors.items():
            seen = self._seen[sensor]
            unseen = next((name for name, band in mapped.bands.items() if band.asset not in seen), None)
            if unseen and self._count[sensor] >= enough:
                raise CurateError(f"{self._mapping.path}: {self._lacks(mapped, unseen, 'no item has', seen)}")

    def _lacks(self, mapped: MappedSensor, name: str, who: str, known: Mapping[str, Any]) -> str:
        asset = mapped.bands[name].asset
        guess = get_close_matches(asset, list(known), 1, 0.5)
        return (
            f"sensors.{mapped.sensor.id} says that {name} is asset {asset!r}, which {who}; there are "
            f"{', '.join(sorted(known)) or 'none'}.{f' Did you mean {guess[0]!r}?' if guess else ''}"
        )

    def _of(self, item: Mapping[str, Any]) -> MappedSensor | None:
        sensors = self._mapping.sensors.values()
        named = [each for each in sensors if item.get("collection") in each.collections]
        return next(iter(named), None) or next((each for each in sensors if not each.collections), None)


def _open(mapping: ArchiveMapping, items: MappedItems, max_scene_cloud: float) -> Source:
    if mapping.kind == "folder":
        from curate.sources.archives.tiff_folder import TiffFolderSource

        return TiffFolderSource(mapping.address, mapping.sensors, name=mapping.name)
    if mapping.kind == "catalog":
        from curate.sources.static_catalog import StaticCatalogSource

        return StaticCatalogSource(mapping.address, name=mapping.name, max_scene_cloud=max_scene_cloud, prepare=items)
    from curate.sources.stac_api import StacApiSource

    return StacApiSource(
        mapping.address,
        name=mapping.name,
        collections={name: each.collections for name, each in mapping.sensors.items()},
        max_scene_cloud=max_scene_cloud,
        prepare=items,
        asks_terms=True,
    )


def _properties(item: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of an item that gets another collection's name.

    Earth Search's own, by which items of its disputed collections are known, go where its collection is none of these.
    """
    properties = dict(item.get("properties", {}))
    if str(item.get("collection")).lower() in DISPUTED:
        return properties
    return {name: value for name, value in properties.items() if not (name.startswith(OWN) or name in SHIFTED_FLAGS)}


def _renamed(item: Mapping[str, Any], bands: Mapping[str, MappedBand]) -> dict[str, dict[str, Any]]:
    """Assets with the mapped bands alone, by our names."""
    assets = {}
    for number, key in enumerate(dict.fromkeys(band.asset for band in bands.values())):
        if key not in item.get("assets", {}):
            continue
        asset = item["assets"][key]
        places = {band.index: name for name, band in bands.items() if band.asset == key}
        told = dict(enumerate(band_fields(asset, item.get("properties", {})), 1))
        shared = shared_fields(asset, item.get("properties", {}))
        rows = [
            told.get(index, shared) | {"name": places[index]} if index in places else {} for index in range(1, max(places) + 1)
        ]
        kept = {field: asset[field] for field in _KEPT if field in asset}
        assets[f"mapped{number}"] = kept | {"type": GEOTIFF, "bands": rows}
    return assets


def _as_mapped(scene: SourceScene, mapped: MappedSensor, archive: str) -> SourceScene:
    """A scene with what the mapping says of its numbers, where it does."""
    bands = {name: _with_values(band, mapped.values_of(name)) for name, band in scene.bands.items()}
    radiometry = "collection" if mapped.states_radiometry else scene.radiometry
    return replace(scene, bands=bands, radiometry=radiometry, source=archive)


def _with_values(band: SourceBand, mapped: MappedBand | None) -> SourceBand:
    said = {name: value for name in ("scale", "offset", "nodata") if (value := getattr(mapped, name, None)) is not None}
    return replace(band, **said)
