"""What a build would cost, from the answers of its searches and the headers of one sample scene per sensor.

Square by square the candidates of each location and season are put in the order in which a build would look at them; `estimate`
says how often it looks and fetches, and how many blocks that touches. Of each scene nothing but the chance that it is
used is kept, so that memory does not grow with the locations.

A forecast is an expectation, told with a range. That of items is of `likely_range`. Requests and bytes go with the items, and
may be off by a factor of 1.4 beyond that. Of four builds from the shared data's archives (3 or 1 locations, 165 of one scene)
and one of 24 locations from a server, all outcomes lie within; the bytes were 1.0 to 1.7 times those expected, 1.7 where no
cloud cover is stated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from catalogs.bands import find_sensor
from catalogs.foreign import SourceScene
from catalogs.journal import NO_SEASON
from catalogs.lattice import grid_square
from catalogs.records import Band, Location
from curate.assemble import Wanted
from curate.choose import UNKNOWN_CLOUD, Candidate, in_window, merge_copies
from curate.clouds import judged_by
from curate.estimate import FileShape, Visit, expect_blocks, expect_visits, log_left_out
from curate.fetch import has_mask
from curate.likely_range import SeasonsFound
from curate.offsets import KEEP, UNTOLD, first_reference, needs_proof
from curate.pipeline import Todo, Watch
from curate.search import Searches, SquareScenes
from curate.seasons import DateWindow
from curate.static_layers import in_order, of_no_season, of_seasons
from curate.unit import neighbourhoods

if TYPE_CHECKING:
    from numpy.typing import NDArray

DISK_SHARE = 0.7
"""Of its pixels' bytes that an item's measurements take on the disk: 0.69 to 0.73 of simulated Sentinel-2."""
MASK_DISK_SHARE = 0.1
"""The same of its mask."""
ASSET_BYTES = 1_000
"""Of an asset beside its pixels."""
NEGLIGIBLE = 0.001
"""Chance below which it is not worth while to find out which other date would be read."""
WITHIN = 1.4
"""Factor within which requests and bytes hold, either way, if as many items are found as are expected."""
JSON_BYTES, ROW_BYTES = 9_000, 1_000
"""Of an item's JSON, and of its row in the index."""


@dataclass
class SensorForecast:
    """What a build is expected to do with the scenes of one sensor."""

    candidates: int = 0
    """Scenes over the locations."""
    scenes: float = 0.0
    """Of these, expected to be read in part."""
    looks: float = 0.0
    """Masks of a location that are read."""
    patches: float = 0.0
    """Items that are written."""
    proofs: float = 0.0
    """Of these, expected to be held against another scene, which is read for it, since their offset is in doubt."""
    mask_requests: float = 0.0
    """To choose."""
    mask_bytes: float = 0.0
    """The same, fetched."""
    requests: float = 0.0
    """For measurements."""
    bytes: float = 0.0
    """The same, fetched."""
    decoded_bytes: float = 0.0
    """Of the blocks of both, once inflated."""
    disk_bytes: float = 0.0
    """Of the items."""
    is_sampled: bool = False
    """Whether the sizes of blocks are those of a scene of the source, or usual ones."""
    is_local: bool = False
    """Whether its files lie on this machine, so that they are read and not fetched."""
    scenes_by_source: Mapping[str, float] = field(default_factory=dict)
    """Of `scenes`, by the name of the source that they say they are from."""


