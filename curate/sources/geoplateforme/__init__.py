"""France from very near: the Geoplateforme of IGN, France's mapping agency, through its WMS-Raster in Lambert-93.

Two products, as mosaics of a year (a vintage): the BD ORTHO of aircraft at 0.2 m (a third of the departments each year; near
infrared from the infrared layer of the same year, where there is one), and the yearly cover of SPOT 6 and 7 at 1.5 m. Nobody
states when a pixel of a mosaic was taken, so a scene has its year as an interval and no timestamp. A mosaic without a year
(`ORTHOIMAGERY.ORTHOPHOTOS`, whatever is newest at each place) has no honest interval and is not offered; nor is a year whose
layer has nothing finer than one and a half pixels of the sensor, as the BD ORTHO before 2020 (0.4 m).

The service draws its answers. Its pyramids are JPEG in Web Mercator, as its capabilities of June 2024 show, and what is asked
for in Lambert-93 has been resampled by it once, by a kernel that it does not state, before it is warped to the square. Numbers
are display values in 0..1, no reflectance.

References:
    cartes.gouv.fr documentation, "Images WMS-Raster" (40 requests a second and address), and issue 874 of IGNF/cartes.gouv.fr
    (10 a second, a ban of 5 s, for downloads): the slower of both is kept to.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from catalogs.bands import SENSORS
from catalogs.foreign import SourceBand, SourceScene
from catalogs.foreign_footprints import box_polygon
from catalogs.secrets import without_secrets
from curate.errors import CurateError, SourceSensorError, SourceUnavailableError
from curate.sources.about import Product, Provider
from curate.sources.geoplateforme.planes import (
    GLANCED_TILES,
    LAMBERT_93,
    MOST_AT_ONCE,
    NODATA,
    TILE_BYTES,
    TILE_PX,
    GeoplateformePlanes,
    LayerBand,
    check_side,
    open_layer,
)
from curate.sources.geoplateforme.wms import GEOTIFF, WmsClient
from curate.sources.pace import Pace
from curate.sources.scenes import SceneIndex

if TYPE_CHECKING:
    from curate.sources.geoplateforme.wms_capabilities import Capabilities, Layer
    from curate.sources.protocol import LonLatBox, SourceRaster

NAME = "geoplateforme"
ADDRESS = "https://data.geopf.fr/wms-r"
ADDRESS_VARIABLE = "GEOPLATEFORME_URL"
"""Names a mirror, or a double for tests."""
REQUESTS_PER_S = 9.0
"""Of one process. Ten are allowed; who sends ten may be counted for eleven."""
SPOT, AERIAL = "spot-ortho", "aerial-ortho"
PATTERNS = {
    SPOT: re.compile(r"ORTHOIMAGERY\.ORTHO-SAT\.SPOT\.(?P<year>(?:19|20)\d\d)"),
    AERIAL: re.compile(r"ORTHOIMAGERY\.ORTHOPHOTOS\.?(?P<year>(?:19|20)\d\d)"),
}
"""Layers in red, green and blue, of one year each."""
INFRARED = "ORTHOIMAGERY.ORTHOPHOTOS.IRC.{year}"
"""Its false colours are near infrared, red and green."""
TIMELESS = re.compile(r"(?:HR\.|THR\.)?ORTHOIMAGERY\.ORTHOPHOTOS(?:\.IRC)?")
"""Mosaics of whatever is newest."""
COARSEST = 1.5
"""Pixels of the sensor that a layer's own may measure at most."""
METROPOLIS = (-5.3, 41.3, 9.7, 51.2)
"""Where Lambert-93 is meant for, (west, south, east, north) in degrees; layers reach overseas too."""

ABOUT = Provider(
    name=NAME,
    title="Geoplateforme of IGN France",
    url="https://cartes.gouv.fr",
    products=(
        Product(
            SPOT,
            "ORTHOIMAGERY.ORTHO-SAT.SPOT.<year>",
            "2013-",
            "a vintage each year; no near infrared; not to be handed on",
            redistributable=False,
            lacks=("nir",),
        ),
        Product(
            AERIAL,
            "ORTHOIMAGERY.ORTHOPHOTOS<year>",
            "2020-",
            "a third of the departments each year, some without near infrared; --patch-m up to 1200",
        ),
    ),
    account="none",
    setup="",
    limits="10 requests a second, else a ban of 5 s: a build keeps to 9, and runs in one process; metropolitan France",
    terms="BD ORTHO: Licence Ouverte 2.0 (etalab-2.0), with attribution. SPOT 6/7 belongs to Airbus: it may be viewed, not "
    "handed on, and what is built from it is marked so",
)


