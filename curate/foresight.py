"""The forecast of a build that is prepared: what is left to do, the files of its source, and what that costs."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.compute as pc

from catalogs import fields, layout
from catalogs.failures import read_failures
from catalogs.index_files import open_index
from catalogs.index_listing import listed_index
from catalogs.journal import Failure, Journal
from curate.assemble import Wanted
from curate.drawn_squares import with_drawn_squares
from curate.estimate import FileShape
from curate.file_shapes import sampled_shapes, usual_shapes
from curate.pipeline import Build, Todo, Watch
from curate.plan import Forecast, SensorForecast, forecast, sample_scene
from curate.search import Searches
from curate.sources import DETAIL
from curate.sources.protocol import FetchesWhole, Source, for_sensors, looks_at_all, members_of, reads_files

HEADERS_AT_ONCE = 8
TRIES = 3
"""Of a header: the usual sizes do as well where a server is down."""
NONE_LEFT = 1e-9
"""Share of scenes that is none but for rounding."""


@dataclass(frozen=True)
class Finished:
    """What earlier runs have done, as it stands on the disk; see `curate.pipeline.Finished`."""

    done: frozenset[str]
    """Ids of the locations."""
    failures: Sequence[Failure]
    """Of the last checkpoint and of the journal since."""

    @classmethod
    def read(cls, folder: Path, sensors: Sequence[str]) -> Finished:
        """Of a catalog's folder; nothing is written."""
        failures: dict[str, list[Failure]] = defaultdict(list)
        for failure in read_failures(folder):
            failures[failure.location].append(failure)
        for entry in Journal(folder).entries():
            failures[entry.location] = list(entry.failures)
        done = set(failures)
        for sensor in sensors:
            done |= _locations_of_index(folder / sensor)
        return cls(frozenset(done), [failure for mine in failures.values() for failure in mine])


NOTHING = Finished(frozenset(), [])
"""Of a folder that no build has begun."""


def _locations_of_index(collection: Path) -> set[str]:
    document = collection / layout.COLLECTION
    if not document.exists():
        return set()
    paths = [collection / name for name in listed_index(json.loads(document.read_bytes()))]
    with open_index([str(path) for path in paths if path.exists()]) as index:
        return set(pc.unique(index.read([fields.LOCATION])[fields.LOCATION]).to_pylist())


def foresee(build: Build, *, workers: int, retry_failed: bool, watch: Watch) -> Forecast:
    """What a build would cost from here on; search answers are saved as the build would save them, and nothing else.

    Of a build that belongs into another folder all is planned, and nothing saved: the answers here are another build's.

    Args:
        build: Prepared as for a dry run.
        workers: Searches at once.
        retry_failed: As of the build.
        watch: Shows progress.

    Raises:
        SourceUnavailableError: The source does not answer a search.
    """
    if build.is_elsewhere:
        with TemporaryDirectory() as elsewhere:
            return _foresee(build, Path(elsewhere), NOTHING, workers=workers, retry_failed=retry_failed, watch=watch)
    finished = NOTHING if build.changes else Finished.read(build.folder, list(build.wanted.sensors))
    return _foresee(build, build.folder, finished, workers=workers, retry_failed=retry_failed, watch=watch)


def _foresee(build: Build, folder: Path, finished: Finished, *, workers: int, retry_failed: bool, watch: Watch) -> Forecast:
    """What is left to do costs, with search answers below a folder."""
    searches = Searches(build.source, folder, build.mine, build.wanted.plan.span)
    todo = build.todo(finished, searches.locations, retry_failed=retry_failed)
    if todo and not build.source.simulated:
        build.search(searches, watch, workers)
    return foresee_rest(build, searches, todo, watch=watch)


def foresee_rest(build: Build, searches: Searches, todo: Todo, *, watch: Watch) -> Forecast:
    """What it costs to complete some locations, all of whose searches are answered."""
    shapes = _shapes(build.source, searches, build.wanted, todo)
    as_json, by_location = build.recipe["items"] == "json", looks_at_all(build.source)
    told = forecast(searches, build.wanted, todo, shapes, watch=watch, as_json=as_json, by_location=by_location)
    whole = {source.name: source for source in members_of(build.source) if isinstance(source, FetchesWhole)}
    told = replace(told, sensors={sensor: with_whole_scenes(sensor, each, whole) for sensor, each in told.sensors.items()})
    return with_drawn_squares(told, build.source, build.wanted, todo)


def with_whole_scenes(sensor: str, told: SensorForecast, sources: Mapping[str, FetchesWhole]) -> SensorForecast:
    """A forecast in which the scenes of some sources are fetched whole, each in one request, and the others in blocks.

    Args:
        sensor: Its id.
        told: As if all were fetched in blocks.
        sources: Those that fetch whole scenes, by name.
    """
    short = {name.partition(DETAIL)[0]: source for name, source in sources.items()}
    whole = [
        (count, (sources.get(name) or short[name]).scene_bytes(sensor))
        for name, count in told.scenes_by_source.items()
        if name in sources or name in short
    ]
    scenes = sum(count for count, _ in whole)
    if not scenes:
        return told
    left = max(0.0, 1 - scenes / told.scenes)
    return replace(
        told,
        requests=told.requests * left + scenes,
        bytes=told.bytes * left + sum(count * size for count, size in whole),
        mask_requests=told.mask_requests * left,
        mask_bytes=told.mask_bytes * left,
        is_sampled=told.is_sampled or left < NONE_LEFT,
    )


def _shapes(source: Source, searches: Searches, wanted: Wanted, todo: Todo) -> dict[str, list[FileShape]]:
    """The files of each sensor's scenes; none of a source that renders them, or whose bands are no files."""
    if source.simulated or looks_at_all(source):
        return {}
    shapes: dict[str, list[FileShape]] = {}
    for sensor, bands in wanted.sensors.items():
        scene = sample_scene(searches, sensor, todo) if reads_files(for_sensors(source, [sensor])) else None
        if scene:
            from curate.reading.headers import Headers
            from curate.reading.transport import Patience, Transport

            with Transport(connections=HEADERS_AT_ONCE, patience=Patience(attempts=TRIES)) as transport:
                shapes[sensor] = sampled_shapes(scene, bands, Headers(transport, fetchers=HEADERS_AT_ONCE))
        shapes[sensor] = shapes.get(sensor) or usual_shapes(sensor, bands)
    return shapes


def free_bytes(folder: Path) -> int:
    """Room on the disk that holds a folder."""
    return shutil.disk_usage(folder).free