@dataclass(frozen=True)
class Forecast:
    """What a build is expected to cost."""

    locations: int
    """To do."""
    seasons: int
    """Of these locations, to do, all together."""
    sensors: Mapping[str, SensorForecast]
    """By the sensor's id."""
    found: tuple[int, int] = (0, 0)
    """Fewest and most of the seasons that are likely to find their scenes."""

    @property
    def items(self) -> tuple[int, int]:
        """Fewest and most items that are likely, of all sensors together."""
        lasting = round(sum(each.patches for each in of_no_season(self.sensors).values()))
        fewest, most = (lasting + count * len(of_seasons(self.sensors)) for count in self.found)
        return fewest, most

    def likely(self, name: str) -> tuple[float, float]:
        """Least and most that is likely of `requests` or `bytes`: those of measurements are in proportion to the items.

        A whole product that is fetched for its mask costs no less where it turns out cloudy.
        """
        expected, masks = self.total("patches"), self.total(f"mask_{name}")
        fewest, most = ((count / expected if expected else 1.0) for count in self.items)
        sunk = sum(getattr(each, name) for each in self.sensors.values() if each.looks and not each.mask_bytes)
        others = self.total(name) - sunk
        return (masks + sunk + others * min(fewest, 1.0)) / WITHIN, (masks + (sunk + others) * max(most, 1.0)) * WITHIN

    @property
    def is_local(self) -> bool:
        """Whether nothing is fetched: all files lie on this machine."""
        costly = [each for each in self.sensors.values() if each.bytes or each.mask_bytes]
        return bool(costly) and all(each.is_local and len(each.scenes_by_source) < 2 for each in costly)

    def total(self, name: str) -> float:
        """A figure of all sensors together."""
        return float(sum(getattr(sensor, name) for sensor in self.sensors.values()))

    @property
    def requests(self) -> float:
        """All of them."""
        return self.total("mask_requests") + self.total("requests")

    @property
    def bytes(self) -> float:
        """Fetched, all of them."""
        return self.total("mask_bytes") + self.total("bytes")

    def hours(self, *, mbps: float) -> float:
        """Time to fetch all bytes over a link of so many megabits per second."""
        return self.bytes * 8 / (mbps * 1e6) / 3600


def forecast(
    searches: Searches,
    wanted: Wanted,
    todo: Todo,
    shapes: Mapping[str, Sequence[FileShape]],
    *,
    watch: Watch,
    as_json: bool,
    by_location: bool = False,
) -> Forecast:
    """Go through what is to do, unit by unit, and say what it is expected to cost.

    Args:
        searches: Their answers are used, and asked for where they are not saved.
        wanted: Of every location.
        todo: Locations and seasons.
        shapes: The files of each sensor's scenes; none of a source that has no files.
        watch: Shows progress.
        as_json: Whether items are JSON files too.
        by_location: Whether the source is asked once for all masks of a location and once for its measurements, as numbers that
            are not packed, rather than for blocks of files.
    """
    planner = _Planner(searches, wanted, shapes, by_location=by_location)
    if not todo:
        return planner.result(0, as_json=as_json)
    with watch(len(todo), "Planning") as bar:
        for unit in neighbourhoods(todo):
            for square, group in groupby(unit, grid_square):
                locations = list(group)
                planner.add(square, [(location, todo[location]) for location in locations])
                bar.advance(ok=len(locations))
    return planner.result(len(todo), as_json=as_json)


@dataclass
class _Uses:
    """The chances that a sensor's scenes are of no use, as natural logarithms, by the scene's id."""

    looks: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    fetches: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    sources: dict[str, str] = field(default_factory=dict)
    """Name of the scene's source."""


class _Season(NamedTuple):
    """What a season of a location is expected to use."""

    visits: list[tuple[str, int, Visit]]
    """(sensor, scene, visit)."""
    chance: float
    """That clear scenes are found."""
    has_scenes: bool
    """Whether every sensor has one at all."""


