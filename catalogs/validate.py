"""Whether a catalog is what the contract says: every document, link, record, file and pixel.

What a build that was stopped has left (temporary files, items that are complete but not linked yet, locations that it has
not come to) is unfinished, not wrong; see `catalogs.checks` for what is.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from typing import Any, Protocol

from catalogs import fields, index, layout
from catalogs.checks.coverage import check_coverage
from catalogs.checks.documents import Collected, check_documents
from catalogs.checks.leftovers import check_loose_texts, note_leftovers
from catalogs.checks.locations import check_locations
from catalogs.checks.places import Place, PlaceFindings, check_place
from catalogs.checks.report import Findings, Problem, Report
from catalogs.checks.tree import BROKEN_TABLE, Tree
from catalogs.errors import CatalogUnreachableError, ContractError
from catalogs.records import Location

__all__ = ["Problem", "Report", "check_catalog"]

FILES_READ = 20_000
"""Assets up to which all are read; of more, those of so many, unless everything is asked for."""
REMOTE_FILES_READ = 2_000
"""The same where each is a request."""
REMOTE_WORKERS = 16
AHEAD = 8
"""Locations handed out per worker, so that memory stays bounded."""
JOURNAL = f"{layout.WORK}/journal.jsonl"


class Watcher(Protocol):
    """Who is told of progress."""

    def advance(self, ok: int = 1, *, failed: int = 0) -> None:
        """So many more items are checked."""


Watch = Callable[[int, str], AbstractContextManager[Watcher | None]]
"""(total, description) to a context manager that gives a `Watcher`."""


def check_catalog(href: str | os.PathLike[str], *, deep: bool = False, watch: Watch | None = None) -> Report:
    """Check a catalog.

    Documents, links, the index, records and, in a folder, presence and size of every file are always checked. Files are
    read (checksum, header, every pixel) of all locations up to 20,000 assets (2,000 of a remote catalog); of a larger
    catalog, of locations drawn by a hash of their ids, so that two runs read the same ones.

    Args:
        href: A folder, or an `http(s)://` or `s3://` address.
        deep: Read every file, however many there are.
        watch: Shows progress.

    Returns:
        What is wrong, and what is unfinished.

    Raises:
        NotACatalogError: There is neither a catalog nor a recipe of ours.
        CatalogUnreachableError: A server does not answer.
    """
    from rasterio.errors import NotGeoreferencedWarning

    tree = Tree.at(os.fspath(href))
    tree.check_ours()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # such a file lies on another grid, which is told
        return _Check(tree, deep=deep, watch=watch or (lambda total, description: nullcontext())).run()


class _Check:
    """One check of one catalog."""

    def __init__(self, tree: Tree, *, deep: bool, watch: Watch) -> None:
        self._tree = tree
        self._deep = deep
        self._watch = watch
        self._findings = Findings()
        self._unfinished: list[str] = []
        self._locations: dict[str, Location | None] = {}
        self._settled = not tree.exists(JOURNAL)
        self._share = 1.0
        self._unread = 0

    def run(self) -> Report:
        """Check everything, from the root to the pixels."""
        recipe = self._read_recipe()
        self._locations = check_locations(self._tree, self._findings)
        collections = check_documents(self._tree, self._findings, recipe, settled=self._settled)
        self._choose_share(collections)
        with self._watch(sum(collected.rows for collected in collections), "Checking") as watcher:
            for collected in collections:
                self._check_items(collected, watcher)
        self._check_rest(recipe, collections)
        findings = self._findings
        return Report(
            catalog=self._tree.shown,
            problems=tuple(sorted(findings.problems)),
            counts=dict(sorted(findings.counts.items())),
            unfinished=tuple(self._unfinished),
            checked=dict(sorted(findings.checked.items())),
            left_out=self._left_out(),
        )

    def _read_recipe(self) -> Mapping[str, Any]:
        recipe = self._tree.read_document(layout.RECIPE, self._findings)
        if recipe is None:
            self._findings.add("missing-file", layout.RECIPE, "Is not there; expected what identifies the catalog.")
        try:
            fields.check_contract((recipe or {}).get("contract", fields.CONTRACT_VERSION), layout.RECIPE)
        except ContractError as error:
            self._findings.add("contract", layout.RECIPE, str(error))
        return recipe or {}

    def _choose_share(self, collections: Iterable[Collected]) -> None:
        """Decide the share of locations whose files are read."""
        limit = REMOTE_FILES_READ if self._tree.is_remote else FILES_READ
        count = sum(collected.rows * collected.assets_per_item for collected in collections)
        self._share = 1.0 if self._deep or count <= limit else limit / count

    def _reads_files(self, location: str) -> bool:
        drawn = int.from_bytes(hashlib.sha256(f"verify:{location}".encode()).digest()[:8], "big") / 2**64
        return drawn < self._share

    def _check_items(self, collected: Collected, watcher: Watcher | None) -> None:
        """Check all items of a collection, location by location."""
        folders: set[str] = set()
        offsets: dict[str, dict[float, list[str]]] = defaultdict(lambda: defaultdict(list))
        item_files: set[str] = set()
        for found, count in self._checked_places(collected):
            self._findings.take(found)
            folders |= found.folders
            item_files |= found.item_files
            for version, offset, id_ in found.offsets:
                offsets[version][offset].append(id_)
            if watcher:
                watcher.advance(ok=0 if found.counts else count, failed=count if found.counts else 0)
        for href in sorted(collected.linked.keys() - item_files if collected.is_indexed else ()):
            words = f"Has no row for {href}, which {collected.linked[href]} links."
            self._findings.add("index", f"{collected.sensor}/{layout.INDEX}", words)
        for version, by_offset in offsets.items():
            self._compare_offsets(collected.sensor, version, by_offset)
        note_leftovers(self._tree, self._findings, collected.sensor, folders)

    def _checked_places(self, collected: Collected) -> Iterator[tuple[PlaceFindings, int]]:
        """Findings of each location with its number of items, in order."""
        workers = REMOTE_WORKERS if self._tree.is_remote else os.cpu_count() or 1
        waiting: deque[tuple[Future[PlaceFindings], int]] = deque()
        pool = ThreadPoolExecutor(workers)
        try:
            for place in self._places(collected):
                waiting.append((pool.submit(check_place, place), len(place.rows)))
                if len(waiting) > workers * AHEAD:
                    future, count = waiting.popleft()
                    yield future.result(), count
            for future, count in waiting:
                yield future.result(), count
        finally:
            pool.shutdown(cancel_futures=True)

    def _places(self, collected: Collected) -> Iterator[Place]:
        for location, rows in groupby(self._rows(collected), lambda row: str(row["properties"].get(fields.LOCATION))):
            reads = self._reads_files(location)
            self._unread += not reads
            yield Place(
                self._tree,
                collected,
                self._locations.get(location),
                location in self._locations or not self._locations,
                list(rows),
                reads_files=reads,
                settled=self._settled,
            )

    def _rows(self, collected: Collected) -> Iterator[dict[str, Any]]:
        """Rows of an index, their order and their ids checked."""
        href = f"{collected.sensor}/{layout.INDEX}"
        last = ("", "")
        if not collected.rows:
            return
        try:
            with self._tree.open_parquet(href) as file:
                for row in index.iter_items(file):
                    key = (str(row["properties"].get(fields.LOCATION)), str(row["id"]))
                    if key == last:
                        self._findings.add("duplicate-id", href, f"Has two rows of item {row['id']}; expected each id once.")
                    elif key < last:
                        self._findings.add(
                            "index", href, f"Has item {row['id']} after {last[1]}; expected rows sorted by location and id."
                        )
                    last = key
                    yield row
        except CatalogUnreachableError:
            raise
        except BROKEN_TABLE as error:
            self._findings.add("index", href, f"Cannot be read to its end ({type(error).__name__}: {error}).")

    def _compare_offsets(self, sensor: str, version: str, by_offset: Mapping[float, list[str]]) -> None:
        """Note items whose offset differs from what the others of their processing version have."""
        usual = max(by_offset, key=lambda offset: len(by_offset[offset]))
        for offset, ids in by_offset.items():
            if offset != usual:
                words = f"{len(ids)} items of processing version {version} have offset {offset:g}; {len(by_offset[usual])} have {usual:g}."
                self._findings.add("offset", f"{sensor}/{ids[0]}", words)

    def _check_rest(self, recipe: Mapping[str, Any], collections: list[Collected]) -> None:
        """Check what concerns the catalog as a whole, and say what is unfinished."""
        check_loose_texts(self._tree, self._findings)
        if not self._settled:
            self._unfinished.append("The last run was stopped: what it finished is not all linked yet.")
        else:
            unbuilt = check_coverage(self._tree, self._findings, recipe, collections, list(self._locations))
            if unbuilt or not collections:
                self._unfinished.append(
                    f"{unbuilt or len(self._locations)} of {len(self._locations)} locations are not built yet."
                )
        for what, hrefs in sorted(self._findings.loose.items()):
            count = Counter(hrefs)
            self._unfinished.append(f"{len(count)} x {what}, first: {min(count)}")
        if self._unfinished:
            self._unfinished.append("Run `curate build` on the catalog to finish it; it links or removes what is left.")

    def _left_out(self) -> str | None:
        if not self._unread:
            return None
        return (
            f"Files of {self._unread} of the places were only looked for, not read: a sample, the same every time. "
            "Pass --deep to read them all."
        )
