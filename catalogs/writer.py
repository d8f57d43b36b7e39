"""The only code that writes a catalog.

Every file is written beside its name and renamed. Of an item the assets come first and its JSON last; a finished location
enters the journal; at a checkpoint the index, the squares' catalogs, the collection and the failures take the journal in,
and the journal is cleared. So a kill leaves a catalog that opens, and costs the locations that were in work.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from catalogs import fields, layout
from catalogs.bands import Sensor, find_sensor
from catalogs.earlier_items import EarlierItems
from catalogs.failures import read_failures, write_failures
from catalogs.index import extent, folders, items_schema, iter_items, media_types
from catalogs.index_files import IndexFiles
from catalogs.index_writer import IndexWriter
from catalogs.journal import Entry, Failure, Journal
from catalogs.pack_listing import pack_assets
from catalogs.partitions import Partitions
from catalogs.publication import Publication
from catalogs.records import Band, Location, Scene
from catalogs.scene_writer import Patch, SceneWriter, label_patch, write_document, write_patch
from catalogs.targets import FolderTarget
from catalogs.terms import TermsOf, join_terms, unknown_terms
from catalogs.to_stac import catalog_to_stac, collection_to_stac, square_to_stac

__all__ = ["GEONAMES_NOTICE", "INDEX_ONLY_ABOVE", "CatalogWriter", "Patch", "label_patch", "write_document", "write_patch"]

GEONAMES_NOTICE = "Places: GeoNames (geonames.org), CC BY 4.0."
RENDERED_NOTICE = "Simulated scenes, rendered from a made-up landscape: no satellite data"
RENDERED_BY = {"name": "seastars", "roles": ["producer", "licensor"]}
INDEX_ONLY_ABOVE = 50_000
"""Above this many items, the index is the items: no JSON file each."""


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
        publication: Publication | None = None,
        terms_of: TermsOf = unknown_terms,
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
            publication: Where the files go, and copies of the documents, if not into the folder itself.
            terms_of: Knows the terms of the sources that items come from.

        Raises:
            CatalogUnreachableError: Files go to an address that does not answer.
        """
        self._folder = folder
        self._publication = publication
        target = publication.target if publication else FolderTarget(folder)
        self.scenes = SceneWriter(target, layout.Layout.of(locations), json_items)
        partitions = None if json_items else Partitions.of(location.id for location in locations)
        self._indices = {
            sensor: IndexWriter(
                folder / sensor,
                items_schema(
                    find_sensor(sensor),
                    bands,
                    has_mask=find_sensor(sensor).mask is not None,
                    label_rasters=label_rasters or (),
                    bands_apart=bands_apart,
                ),
                partitions,
            )
            for sensor, bands in sensors.items()
        }
        self._label_rasters = label_rasters
        self._bands_apart = bands_apart
        self._bands = sensors
        self._description = description
        self._notices = notices
        self._terms_of = terms_of
        self._json_items = json_items
        self._journal = Journal(folder)
        self._lock = Lock()
        self._failures: dict[str, list[Failure]] = defaultdict(list)
        for failure in read_failures(folder):
            self._failures[failure.location].append(failure)
        self._journal.trim()
        self._done = self._known_locations()
        if publication:
            publication.begin()
        self.checkpoint()
        for index in self._indices.values():
            index.forget_old()

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
        return self.scenes.write_scene(scene, patches)

    def write_item(self, scene: Scene) -> dict[str, Any]:
        """Write the JSON of a scene whose assets are written, by `write_patch` in whatever process.

        Returns:
            The item in row form, to be given to `finish` with its location's other items.
        """
        return self.scenes.write_item(scene)

    def finish(self, location: Location, items: Sequence[Mapping[str, Any]], failures: Sequence[Failure]) -> None:
        """Record a location as finished, and remove what an interrupted run left of it."""
        for sensor in self._indices:
            self.scenes.sweep(sensor, location, items)
        with self._lock:
            self._journal.append(Entry(location.id, items, failures))
            self._note(location.id, failures)

    def items_of(self, locations: Collection[str], keep: Callable[[Mapping[str, Any]], bool] | None = None) -> EarlierItems:
        """Items in row form, as of the last checkpoint, of some locations that are finished; by location, to be closed.

        Args:
            locations: Their ids.
            keep: Whether an item is wanted; all are where absent.

        Raises:
            OSError: The disk is full or cannot be written.
        """
        found = EarlierItems(self._folder)
        for writer in self._indices.values() if locations else ():
            with writer.open() as index:
                found.add(filter(keep, iter_items(index, locations)))
        return found

    def with_items(self, locations: Collection[str]) -> frozenset[str]:
        """Those of some locations that have items, as of the last checkpoint."""
        found = (index.locations() for index in self._indices.values()) if locations else ()
        return frozenset().union(*found).intersection(locations)

    def checkpoint(self) -> None:
        """Take the journal into the index, link what is new, and clear the journal."""
        with self._lock:
            for entry in self._journal.entries():
                self._note(entry.location, entry.failures)
                for item in entry.items:
                    self._indices[item["collection"]].add(item)
            for index in self._indices.values():
                index.merge()
            self._link()

    def adopt(self, rows: Mapping[str, Iterable[pa.Table]], failures: Iterable[Failure]) -> None:
        """Take the items and failures of other catalogs of the same recipe in place of those there are, and link them.

        Args:
            rows: Of each sensor, sorted by (location, id), each item once; their files are there already.
            failures: What those catalogs could not complete.
        """
        with self._lock:
            self._journal.begin()
            for sensor, index in self._indices.items():
                index.replace(rows[sensor])
            self._failures.clear()
            for failure in failures:
                self._failures[failure.location].append(failure)
            self._done = self._known_locations()
            self._link()

    def _link(self) -> None:
        """Write what leads to the items of the indices, and clear the journal."""
        for sensor in self._indices:
            self._write_collection(sensor)
        name = self._folder.absolute().name  # `.` has none
        self._write_json(layout.CATALOG, catalog_to_stac(name, self._description, list(self._indices)))
        write_failures(self._folder, self.failures)
        if self._publication:
            self._publication.copy()
        self._journal.clear()

    def close(self) -> None:
        """Take a last checkpoint and leave nothing behind that an undisturbed run would not have left."""
        self.checkpoint()
        if self._publication:
            self._publication.end()
        work = self._folder / layout.WORK
        if work.is_dir() and not any(work.iterdir()):
            work.rmdir()

    def _write_json(self, href: str, content: Mapping[str, Any]) -> None:
        write_document(self._folder / href, content)

    def _write_collection(self, sensor: str) -> None:
        with self._indices[sensor].open() as index:
            bbox, interval, _ = extent(index)
            types = media_types(index)
            squares = self._write_squares(sensor, index) if self._json_items else []
            is_simulated = _is_simulated(index)
            sources = [] if is_simulated else _sources(index)
        earlier = self._earlier_collection(sensor)
        record = _as_rendered(find_sensor(sensor)) if is_simulated else find_sensor(sensor)
        years = sorted({when.year for when in interval}) if interval and not is_simulated else []
        terms = join_terms(record, [self._terms_of(source, sensor) for source in sources], years)
        # What was forbidden stays so: nobody may be there by now to answer for it.
        is_free = terms.is_redistributable and earlier.get(fields.REDISTRIBUTABLE) is not False
        self._write_json(
            f"{sensor}/{layout.COLLECTION}",
            collection_to_stac(
                record,
                self._bands[sensor],
                bbox=bbox,
                interval=interval,
                children=squares,
                terms=replace(terms, notices=(*terms.notices, *self._notices), is_redistributable=is_free),
                index=self._indices[sensor].checksums(),
                packs=self._listed_pack(sensor, earlier),
                label_rasters=self._label_rasters,
                bands_apart=self._bands_apart,
                media_types=types,
            ),
        )

    def _earlier_collection(self, sensor: str) -> dict[str, Any]:
        """The collection as it was written last; empty where it is new."""
        path = self._folder / sensor / layout.COLLECTION
        earlier: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
        return earlier

    def _listed_pack(self, sensor: str, collection: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """The pack that a collection lists, if it is there still: stale or not, its assets say of which index it is."""
        return pack_assets(collection) if (self._folder / layout.pack_folder(sensor) / layout.PACK).exists() else {}

    def _write_squares(self, sensor: str, index: IndexFiles) -> list[str]:
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

    def _note(self, location: str, failures: Sequence[Failure]) -> None:
        self._done.add(location)
        self._failures.pop(location, None)
        if failures:
            self._failures[location] = sorted(failures, key=lambda failure: failure.season)

    def _known_locations(self) -> set[str]:
        known = set(self._failures)
        for index in self._indices.values():
            known.update(index.locations())
        return known


def _is_simulated(index: IndexFiles) -> bool:
    """Whether any item of an index is rendered rather than measured."""
    return bool(pc.any(index.read([fields.SIMULATED])[fields.SIMULATED]).as_py())


def _sources(index: IndexFiles) -> list[str]:
    """Names of the sources that the items of an index come from, sorted; items of contract 1.4 tell none."""
    return sorted(pc.unique(pc.drop_null(index.read([fields.SOURCE])[fields.SOURCE])).to_pylist())


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
