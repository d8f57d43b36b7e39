"""Units of a build as tasks of a cluster: what is sent to a worker, and what it does there.

A task carries its own locations, and the scenes over them that the build's search has found; a worker needs neither the rest
of the plan nor the saved answers nor the source, whose files it reads by their addresses. Where scenes are rendered it is
given none, and opens the source by its name, once per process; so it does where scenes are no files, with the credentials of
its own environment. It writes assets and items straight to where the catalog's files go; rows and failures go back to the
build, which alone writes the index. A unit that is done twice, because its worker was lost, is written with the same bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import pickle
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from threading import Event, Lock
from typing import Any
from uuid import uuid4

from catalogs import files, layout
from catalogs.console import counted
from catalogs.foreign import SourceBand, SourceScene
from catalogs.journal import Failure
from catalogs.lattice import grid_square
from catalogs.publication import read_target
from catalogs.recipe import read_recipe
from catalogs.records import Location
from catalogs.scene_writer import SceneWriter
from catalogs.targets import open_target
from curate.assemble import Assembler
from curate.build_request import read_wanted
from curate.errors import ClusterError
from curate.planes import open_planes
from curate.reading.counts import Counts
from curate.search import Searches, SquareScenes, location_boxes
from curate.sources import open_source
from curate.sources.archives.mosaic_parts import add_parts, narrow_parts
from curate.sources.protocol import LonLatBox, Source, SourceRaster, for_sensors
from curate.sources.rasters import open_raster
from curate.unit import Outcome, build_unit

ALIKE = ("seastars", "numpy", "pyarrow", "rasterio")
"""Packages whose versions decide the bytes of a catalog."""
COUNTED = tuple(each.name for each in fields(Counts) if not each.name.startswith("_"))
"""What workers tell of what they fetched."""


@dataclass(frozen=True)
class Job:
    """A build, as all of its tasks know it; small, for it goes with each of them."""

    run: str
    """Unlike that of any other run, so that a worker tells one from the next."""
    section: str = field(repr=False)
    """The build section of the recipe, as JSON."""
    seed: int = field(repr=False)
    """Of the recipe's sample."""
    address: str
    """Where the files go, as of `catalogs.targets.find_target`."""
    recipe_hash: str = field(repr=False)
    """SHA-256 of the catalog's recipe, by which a worker knows the folder."""
    crowded: frozenset[str] = field(repr=False)
    """As of `catalogs.layout.Layout`."""
    connections: int
    """Ranges of files that a worker fetches at once at most."""
    versions: Mapping[str, str] = field(repr=False)
    """Of what decides the bytes, where the build was started."""
    reads_files: bool = True
    """Whether the source's bands are files, which a worker reads by their addresses alone."""
    source: str | None = field(default=None, repr=False)
    """What opens the source on a worker; its name in the section where none."""

    @classmethod
    def of(
        cls,
        folder: Path,
        locations: Iterable[Location],
        *,
        connections: int,
        reads_files: bool = True,
        source: str | None = None,
    ) -> Job:
        """The build of a catalog, whose recipe says all of it.

        Args:
            folder: The catalog's folder, on this machine.
            locations: All of the catalog.
            connections: Ranges of files that a worker fetches at once at most.
            reads_files: Whether the source's bands are files.
            source: What opens the source; its name in the recipe if not given.
        """
        recipe = read_recipe(folder)
        return cls(
            run=uuid4().hex,
            section=json.dumps(recipe["build"]),
            seed=recipe["sample"].get("seed", 0),
            address=read_target(folder) or str(folder.absolute()),
            recipe_hash=hashlib.sha256((folder / layout.RECIPE).read_bytes()).hexdigest(),
            crowded=layout.Layout.of(locations).crowded,
            connections=connections,
            versions=same_environment(),
            reads_files=reads_files,
            source=source,
        )


@dataclass(frozen=True, repr=False)
class Unit:
    """Neighbouring locations that are completed together."""

    places: Sequence[tuple[Location, frozenset[int] | None]]
    """Each with the seasons to do; all where none."""
    with_items: frozenset[str]
    """Ids of those locations that have items of an earlier run already."""
    packed: bytes | None
    """`scenes`, pickled and compressed to a twelfth: those of 64 locations far apart are 24 MB a year of Sentinel-2, and the
    scheduler and the build hold two units for each thread of the cluster."""

    @classmethod
    def of(
        cls,
        places: Sequence[tuple[Location, frozenset[int] | None]],
        with_items: frozenset[str],
        scenes: Mapping[str, Sequence[SourceScene]] | None,
    ) -> Unit:
        """A unit with its scenes by sensor, if there are any; see `scenes`."""
        return cls(places, with_items, None if scenes is None else zlib.compress(pickle.dumps(scenes), level=1))

    @property
    def scenes(self) -> Mapping[str, Sequence[SourceScene]] | None:
        """By sensor, what was found over them, unpacked each time that it is asked for.

        None where the source is simulated, which knows without asking anybody.
        """
        if self.packed is None:
            return None
        found: Mapping[str, Sequence[SourceScene]] = pickle.loads(zlib.decompress(self.packed))  # noqa: S301 - made by `of`
        return found

    def __repr__(self) -> str:
        """Without what a scene's address may hold: it is seen in the logs of workers and schedulers."""
        return f"<unit of {counted(len(self.places), 'location')} from {self.places[0][0].id}>"


