"""Google Earth Engine: its own copies of the archives, read by computation rather than as files.

A location costs one request for all masks of its date windows and one for all measurements that are kept, each where it fits
into 48 MB and lies on one grid: SeCo's downloader took twenty. Nothing is resampled there: pixels are the collections' own, in
the images' own projection. `earth_engine_requests` tells how. What is warped to a square here, as all of Sentinel-1, is warped
as it comes: of decibels, the cubic kernel takes the mean of decibels, which is below that of the power that they stand for.

**SeCo's query** (`--source earth-engine:seco`, with `--seasons seco --max-scene-cloud 10`, as is its default): images of
COPERNICUS/S2_SR with CLOUDY_PIXEL_PERCENTAGE below 10, five dates twelve weeks apart, each of 15 days, all shifted by up to a
year per location, all twelve bands. What differs from the released downloader, on purpose: of the images of a window the
clearest is taken rather than the newest, clear by SCL rather than QA60, which was empty from 2022 to 2024; a location stays
where it was sampled rather than being drawn anew where any date fails; pixels are 16 bits on their own UTM grid rather than 8
bits, JPEG and in degrees; the offset of baseline 04.00 is known. `--max-cloud 0` wants every pixel clear, as SeCo did.

References:
    O. Manas et al., "Seasonal Contrast", ICCV 2021, and its `datasets/seco_downloader.py`.
    Google, Earth Engine REST API v1, computePixels; quotas; noncommercial tiers (since 2026-04-27).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any

from catalogs.foreign import SourceBand, SourceScene
from catalogs.foreign_footprints import box_polygon
from catalogs.records import Grid, Window
from curate.errors import CurateError, SourceSensorError
from curate.sources.about import ACCOUNT, Product, Provider
from curate.sources.earth_engine.account import Account
from curate.sources.earth_engine.images import (
    COLLECTIONS,
    SCHEME,
    SECO_COLLECTIONS,
    Collection,
    EngineBand,
    read_address,
    to_scene,
)
from curate.sources.protocol import LonLatBox, SourceRaster
from curate.sources.scenes import SceneIndex

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.sources.earth_engine.calls import EarthEngine
    from curate.sources.earth_engine.planes import EarthEnginePlanes

NAME = "earth-engine"
SECO = "seco"
"""Name of the preset."""
SECO_SCENE_CLOUD = 10.0
"""Percent: SeCo's own limit; below it, not at it."""
MARGIN_DEGREES = 0.05
"""About a box: between two corners Earth Engine follows the shortest way, up to 1.5 km off the parallel; what is too much is
left out here."""
MARGIN = timedelta(hours=1)
"""After a span: Earth Engine compares the end of an acquisition, we its start."""

ABOUT = Provider(
    name=NAME,
    title="Google Earth Engine",
    url="https://earthengine.google.com",
    products=(
        Product(
            "sentinel-2-l2a",
            "COPERNICUS/S2_SR_HARMONIZED",
            "2017-",
            "without an offset; as SeCo took it: earth-engine:seco",
            access=ACCOUNT,
        ),
        Product("sentinel-2-l1c", "COPERNICUS/S2_HARMONIZED", "2015-", "without an offset; no cloud mask", access=ACCOUNT),
        Product(
            "landsat-c2-l2",
            "LANDSAT/LC08/C02/T1_L2, LANDSAT/LC09/C02/T1_L2",
            "2013-",
            "Landsat 8 and 9; only scenes that are placed to 12 m (tier 1)",
            access=ACCOUNT,
        ),
        Product(
            "sentinel-1-grd",
            "COPERNICUS/S1_GRD",
            "2014-",
            "mode IW; sigma nought, terrain corrected; in dB, also while it is brought to another grid",
            access=ACCOUNT,
        ),
    ),
    account="a Google account and a Google Cloud project registered for Earth Engine",
    setup="earthengine authenticate, or EARTHENGINE_SERVICE_ACCOUNT_KEY=key.json; then EARTHENGINE_PROJECT=my-project",
    limits="40 requests at once, 100 a second, 48 MB each; 150 to 100,000 EECU-hours of computing a month, by the tier",
    terms="the collections' own; Earth Engine itself is free for research and other noncommercial use",
    detail="a project",
    extra="earth-engine",
)


@dataclass(frozen=True, slots=True)
class EngineRaster:
    """One band of an image, read by itself; `EarthEnginePlanes` reads many at once."""

    band: EngineBand
    """Which."""
    engine: EarthEngine
    """Whom to ask."""

    @property
    def grid(self) -> Grid:
        """That of the band."""
        return self.band.grid

    @property
    def nodata(self) -> float | None:
        """What its masked pixels become."""
        return self.band.nodata

    @property
    def data_type(self) -> str:
        """Numpy's name of its type."""
        return self.band.data_type

    @property
    def checksum(self) -> None:
        """None: Earth Engine states none."""
        return

    def read(self, window: Window) -> NDArray[Any]:
        """Pixels of a window that lies inside the raster, (height, width).

        Raises:
            SourceUnavailableError: Earth Engine does not give them.
        """
        import numpy as np

        from curate.sources.earth_engine.requests import BandRead, cut, plan_requests

        pixels = np.empty((window[3], window[2]), self.data_type)
        for request in plan_requests([BandRead(None, self.band, window)]):
            for _, (row, column), piece in cut(request, self.engine.compute(request)):
                pixels[row : row + piece.shape[0], column : column + piece.shape[1]] = piece
        return pixels


