"""Sentinel-2 from hubs that still run ESA's Data Hub System (DHuS), by the package `sentinelsat`: whole products, downloaded.

ESA's own hubs are closed, and their successor, the Copernicus Data Space, is another system: `--source cdse`. Some national
and institutional hubs go on; each needs an account of its own. Its products come whole, about a gigabyte each, into a folder on
this machine; blocks of them are then read as of any other file.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING

from catalogs.foreign import SourceBand, SourceScene
from catalogs.secrets import without_secrets
from curate.errors import SourceSensorError
from curate.sources.about import ACCOUNT, Product, Provider
from curate.sources.protocol import LonLatBox, SourceRaster
from curate.sources.rasters import open_raster
from curate.sources.sentinelsat.account import ADDRESS, EXTRA, PASSWORD, USER
from curate.sources.sentinelsat.downloads import CACHE, Downloads, cache_folder
from curate.sources.sentinelsat.hub import PRODUCT_TYPES, Hub
from curate.sources.sentinelsat.scenes import SOURCE, entry_bytes, read_entry, read_href

if TYPE_CHECKING:
    from curate.sources.sentinelsat.planes import HubPlanes

USUAL_BYTES = {"sentinel-2-l2a": 1.1e9, "sentinel-2-l1c": 0.8e9}
"""Of a product's file, where no search has told."""


class SentinelsatSource:
    """The products of one hub."""

    simulated = False

    def __init__(self, address: str, *, max_scene_cloud: float = 100) -> None:
        """Ask nothing yet.

        Args:
            address: Of the hub, `http(s)://`.
            max_scene_cloud: Percent of a whole tile above which it is not offered.

        Raises:
            CurateError: As of `curate.sources.sentinelsat.hub.Hub`.
        """
        self._hub = Hub(address)
        self.name = f"{SOURCE}:{self._hub.address}"
        self.max_scene_cloud = max_scene_cloud
        self.skipped: dict[str, str] = {}
        """Why a product, by its name, is of no use."""
        self._sizes: dict[str, dict[str, float]] = defaultdict(dict)
        self._downloads = Downloads(self._hub, cache_folder())

    def sensors(self) -> Sequence[str]:
        """Ids of the sensors that hubs have and that can be read."""
        return list(PRODUCT_TYPES)

    def search(self, sensor: str, box: LonLatBox, start: datetime, end: datetime) -> list[SourceScene]:
        """Find scenes; see `curate.sources.protocol.Source`.

        Raises:
            SourceSensorError: It is none of Sentinel-2.
            SourceUnavailableError: The hub does not answer, or refuses.
        """
        if sensor not in PRODUCT_TYPES:
            guess = get_close_matches(sensor, PRODUCT_TYPES, 1, 0.5)
            raise SourceSensorError(
                f"DHuS hubs are asked for {' and '.join(PRODUCT_TYPES)} only; there is no {sensor!r}."
                f"{f' Did you mean {guess[0]!r}?' if guess else ' Choose another --source.'}"
            )
        scenes = []
        for uuid, entry in self._hub.find(sensor, box, (start, end), max_scene_cloud=self.max_scene_cloud).items():
            scene = read_entry(uuid, entry, address=self._hub.address, host=self._hub.host)
            if isinstance(scene, str):
                self.skipped[str(entry.get("title", uuid))] = scene
            elif scene.sensor == sensor and scene.datetime and start <= scene.datetime < end:
                scenes.append(scene)
                self._sizes[sensor][scene.id] = entry_bytes(entry) or USUAL_BYTES[sensor]
        return sorted(scenes, key=lambda scene: (scene.datetime, scene.id))

    @contextmanager
    def open(self, band: SourceBand) -> Iterator[SourceRaster]:
        """Open one band, once its product is downloaded.

        Raises:
            SourceUnavailableError: The product cannot be had, or is not what its name says.
        """
        from curate.sources.sentinelsat.planes import band_in_product

        named = read_href(band.href)
        place = self._downloads.fetch(named.uuid, named.title)
        with open_raster(band_in_product(place, band, named)) as raster:
            yield raster

    def holds(self, band: SourceBand) -> bool:
        """Whether a band is one of this hub's; see `curate.several_planes`."""
        return band.href.startswith(f"{SOURCE}://{self._hub.host}/")

    def planes(self, *, connections: int) -> HubPlanes:
        """The reader of a build: products are downloaded two at a time, and read in blocks as soon as they are there."""
        from curate.planes import UNDECODED_BYTES, FilePlanes
        from curate.reading.arenas import limit_arenas
        from curate.reading.reader import BlockReader
        from curate.reading.transport import Transport
        from curate.sources.sentinelsat.planes import HubPlanes

        limit_arenas()
        transport = Transport(connections=connections)
        blocks = BlockReader(transport, fetchers=connections, undecoded_bytes=UNDECODED_BYTES)
        return HubPlanes(Downloads(self._hub, cache_folder()), FilePlanes(blocks, transport))

    @property
    def whole_words(self) -> str:
        """What is downloaded, and where it stays."""
        place = without_secrets(cache_folder().as_posix())
        return (
            f"Whole products are downloaded, even if only their clouds are looked at, and stay in {place} ({CACHE}). "
            "--max-scene-cloud leaves out cloudy ones beforehand."
        )

    def scene_bytes(self, sensor: str) -> float:
        """What a scene costs: its whole product, in the mean of those found so far."""
        sizes = self._sizes[sensor].values()
        return sum(sizes) / len(sizes) if sizes else USUAL_BYTES[sensor]


ABOUT = Provider(
    name=SOURCE,
    title="DHuS hubs, by sentinelsat",
    url="https://sentinelsat.readthedocs.io",
    products=(
        Product("sentinel-2-l2a", "S2MSI2A", "as the hub has", "whole products, about 1 GB each", access=ACCOUNT),
        Product(
            "sentinel-2-l1c", "S2MSI1C", "as the hub has", "whole products, about 0.8 GB each; no cloud mask", access=ACCOUNT
        ),
    ),
    account="one at the hub",
    setup=f"{USER} and {PASSWORD}, or ~/.netrc; --source {SOURCE}:https://HUB/dhus, or {ADDRESS}",
    limits=(
        f"two downloads at a time; products stay in {CACHE}, else ~/.cache/seastars/products; older ones are ordered from an "
        "archive. ESA's hubs (scihub, apihub) are closed and the Copernicus Data Space is no DHuS: use cdse"
    ),
    terms="Copernicus Sentinel data: free, with attribution; sentinelsat itself is GPL",
    detail="the address of a hub",
    extra=EXTRA,
)


def open_source(detail: str, *, max_scene_cloud: float) -> SentinelsatSource:
    """The source behind `--source sentinelsat:https://HUB`; the hub of `DHUS_URL` where none is named.

    Raises:
        CurateError: No hub that can work is named, there is no account, or sentinelsat is not installed.
    """
    return SentinelsatSource(detail or os.environ.get(ADDRESS, ""), max_scene_cloud=max_scene_cloud)


def check(detail: str = "") -> str:
    """Ask a hub how many products of Sentinel-2 it has.

    Args:
        detail: Its address; that of `DHUS_URL` where empty.

    Raises:
        CurateError: As of `open_source`.
        SourceUnavailableError: It does not answer, or refuses.
    """
    hub = Hub(detail or os.environ.get(ADDRESS, ""))
    return f"{hub.host} answers; {hub.count():,} products of Sentinel-2"