class _Planner:
    """Adds up what squares are expected to cost."""

    def __init__(
        self, searches: Searches, wanted: Wanted, shapes: Mapping[str, Sequence[FileShape]], *, by_location: bool
    ) -> None:
        self._by_location = by_location
        self._searches = searches
        self._wanted = wanted
        self._shapes = shapes
        self._seasons = 0
        self._uses = {sensor: _Uses() for sensor in wanted.sensors}
        self._found = SeasonsFound()
        self._judged = {id_ for id_, bands in wanted.sensors.items() if judged_by(find_sensor(id_), [b.name for b in bands])}
        self._sums = {
            sensor: SensorForecast(
                is_sampled=_are_all(shapes.get(sensor, ()), "is_sampled"), is_local=_are_all(shapes.get(sensor, ()), "is_local")
            )
            for sensor in wanted.sensors
        }

    def add(self, square: str, places: Sequence[tuple[Location, frozenset[int] | None]]) -> None:
        """Take in locations of a grid square that are read together."""
        locations = [location for location, _ in places]
        found = {sensor: self._searches.scenes(sensor, square) for sensor in self._wanted.sensors}
        over = {sensor: scenes.over(locations) for sensor, scenes in found.items()}
        chances = {sensor: np.zeros((3, len(places), len(each.scenes))) for sensor, each in found.items()}
        for number, sensor, place, visit in self._visits(square, found, over, places):
            chances[sensor][:, number, place] += tuple(map(log_left_out, (visit.look, visit.fetch, visit.again)))
            self._sums[sensor].proofs += visit.again
            self._sums[sensor].looks += visit.look
            self._sums[sensor].patches += visit.keep
            self._sums[sensor].disk_bytes += visit.keep * _pixel_bytes(sensor, self._wanted.sensors[sensor], locations[number])
        bounds = np.array([location.bounds for location in locations], float)
        for sensor, scenes in found.items():
            self._add_uses(sensor, scenes, over[sensor][0].any(axis=0), chances[sensor])
            self._add_blocks(sensor, bounds, chances[sensor])
            if self._by_location:
                self._add_questions(sensor, locations, chances[sensor])

    def _visits(
        self,
        square: str,
        found: Mapping[str, SquareScenes],
        over: Mapping[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]],
        places: Sequence[tuple[Location, frozenset[int] | None]],
    ) -> Iterator[tuple[int, str, int, Visit]]:
        """(location, sensor, scene, visit) of every season, and of every static layer once."""
        if seasonal := of_seasons(found):
            yield from self._visits_of_seasons(square, seasonal, {sensor: over[sensor] for sensor in seasonal}, places)
        for sensor, scenes in of_no_season(found).items():
            for number, (location, seasons) in enumerate(places):
                if seasons is None or NO_SEASON in seasons:
                    touching, covering = (part[number] for part in over[sensor])
                    best = in_order(_candidates(scenes, touching, covering, location.zone))[:1]
                    yield from ((number, sensor, _place_of(each.scene, scenes), Visit(0.0, 1.0, 1.0)) for each in best)

    def _visits_of_seasons(
        self,
        square: str,
        found: Mapping[str, SquareScenes],
        over: Mapping[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]],
        places: Sequence[tuple[Location, frozenset[int] | None]],
    ) -> Iterator[tuple[int, str, int, Visit]]:
        """The same of the sensors of seasons; worked out once for locations with the same candidates."""
        merged: dict[Any, dict[str, list[Candidate]]] = {}
        known: dict[Any, _Season] = {}
        numbers = {sensor: {id(scene): place for place, scene in enumerate(each.scenes)} for sensor, each in found.items()}
        for number, (location, seasons) in enumerate(places):
            key = location.zone, *(part[number].tobytes() for parts in over.values() for part in parts)
            if key not in merged:
                merged[key] = {
                    sensor: _candidates(each, over[sensor][0][number], over[sensor][1][number], location.zone)
                    for sensor, each in found.items()
                }
            for window in self._wanted.plan.windows(location.id):
                if seasons is not None and window.season not in seasons:
                    continue
                self._seasons += 1
                if (key, window) not in known:
                    known[key, window] = self._season(merged[key], window, numbers)
                season = known[key, window]
                self._found.add(square, window.season, season.chance, has_scenes=season.has_scenes)
                yield from ((number, *each) for each in season.visits)

    def _season(
        self, merged: Mapping[str, Sequence[Candidate]], window: DateWindow, numbers: Mapping[str, Mapping[int, int]]
    ) -> _Season:
        inside = {sensor: in_window(candidates, window) for sensor, candidates in merged.items()}
        wanted = self._wanted
        expected = expect_visits(inside, max_cloud=wanted.max_cloud, max_delta_days=wanted.max_delta_days, judged=self._judged)
        visits = [
            (sensor, numbers[sensor][id(candidate.scene)], self._as_asked(candidate, visit))
            for sensor, candidates in inside.items()
            for candidate, visit in zip(candidates, expected[sensor], strict=True)
            if visit.look or visit.fetch or self._by_location
        ]
        for sensor, candidates in inside.items() if self._wanted.radiometry != KEEP else ():
            for candidate, visit in zip(candidates, expected[sensor], strict=True):
                visits += [(sensor, *each) for each in _proofs(candidate, visit, merged[sensor], numbers[sensor])]
        chance = min(sum(visit.keep for visit in each) for each in expected.values())
        return _Season(visits, chance, all(inside.values()))

    def _as_asked(self, candidate: Candidate, visit: Visit) -> Visit:
        """A visit of a source whose masks are all asked for at once."""
        return replace(visit, look=float(has_mask(candidate.scene))) if self._by_location else visit

    def _add_uses(self, sensor: str, found: SquareScenes, touched: NDArray[np.bool_], chances: NDArray[np.float64]) -> None:
        looks, fetches, _ = chances.sum(axis=1)
        for place in touched.nonzero()[0].tolist():
            for name in _counted_as(found.scenes[place]):
                self._uses[sensor].looks[name] += float(looks[place])
                self._uses[sensor].fetches[name] += float(fetches[place])
                self._uses[sensor].sources[name] = found.scenes[place].source or ""

    def _add_blocks(self, sensor: str, bounds: NDArray[np.float64], chances: NDArray[np.float64]) -> None:
        sums = self._sums[sensor]
        alike: dict[Any, tuple[float, float]] = {}
        for shape in self._shapes.get(sensor, ()):
            readings = [part[:, part.any(axis=0)] for part in (chances[:1] if shape.is_mask else chances[1:])]
            if shape.cut not in alike:
                found = [expect_blocks(shape, bounds, left_out) for left_out in readings if left_out.size]
                alike[shape.cut] = float(sum(b.sum() for b, _ in found)), float(sum(r.sum() for _, r in found))
            blocks_, ranges_ = alike[shape.cut]
            sums.decoded_bytes += blocks_ * shape.decoded_bytes
            if shape.is_mask:
                sums.mask_requests += ranges_
                sums.mask_bytes += blocks_ * shape.block_bytes
            else:
                sums.requests += ranges_
                sums.bytes += blocks_ * shape.block_bytes

    def _add_questions(self, sensor_id: str, locations: Sequence[Location], chances: NDArray[np.float64]) -> None:
        """Add what is asked by location: coarser bands come repeated on the finest pixels."""
        sums, sensor, bands = self._sums[sensor_id], find_sensor(sensor_id), self._wanted.sensors[sensor_id]
        sides = np.array([location.side_m for location in locations], float)
        looks, fetches, _ = (1 - np.exp(chances)).sum(axis=2)
        itemsize = np.dtype(sensor.data_type).itemsize
        sums.bytes += float((fetches * (sides / min(band.gsd for band in bands)) ** 2).sum()) * len(bands) * itemsize
        if sensor.mask:
            sums.mask_bytes += float((looks * (sides / sensor.mask.gsd) ** 2).sum()) * np.dtype(sensor.mask_type).itemsize
        sums.mask_requests += float((looks > 0.5).sum())
        sums.requests += float((1 - np.exp(chances[1].sum(axis=1))).sum())
        sums.is_sampled = True

    def result(self, locations: int, *, as_json: bool) -> Forecast:
        """All that was taken in, and the headers of the files."""
        for sensor, sums in self._sums.items():
            uses = self._uses[sensor]
            looked, fetched = (1 - np.exp(list(each.values()) or [0.0]) for each in (uses.looks, uses.fetches))
            sums.candidates = len(uses.looks)
            used = np.maximum(looked, fetched)
            sums.scenes = float(used.sum())
            by_source: dict[str, float] = defaultdict(float)
            for source, chance in zip(uses.sources.values(), used.tolist(), strict=False):  # without scenes there is one 0
                by_source[source] += chance
            sums.scenes_by_source = dict(by_source)
            for shape in self._shapes.get(sensor, ()):
                if shape.is_mask:
                    sums.mask_requests += float(looked.sum()) * bool(shape.header_bytes)
                    sums.mask_bytes += float(looked.sum()) * shape.header_bytes
                else:
                    sums.requests += float(fetched.sum()) * bool(shape.header_bytes)
                    sums.bytes += float(fetched.sum()) * shape.header_bytes
            sums.disk_bytes += sums.patches * (ROW_BYTES + as_json * JSON_BYTES)
        return Forecast(locations, self._seasons, self._sums, self._found.likely())