class GivenScenes:
    """Answers as `Searches` does, from the scenes of a unit."""

    def __init__(self, scenes: Mapping[str, Sequence[SourceScene]]) -> None:
        """Take the scenes by sensor."""
        self._found = {sensor: SquareScenes.of(found) for sensor, found in scenes.items()}

    def candidates(self, sensor: str, location: Location) -> Any:
        """Scenes whose footprint touches a location's square."""
        return self._found[sensor].candidates(location)


class GivenFiles:
    """What a unit with scenes needs of its source: their files. Nothing is opened or searched, so no name, path or password."""

    simulated = False
    reads_files = True

    def __init__(self, name: str) -> None:
        """Take the name of the source that found them."""
        self.name = name
        self.skipped: dict[str, str] = {}

    def sensors(self) -> Sequence[str]:
        """None: whoever has the scenes need not ask."""
        return ()

    def search(self, sensor: str, box: LonLatBox, start: datetime, end: datetime) -> list[SourceScene]:  # noqa: ARG002
        """Nothing, as of `sensors`."""
        return []

    def open(self, band: SourceBand) -> AbstractContextManager[SourceRaster]:
        """Open one band; see `curate.sources.rasters.open_raster`."""
        return open_raster(band)


def make_units(
    searches: Searches,
    sensors: Iterable[str],
    units: Iterable[Sequence[tuple[Location, frozenset[int] | None]]],
    *,
    with_items: Iterable[str],
    simulated: bool,
) -> Iterator[Unit]:
    """Units with what their workers need to know, each made when it is asked for.

    Args:
        searches: Of the build, whose answers are saved.
        sensors: That are wanted.
        units: Locations that are completed together, each with the seasons to do.
        with_items: Ids of locations that have items of an earlier run.
        simulated: Whether workers know the scenes by themselves.
    """
    old = frozenset(with_items)
    for places in units:
        locations = [location for location, _ in places]
        scenes = None if simulated else {sensor: _scenes_over(searches, sensor, locations) for sensor in sensors}
        yield Unit.of(tuple(places), old & {location.id for location in locations}, scenes)


@dataclass(frozen=True)
class Done:
    """What a worker gives back."""

    outcomes: Sequence[Outcome]
    """The unit's locations with their rows and failures; fewer where the run was stopped, or another one ended it."""
    fetched: Mapping[str, float]
    """What went over the worker's network since it last told, by the names of `curate.reading.counts.Counts`."""


def complete_unit(job: Job, unit: Unit) -> Done:
    """What a worker does: choose, fetch and write the scenes of a unit's locations.

    Raises:
        ClusterError: The worker is not set up as the build is, or does not see its folder.
        CatalogUnreachableError: The files go to an address that does not answer.
        OSError: The disk is full or cannot be written.
    """
    return _desk_of(job, has_scenes=unit.packed is not None).complete(unit)


async def stop_units(run: str) -> None:
    """Let a worker give up what it does for a run, within a second or so, and let go of what it kept for it."""
    await asyncio.to_thread(_end_desk, run)


def same_environment() -> dict[str, str]:
    """Versions of what decides the bytes of a catalog, in this process."""
    return {name: version(name) for name in ALIKE}


