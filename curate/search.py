"""Locations and a span of time to candidate scenes: one search per sensor and grid square, saved before the first fetch.

A saved answer is reused by every later run, so that a build that was interrupted ends as if it had not been. Its hrefs
carry no secret; signed ones stay in memory for the run that was given them.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from catalogs import layout
from catalogs.foreign import SourceBand, SourceScene
from catalogs.from_stac import read_time
from catalogs.lattice import corner_lonlats, footprint, grid_square
from catalogs.pixels import write_whole
from catalogs.records import Location
from catalogs.secrets import without_secrets
from curate.choose import Candidate
from curate.sources.protocol import LonLatBox, Source

SQUARES_IN_MEMORY = 16


class Searches:
    """The scenes of one source over one set of locations."""

    def __init__(self, source: Source, folder: Path, locations: Iterable[Location], span: tuple[datetime, datetime]) -> None:
        """Prepare the searches; nothing is asked yet.

        Args:
            source: Who is asked.
            folder: The catalog's folder; answers are saved below it.
            locations: All locations of the catalog, so that the boxes do not depend on which are still to do.
            span: First and last instant to search.
        """
        self._source = source
        self._folder = folder / layout.WORK / "search"
        self._span = span
        self._by_square: dict[str, list[Location]] = defaultdict(list)
        for location in locations:
            self._by_square[grid_square(location)].append(location)
        self._signed: dict[str, str] = {}
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
        return len(self._load(sensor, square)[0])

    def candidates(self, sensor: str, location: Location) -> list[Candidate]:
        """Scenes whose footprint touches a location's square."""
        import shapely

        scenes, footprints = self._load(sensor, grid_square(location))
        square = shapely.from_geojson(json.dumps(footprint(location)[0]))
        touching = shapely.intersects(footprints, square)
        return [Candidate(self._sign(scenes[i]), bool(shapely.covers(footprints[i], square))) for i in touching.nonzero()[0]]

    def _scenes_of_square(self, sensor: str, square: str) -> tuple[list[SourceScene], Any]:
        import shapely

        path = self._folder / sensor / f"{square}.json.gz"
        if path.exists():
            scenes = [_scene_from_json(row) for row in json.loads(gzip.decompress(path.read_bytes()))]
        else:
            scenes = self._search(sensor, square)
            if not self._source.simulated:
                rows = json.dumps([_scene_to_json(scene) for scene in scenes], separators=(",", ":")).encode()
                write_whole(path, gzip.compress(rows, mtime=0))
        return scenes, shapely.from_geojson([json.dumps(scene.footprint) for scene in scenes])

    def _search(self, sensor: str, square: str) -> list[SourceScene]:
        found: dict[str, SourceScene] = {}
        for box in location_boxes(self._by_square[square]):
            found.update({scene.id: scene for scene in self._source.search(sensor, box, *self._span)})
        return sorted((self._strip(scene) for scene in found.values()), key=lambda scene: scene.id)

    def _strip(self, scene: SourceScene) -> SourceScene:
        """A scene without secrets in its hrefs; they are kept in memory."""
        bands = {}
        for name, band in scene.bands.items():
            clean = without_secrets(band.href)
            if clean != band.href:
                self._signed[clean] = band.href
            bands[name] = replace(band, href=clean)
        return replace(scene, bands=bands, href=scene.href and without_secrets(scene.href))

    def _sign(self, scene: SourceScene) -> SourceScene:
        bands = {
            name: replace(band, href=self._signed.get(band.href) or _at_home(band.href)) for name, band in scene.bands.items()
        }
        return replace(scene, bands=bands)


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


def _scene_to_json(scene: SourceScene) -> dict[str, Any]:
    row = {key: value for key, value in asdict(scene).items() if value is not None}
    for key in ("datetime", "start_datetime", "end_datetime"):
        if key in row:
            row[key] = row[key].isoformat()
    return row


def _scene_from_json(row: dict[str, Any]) -> SourceScene:
    times: dict[str, Any] = {key: read_time(row[key]) for key in ("datetime", "start_datetime", "end_datetime") if key in row}
    return SourceScene(**{**row, **times, "bands": {name: SourceBand(**band) for name, band in row["bands"].items()}})
