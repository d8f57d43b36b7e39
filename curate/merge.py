"""Joining the parts of a build into the catalog that the undivided build would have made, byte for byte.

Files get a second name in the joined catalog, or are copied where they cannot; then its indices, links and failures are written
of all parts together. A run that stops anywhere is continued by the same command.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Protocol

from catalogs import layout
from catalogs.bands import find_sensor
from catalogs.checks.indexed import BRIEF, BRIEF_OF_ASSET
from catalogs.errors import MissingAssetError
from catalogs.index import as_struct, items_schema
from catalogs.index_files import IndexFiles
from catalogs.index_merge import merged_rows
from catalogs.pixels import write_whole
from catalogs.publication import read_target
from catalogs.recipe import check_ours, read_recipe
from catalogs.rows import raw_items
from catalogs.to_stac import item_folder
from catalogs.writer import CatalogWriter
from curate.build_request import read_wanted
from curate.built_part import BuiltPart
from curate.errors import CurateError, RecipeError
from curate.locking import disk_errors, only_writer
from curate.merge_checks import check_parts, check_same_build
from curate.parts import read_part
from curate.pipeline import notices_of
from curate.placing import Placed, place_file
from curate.saved_searches import is_in_part
from curate.terms import terms_of_parts

SCRATCH = "merge"
"""Folder below the joined catalog's work folder, for what does not fit into memory."""


class Watcher(Protocol):
    """Who is told of progress."""

    def advance(self, ok: int = 1) -> None:
        """So many more items are in place."""


Watch = Callable[[int, str], AbstractContextManager[Watcher]]
"""(total, description) to a context manager that gives a `Watcher`."""


@dataclass(frozen=True)
class MergeSummary:
    """How a merge ended."""

    parts: int
    """Catalogs that were joined."""
    locations: int
    """Of the joined catalog."""
    items: int
    """Of the joined catalog."""
    failures: int
    """What the parts could not complete."""
    placed: Mapping[Placed, int]
    """How many files were linked, copied, or there already."""


def merge_parts(folders: Sequence[Path], out: Path, *, watch: Watch) -> MergeSummary:
    """Join the parts of a build.

    Args:
        folders: The catalogs that `curate build --part` made of copies of one sampled folder.
        out: The joined catalog: a folder that is absent, empty, sampled alike, or was joined of these parts before. What a part
            has completed since is taken in.
        watch: Shows progress.

    Raises:
        RecipeError: They are not the parts of one build, or not all; see `check_parts`.
        ContractError: `out` holds something else.
        MissingAssetError: A file that a part's index names is not there.
        StorageError: The disk is full.
    """
    parts = [BuiltPart.open(folder) for folder in _told_apart(folders)]
    check_parts(parts, _look_at(out, parts))
    with ExitStack() as stack:
        for part in parts:
            stack.enter_context(only_writer(part.folder))
        _begin(out, parts[0].folder)
        stack.enter_context(only_writer(out))
        stack.enter_context(disk_errors(out))
        return _Merge(out, parts).run(watch)


def _told_apart(folders: Sequence[Path]) -> Sequence[Path]:
    """The folders, each once.

    Raises:
        CurateError: There are none, or one is named twice.
    """
    if not folders:
        raise CurateError("No part was named. Name the catalogs to join: curate merge data/p1 data/p2 --out data/france")
    for number, folder in enumerate(folders):
        if folder.resolve() in [other.resolve() for other in folders[:number]]:
            raise CurateError(f"{folder} is named twice. Name each part once.")
    return folders


def _look_at(out: Path, parts: Sequence[BuiltPart]) -> BuiltPart | None:
    """What the folder to join in has of the same build; none where it has nothing, or what a stopped merge left.

    Raises:
        CurateError: It is a part itself, or lies in one.
        RecipeError: It holds another catalog, or one in the middle of a build, or its files go elsewhere.
        ContractError: It holds something else.
    """
    for part in parts:
        if out.resolve().is_relative_to(part.folder.resolve()):
            raise CurateError(f"--out {out} is the part {part.folder} or lies in it. Join the parts in a folder of its own.")
    check_ours(out)
    there = BuiltPart(out, read_recipe(out), read_part(out))
    if not there.recipe:
        return None
    target = read_target(out)
    if target:
        raise RecipeError(f"--out {out} would have its files in {target} (--to). Join the parts in another folder.")
    if there.part:
        raise RecipeError(f"--out {out} builds part {there.part} itself. Join the parts in a folder of its own.")
    if (out / layout.LOCATIONS).exists():
        check_same_build(parts[0], there)
    if there.is_stopped:
        if there.has_journalled:
            raise RecipeError(f"A build of {out} was stopped. Run it again to its end, or join the parts in another folder.")
        return None
    return BuiltPart.open(out) if (out / layout.CATALOG).exists() else None


def _begin(out: Path, part: Path) -> None:
    """Give the joined catalog its recipe and its locations, those of any part; copies, since a lock would follow a link."""
    for name in (layout.RECIPE, layout.LOCATIONS):
        content = (part / name).read_bytes()
        if not (out / name).exists() or (out / name).read_bytes() != content:
            write_whole(out / name, content)


