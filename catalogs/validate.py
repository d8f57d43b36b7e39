"""Whether a catalog is what the contract says: every document, link, record, file and pixel.

What a build that was stopped has left (temporary files, items that are complete but not linked yet, locations that it has
not come to) is unfinished, not wrong; see `catalogs.checks` for what is.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from heapq import nsmallest
from itertools import groupby
from typing import Any, Protocol

from catalogs import fields, layout
from catalogs.checks.columns import check_columns
from catalogs.checks.coverage import check_coverage
from catalogs.checks.documents import Collected, check_documents
from catalogs.checks.indexed import checked_rows, location_of, locations_of
from catalogs.checks.leftovers import note_leftovers
from catalogs.checks.locations import check_locations
from catalogs.checks.packs import check_packs
from catalogs.checks.places import Place, PlaceFindings, check_place
from catalogs.checks.rasters import enter_gdal
from catalogs.checks.report import Findings, Problem, Report
from catalogs.checks.texts import check_index_texts, check_loose_texts
from catalogs.checks.tree import Tree, Visit
from catalogs.errors import ContractError
from catalogs.records import Location

__all__ = ["Problem", "Report", "check_catalog"]

FILES_READ = 20_000
"""Assets up to which all are read; of more, those of so many, unless everything is asked for."""
REMOTE_FILES_READ = 2_000
"""The same where each is a request."""
REMOTE_WORKERS = 16
AHEAD = 8
"""Locations handed out per worker, so that memory stays bounded."""


class Watcher(Protocol):
    """Who is told of progress."""

    def advance(self, ok: int = 1, *, failed: int = 0) -> None:
        """So many more items are checked."""


Watch = Callable[[int, str], AbstractContextManager[Watcher | None]]
"""(total, description) to a context manager that gives a `Watcher`."""


def check_catalog(
    href: str | os.PathLike[str], *, deep: bool = False, sample: int | None = None, watch: Watch | None = None
) -> Report:
    """Check a catalog.

    Documents, links, the index, records and, in a folder, presence and size of every file are always checked. Files are
    read (checksum, header, every pixel) of all locations up to 20,000 assets (2,000 of a remote catalog); of a larger
    catalog, of locations drawn by a hash of their ids, so that two runs read the same ones.

    Args:
        href: A folder, or an `http(s)://` or `s3://` address.
        deep: Read every file, however many there are.
        sample: Read the files of so many locations with items, drawn by a hash of their ids; not with `deep`.
        watch: Shows progress.

    Returns:
        What is wrong, and what is unfinished.

    Raises:
        ValueError: Both `deep` and a sample are asked for, or a sample below nothing.
        NotACatalogError: There is neither a catalog nor a recipe of ours.
        CatalogUnreachableError: A server does not answer.
    """
    from rasterio.errors import NotGeoreferencedWarning

    if sample is not None and (deep or sample < 0):
        what = "both a sample and all files" if deep else f"a sample of {sample} locations"
        raise ValueError(f"Asked for {what}; expected deep, or a sample of 0 or more locations.")
    tree = Tree.at(os.fspath(href))
    tree.check_ours()
    is_being_written = tree.is_being_written()
    visit = Visit(tree, Findings(), tree.is_settled() and not is_being_written, is_being_written)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # such a file lies on another grid, which is told
        return _Check(visit, deep=deep, sample=sample, watch=watch or _unwatched).run()


def _unwatched(_total: int, _description: str) -> AbstractContextManager[None]:
    return nullcontext()


class _Check:
    """One check of one catalog."""

    def __init__(self, visit: Visit, *, deep: bool, sample: int | None, watch: Watch) -> None:
        self._visit = visit
        self._deep = deep
        self._sample = sample
        self._watch = watch
        self._locations: dict[str, Location | None] = {}
        self._share: float | None = 1.0
        self._drawn: Collection[str] = ()
        self._places_seen = 0
        self._places_unread = 0

    def run(self) -> Report:
        """Check everything, from the root to the pixels."""
        recipe = self._read_recipe()
        self._locations = check_locations(self._visit, recipe)
        collections = check_documents(self._visit, recipe)
        self._choose_share(collections)
        with self._watch(sum(collected.rows for collected in collections), "Checking") as watcher:
            for collected in collections:
                self._check_items(collected, watcher)
        check_loose_texts(self._visit)
        packs, packs_left_out = check_packs(self._visit, collections, deep=self._deep)
        unfinished = [*self._tell_unfinished(recipe, collections), *packs]
        findings = self._visit.findings
        return Report(
            catalog=self._visit.tree.shown,
            problems=tuple(sorted(findings.problems)),
            counts=dict(sorted(findings.counts.items())),
            unfinished=tuple(unfinished),
            checked=dict(sorted(findings.checked.items())),
            left_out=" ".join(filter(None, (self._tell_left_out(), packs_left_out))) or None,
        )

    def _read_recipe(self) -> Mapping[str, Any]:
        recipe = self._visit.read(layout.RECIPE)
        if recipe is None:
            self._visit.add("missing-file", layout.RECIPE, "Is not there; expected what identifies the catalog.")
            return {}
        try:
            fields.check_contract(recipe.get("contract", fields.CONTRACT_VERSION), layout.RECIPE)
        except ContractError as error:
            self._visit.add("contract", layout.RECIPE, str(error))
        return recipe

    def _choose_share(self, collections: Iterable[Collected]) -> None:
        """Decide the locations whose files are read: a share, or a sample of those that have items; all are the share 1."""
        if self._sample is not None:
            places = set().union(*(locations_of(self._visit, collected) for collected in collections))
            self._share = 1.0 if self._sample >= len(places) else None
            self._drawn = frozenset(nsmallest(self._sample, places, key=_draw))
            return
        limit = REMOTE_FILES_READ if self._visit.tree.is_remote else FILES_READ
        count = sum(collected.rows * collected.assets_per_item for collected in collections)
        self._share = 1.0 if self._deep or count <= limit else limit / count

    def _is_drawn(self, location: str) -> bool:
        """Whether the files of a location are read."""
        return location in self._drawn if self._share is None else _draw(location) < self._share

    def _check_items(self, collected: Collected, watcher: Watcher | None) -> None:
        """Check all items of a collection, location by location."""
        folders: set[str] = set()
        item_files: set[str] = set()
        offsets: dict[str, dict[float, list[str]]] = defaultdict(lambda: defaultdict(list))
        for found in self._checked_places(collected):
            self._visit.findings.take(found)
            folders |= found.folders
            item_files |= found.item_files
            for version, offset, id_ in found.offsets:
                offsets[version][offset].append(id_)
            if watcher:
                count = found.checked["items"]
                watcher.advance(ok=0 if found.counts else count, failed=count if found.counts else 0)
        for href in sorted(collected.linked.keys() - item_files) if collected.is_indexed else ():
            words = f"Has no row for {href}, which {collected.linked[href]} links."
            self._visit.add("index", collected.index_name, words)
        for version, by_offset in offsets.items():
            self._compare_offsets(collected.sensor, version, by_offset)
        note_leftovers(self._visit, collected.sensor, folders, collected.index)
        if collected.rows and self._share != 1:
            check_columns(self._visit, collected, self._locations, self._is_drawn)
        check_index_texts(self._visit, collected)

    def _checked_places(self, collected: Collected) -> Iterator[PlaceFindings]:
        """What is found at each location, in order."""
        workers = REMOTE_WORKERS if self._visit.tree.is_remote else os.cpu_count() or 1
        waiting: deque[Future[PlaceFindings]] = deque()
        pool = ThreadPoolExecutor(workers, initializer=enter_gdal)
        try:
            for place in self._places(collected):
                waiting.append(pool.submit(check_place, place))
                if len(waiting) > workers * AHEAD:
                    yield waiting.popleft().result()
            for future in waiting:
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _places(self, collected: Collected) -> Iterator[Place]:
        rows_in_order = checked_rows(self._visit, collected, self._is_drawn, all_drawn=self._share == 1)
        for id_, rows in groupby(rows_in_order, location_of):
            is_drawn = self._is_drawn(id_)
            self._places_seen += 1
            self._places_unread += not is_drawn
            yield Place(
                tree=self._visit.tree,
                collected=collected,
                location=self._locations.get(id_),
                is_known=id_ in self._locations or not self._locations,
                rows=list(rows),
                reads_files=is_drawn,
                settled=self._visit.settled,
            )

    def _compare_offsets(self, sensor: str, version: str, by_offset: Mapping[float, list[str]]) -> None:
        """Note items whose offset differs from what the others of their processing version have."""
        usual = max(by_offset, key=lambda offset: len(by_offset[offset]))
        for offset, ids in by_offset.items():
            if offset != usual:
                words = f"{len(ids)} items of processing version {version} have offset {offset:g}"
                self._visit.add("offset", f"{sensor}/{ids[0]}", f"{words}; {len(by_offset[usual])} have {usual:g}.")

    def _tell_unfinished(self, recipe: Mapping[str, Any], collections: list[Collected]) -> list[str]:
        """Say what the last run left to do, and check the rest for completeness."""
        told: list[str] = []
        parted: list[str] = []
        count = len(self._locations)
        if self._visit.is_being_written:
            parted.append(
                "A build is writing it now: what it has finished is not all linked yet. Check it again once it has ended."
            )
        elif not self._visit.settled:
            told.append("The last run was stopped: what it finished is not all linked yet.")
        else:
            left = check_coverage(self._visit, recipe, collections, list(self._locations)) if collections else count
            part = self._visit.tree.part()
            if left and part:
                parted = [f"{left} of {count} locations are not built here: it is part {part}. `curate merge` joins the parts."]
            elif left:
                told.append(f"{left} of {count} locations are not built yet.")
            told += [] if count or collections else ["No locations are sampled yet: run `curate sample` again."]
        for what, hrefs in sorted(self._visit.findings.loose.items()):
            told.append(f"{len(set(hrefs))} x {what}, first: {min(hrefs)}")
        again = "the same `curate convert` again" if "convert" in recipe else "`curate build` on the catalog"
        if self._visit.is_being_written:
            return [*parted, *told]
        return [*parted, *told, *([f"Run {again} to finish it; it links or removes what is left."] if told else [])]

    def _tell_left_out(self) -> str | None:
        if not self._places_unread:
            return None
        return (
            f"Of {self._places_unread} of {self._places_seen} locations the files were only looked for, not read: "
            "a sample, the same every time. --deep reads them all."
        )


def _draw(location: str) -> float:
    """A number of its own of every location, 0 to 1, the same every time."""
    return int.from_bytes(hashlib.sha256(f"verify:{location}".encode()).digest()[:8], "big") / 2**64