class GeoplateformeSource:
    """A source of yearly mosaics behind a Web Map Service."""

    simulated = False
    one_process = (
        "The Geoplateforme bans whoever asks more than 10 times a second, and each process keeps to 9 by itself: several would "
        "be banned again and again."
    )
    """See `curate.sources.protocol.why_one_process`."""

    def __init__(self, *, name: str = NAME, address: str = ADDRESS) -> None:
        """Describe the service; nothing is asked of it yet.

        Args:
            name: What the user calls it.
            address: Of the WMS, without a query.
        """
        self.name = name
        self.skipped: dict[str, str] = {}
        """Why a layer, by its name, is not offered."""
        self._address = address
        self._client = WmsClient(address, pace_of(urlsplit(address).netloc))
        self._offered: Capabilities | None = None
        self._indexes: dict[str, SceneIndex] = {}
        self._lock = Lock()

    def sensors(self) -> Sequence[str]:
        """Ids of the sensors it has."""
        return list(PATTERNS)

    def check_squares(self, sensors: Collection[str], side_m: int) -> None:
        """Refuse squares of more pixels than are read at once; see `curate.sources.protocol.LimitsSquares`.

        Raises:
            CurateError: They have.
        """
        for sensor in PATTERNS:
            if sensor in sensors:
                check_side(side_m, SENSORS[sensor].gsds[0])

    def square_cost(self, sensor: str, bands: Collection[str], side_m: int) -> tuple[float, float]:
        """Requests and bytes of a square of one vintage, in the mean; see `curate.sources.protocol.DrawsSquares`."""
        if sensor not in PATTERNS:
            return 0.0, 0.0
        layers = len({band == "nir" for band in bands}) if sensor == AERIAL else 1
        tiles = (side_m / SENSORS[sensor].gsds[0] / TILE_PX + 1) ** 2
        return layers * (tiles + (tiles > GLANCED_TILES)), layers * tiles * TILE_BYTES

    def search(self, sensor: str, box: LonLatBox, start: datetime, end: datetime) -> list[SourceScene]:
        """Find vintages; see `curate.sources.protocol.Source`. Their extents need not be filled with pixels.

        Raises:
            SourceSensorError: The service has no layers of the sensor.
            SourceUnavailableError: It does not answer, or is no longer what this was written for.
        """
        if sensor not in PATTERNS:
            raise SourceSensorError(
                f"{self.name} has no {sensor}. It has {', '.join(PATTERNS)}. Choose another --sensor or --source."
            )
        with self._lock:
            self._offered = self._offered or self.capabilities()
            if sensor not in self._indexes:  # of the other one nobody need hear what is left out
                self._indexes[sensor] = SceneIndex(scenes_of(self._offered, sensor, self._address, self.skipped))
        return self._indexes[sensor].search(box, start, end)

    @contextmanager
    def open(self, band: SourceBand) -> Iterator[SourceRaster]:
        """Open one band of a vintage; each reading asks the service anew, while `planes` asks once for all bands."""
        with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
            yield LayerBand(open_layer(self._client, band), band.index, pool)

    def holds(self, band: SourceBand) -> bool:
        """Whether a band is one of its layers'; see `curate.several_planes`."""
        return band.href.startswith(f"{without_secrets(self._address)}?LAYERS=")

    def planes(self, *, connections: int) -> GeoplateformePlanes:
        """A reader that asks once for all bands of a layer over a location.

        Args:
            connections: Requests at once at most.
        """
        return GeoplateformePlanes(WmsClient(self._address, pace_of(urlsplit(self._address).netloc)), connections=connections)

    def capabilities(self) -> Capabilities:
        """What the service offers now.

        Raises:
            SourceUnavailableError: It does not answer, or does not offer what is needed.
        """
        offered = self._client.capabilities()
        lacks = [
            words
            for words, is_there in (
                (f"the format {GEOTIFF}", GEOTIFF in offered.formats),
                ("EPSG:2154 (Lambert-93)", f"EPSG:{LAMBERT_93}" in offered.systems),
                (f"answers of {TILE_PX} x {TILE_PX} pixels", min(offered.most_px) >= TILE_PX),
            )
            if not is_there
        ]
        if lacks:
            raise SourceUnavailableError(
                f"{without_secrets(self._address)} no longer offers {' or '.join(lacks)}, which reading needs. The service has "
                "changed: look for a newer version of seastars, or report it."
            )
        return offered