class _Merge:
    """One merge, after its checks."""

    def __init__(self, out: Path, parts: Sequence[BuiltPart]) -> None:
        self._out = out
        self._parts = parts
        recipe = parts[0].recipe
        self._has_files = recipe["build"]["items"] == "json"
        self._sensors = read_wanted(recipe["build"], recipe["sample"].get("seed", 0)).sensors
        self._writer = CatalogWriter(
            out,
            parts[0].locations,
            self._sensors,
            description=json.loads((parts[0].folder / layout.CATALOG).read_bytes())["description"],
            notices=notices_of(recipe),
            json_items=self._has_files,
            terms_of=terms_of_parts(self._collections(), notices_of(recipe)),
        )
        self._placed: Counter[Placed] = Counter()

    def run(self, watch: Watch) -> MergeSummary:
        """Place all files, then write what leads to them."""
        with watch(self._count(self._parts, self._sensors), "Merging") as bar:
            for part in self._parts:
                for sensor in self._sensors:
                    self._place_items(part, sensor, bar)
                self._place_searches(part)
        self._write_indices()
        self._writer.close()
        items = self._count([BuiltPart.open(self._out)], self._sensors)
        return MergeSummary(
            len(self._parts), len(self._parts[0].locations), items, len(self._writer.failures), dict(self._placed)
        )

    def _collections(self) -> dict[str, list[Mapping[str, Any]]]:
        """Of each sensor the collections that have items: those alone say what their sources ask."""
        found: dict[str, list[Mapping[str, Any]]] = {sensor: [] for sensor in self._sensors}
        for part, sensor in product(self._parts, self._sensors):
            if self._count([part], [sensor]):
                found[sensor].append(json.loads((part.folder / sensor / layout.COLLECTION).read_bytes()))
        return found

    def _count(self, parts: Sequence[BuiltPart], sensors: Iterable[str]) -> int:
        """Items of some catalogs, those of two twice."""
        count = 0
        for part, sensor in product(parts, sensors):
            with part.index(sensor) as index:
                count += index.num_rows
        return count

    def _place_items(self, part: BuiltPart, sensor: str, bar: Watcher) -> None:
        """Place the files of all items of a sensor."""
        made = None
        with part.index(sensor) as index:
            for item in _brief_items(index):
                folder = item_folder(item)
                if folder != made:
                    (self._out / sensor / folder).mkdir(parents=True, exist_ok=True)
                    made = folder
                for asset in item["assets"].values():
                    self._place(part.folder, layout.join(sensor, asset["href"]), asset["file:checksum"])
                if self._has_files:
                    self._place(part.folder, f"{sensor}/{folder}/{layout.item_name(item['id'])}")
                bar.advance()

    def _place_searches(self, part: BuiltPart) -> None:
        """Place the saved answers of searches, so that another build of the joined catalog asks nobody again.

        Of two that answer alike the first is kept, unless a source did not take part in it, and all did in the other.
        """
        saved = part.folder / layout.WORK / "search"
        for path in sorted(saved.rglob("*")) if saved.is_dir() else ():
            name = path.relative_to(part.folder)
            if path.is_file() and not path.name.endswith(layout.TEMPORARY) and _is_better(path, self._out / name):
                (self._out / name).parent.mkdir(parents=True, exist_ok=True)
                self._place(part.folder, name.as_posix())

    def _place(self, part: Path, href: str, checksum: str | None = None) -> None:
        try:
            self._placed[place_file(part / href, self._out / href, checksum)] += 1
        except FileNotFoundError as error:
            raise MissingAssetError(
                f"{part / href} is not there, though the part's index names it. Look what else it lacks: curate verify {part}"
            ) from error

    def _write_indices(self) -> None:
        """Write the rows and failures of all parts as those of one catalog."""
        scratch = self._out / layout.WORK / SCRATCH
        shutil.rmtree(scratch, ignore_errors=True)
        with ExitStack() as stack:
            rows = {}
            for sensor, bands in self._sensors.items():
                known = find_sensor(sensor)
                indices = [stack.enter_context(part.index(sensor)) for part in self._parts]
                schema = items_schema(known, bands, has_mask=known.mask is not None)
                (scratch / sensor).mkdir(parents=True)
                rows[sensor] = merged_rows(indices, schema, scratch / sensor)
            failures = {location: found for part in reversed(self._parts) for location, found in part.failures.items()}
            self._writer.adopt(rows, [failure for found in failures.values() for failure in found])
        shutil.rmtree(scratch)


def _is_better(answer: Path, there: Path) -> bool:
    """Whether a saved answer takes the place of another, or of none."""
    return not there.exists() or (is_in_part(there) and not is_in_part(answer))


def _brief_items(index: IndexFiles) -> Iterator[Mapping[str, Any]]:
    """What placing the files of items takes, one row group in memory at a time."""
    columns = [*BRIEF, *(f"assets.{key}.{part}" for key in index.asset_keys for part in BRIEF_OF_ASSET)]
    for group in range(index.num_row_groups):
        yield from raw_items(as_struct(index.read_row_group(group, columns)))