def _are_all(shapes: Sequence[FileShape], what: str) -> bool:
    return bool(shapes) and all(getattr(shape, what) for shape in shapes)


def _candidates(found: SquareScenes, touching: NDArray[np.bool_], covering: NDArray[np.bool_], zone: int) -> list[Candidate]:
    return merge_copies(
        [Candidate(found.scenes[place], bool(covering[place])) for place in touching.nonzero()[0].tolist()], zone
    )


def _counted_as(scene: SourceScene) -> list[str]:
    """What tells a scene from others: its id; of a static layer, which is one scene all over the globe, its files."""
    parts = {part.id for band in scene.bands.values() for part in band.parts} if find_sensor(scene.sensor).is_static else ()
    return sorted(parts) or [scene.id]


def _proofs(
    candidate: Candidate, visit: Visit, others: Sequence[Candidate], numbers: Mapping[int, int]
) -> Iterator[tuple[int, Visit]]:
    """The reading of another scene for one whose offset is in doubt, and of this one again; the first is taken to tell."""
    chance = visit.keep * UNTOLD
    if chance < NEGLIGIBLE or not needs_proof(candidate.scene):
        return
    other = first_reference(candidate, others)
    if other is not None:
        yield numbers[id(other)], Visit(chance * has_mask(other), chance, 0.0)
        yield numbers[id(candidate.scene)], Visit(0.0, 0.0, 0.0, again=chance)


