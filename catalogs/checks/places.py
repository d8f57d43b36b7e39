"""All items of one sensor at one location: their records, their files, and what they have in common."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from catalogs import fields, layout
from catalogs.bands import find_sensor
from catalogs.checks.documents import Collected, check_links
from catalogs.checks.grounds import Grounds
from catalogs.checks.items import BROKEN_RECORD, SHOWN, check_item, difference, item_place, show, unsafe_hrefs
from catalogs.checks.leftovers import UNLINKED, kind_of_loose
from catalogs.checks.rasters import Seen, check_file, check_size
from catalogs.checks.report import Findings, Problem
from catalogs.checks.scenes import check_pixels, judge_offset
from catalogs.checks.tree import Tree
from catalogs.errors import MissingAssetError, UnsafeHrefError
from catalogs.from_stac import unlink_item
from catalogs.radiometry import CONSTELLATIONS
from catalogs.records import Location, Raster, Scene, is_outside
from catalogs.to_stac import item_folder


@dataclass(frozen=True, slots=True)
class Place:
    """What is checked in one go."""

    tree: Tree
    """The catalog."""
    collected: Collected
    """The collection of the sensor."""
    location: Location | None
    """As `locations.parquet` has it; none where that has it not, or not so that it can be read."""
    is_known: bool
    """Whether `locations.parquet` has it at all."""
    rows: Sequence[Mapping[str, Any]]
    """Items in row form."""
    reads_files: bool
    """Whether files are read, or only looked for."""
    settled: bool
    """Whether the last run reached its end."""


@dataclass(slots=True)
class PlaceFindings(Findings):
    """What was found at one location."""

    folders: set[str] = field(default_factory=set)
    """Where its items lie, relative to the collection's folder."""
    item_files: set[str] = field(default_factory=set)
    """Where its items are, if they are files, relative to the collection's folder."""
    offsets: list[tuple[str, float, str]] = field(default_factory=list)
    """(processing version, offset, item) of items whose offset only that version, or nothing, decided."""


def check_place(place: Place) -> PlaceFindings:
    """Check all items of one sensor at one location; safe to call from several threads."""
    return _PlaceCheck(place).run()


