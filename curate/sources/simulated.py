"""The simulated source: scenes of a deterministic world, rendered when they are read.

It answers like a provider of Sentinel-2, Landsat, Sentinel-1 and SPOT: tiles in their UTM zones, same-day duplicates where
tiles overlap, now and then a reprocessing, clouds with a mask that agrees with them. See `curate.simulation` for the world.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from catalogs.bands import SENSORS
from catalogs.foreign import SourceBand, SourceScene
from catalogs.lattice import footprint_of_corners
from curate.errors import CurateError, SourceSensorError, SourceUnavailableError
from curate.simulation.acquisitions import SIMULATED_SENSORS, Acquisition, acquisitions_in, vintage
from curate.simulation.atmosphere import cloud_percents
from curate.simulation.ground import cells_of
from curate.simulation.render import render
from curate.simulation.sun import EPOCH, day_of, sun_angles
from curate.simulation.truth import HREF, find_acquisition, truth
from curate.simulation.world import World
from curate.sources.about import Product, Provider

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from catalogs.records import Grid, Location, Window
    from curate.simulation.tiles import Tile
    from curate.sources.protocol import LonLatBox, SourceRaster

MOST_CLOUDS = 200_000
"""Scenes whose cloud cover is remembered."""
_BASELINES = ("05.10", "05.11")


@dataclass(slots=True)
class SimulatedRaster:
    """One band of a simulated scene; only what is read is rendered."""

    grid: Grid
    """That of the whole tile."""
    nodata: float | None
    """0, or of a radar -32768: outside the satellite's swath."""
    data_type: str
    """numpy's name of its type."""
    world: World
    """Where it looks."""
    acquisition: Acquisition
    """When and from where."""
    band_name: str
    """What it measures."""
    checksum: str | None = None
    """None: there is no file."""

    def read(self, window: Window) -> NDArray[Any]:
        """Pixels of a window that lies inside the raster, (height, width), native type; the same bits in any window.

        Raises:
            ValueError: The window is empty or reaches beyond the raster.
        """
        column, row, width, height = window
        if min(column, row, width - 1, height - 1) < 0 or column + width > self.grid.width or row + height > self.grid.height:
            raise ValueError(
                f"Window {tuple(window)} (column, row, width, height) is not inside the raster of {self.grid.width} x "
                f"{self.grid.height} pixels. Crop it before reading."
            )
        return render(self.world, self.acquisition, self.band_name, cells_of(self.grid, window))


