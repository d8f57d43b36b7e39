"""The only code that writes a catalog.

Every file is written beside its name and renamed. Of an item the assets come first and its JSON last; a finished location
enters the journal; at a checkpoint the index, the squares' catalogs, the collection and the failures take the journal in,
and the journal is cleared. So a kill leaves a catalog that opens, and costs the locations that were in work.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalogs import fields, layout
from catalogs.bands import Sensor, find_sensor
from catalogs.failures import read_failures, write_failures
from catalogs.index import extent, folders, items_schema, media_types, merge_items, read_items
from catalogs.journal import Entry, Failure, Journal
from catalogs.pack_listing import pack_assets
from catalogs.pixels import multihash_file, write_raster, write_whole
from catalogs.records import UNKNOWN_LABEL, Band, Grid, Location, Raster, Scene, SourceWindow
from catalogs.to_stac import catalog_to_stac, collection_to_stac, link_item, scene_to_item, square_to_stac

if TYPE_CHECKING:
    from numpy.typing import NDArray

GEONAMES_NOTICE = "Places: GeoNames (geonames.org), CC BY 4.0."
RENDERED_NOTICE = "Simulated scenes, rendered from a made-up landscape: no satellite data"
RENDERED_BY = {"name": "seastars", "roles": ["producer", "licensor"]}
INDEX_ONLY_ABOVE = 50_000
"""Above this many items, the index is the items: no JSON file each."""


@dataclass(frozen=True, slots=True)
class Patch:
    """The pixels of one raster of a scene, before they are a file."""

    key: str
    """Asset key."""
    pixels: NDArray[Any]
    """(bands, height, width), native type."""
    bands: tuple[Band, ...]
    """What they are, scale and offset as of this scene."""
    grid: Grid
    """On the location's square."""
    sources: tuple[SourceWindow, ...] = ()
    """One per band."""
    resampling: str | None = None
    """Kernel of the warp, if there was one."""
    is_mask: bool = False
    """A classification or quality raster, or labels."""
    classes: tuple[str, ...] = ()
    """Names of the values of a label raster; see `label_patch`."""