class _Desk:
    """What a worker process keeps for the units of one run: the source, one reader, and where files go."""

    def __init__(self, job: Job, *, has_scenes: bool) -> None:
        _check_worker(job)
        section = json.loads(job.section)
        self.address = job.address
        name = section["source"]
        given = has_scenes and job.reads_files
        most = section["max_scene_cloud"]
        opened: Source = GivenFiles(name) if given else open_source(job.source or name, max_scene_cloud=most)
        self._wanted = read_wanted(section, job.seed)
        self._source = for_sensors(opened, self._wanted.sensors)
        self._target = open_target(job.address, shared=True)  # A worker that was given up may still be at the same unit.
        self._scenes = SceneWriter(self._target, layout.Layout(job.crowded), section["items"] == "json")
        self._reader = open_planes(self._source, connections=job.connections)
        self._stop = Event()
        self._told: dict[str, float] = {name: 0 for name in COUNTED}  # noqa: C420 - whose values are floats, to mypy
        self._telling = Lock()

    def complete(self, unit: Unit) -> Done:
        """Do a unit, and remove from a bucket what a worker that was lost at it has left."""
        done = []
        with ThreadPoolExecutor(self._target.writers) as sweepers:
            sweeps = []
            for outcome in build_unit(self._assembler(unit), unit.places, self._reader, stop=self._stop):
                done.append(outcome)
                if self._is_swept(unit, *outcome):
                    sweeps += [sweepers.submit(self._scenes.sweep, sensor, *outcome[:2]) for sensor in self._wanted.sensors]
        for sweep in sweeps:
            sweep.result()
        return Done(done, self._tell_fetched())

    @property
    def is_ended(self) -> bool:
        """Whether its run was stopped."""
        return self._stop.is_set()

    def end(self) -> None:
        """Give up what is in work, and let go of connections."""
        self._stop.set()
        self._reader.stop()
        self._reader.close()

    def _is_swept(self, unit: Unit, location: Location, _: object, failures: Sequence[Failure]) -> bool:
        """Whether all that else lies in a location's place is surely of no item.

        Folders are swept by who records, a bucket only as far as it held something before the run. Where something could not be
        read, this worker may be one that was given up, at a location that another one has recorded with more items.
        """
        is_whole = not any(failure.transient for failure in failures)
        return files.is_remote(self.address) and location.id not in unit.with_items and is_whole

    def _tell_fetched(self) -> dict[str, float]:
        """What was fetched since this was last asked, by any thread of this process."""
        counts = self._reader.fetched
        if counts is None:
            return {}
        with self._telling:
            now: dict[str, float] = {name: getattr(counts, name) for name in COUNTED}
            before, self._told = self._told, now
        return {name: now[name] - before[name] for name in COUNTED}

    def _assembler(self, unit: Unit) -> Assembler:
        locations = [location for location, _ in unit.places]
        scenes = unit.scenes
        if scenes is not None:
            searches: Searches | GivenScenes = GivenScenes(scenes)
        else:
            searches = Searches(self._source, Path(), locations, self._wanted.plan.span)
        return Assembler(self._source, searches, self._scenes, self._wanted)


_DESKS: dict[str, _Desk] = {}
"""By run; of each address that is written to, the last one alone."""
_LOCK = Lock()


def _desk_of(job: Job, *, has_scenes: bool) -> _Desk:
    """The desk of a run; a new one takes the place of an older run's over the same catalog, which cannot be alive any more."""
    with _LOCK:
        if job.run not in _DESKS:
            for run in [run for run, desk in _DESKS.items() if desk.is_ended or desk.address == job.address]:
                _DESKS.pop(run).end()
            _DESKS[job.run] = _Desk(job, has_scenes=has_scenes)
        return _DESKS[job.run]


def _end_desk(run: str) -> None:
    with _LOCK:
        desk = _DESKS.get(run)
        if desk:
            desk.end()


def _check_worker(job: Job) -> None:
    """Refuse a worker that would write other bytes, or elsewhere."""
    mine = same_environment()
    unlike = [f"{name} {mine[name]}, the build {job.versions[name]}" for name in ALIKE if mine[name] != job.versions[name]]
    if unlike:
        raise ClusterError(
            f"A worker has {'; '.join(unlike)}. A catalog is the same bytes wherever it is built: give the workers the "
            "environment that the build was started in."
        )
    if files.is_remote(job.address):
        return
    recipe = Path(job.address, layout.RECIPE)
    if not recipe.exists() or hashlib.sha256(recipe.read_bytes()).hexdigest() != job.recipe_hash:
        raise ClusterError(
            f"A worker does not see the catalog in {job.address}. Put it on a file system that all workers share, under the "
            "same path, or let them write to a bucket: --to s3://BUCKET/PREFIX."
        )


def _scenes_over(searches: Searches, sensor: str, locations: Sequence[Location]) -> list[SourceScene]:
    """All scenes that touch any of some locations, sorted by id; of a mosaic, the parts that do."""
    found: dict[str, SourceScene] = {}
    for square in sorted({grid_square(location) for location in locations}):
        scenes = searches.scenes(sensor, square)
        touching, _ = scenes.over(locations)
        for scene in (scenes.scenes[number] for number in touching.any(axis=0).nonzero()[0]):
            found[scene.id] = add_parts(scene, found[scene.id]) if scene.id in found else scene
    boxes = [box for location in locations for box in location_boxes([location])]
    return [narrow_parts(found[id_], boxes) for id_ in sorted(found)]