class SimulatedSource:
    """A `Source` whose scenes are rendered from a world that is a pure function of its seed."""

    name = "simulated"
    simulated = True

    def __init__(self, seed: int = 0) -> None:
        """Nothing is made before it is asked for.

        Args:
            seed: Another seed is another world, with other clouds.
        """
        self.seed = seed
        self.skipped: dict[str, str] = {}
        self._world = World(seed)
        self._clouds: dict[str, float] = {}

    def sensors(self) -> Sequence[str]:
        """Ids of the sensors it has."""
        return SIMULATED_SENSORS

    def search(self, sensor: str, box: LonLatBox, start: datetime, end: datetime) -> list[SourceScene]:
        """All scenes of a sensor that touch `box` from `start` (inclusive) to `end` (exclusive), sorted by (datetime, id).

        A vintage counts where its interval touches that span, and sorts by its first instant.

        Raises:
            SourceSensorError: It does not simulate the sensor.
        """
        if sensor not in SIMULATED_SENSORS:
            guess = get_close_matches(sensor, SIMULATED_SENSORS, 1, 0.5)
            raise SourceSensorError(
                f"The simulated source has no sensor {sensor!r}. Choose from: {', '.join(SIMULATED_SENSORS)}."
                f"{f' Did you mean {guess[0]!r}?' if guess else ''}"
            )
        by_tile: dict[Tile, list[Acquisition]] = {}
        for acquisition in acquisitions_in(sensor, box, start, end, seed=self.seed):
            by_tile.setdefault(acquisition.tile, []).append(acquisition)
        if SENSORS[sensor].mask:
            for same in by_tile.values():
                self._judge_clouds(same)
        scenes = [self._scene(each) for same in by_tile.values() for each in same]
        return sorted(scenes, key=lambda scene: (scene.datetime or scene.start_datetime or EPOCH, scene.id))

    @contextmanager
    def open(self, band: SourceBand) -> Iterator[SourceRaster]:
        """Open one band for reading; safe to call from several threads.

        Raises:
            SourceUnavailableError: The address is not one of this world's.
        """
        match = HREF.match(band.href)
        if match is None or match[4] is None or int(match[1]) != self.seed:
            raise SourceUnavailableError(
                f"{band.href} is no band of the simulated world of seed {self.seed}. Expected "
                f"simulated://world/{self.seed}/<tile>/<scene>/<band>, as its search gives it. Search with the same seed."
            )
        acquisition = find_acquisition(match[3], self.seed)
        sensor = SENSORS[acquisition.sensor]
        measured = sensor.band(match[4])
        grid, data_type = acquisition.tile.grid(measured.gsd), sensor.mask_type if measured == sensor.mask else sensor.data_type
        yield SimulatedRaster(grid, measured.nodata, data_type, self._world, acquisition, measured.name)

    def labels(self, location: Location) -> tuple[str, ...]:
        """The cover with the largest share of a location, which no season changes."""
        return (truth(location, seed=self.seed).dominant,)

    def _judge_clouds(self, same: list[Acquisition]) -> None:
        """Remember the cloud cover of scenes of one tile: neighbouring locations ask for the same ones."""
        new = [each for each in same if each.id not in self._clouds]
        if len(self._clouds) > MOST_CLOUDS:
            self._clouds.clear()
        self._clouds.update(zip((each.id for each in new), cloud_percents(new, self.seed), strict=True))

    def _scene(self, acquisition: Acquisition) -> SourceScene:
        sensor, flight, tile = SENSORS[acquisition.sensor], acquisition.flight, acquisition.tile
        href = f"simulated://world/{self.seed}/{tile.name}/{acquisition.id}"
        bands = (*sensor.bands, *((sensor.mask,) if sensor.mask else ()))
        elevation, azimuth = (round(float(angle), 4) for angle in sun_angles(*tile.centre, day_of(acquisition.when)))
        start, end = (None, None) if flight else vintage(acquisition.when.year)
        optical = flight is not None and sensor.mask is not None
        return SourceScene(
            id=acquisition.id, sensor=sensor.id, footprint=_footprint(_first_of_track(acquisition)),
            bands={band.name: SourceBand(f"{href}/{band.name}", 1, band.scale, band.offset, band.nodata) for band in bands},
            datetime=acquisition.when if flight else None, start_datetime=start, end_datetime=end,
            epsg=tile.epsg, cloud_percent=self._clouds.get(acquisition.id), href=href,
            platform=flight.constellation.satellites[flight.satellite] if flight else None,
            sun_elevation=elevation if optical else None, sun_azimuth=azimuth if optical else None,
            relative_orbit=flight.track + 1 if flight else None, orbit_state="descending" if flight else None,
            baseline=_BASELINES[acquisition.version] if sensor.id == "sentinel-2-l2a" else None,
            created=(acquisition.when + timedelta(hours=14, days=400 * acquisition.version)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            radiometry="metadata", simulated=True,
        )  # fmt: skip


def _first_of_track(acquisition: Acquisition) -> Acquisition:
    """One acquisition for all that see the same ground."""
    flight = acquisition.flight
    return replace(acquisition, flight=flight and replace(flight, satellite=0, number=flight.track), when=EPOCH, version=0)


@lru_cache(maxsize=4096)
def _footprint(acquisition: Acquisition) -> dict[str, Any]:
    corners = acquisition.footprint()
    corners[:, 0] = (corners[:, 0] + 180) % 360 - 180
    return footprint_of_corners(corners)[0]


ABOUT = Provider(
    name="simulated",
    title="Simulated scenes",
    url="",
    products=tuple(Product(sensor, "rendered", "any", "a made-up world, no measurement") for sensor in SIMULATED_SENSORS),
    account="none",
    setup="",
    limits="none",
    terms="none: nothing is measured",
)


def open_source(detail: str, *, max_scene_cloud: float) -> SimulatedSource:  # noqa: ARG001
    """The source behind `--source simulated`.

    Raises:
        CurateError: Something was said after its name.
    """
    if detail:
        raise CurateError(f"Unknown source 'simulated:{detail}'. Nothing follows its name; say 'simulated'.")
    return SimulatedSource()


def check() -> str:
    """There is nobody to ask."""
    return "needs no network"