class CatalogWriter:
    """Writes one catalog; one process at a time, scenes from any thread."""

    def __init__(
        self,
        folder: Path,
        locations: Sequence[Location],
        sensors: Mapping[str, Sequence[Band]],
        *,
        description: str,
        notices: Sequence[str] = (),
        json_items: bool = True,
        label_rasters: Mapping[str, Sequence[str]] | None = None,
        bands_apart: bool = False,
    ) -> None:
        """Open a folder for writing and take in what an earlier run left.

        Args:
            folder: The catalog's folder.
            locations: All locations of the catalog.
            sensors: Ids of the sensors, with the bands that their items may have.
            description: Of the catalog, for people.
            notices: Attribution of the places and sources beside the sensors' own.
            json_items: Whether each item is a JSON file too, or a row of the index alone.
            label_rasters: Classes of the label rasters that items may have, by asset key.
            bands_apart: Whether each band of an item is an asset of its own, rather than those of one pixel size.
        """
        self._folder = folder
        self._layout = layout.Layout.of(locations)
        self._schemas = {
            sensor: items_schema(
                find_sensor(sensor),
                bands,
                has_mask=find_sensor(sensor).mask is not None,
                label_rasters=label_rasters or (),
                bands_apart=bands_apart,
            )
            for sensor, bands in sensors.items()
        }
        self._label_rasters = label_rasters
        self._bands_apart = bands_apart
        self._bands = sensors
        self._description = description
        self._notices = notices
        self._json_items = json_items
        self._journal = Journal(folder)
        self._lock = Lock()
        self._failures: dict[str, list[Failure]] = defaultdict(list)
        for failure in read_failures(folder):
            self._failures[failure.location].append(failure)
        self._journal.trim()
        self._done = self._known_locations()
        self.checkpoint()

    @property
    def done(self) -> frozenset[str]:
        """Ids of the locations that are finished, with items or with failures."""
        return frozenset(self._done)

    @property
    def failures(self) -> list[Failure]:
        """What could not be completed so far, by location and season."""
        return [failure for location in sorted(self._failures) for failure in self._failures[location]]

    def write_scene(self, scene: Scene, patches: Iterable[Patch]) -> dict[str, Any]:
        """Write the assets of a scene, then its JSON.

        Args:
            scene: Everything but its rasters.
            patches: Its pixels, one per asset.

        Returns:
            The item in row form, to be given to `finish` with its location's other items.
        """
        folder = self._layout.folder(scene.location)
        stem = layout.stem(scene.datetime, scene.start_datetime, scene.end_datetime)
        rasters = [
            write_patch(self._folder / scene.sensor, f"{folder}/{layout.asset_name(stem, patch.key)}", patch)
            for patch in patches
        ]
        return self.write_item(replace(scene, rasters=tuple(sorted(rasters, key=lambda raster: raster.key))))

    def write_item(self, scene: Scene) -> dict[str, Any]:
        """Write the JSON of a scene whose assets are written, by `write_patch` in whatever process.

        Returns:
            The item in row form, to be given to `finish` with its location's other items.
        """
        item = scene_to_item(scene)
        if self._json_items:
            folder = self._layout.folder(scene.location)
            self._write_json(f"{scene.sensor}/{folder}/{layout.item_name(item['id'])}", link_item(item))
        return item

    def finish(self, location: Location, items: Sequence[Mapping[str, Any]], failures: Sequence[Failure]) -> None:
        """Record a location as finished, and remove what an interrupted run left of it."""
        for sensor in self._schemas:
            self._sweep(sensor, location, [item for item in items if item["collection"] == sensor])
        with self._lock:
            self._journal.append(Entry(location.id, items, failures))
            self._note(location.id, failures)

    def items_of(self, locations: Collection[str]) -> dict[str, list[dict[str, Any]]]:
        """Items in row form, as of the last checkpoint, of some locations that are finished."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for sensor in self._schemas if locations else ():
            with pq.ParquetFile(self._folder / sensor / layout.INDEX) as index:
                mine = pc.is_in(index.read(columns=[fields.LOCATION])[fields.LOCATION], pa.array(locations, pa.string()))
                for item in read_items(index, np.flatnonzero(mine.to_numpy()).tolist()):
                    found[item["properties"][fields.LOCATION]].append(item)
        return found

    def checkpoint(self) -> None:
        """Take the journal into the index, link what is new, and clear the journal."""
        with self._lock:
            entries = list(self._journal.entries())
            for entry in entries:
                self._note(entry.location, entry.failures)
            new: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
            for entry in entries:
                for item in entry.items:
                    new[item["collection"]].append(item)
            for sensor, schema in self._schemas.items():
                index = self._folder / sensor / layout.INDEX
                if new[sensor] or not index.exists():
                    index.parent.mkdir(parents=True, exist_ok=True)
                    merge_items(index, new[sensor], schema)
                self._write_collection(sensor)
            name = self._folder.absolute().name  # `.` has none
            self._write_json(layout.CATALOG, catalog_to_stac(name, self._description, list(self._schemas)))
            write_failures(self._folder, self.failures)
            self._journal.clear()

    def close(self) -> None:
        """Take a last checkpoint and leave nothing behind that an undisturbed run would not have left."""
        self.checkpoint()
        work = self._folder / layout.WORK
        if work.is_dir() and not any(work.iterdir()):
            work.rmdir()

    def _write_json(self, href: str, content: Mapping[str, Any]) -> None:
        write_document(self._folder / href, content)

    def _write_collection(self, sensor: str) -> None:
        index = self._folder / sensor / layout.INDEX
        bbox, interval, _ = extent(index)
        squares = self._write_squares(sensor, index) if self._json_items else []
        record = _as_rendered(find_sensor(sensor)) if _is_simulated(index) else find_sensor(sensor)
        years = sorted({when.year for when in interval}) if interval else []
        span = "" if record.attribution == RENDERED_NOTICE else f" {'-'.join(map(str, years))}"
        notices = [f"{record.attribution}{span}".strip() + ".", *self._notices]
        self._write_json(
            f"{sensor}/{layout.COLLECTION}",
            collection_to_stac(
                record,
                self._bands[sensor],
                bbox=bbox,
                interval=interval,
                children=squares,
                notices=notices,
                index_checksum=multihash_file(index),
                packs=self._listed_pack(sensor),
                label_rasters=self._label_rasters,
                bands_apart=self._bands_apart,
                media_types=media_types(index),
            ),
        )

    def _listed_pack(self, sensor: str) -> dict[str, dict[str, Any]]:
        """The pack that the collection lists, if it is there still: stale or not, its assets say of which index it is."""
        collection = self._folder / sensor / layout.COLLECTION
        has_pack = (self._folder / layout.pack_folder(sensor) / layout.PACK).exists()
        return pack_assets(json.loads(collection.read_bytes())) if has_pack and collection.exists() else {}

    def _write_squares(self, sensor: str, index: Path) -> list[str]:
        """Write the catalogs of all squares; give the hrefs of the top ones."""
        items: dict[str, list[str]] = defaultdict(list)
        table = folders(index)
        for id_, folder in zip(table["id"].to_pylist(), table["folder"].to_pylist(), strict=True):
            square, _, location = folder.rpartition("/")
            items[square].append(f"{location}/{layout.item_name(id_)}")
        parts: dict[str, list[str]] = defaultdict(list)
        for square in sorted(items):
            top, _, part = square.partition("/")
            parts[top] += [f"{part}/{layout.CATALOG}"] if part else []
        for square in sorted(items.keys() | parts.keys()):
            self._write_json(
                f"{sensor}/{square}/{layout.CATALOG}",
                square_to_stac(sensor, square, sorted(items.get(square, [])), parts.get(square, [])),
            )
        return [f"{top}/{layout.CATALOG}" for top in sorted(parts)]

    def _sweep(self, sensor: str, location: Location, items: Sequence[Mapping[str, Any]]) -> None:
        """Remove files of a location that no item of it names: left by a run that was killed."""
        folder = self._folder / sensor / self._layout.folder(location)
        if not folder.is_dir():
            return
        named = {href for item in items for href in (asset["href"].rpartition("/")[2] for asset in item["assets"].values())}
        named |= {layout.item_name(item["id"]) for item in items}
        for path in folder.iterdir():
            if path.name not in named:
                path.unlink()
        if not named:
            folder.rmdir()

    def _note(self, location: str, failures: Sequence[Failure]) -> None:
        self._done.add(location)
        self._failures.pop(location, None)
        if failures:
            self._failures[location] = sorted(failures, key=lambda failure: failure.season)

    def _known_locations(self) -> set[str]:
        known = set(self._failures)
        for sensor in self._schemas:
            index = self._folder / sensor / layout.INDEX
            if index.exists():
                known.update(pc.unique(pq.read_table(index, columns=[fields.LOCATION])[fields.LOCATION]).to_pylist())
        return known


def write_patch(collection: Path, href: str, patch: Patch) -> Raster:
    """Write the file of one raster; safe to call from any process.

    Args:
        collection: The folder of its collection.
        href: The file, relative to that.
        patch: Its pixels.

    Raises:
        OSError: The disk is full or cannot be written.
    """
    checksum, size = write_raster(collection / href, patch.pixels, patch.grid, patch.bands)
    return Raster(
        patch.key,
        href,
        patch.bands,
        patch.grid,
        patch.pixels.dtype.name,
        checksum,
        size,
        patch.resampling,
        patch.sources,
        patch.is_mask,
        patch.classes,
    )


def label_patch(
    key: str, pixels: NDArray[np.uint8], classes: Sequence[str], grid: Grid, *, source: SourceWindow | None = None
) -> Patch:
    """Somebody's labels of each pixel, before they are a file.

    Args:
        key: `labels` or `change`.
        pixels: Numbers of classes, (height, width); 255 where nobody knows.
        classes: Their names, from 0.
        grid: On the location's square.
        source: Where they came from.
    """
    bands = (Band(key, grid.gsd, nodata=UNKNOWN_LABEL),)
    sources = () if source is None else (source,)
    return Patch(key, pixels[None], bands, grid, sources, is_mask=True, classes=tuple(classes))


def write_document(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file as a whole, unless it holds just that already."""
    text = json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n"
    if not (path.exists() and path.read_bytes() == text):
        write_whole(path, text)


def _is_simulated(index: Path) -> bool:
    """Whether any item of an index is rendered rather than measured."""
    return bool(pc.any(pq.read_table(index, columns=[fields.SIMULATED])[fields.SIMULATED]).as_py())


def _as_rendered(sensor: Sensor) -> Sensor:
    """A sensor's record where its scenes are simulated: nobody's data, and nobody's licence."""
    return replace(
        sensor,
        title=f"Simulated {sensor.title}",
        license="CC0-1.0",
        attribution=RENDERED_NOTICE,
        provider=RENDERED_BY,
        citation=None,
    )
