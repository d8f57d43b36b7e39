"""Which scenes there are: every pass over every tile, and what their ids say.

Nothing is stored; all follows from the orbits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from curate.simulation import tiles
from curate.simulation.noise import draw, hash_of, stream
from curate.simulation.orbits import LANDSAT, SENTINEL_1, SENTINEL_2, Pass, beside_track, passes_of
from curate.simulation.sun import EPOCH, day_of, sun_angles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.simulation.tiles import Tile
    from curate.sources.protocol import LonLatBox

FLEETS = {"sentinel-2-l2a": SENTINEL_2, "landsat-c2-l2": LANDSAT, "sentinel-1-rtc": SENTINEL_1}
PREFIXES = {"sentinel-2-l2a": "SIM", "landsat-c2-l2": "SIM_LC", "sentinel-1-rtc": "SIM_S1", "spot-ortho": "SIM_SPOT"}
SIMULATED_SENSORS = tuple(PREFIXES)
LOWEST_SUN = 8.0
"""Optical scenes with a lower sun at the middle of the tile are not taken, degrees."""
REPROCESSED_SHARE = 0.02
SMALLEST_SHARE = 0.02
"""A pass that sees less of a tile makes no scene of it."""
_ID = re.compile(r"^(SIM(?:_LC|_S1|_SPOT)?)_([0-9A-Z]{5,6})_(\d{4}|\d{8}T\d{6})(_R1)?$")
_FORM = "%Y%m%dT%H%M%S"


@dataclass(frozen=True, slots=True)
class Acquisition:
    """One tile of one pass, or of one year's mosaic, in one processing version."""

    sensor: str
    """Our id of the sensor."""
    tile: Tile
    """Where its rasters lie."""
    flight: Pass | None
    """The pass; none of a mosaic."""
    when: datetime
    """Whole second of the middle of the tile; of a mosaic the day in its season whose ground it shows."""
    version: int = 0
    """0, or 1 for the reprocessing that some have."""

    @property
    def id(self) -> str:
        """Such as `SIM_31UDQ_20230714T105031`; a reprocessing ends in `_R1`, a mosaic has its year."""
        when = self.when.strftime(_FORM) if self.flight else f"{self.when.year:04d}"
        return f"{PREFIXES[self.sensor]}_{self.tile.name}_{when}{'_R1' if self.version else ''}"

    @property
    def day(self) -> float:
        """Days since 2000-01-01T12:00 UTC of the ground that it shows; the same in all tiles of a pass."""
        return self.flight.node_day if self.flight else day_of(self.when)

    def seed(self, world_seed: int) -> int:
        """What its clouds, haze and calibration are drawn from: the same in all tiles and versions of a pass."""
        name = self.flight.constellation.satellites[self.flight.satellite] if self.flight else self.id
        return int(hash_of(world_seed, stream(name), self.flight.number if self.flight else 0)[0])

    def inside(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance of points inside the edge of what it sees, metres; negative outside."""
        if self.flight is None:
            return np.full(np.shape(lon), 1e6)
        across, along = self.flight.beside(lon, lat)
        inside: NDArray[np.float64] = self.flight.constellation.half_swath_m - np.abs(across)
        if self.sensor == "landsat-c2-l2":
            inside = np.minimum(inside, tiles.FRAME_HALF_M - np.abs(along - tiles.frame_middle(self.tile)))
        return inside

    def footprint(self) -> NDArray[np.float64]:
        """Corners of what it sees, (corners, 2) as lon, lat, degrees, anticlockwise."""
        if self.sensor == "landsat-c2-l2":
            return tiles.frame_footprint(self.tile)
        return tiles.tile_footprint(self.tile, self.flight)


def acquisitions_in(sensor: str, box: LonLatBox, start: datetime, end: datetime, *, seed: int) -> list[Acquisition]:
    """All scenes of a sensor that touch a box, from `start` (inclusive) to `end` (exclusive), in no order."""
    outlines = tiles.frames_in(box) if sensor == "landsat-c2-l2" else tiles.tiles_in(box)
    return [each for tile in outlines for each in acquisitions_of(sensor, tile, start, end, seed=seed)]


def acquisitions_of(sensor: str, tile: Tile, start: datetime, end: datetime, *, seed: int) -> list[Acquisition]:
    """All scenes of one tile in a span of time; of mosaics, those whose season touches it."""
    if sensor == "spot-ortho":
        return [mosaic_of(tile, year, seed) for year in range(start.year, end.year + 1)
                if vintage(year)[0] < end and vintage(year)[1] > start]  # fmt: skip
    lon, lat = tile.centre
    found = []
    for flight in passes_of(FLEETS[sensor], list(_tracks_over(sensor, tile)), start, end):
        when = (EPOCH + timedelta(days=float(flight.day_at(lat)))).replace(microsecond=0)
        if start <= when < end and (sensor == "sentinel-1-rtc" or sun_angles(lon, lat, day_of(when))[0] >= LOWEST_SUN):
            first = Acquisition(sensor, tile, flight, when)
            found.append(first)
            if sensor == "sentinel-2-l2a" and draw(hash_of(seed, stream(first.id)), "again")[0] < REPROCESSED_SHARE:
                found.append(Acquisition(sensor, tile, flight, when, 1))
    return found


@lru_cache(maxsize=4096)
def _tracks_over(sensor: str, tile: Tile) -> tuple[int, ...]:
    if sensor == "landsat-c2-l2":
        return (tiles.frame_numbers(tile.name)[0],)
    fleet = FLEETS[sensor]
    lon, lat = tile.spread(7)
    across = beside_track(fleet, np.arange(fleet.orbits)[:, None], lon.ravel(), lat.ravel())[0]
    return tuple(np.flatnonzero((np.abs(across) <= fleet.half_swath_m).mean(axis=1) > SMALLEST_SHARE).tolist())


def vintage(year: int) -> tuple[datetime, datetime]:
    """First and last instant of a year's mosaic."""
    return datetime(year, 4, 1, tzinfo=UTC), datetime(year, 9, 30, 23, 59, 59, tzinfo=UTC)


def mosaic_of(tile: Tile, year: int, seed: int) -> Acquisition:
    """A year's mosaic of a tile."""
    day = int(draw(hash_of(seed, stream(tile.name), year), "flown", 10, 170)[0])
    noon = 10.75 - tile.centre[0] / 15
    return Acquisition("spot-ortho", tile, None, datetime(year, 4, 1, tzinfo=UTC) + timedelta(days=day, hours=round(noon, 2)))


@lru_cache(maxsize=4096)
def acquisition_named(scene_id: str, seed: int) -> Acquisition | None:
    """The scene of that id; none where the simulated world has no such."""
    match = _ID.match(scene_id)
    if match is None:
        return None
    sensor = next(each for each, prefix in PREFIXES.items() if prefix == match[1])
    tile = tiles.frame_named(match[2]) if sensor == "landsat-c2-l2" else tiles.tile_named(match[2])
    if tile is None or (len(match[3]) == 4) != (sensor == "spot-ortho"):
        return None
    if sensor == "spot-ortho":
        return mosaic_of(tile, int(match[3]), seed)
    try:
        when = datetime.strptime(match[3], _FORM).replace(tzinfo=UTC)
    except ValueError:
        return None
    found = acquisitions_of(sensor, tile, when, when + timedelta(seconds=1), seed=seed)
    return next((each for each in found if each.id == scene_id), None)
