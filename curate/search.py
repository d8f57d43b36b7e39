"""Locations and a span of time to candidate scenes: one search per sensor, grid square and year, saved before the first fetch.

A saved answer is reused by every later run, so that a build that was interrupted ends as if it had not been. Its hrefs
carry no secret; signed ones stay in memory for the run that was given them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from catalogs import layout
from catalogs.bands import find_sensor
from catalogs.foreign import SourceBand, SourceScene
from catalogs.lattice import corner_lonlats, footprint_of_corners, grid_square
from catalogs.records import Location
from catalogs.secrets import without_secrets
from curate.choose import Candidate
from curate.errors import SourceUnavailableError
from curate.saved_searches import Question, answer_path, load_answer, load_old_answer, periods, save_answer
from curate.sources.alike import add_scenes
from curate.sources.archives.mosaic_parts import add_parts
from curate.sources.protocol import LonLatBox, Several, Source
from curate.static_layers import span_of

SQUARES_IN_MEMORY = 16
ROUNDED_DEGREES = 1e-5
"""By which the corners of a footprint may be off: a metre."""


@dataclass(frozen=True)
class SquareScenes:
    """All scenes that were found over a grid square."""

    scenes: Sequence[SourceScene]
    """Sorted by id; their hrefs can be read, with secrets where the source signs them."""
    footprints: Any
    """Their footprints, an array of shapely's geometries."""

    @classmethod
    def of(cls, scenes: Sequence[SourceScene]) -> SquareScenes:
        """Scenes that are sorted by id."""
        import shapely

        return cls(scenes, shapely.from_geojson([json.dumps(scene.footprint) for scene in scenes]))

    def candidates(self, location: Location) -> list[Candidate]:
        """Those whose footprint touches a location's square."""
        touching, covering = self.over([location])
        return [Candidate(self.scenes[i], bool(covering[0, i])) for i in touching[0].nonzero()[0]]

    def over(self, locations: Sequence[Location]) -> tuple[Any, Any]:
        """Which scenes touch, and which cover, each of some squares.

        A footprint covers a square whose edge it leaves out by a metre or less: its numbers are rounded, and a square may lie
        along the edge of a scene.

        Returns:
            Two arrays of booleans, (locations, scenes).
        """
        import numpy as np
        import shapely

        tree = shapely.STRtree(_outlines(locations))
        found = []
        grown = shapely.buffer(self.footprints, ROUNDED_DEGREES, join_style="mitre")
        for scenes, squares in (tree.query(self.footprints, "intersects"), tree.query(grown, "covers")):
            over = np.zeros((len(locations), len(self.scenes)), bool)
            over[squares, scenes] = True
            found.append(over)
        return found[0], found[1]


class Scenes(Protocol):
    """Whoever knows the scenes over locations."""

    def candidates(self, sensor: str, location: Location) -> list[Candidate]:
        """Scenes whose footprint touches a location's square.

        Raises:
            SourceUnavailableError: A source has to be asked, and does not answer.
        """


def _outlines(locations: Sequence[Location]) -> Any:
    """Squares on the globe, an array of shapely's geometries."""
    import shapely

    corners = corner_lonlats([location.zone for location in locations], [location.bounds for location in locations])
    return shapely.from_geojson([json.dumps(footprint_of_corners(each)[0]) for each in corners])