@lru_cache(maxsize=8)
def pace_of(host: str) -> Pace:  # noqa: ARG001 # one for each
    """The pace at which this process asks a host."""
    return Pace(REQUESTS_PER_S)


def scenes_of(offered: Capabilities, sensor: str, address: str, skipped: dict[str, str]) -> list[SourceScene]:
    """The vintages of a sensor that a service offers.

    Args:
        offered: Its capabilities.
        sensor: `spot-ortho` or `aerial-ortho`.
        address: Of the service.
        skipped: Receives, by the layer's name, why it is not offered.
    """
    scenes = []
    for layer in offered.layers.values():
        if sensor == AERIAL and TIMELESS.fullmatch(layer.name):
            skipped[layer.name] = "a mosaic without a year: nobody states between which dates its pixels were taken"
        found = PATTERNS[sensor].fullmatch(layer.name)
        if found is None:
            continue
        reason = _why_not(layer, sensor)
        if reason:
            skipped[layer.name] = reason
            continue
        infrared = offered.layers.get(INFRARED.format(year=found["year"])) if sensor == AERIAL else None
        if infrared and _why_not(infrared, sensor):
            skipped[infrared.name] = f"{_why_not(infrared, sensor)}; {layer.name} is offered without near infrared"
            infrared = None
        scenes.append(_scene(layer, infrared, sensor=sensor, year=int(found["year"]), address=address))
    return scenes


def _scene(layer: Layer, infrared: Layer | None, *, sensor: str, year: int, address: str) -> SourceScene:
    address = without_secrets(address)
    drawn = [("red", layer, 1), ("green", layer, 2), ("blue", layer, 3), *([("nir", infrared, 1)] if infrared else [])]
    return SourceScene(
        id=layer.name,
        sensor=sensor,
        footprint=_footprint(layer),
        bands={name: SourceBand(f"{address}?LAYERS={of.name}", index, nodata=NODATA) for name, of, index in drawn},
        start_datetime=datetime(year, 1, 1, tzinfo=UTC),
        end_datetime=datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC),
        epsg=LAMBERT_93,
        source=NAME,
    )


def _why_not(layer: Layer, sensor: str) -> str | None:
    """Why a layer is not offered for a sensor; none where it is."""
    gsd = SENSORS[sensor].gsds[0]
    if layer.finest_m is not None and layer.finest_m > COARSEST * gsd:
        return f"its own pixels are {layer.finest_m:.1f} m, those of {sensor} {gsd:g} m"
    if _within_metropolis(layer) is None:
        return "it does not touch metropolitan France, for which Lambert-93 is meant"
    return None


def _within_metropolis(layer: Layer) -> LonLatBox | None:
    """What of a layer's extent lies where Lambert-93 is meant for; all of that where no extent is stated."""
    west, south, east, north = METROPOLIS
    if layer.box:
        west, south = max(west, layer.box[0]), max(south, layer.box[1])
        east, north = min(east, layer.box[2]), min(north, layer.box[3])
    return (west, south, east, north) if west < east and south < north else None


def _footprint(layer: Layer) -> dict[str, Any]:
    box = _within_metropolis(layer)
    assert box is not None, "layers elsewhere are not offered"
    return box_polygon(box)


def open_source(detail: str, *, max_scene_cloud: float) -> GeoplateformeSource:  # noqa: ARG001 # mosaics state no cloud
    """The source behind `--source geoplateforme`.

    Raises:
        CurateError: Something was said after its name.
    """
    if detail:
        raise CurateError(
            f"--source {NAME}:{detail} says {detail!r} to a source that takes nothing. Expected --source {NAME}; years are "
            "chosen with --start and --end."
        )
    return GeoplateformeSource(address=os.environ.get(ADDRESS_VARIABLE, ADDRESS))


def check() -> str:
    """Ask the service what it offers.

    Raises:
        SourceUnavailableError: It does not answer, or does not offer what is needed.
    """
    source = open_source("", max_scene_cloud=100)
    offered = source.capabilities()
    told = []
    for sensor in PATTERNS:
        years = sorted(scene.id[-4:] for scene in scenes_of(offered, sensor, ADDRESS, {}))
        told.append(f"{sensor} {years[0]} to {years[-1]}" if years else f"no {sensor}")
    return f"answers; {', '.join(told)}"
