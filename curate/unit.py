"""A neighbourhood of locations, completed together: what neighbours share is read once.

All seasons of a unit say what they wish to see. Masks are read first, for all of them at once and again and again, until
only measurements are wished; these are read in portions whose pixels fit into memory, and each season goes on, and writes
what it keeps, as soon as all of its pixels are there. What a season decides hangs on its own pixels alone: the catalog is
the same whatever units the locations are put in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, pairwise
from threading import Event
from typing import Any

import numpy as np

from catalogs.bands import find_sensor
from catalogs.foreign import SourceScene
from catalogs.journal import Failure
from catalogs.lattice import grid_square
from catalogs.records import Location
from curate.assemble import Assembler, Season
from curate.choose import middle
from curate.errors import HostDownError, SourceUnavailableError
from curate.fetch import Plane, PlaneAsk
from curate.looks import Answer
from curate.planes import PlaneReader, is_by_location

MOST = 512
"""Locations of a unit that is read by a reader that gathers."""
MOST_BY_LOCATION = 40
"""The same where the reader shares nothing between neighbours: as many as are asked at once, since a unit of it holds all masks
of all date windows, some 2.5 MB a year of Sentinel-2 and location."""
CELL_M = 10_240
"""Side of a block of 1024 pixels of 10 m."""
MOST_CELLS = 64
"""Cells of that side that the locations of a unit lie in at most: what a unit costs, and so what a crash costs, goes by the
blocks that it reads, at most some 25 MB of Sentinel-2 in each cell and season."""
OPEN_BYTES = 192 << 20
"""Pixels that a unit holds at once at most, unless one season alone wishes more."""
SWEEP_M = 2 * CELL_M
"""A scene is read from north to south: pixels within so many metres of its northing are in memory together."""
WRITERS = 2
"""Threads of a unit that judge and write what was read."""
UNWRITTEN = 16
"""Seasons that were read and wait for a writer at most; beyond, reading waits."""

Outcome = tuple[Location, list[dict[str, Any]], list[Failure]]
"""A location, its items in row form, and what could not be completed."""


def neighbourhoods(locations: Iterable[Location], most: int = MOST) -> list[tuple[Location, ...]]:
    """Put locations into units, each once.

    A grid square that holds too many is cut into strips from north to south, of like counts; small squares that follow each
    other by name share a unit.

    Blocks on a border are fetched by the units on both sides: 12 % more, of 740 squares of 264 pixels in a grid square, where
    half the dates are clear over each, and 22 % where one date serves all. Strips that end along rows of blocks would spare 2
    of the 12, since squares straddle these; units of whole grid squares 8, at twice the cost of a crash
    (`tests/benchmarks/unit_borders.py`).

    Args:
        locations: All of a catalog, so that its units do not depend on what is done already.
        most: Locations of a unit, at least 1; they also lie in `MOST_CELLS` cells or so at most.
    """
    units: list[tuple[Location, ...]] = []
    last = 0
    placed = sorted((_place(location), location) for location in locations)
    for _, square in groupby(placed, key=lambda each: each[0][0]):
        inside = tuple(location for _, location in square)
        cells = len({(location.bounds[0] // CELL_M, location.bounds[3] // CELL_M) for location in inside})
        if units and len(units[-1]) + len(inside) <= most and last + cells <= MOST_CELLS:
            units[-1] += inside
            last += cells
            continue
        strips = max(-(-len(inside) // most), -(-cells // MOST_CELLS))
        edges = [len(inside) * number // strips for number in range(strips + 1)]
        units += [inside[start:end] for start, end in pairwise(edges)]
        last = cells if strips == 1 else MOST_CELLS
    return units


def build_unit(
    assembler: Assembler, places: Sequence[tuple[Location, frozenset[int] | None]], reader: PlaneReader, *, stop: Event
) -> Iterator[Outcome]:
    """Complete a unit: choose, fetch and write the scenes of its locations.

    The assets and item documents of a location are written when it is given; the index and the journal are the caller's.

    Args:
        assembler: Of the build.
        places: The unit's locations, each with the seasons to do; all where none.
        reader: Of the build's source.
        stop: Once it is set, the unit ends early, and locations that were not given are not done; set it before
            `reader.stop()`.

    Yields:
        Each location once all of its seasons are done, in any order.

    Raises:
        HostDownError: The host of the files is down, for longer than a unit waits for it.
        OSError: The disk is full or cannot be written.
    """
    begun = [(location, assembler.begin(location, seasons)) for location, seasons in places]
    by_location = {location.id: seasons for location, seasons in begun}
    left = {location.id: sum(season.wish is not None for season in seasons) for location, seasons in begun}
    yield from (_outcome(location, seasons) for location, seasons in begun if not left[location.id])
    with ThreadPoolExecutor(WRITERS) as writers:
        rounds = _Rounds(assembler, reader, writers, stop)
        for season in rounds.run([season for _, seasons in begun for season in seasons if season.wish]):
            left[season.location.id] -= 1
            if not left[season.location.id]:
                outcome = _outcome(season.location, by_location.pop(season.location.id))
                assembler.writer.write_last(*outcome[:2])
                yield outcome


def portions(seasons: Collection[Season], open_bytes: int, *, by_location: bool = False) -> Iterator[list[Season]]:
    """Put seasons into portions whose wishes are read together: by scene, and from north to south in it.

    Scenes are kept whole as long as that fits, since where one is cut, blocks on both sides of the cut are read twice.

    Args:
        seasons: Each with a wish.
        open_bytes: Pixels in memory at once at most, unless one season, or one location, alone has more.
        by_location: Whether locations are kept whole instead, since all that is asked of one goes in one request.
    """
    if by_location:
        yield from _whole_locations(seasons, open_bytes)
        return
    portion: list[Season] = []
    size = 0
    for _, same in groupby(sorted(seasons, key=_sweep), key=lambda season: _sweep(season)[0]):
        scene = list(same)
        more = sum(map(_wished_bytes, scene))
        if portion and size + more > open_bytes:
            yield portion
            portion, size = [], 0
        if more <= open_bytes or _swept_bytes(scene) <= open_bytes:
            portion, size = portion + scene, size + more
            continue
        for season in scene:
            if portion and size + _wished_bytes(season) > open_bytes:
                yield portion
                portion, size = [], 0
            portion.append(season)
            size += _wished_bytes(season)
    if portion:
        yield portion


def _whole_locations(seasons: Collection[Season], open_bytes: int) -> Iterator[list[Season]]:
    """Portions of all seasons of some locations each."""
    portion: list[Season] = []
    size = 0
    for _, same in groupby(sorted(seasons, key=lambda season: _place(season.location)), key=lambda season: season.location.id):
        whole = list(same)
        more = sum(map(_wished_bytes, whole))
        if portion and size + more > open_bytes:
            yield portion
            portion, size = [], 0
        portion, size = portion + whole, size + more
    if portion:
        yield portion


@dataclass(eq=False)
class _Waiting:
    """A season whose wish is being read."""

    season: Season
    missing: int
    answers: dict[int, Answer] = field(default_factory=dict)


@dataclass(eq=False)
class _Reading:
    """The planes of one scene over one location, as they come in."""

    scene: SourceScene
    asks: list[PlaneAsk]
    users: list[tuple[_Waiting, int]]
    planes: dict[int, Plane | SourceUnavailableError] = field(default_factory=dict)


class _Rounds:
    """Reads what seasons wish until none wishes anything."""

    def __init__(self, assembler: Assembler, reader: PlaneReader, writers: ThreadPoolExecutor, stop: Event) -> None:
        self._assembler = assembler
        self._reader = reader
        self._writers = writers
        self._stop = stop
        self._outage = reader.outage
        self._has_borne = False

    def run(self, seasons: list[Season]) -> Iterator[Season]:
        """Give each season once it is done; fewer where it is stopped."""
        while seasons and not self._stop.is_set():
            masks = [season for season in seasons if season.wish and season.wish.masks]
            with nullcontext() if masks else self._reader.turn:
                for portion in portions(masks or seasons, OPEN_BYTES, by_location=is_by_location(self._reader)):
                    if self._stop.is_set():
                        return
                    yield from self._read(portion, masks=bool(masks))
            seasons = [season for season in seasons if season.wish]
            if self._has_borne:
                self._has_borne = False
                self._outage.endure(self._stop)

    def _read(self, seasons: Sequence[Season], *, masks: bool) -> Iterator[Season]:
        """Read the wishes of seasons at once, let each go on when it has all of its own, and give those that are done."""
        taken: deque[Future[Season]] = deque()
        last: dict[str, Future[Season]] = {}
        for waiting in self._completed(_readings(self._assembler, seasons, masks=masks), masks=masks):
            location = waiting.season.location.id
            last[location] = self._writers.submit(_take, waiting, last.get(location))
            taken.append(last[location])
            while taken and (taken[0].done() or len(taken) > UNWRITTEN):
                yield from _if_done(taken.popleft())
        while taken:
            yield from _if_done(taken.popleft())

    def _completed(self, readings: dict[Any, _Reading], *, masks: bool) -> Iterator[_Waiting]:
        """Seasons all of whose wish has been read, each as soon as that is so."""
        asks = [((key, number), ask) for key, reading in readings.items() for number, ask in enumerate(reading.asks)]
        for key in [key for key, reading in readings.items() if not reading.asks]:
            yield from self._settle(readings.pop(key), masks=masks)
        for (key, number), plane in self._reader.read(asks):
            if self._stop.is_set():
                return
            readings[key].planes[number] = plane
            if len(readings[key].planes) == len(readings[key].asks):
                yield from self._settle(readings.pop(key), masks=masks)

    def _settle(self, reading: _Reading, *, masks: bool) -> Iterator[_Waiting]:
        planes = [reading.planes[number] for number in range(len(reading.asks))]
        if self._is_put_off(reading):
            return
        answer = self._assembler.answer(reading.scene, planes, masks=masks)
        for waiting, place in reading.users:
            waiting.answers[place] = answer
            if len(waiting.answers) == waiting.missing:
                yield waiting

    def _is_put_off(self, reading: _Reading) -> bool:
        """Whether a host was down, so that the season keeps its wish for a later round."""
        borne = False
        for number, plane in reading.planes.items():
            href = reading.asks[number].band.href
            if isinstance(plane, HostDownError):
                borne |= self._outage.is_borne(href, plane)
            elif not isinstance(plane, SourceUnavailableError):
                self._outage.answered(href)
        self._has_borne |= borne
        return borne


def _readings(assembler: Assembler, seasons: Sequence[Season], *, masks: bool) -> dict[Any, _Reading]:
    """What seasons wish, each scene of a location once."""
    readings: dict[Any, _Reading] = {}
    for season in seasons:
        assert season.wish is not None, "only seasons that wish something are read for"
        waiting = _Waiting(season, len(season.wish.scenes))
        for place, scene in enumerate(season.wish.scenes):
            key = season.location.id, scene.sensor, scene.id
            if key not in readings:
                readings[key] = _Reading(scene, assembler.asks(scene, season.location, masks=masks), [])
            readings[key].users.append((waiting, place))
    return readings


def _take(waiting: _Waiting, before: Future[Season] | None) -> Season:
    """Let a season go on, after the one before it of its location: two that keep one scene write the same files."""
    if before:
        before.result()
    answers, waiting.answers = waiting.answers, {}
    waiting.season.take([answers[place] for place in range(len(answers))])
    return waiting.season


def _if_done(taken: Future[Season]) -> Iterator[Season]:
    season = taken.result()
    if season.wish is None:
        yield season


def _outcome(location: Location, seasons: Sequence[Season]) -> Outcome:
    items: list[dict[str, Any]] = []
    failures: list[Failure] = []
    for season in seasons:
        if isinstance(season.outcome, Failure):
            failures.append(season.outcome)
        else:
            items += season.outcome or []
    return location, items, failures


def _place(location: Location) -> tuple[str, float, float, str]:
    left, _, _, top = location.bounds
    return grid_square(location), -top, left, location.id


def _sweep(season: Season) -> tuple[tuple[str, datetime, str], tuple[float, float, str]]:
    """Where a season stands in the order of reading: by its first scene, from north to south."""
    assert season.wish is not None, "only seasons that wish something are read for"
    first = season.wish.scenes[0]
    return (first.sensor, middle(first), first.id), _place(season.location)[1:]


def _swept_bytes(scene: Sequence[Season]) -> int:
    """Pixels that are in memory at once at most while seasons of one scene, sorted, are read from north to south.

    A season that wishes two scenes is complete only after the second one: of these, all are.
    """
    sizes = [_wished_bytes(season) for season in scene]
    if any(season.wish and len(season.wish.scenes) > 1 for season in scene):
        return sum(sizes)
    most = held = first = 0
    for season, size in zip(scene, sizes, strict=True):
        held += size
        while scene[first].location.bounds[3] - season.location.bounds[3] > SWEEP_M:
            held -= sizes[first]
            first += 1
        most = max(most, held)
    return most


def _wished_bytes(season: Season) -> int:
    """Pixels that a season wishes, bytes."""
    assert season.wish is not None, "only seasons that wish something are read for"
    total = 0.0
    for scene in season.wish.scenes:
        sensor = find_sensor(scene.sensor)
        each = np.dtype(sensor.mask_type if season.wish.masks else sensor.data_type).itemsize
        for ask in season.assembler.asks(scene, season.location, masks=season.wish.masks):
            total += (season.location.side_m / ask.fallback_gsd) ** 2 * each
    return int(total)