class Searches:
    """The scenes of one source over one set of locations."""

    def __init__(self, source: Source, folder: Path, locations: Iterable[Location], span: tuple[datetime, datetime]) -> None:
        """Prepare the searches; nothing is asked yet.

        Args:
            source: Who is asked.
            folder: The catalog's folder; answers are saved below it.
            locations: All locations of the catalog, so that the boxes do not depend on which are still to do.
            span: First and last instant to search, of all but static layers.
        """
        self._source = source
        self._folder = folder / layout.WORK / "search"
        self._span = span
        self._by_square: dict[str, list[Location]] = defaultdict(list)
        for location in locations:
            self._by_square[grid_square(location)].append(location)
        self._signed: dict[str, str] = {}
        self._in_part: set[Path] = set()
        self._squares_in_part: set[str] = set()
        self._noting = Lock()
        self.unanswered: dict[str, tuple[int, SourceUnavailableError]] = {}
        """How many questions of this run a source did not answer, by its name, and why it did not the last of them."""
        self._load = lru_cache(maxsize=SQUARES_IN_MEMORY)(self._scenes_of_square)

    @property
    def squares(self) -> list[str]:
        """Names of the grid squares to search, sorted."""
        return sorted(self._by_square)

    @property
    def locations(self) -> list[Location]:
        """All locations, square by square, so that a square's scenes are loaded once for all of its locations."""
        return [location for square in self.squares for location in self._by_square[square]]

    def ensure(self, sensor: str, square: str) -> int:
        """Search a square unless its answer is saved; give the number of its scenes."""
        return len(self._load(sensor, square).scenes)

    def is_answered(self, location: Location) -> bool:
        """Whether all sources have answered what was asked in this run of a location's square."""
        return grid_square(location) not in self._squares_in_part

    def scenes(self, sensor: str, square: str) -> SquareScenes:
        """All scenes over a grid square, searched unless their answer is saved."""
        return self._load(sensor, square)

    def candidates(self, sensor: str, location: Location) -> list[Candidate]:
        """Scenes whose footprint touches a location's square."""
        return self._load(sensor, grid_square(location)).candidates(location)

    def _scenes_of_square(self, sensor: str, square: str) -> SquareScenes:
        found: dict[str, SourceScene] = {}
        old = self._folder / sensor / f"{square}.json.gz"
        if old.exists():
            found = {scene.id: scene for scene in load_old_answer(old)}
        else:
            for start, end in _periods_of(sensor, self._span):
                add_scenes(found, self._answer(sensor, square, start, end))
        return SquareScenes.of([self._sign(self._named(found[id_])) for id_ in sorted(found)])

    def _answer(self, sensor: str, square: str, start: datetime, end: datetime) -> list[SourceScene]:
        """The scenes of one period: those that are saved, else those that the source gives now."""
        boxes = location_boxes(self._by_square[square])
        if self._source.simulated:
            return self._search(sensor, boxes, start, end)[0]
        question = Question(
            source=self._source.name,
            sensor=sensor,
            boxes=boxes,
            start=start,
            end=end,
            max_scene_cloud=getattr(self._source, "max_scene_cloud", 100.0),
        )
        path = answer_path(self._folder, square, question)
        saved = load_answer(path, question, in_part=path in self._in_part)
        if saved is None:
            found, unanswered = self._search(sensor, boxes, start, end)
            save_answer(path, found, question, unanswered=unanswered)
            if unanswered:
                self._note(path, square, unanswered)
            saved = load_answer(path, question, in_part=True)  # so that the first run sees what every later one will
        assert saved is not None, f"{path} was written just now"
        return saved

    def _note(self, path: Path, square: str, unanswered: Mapping[str, SourceUnavailableError]) -> None:
        """Keep an answer that lacks a source's part for this run, and no longer: the next one asks again."""
        with self._noting:
            self._in_part.add(path)
            self._squares_in_part.add(square)
            for name, error in unanswered.items():
                count, _ = self.unanswered.get(name, (0, error))
                self.unanswered[name] = count + 1, error

    def _search(
        self, sensor: str, boxes: Sequence[LonLatBox], start: datetime, end: datetime
    ) -> tuple[list[SourceScene], dict[str, SourceUnavailableError]]:
        """Scenes without secrets, sorted by id, and why a source of several did not answer."""
        found: dict[str, SourceScene] = {}
        unanswered: dict[str, SourceUnavailableError] = {}
        for box in boxes:
            if isinstance(self._source, Several):
                answer = self._source.ask(sensor, box, start, end)
                scenes = answer.scenes
                unanswered |= answer.unanswered
            else:
                scenes = self._source.search(sensor, box, start, end)
            for scene in scenes:
                found[scene.id] = add_parts(scene, found[scene.id]) if scene.id in found else scene
        return sorted((self._strip(scene) for scene in found.values()), key=lambda scene: scene.id), unanswered

    def _strip(self, scene: SourceScene) -> SourceScene:
        """A scene without secrets in its hrefs; they are kept in memory."""
        bands = {name: _with_hrefs(band, self._clean) for name, band in scene.bands.items()}
        return self._named(replace(scene, bands=bands, href=scene.href and without_secrets(scene.href)))

    def _named(self, scene: SourceScene) -> SourceScene:
        """A scene that says which source it came from, as those of answers saved by seastars 0.2 and before do not."""
        return scene if scene.source else replace(scene, source=self._source.name)

    def _sign(self, scene: SourceScene) -> SourceScene:
        """A scene whose hrefs can be read; itself where they can be as they are."""
        bands = {name: _with_hrefs(band, self._known) for name, band in scene.bands.items()}
        is_same = all(bands[name] is band for name, band in scene.bands.items())
        return scene if is_same else replace(scene, bands=bands)

    def _clean(self, href: str) -> str:
        """An address without secrets; the one with them is kept in memory."""
        clean = without_secrets(href)
        if clean != href:
            self._signed[clean] = href
        return clean

    def _known(self, href: str) -> str:
        """An address that can be read, of one without secrets."""
        return self._signed.get(href) or _at_home(href)


def _periods_of(sensor: str, span: tuple[datetime, datetime]) -> Iterable[tuple[datetime, datetime]]:
    """What is asked of a sensor one by one: years, or all of a static layer at once."""
    return [span_of(sensor, span)] if find_sensor(sensor).is_static else periods(span)


def _with_hrefs(band: SourceBand, change: Callable[[str], str]) -> SourceBand:
    """A band with another address, and so its parts; itself where none of them is another."""
    href = change(band.href)
    parts = tuple(replace(part, band=_with_hrefs(part.band, change)) for part in band.parts)
    return band if (href, parts) == (band.href, band.parts) else replace(band, href=href, parts=parts)


def _at_home(href: str) -> str:
    """Undo `without_secrets`, which writes the user's home folder as `~`."""
    return str(Path(href).expanduser()) if href.startswith("~/") else href


def location_boxes(locations: Sequence[Location]) -> list[LonLatBox]:
    """Boxes (west, south, east, north), degrees, that hold the squares: two where they lie on both sides of 180 degrees."""
    corners = corner_lonlats([location.zone for location in locations], [location.bounds for location in locations])
    lon, lat = corners[..., 0], corners[..., 1]
    south, north = float(lat.min()), float(lat.max())
    if lon.max() - lon.min() <= 180:
        return [(float(lon.min()), south, float(lon.max()), north)]
    return [(float(lon[lon > 0].min()), south, 180.0, north), (-180.0, south, float(lon[lon < 0].max()), north)]