class EarthEngineSource:
    """A `Source` whose scenes are images of Earth Engine."""

    simulated = False
    looks_at_all = True
    one_account = True
    """See `curate.sources.failover`."""
    plan_note = (
        "Earth Engine's own measure, EECU-hours a month, is not predicted: see what some locations took, by the workload tag "
        "seastars at https://console.cloud.google.com/monitoring, and limit a run by --budget-requests"
    )
    """What a plan says besides."""

    def __init__(self, account: Account, *, is_seco: bool = False, max_scene_cloud: float = 100) -> None:
        """Ask nothing yet.

        Args:
            account: On whose account.
            is_seco: Search as SeCo did.
            max_scene_cloud: Percent of a whole scene above which it is not offered.
        """
        self.name = f"{NAME}:{SECO}" if is_seco else NAME
        self.opened_as = f"{self.name}:{account.project}"
        """What opens it elsewhere for the same project."""
        self.max_scene_cloud = min(max_scene_cloud, SECO_SCENE_CLOUD) if is_seco else max_scene_cloud
        self.skipped: dict[str, str] = {}
        self.account = account
        """Who asks."""
        self._collections = SECO_COLLECTIONS if is_seco else COLLECTIONS
        self._below = "<" if is_seco else "<="
        self._asked: EarthEngine | None = None
        self._lock = Lock()

    def sensors(self) -> Sequence[str]:
        """Ids of the sensors it has."""
        return list(self._collections)

    def search(self, sensor: str, box: LonLatBox, start: datetime, end: datetime) -> list[SourceScene]:
        """Find scenes; see `curate.sources.protocol.Source`.

        Raises:
            SourceSensorError: Earth Engine has no collection of the sensor, or the preset none.
            SourceUnavailableError: It does not answer.
        """
        if sensor not in self._collections:
            raise SourceSensorError(f"{self.name} has no {sensor}. Choose from: {', '.join(self._collections)}.")
        span = {"startTime": f"{start:%Y-%m-%dT%H:%M:%SZ}", "endTime": f"{end + MARGIN:%Y-%m-%dT%H:%M:%SZ}"}
        filters = {"region": _region(box), **span}
        scenes = [scene for collection in self._collections[sensor] for scene in self._scenes(sensor, collection, filters)]
        return SceneIndex(scenes).search(box, start, end, max_scene_cloud=self.max_scene_cloud)

    @contextmanager
    def open(self, band: SourceBand) -> Iterator[SourceRaster]:
        """Open one band; nothing is asked before it is read.

        Raises:
            SourceUnavailableError: It is no band of Earth Engine's.
        """
        yield EngineRaster(read_address(band), self._engine())

    def holds(self, band: SourceBand) -> bool:
        """Whether a band is one of Earth Engine's, by its address."""
        return band.href.startswith(SCHEME)

    def planes(self, *, connections: int) -> EarthEnginePlanes:
        """Read many bands over many locations, each location's in one request where they fit.

        Args:
            connections: Requests at once at most.
        """
        from curate.sources.earth_engine.planes import EarthEnginePlanes

        return EarthEnginePlanes(self._engine(), connections=connections)

    def _engine(self) -> EarthEngine:
        """Whom to ask; a new one after a reader was stopped."""
        from curate.sources.earth_engine.calls import EarthEngine

        with self._lock:
            if self._asked is None or self._asked.stopped.is_set():
                self._asked = EarthEngine(self.account)
            return self._asked

    def _scenes(self, sensor: str, collection: Collection, filters: Mapping[str, Any]) -> Iterator[SourceScene]:
        limits = [f"{collection.cloud}{self._below}{self.max_scene_cloud:g}"]
        is_limited = collection.cloud is not None and self.max_scene_cloud < 100
        for image in self._engine().list_images(collection.id, {**filters, **({"properties": limits} if is_limited else {})}):
            scene = to_scene(image, sensor, collection, source=NAME)
            if isinstance(scene, SourceScene):
                yield scene
            else:
                self.skipped[str(image.get("id") or image.get("name"))] = scene


def open_source(detail: str, *, max_scene_cloud: float) -> EarthEngineSource:
    """The source behind `--source earth-engine`, `earth-engine:PROJECT`, `earth-engine:seco` and `earth-engine:seco:PROJECT`.

    The project is not part of the source's name: whoever goes on with a catalog may do so on a project of their own. The
    workers of a build are told it beside the name (`opened_as`).

    Raises:
        CurateError: The client library is not installed, or there is no project, or there are no credentials.
    """
    words = [word for word in detail.split(":") if word]
    projects = [word for word in words if word != SECO]
    if len(projects) > 1 and "." not in projects[0]:
        raise CurateError(f"{NAME}:{detail} names {len(projects)} projects: {', '.join(projects)}. Name one, or none.")
    account = Account.find(":".join(projects))
    return EarthEngineSource(account, is_seco=SECO in words, max_scene_cloud=max_scene_cloud)


def check(detail: str = "") -> str:
    """Ask for a week's images of one place.

    Args:
        detail: As of `open_source`.

    Raises:
        CurateError: There is no project or no account, or they may not use Earth Engine.
        SourceUnavailableError: It does not answer.
    """
    source = open_source(detail, max_scene_cloud=100)
    found = source.search(
        "sentinel-2-l2a", (1.4, 43.5, 1.5, 43.6), datetime(2023, 6, 1, tzinfo=UTC), datetime(2023, 6, 8, tzinfo=UTC)
    )
    return f"answers for project {source.account.project}; {len(found)} scenes over Toulouse in a week of June 2023"


def _region(box: LonLatBox) -> dict[str, Any]:
    west, south = max(box[0] - MARGIN_DEGREES, -180.0), max(box[1] - MARGIN_DEGREES, -90.0)
    east, north = min(box[2] + MARGIN_DEGREES, 180.0), min(box[3] + MARGIN_DEGREES, 90.0)
    return box_polygon((west, south, east, north))
