"""Squares of radar images: the pixels that a square needs are read as those of any file, calibrated, and brought to the ground.

Headers and blocks of the images go through one `BlockReader`, the documents through the same transport: what signs, pays,
retries and counts is what does so for every file. Which pixels of an image a square needs is found by its outline; where each
of them lies, only once they have come, since that is 1 MB a square.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from catalogs.records import Grid, SourceWindow, Window
from catalogs.secrets import without_secrets
from curate.errors import SourceUnavailableError
from curate.fetch import Plane, PlaneAsk
from curate.planes import UNDECODED_BYTES, BlockPlanes
from curate.reading.reader import BlockReader, SourceRasterInfo, WindowRead
from curate.reading.transport import Transport
from curate.sources.sentinel1.addresses import documents_of
from curate.sources.sentinel1.backscatter import decibels, sample, sigma_nought
from curate.sources.sentinel1.geometry import Nodes, locate, needed_window, pixel_centres, project
from curate.sources.sentinel1.products import Measurement, Measurements

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from catalogs.foreign import SourceBand

KERNEL = "bilinear"
"""Of power; see `backscatter`."""
NODATA = -32768.0
"""Where the sensor has no number of its own."""
NUMBERS = "uint16"
"""Type of the products' images."""
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What to read of an image for a square."""

    ask: PlaneAsk
    file: SourceBand
    image: SourceRasterInfo
    measurement: Measurement
    grid: Grid
    nodes: Nodes
    window: Window | None


class RadarPlanes(BlockPlanes):
    """Reads planes of Sentinel-1's ground range detected products; see `curate.planes.PlaneReader`."""

    def __init__(self, *, connections: int) -> None:
        """Read nothing yet.

        Args:
            connections: Ranges of files that are fetched at once at most.
        """
        transport = Transport(connections=connections)
        blocks = BlockReader(transport, fetchers=connections, undecoded_bytes=UNDECODED_BYTES, is_placed=False)
        super().__init__(blocks, transport)
        self._measurements = Measurements(transport, fetchers=connections)

    def _read(self, asks: Sequence[tuple[Key, PlaneAsk]]) -> Iterator[tuple[Key, Plane | SourceUnavailableError]]:
        known = self._measurements.read_all([ask.band for _, ask in asks])
        plans: dict[Key, _Plan] = {}
        for key, plan in self._plans(asks, known):
            if isinstance(plan, SourceUnavailableError):
                yield key, plan
            elif plan.window is None:
                yield key, _finish(plan, None)
            else:
                plans[key] = plan
        reads = [(key, WindowRead(plan.file, plan.window, plan.image.grid)) for key, plan in plans.items() if plan.window]
        for key, numbers in self._blocks.read(reads):
            plan = plans.pop(key)
            yield key, numbers if isinstance(numbers, SourceUnavailableError) else _finish(plan, numbers)

    def _plans(
        self, asks: Sequence[tuple[Key, PlaneAsk]], known: dict[str, Measurement | SourceUnavailableError]
    ) -> Iterator[tuple[Key, _Plan | SourceUnavailableError]]:
        """What to read for each ask; the images' headers are fetched at the same time."""
        good = []
        for key, ask in asks:
            found = known[ask.band.href]
            if isinstance(found, SourceUnavailableError):
                yield key, found
            else:
                good.append((key, ask, found, replace(ask.band, href=documents_of(ask.band).measurement)))
        images = self._blocks.rasters([file for *_, file in good])
        for (key, ask, measurement, file), image in zip(good, images, strict=True):
            yield key, image if isinstance(image, SourceUnavailableError) else _plan(ask, file, image, measurement)


def _plan(ask: PlaneAsk, file: SourceBand, image: SourceRasterInfo, measurement: Measurement) -> _Plan | SourceUnavailableError:
    stated = measurement.annotation.height, measurement.annotation.width
    if image.grid.shape != stated or image.data_type != NUMBERS:
        return SourceUnavailableError(
            f"{without_secrets(file.href)} has {image.grid.shape[0]} lines of {image.grid.shape[1]} pixels, {image.data_type}; "
            f"expected {stated[0]} of {stated[1]}, {NUMBERS}, as its annotation says. Tell its provider, or take another scene."
        )
    grid = ask.location.grid(ask.gsd or ask.fallback_gsd)
    assert grid.epsg is not None, "a square of a search lies in a zone"
    nodes = project(measurement.annotation.grid, grid.epsg)
    if not (np.isfinite(nodes.x).all() and np.isfinite(nodes.y).all()):
        return SourceUnavailableError(
            f"{without_secrets(file.href)} has a geolocation grid in its annotation without a place in EPSG:{grid.epsg}, where "
            f"location {ask.location.id} is; expected one on its item's footprint. Tell its provider, or take another scene."
        )
    return _Plan(ask, file, image, measurement, grid, nodes, needed_window(nodes, grid, stated))


def _finish(plan: _Plan, numbers: NDArray[Any] | None) -> Plane:
    """The plane of a square from the image's pixels that it needs; none where it has none."""
    nodata = NODATA if plan.ask.nodata is None else plan.ask.nodata
    checksum = plan.ask.band.checksum or plan.image.checksum
    if numbers is None or plan.window is None:
        told = SourceWindow(without_secrets(plan.file.href), (0, 0, 0, 0), checksum)
        return Plane(np.full(plan.grid.shape, nodata, np.float32), plan.grid, told, KERNEL, nodata)
    power = sigma_nought(numbers, plan.measurement.calibration, plan.window)
    lines, pixels = locate(plan.nodes, *pixel_centres(plan.grid))
    ground = sample(power, lines - plan.window[1], pixels - plan.window[0])
    told = SourceWindow(without_secrets(plan.file.href), plan.window, checksum)
    return Plane(decibels(ground, nodata), plan.grid, told, KERNEL, nodata)