class _PlaceCheck:
    """Checks one place."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._tree = place.tree
        self._sensor = place.collected.sensor
        self._findings = PlaceFindings()
        self._owners: dict[tuple[str, bytes | str], str] = {}
        self._listings: dict[str, dict[str, int] | None] = {}
        self._grounds = Grounds()

    def run(self) -> PlaceFindings:
        """Check every item, then what no item names."""
        for row in self._place.rows:
            self._findings.checked["items"] += 1
            folder = self._folder(row)
            if folder is None:
                self._note_homeless(row)
                continue
            self._findings.folders.add(folder)
            item = self._item_file(row, folder) or row
            if self._place.reads_files:
                self._check_whole(item)
            else:
                self._check_briefly(item)
        self._findings.extend(self._grounds.problems())
        self._note_loose()
        return self._findings

    def _note_homeless(self, row: Mapping[str, Any]) -> None:
        """Note an item none of whose files is in the catalog."""
        if not row["assets"]:
            self._findings.add("schema", item_place(row), "Has no assets; expected its pixels.")
        self._findings.extend(Problem("unsafe-href", item_place(row), words) for words in unsafe_hrefs(row))

    def _item_file(self, row: Mapping[str, Any], folder: str) -> Mapping[str, Any] | None:
        """The item in row form as its own file has it; none where it has none, or none that can be read."""
        if not self._place.collected.has_files:
            return None
        href = f"{folder}/{layout.item_name(row['id'])}"
        self._findings.item_files.add(href)
        linked_by = self._place.collected.linked.get(href)
        document = None
        if self._place.reads_files or not self._tree.is_remote:
            document = self._tree.read_document(f"{self._sensor}/{href}", self._findings)
            if document is None:
                self._note_absent(href, row, linked_by)
                return None
        if linked_by is None:
            self._note_unlinked(href, row)
        return self._compare(document, row, href, folder) if document else None

    def _note_absent(self, href: str, row: Mapping[str, Any], linked_by: str | None) -> None:
        if linked_by:
            self._findings.add("broken-link", linked_by, f"Links {self._sensor}/{href}, which is not there.")
        else:
            words = f"Has item {row['id']}, but there is no file {href}; expected a row for each item and none else."
            self._findings.add("index", self._place.collected.index_name, words)

    def _note_unlinked(self, href: str, row: Mapping[str, Any]) -> None:
        square = f"{self._sensor}/{posixpath.dirname(posixpath.dirname(href))}/{layout.CATALOG}"
        if square not in self._place.collected.squares:
            return  # That no collection links the square was told once.
        if self._place.settled:
            self._findings.add("unlinked", square, f"Does not link item {row['id']}, which {layout.INDEX} has.")
        else:
            self._findings.leave(UNLINKED, [f"{self._sensor}/{href}"])

    def _compare(self, document: dict[str, Any], row: Mapping[str, Any], href: str, folder: str) -> Mapping[str, Any] | None:
        """Hold an item's file against its row and its place in the catalog."""
        where = f"{self._sensor}/{href}"
        square = f"{posixpath.dirname(posixpath.dirname(where))}/{layout.CATALOG}"
        expected = {"root": layout.CATALOG, "parent": square, "collection": f"{self._sensor}/{layout.COLLECTION}"}
        check_links(document, where, expected, self._findings)
        try:
            item = unlink_item(document, folder)
        except UnsafeHrefError as error:
            self._findings.add("unsafe-href", where, str(error))
            return None
        except BROKEN_RECORD as error:
            words = f"Cannot be read: {type(error).__name__} {error}; expected an item as catalogs.to_stac makes it."
            self._findings.add("schema", where, words)
            return None
        told = [f"{path} is {show(one)} in the file, {show(other)} in the index" for path, one, other in difference(item, row)]
        if told:
            self._findings.add("index", where, f"Differs from its row in {layout.INDEX}: {'; '.join(told[:SHOWN])}.")
        return item

    def _check_briefly(self, item: Mapping[str, Any]) -> None:
        """Look at an item without reading its files."""
        where = item_place(item)
        self._findings.extend(Problem("unsafe-href", where, words) for words in unsafe_hrefs(item))
        if not self._place.is_known:
            self._findings.add("location", where, f"Is of a location that {layout.LOCATIONS} lacks.")
        checksums = {}
        for key, asset in item["assets"].items():
            if self._is_whole(asset["href"], asset["file:size"]) and fields.NO_MEASUREMENTS.isdisjoint(asset["roles"]):
                checksums[key] = asset["file:checksum"]
        self._compare_with_others(item["id"], checksums)

    def _check_whole(self, item: Mapping[str, Any]) -> None:
        """Check an item and all its files."""
        scene, problems = check_item(item, self._place.location)
        self._findings.extend(problems)
        if not self._place.is_known:
            self._findings.add("location", item_place(item), f"Is of a location that {layout.LOCATIONS} lacks.")
        if scene is None:
            return
        self._note_offset(scene, item["id"])
        may_clip = find_sensor(scene.sensor).is_display
        seen = {raster.key: self._read(raster, may_clip=may_clip) for raster in scene.rasters if self._is_inside(raster.href)}
        for look in seen.values():
            self._findings.extend(look.problems)
        self._compare_with_others(item["id"], {name: digest for look in seen.values() for name, digest in look.digests.items()})
        pixels = {key: look.pixels for key, look in seen.items() if look.pixels is not None}
        verdict = judge_offset(scene, pixels)
        self._findings.extend(check_pixels(scene, pixels, item_place(item), verdict))
        self._grounds.add(scene, pixels, item_place(item), verdict)

    def _note_offset(self, scene: Scene, id_: str) -> None:
        """Keep what has to be the same for all items of one processing version."""
        offset = next((band.offset for raster in scene.rasters if not raster.is_mask for band in raster.bands), None)
        decided = scene.radiometry is not None and scene.radiometry.decision in {"baseline", "default"}
        if decided and offset is not None and scene.baseline and find_sensor(scene.sensor).constellation in CONSTELLATIONS:
            self._findings.offsets.append((scene.baseline, offset, id_))

    def _is_whole(self, href: str, size: int) -> bool:
        """Whether a file is there in its size; taken for granted where looking costs a request."""
        if not self._is_inside(href):
            return False
        where = self._where(href)
        self._findings.checked["assets"] += 1
        if self._tree.is_remote:
            return True
        found = self._tree.size(where) if is_outside(href) else self._listed(href)
        if found is None:
            self._findings.add("missing-asset", where, f"Is not there; its item says {size} bytes.")
            return False
        problems = check_size(found, size, where)
        self._findings.extend(problems)
        return not problems

    def _read(self, raster: Raster, *, may_clip: bool) -> Seen:
        """Read and check one file."""
        where = self._where(raster.href)
        self._findings.checked["assets"] += 1
        try:
            content = self._tree.read(where)
        except MissingAssetError:
            return Seen(where, [Problem("missing-asset", where, f"Is not there; its item says {raster.size} bytes.")])
        self._findings.checked["assets read"] += 1
        seen = check_file(content, raster, where, may_clip=may_clip)
        if seen.pixels is not None:
            self._findings.checked["pixels"] += seen.pixels.size
        return seen

    def _compare_with_others(self, id_: str, mine: Mapping[str, bytes | str]) -> None:
        """Note pixels that another item of the location has too."""
        twins: dict[str, list[str]] = {}
        for name, digest in mine.items():
            owner = self._owners.setdefault((name, digest), id_)
            if owner != id_:
                twins.setdefault(owner, []).append(name)
        for owner, names in twins.items():
            words = f"Has the pixels of {owner} in {', '.join(names)}; expected two acquisitions to differ."
            self._findings.add("duplicate-pixels", f"{self._sensor}/{id_}", words)

    def _note_loose(self) -> None:
        """Note files that no item names."""
        named = {asset["href"] for row in self._place.rows for asset in row["assets"].values()} | self._findings.item_files
        for folder in self._findings.folders:
            for name in sorted(self._listing(folder) or ()):
                if f"{folder}/{name}" not in named:
                    self._findings.leave(kind_of_loose(name), [f"{self._sensor}/{folder}/{name}"])

    def _folder(self, row: Mapping[str, Any]) -> str | None:
        """Folder of an item, of which some file is in the catalog."""
        return item_folder(row) if any(self._is_inside(asset["href"]) for asset in row["assets"].values()) else None

    def _is_inside(self, href: str) -> bool:
        """Whether an href, relative to the collection's folder, stays in the catalog."""
        try:
            layout.join(self._sensor, href)
        except UnsafeHrefError:
            return False
        return True

    def _where(self, href: str) -> str:
        """A file of the collection, relative to the catalog."""
        return layout.join(self._sensor, href)

    def _listed(self, href: str) -> int | None:
        """Bytes of a file of the collection; none where it is not there. One look at its folder tells of all."""
        folder, name = posixpath.split(href)
        return (self._listing(folder) or {}).get(name)

    def _listing(self, folder: str) -> dict[str, int] | None:
        if folder not in self._listings:
            self._listings[folder] = self._tree.listing(f"{self._sensor}/{folder}")
        return self._listings[folder]