def _place_of(scene: SourceScene, found: SquareScenes) -> int:
    return next(place for place, each in enumerate(found.scenes) if each is scene)


def _pixel_bytes(sensor_id: str, bands: Sequence[Band], location: Location) -> float:
    """What an item's assets are expected to take on the disk."""
    sensor = find_sensor(sensor_id)
    each = np.dtype(sensor.data_type).itemsize * DISK_SHARE
    total = sum((location.side_m / band.gsd) ** 2 * each for band in bands) + len({band.gsd for band in bands}) * ASSET_BYTES
    if sensor.mask:
        total += (location.side_m / sensor.mask.gsd) ** 2 * np.dtype(sensor.mask_type).itemsize * MASK_DISK_SHARE + ASSET_BYTES
    return total


def sample_scene(searches: Searches, sensor: str, todo: Todo) -> SourceScene | None:
    """A scene whose files stand for those of a sensor: the clearest over the square in the middle; none where there is none."""
    squares = sorted({grid_square(location) for location in todo})
    for square in (squares[len(squares) // 2], *squares) if squares else ():
        scenes = searches.scenes(sensor, square).scenes
        if scenes:
            return min(scenes, key=lambda s: (UNKNOWN_CLOUD if s.cloud_percent is None else s.cloud_percent, s.id))
    return None
