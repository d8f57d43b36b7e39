"""Squares of the Geoplateforme's mosaics: all bands of a layer over a location from the same few images.

A layer is taken for a raster in Lambert-93 whose pixels are the sensor's, with corners at whole multiples of them. It is asked
for in tiles that lie on one lattice for all squares: how a service resamples may hang on the image that is asked for, so that
only the same images give the same numbers again.

A mosaic does not say where it ends: there the service draws white or black. Connected areas of at least `BLANK_PX` pixels of
one such image that are white, or black, in all three bands are no measurement (0), nor is the fringe that JPEG, in which the
service keeps its pixels, puts along their edges; smaller ones are roofs, foam and shadow and stay, as does what was measured
within a blank area. Each image is judged whole and by itself, so that a pixel is the same in
all squares that hold it; a blank sliver of fewer pixels at an image's edge is taken for measured, then. A measured 0 becomes 1,
since 0 says that nothing was measured. Snow, clouds or water that saturate over such an area are lost with it, and what is
nearly as bright, or as dark, beside it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from catalogs.foreign import SourceBand
from catalogs.records import Grid, Window
from catalogs.secrets import without_secrets
from curate.errors import CurateError, HostDownError, SourceUnavailableError, StoppedError
from curate.fetch import Plane, PlaneAsk, PlanePlan, finish_plane, plan_plane
from curate.outage import Outage
from curate.reading.counts import Counts
from curate.sources.geoplateforme.wms import WmsClient

if TYPE_CHECKING:
    from numpy.typing import NDArray

LAMBERT_93 = 2154
GSDS = {"ORTHO-SAT.SPOT": 1.5, "ORTHOPHOTOS": 0.2}
"""Size of the pixels that are asked for, metres, by a part of the layer's name."""
TILE_PX = 1024
"""Side of the images that are asked for: 3 MB each, some five to ten of them for a square of a usual size."""
TILE_BYTES = 3 * TILE_PX**2
"""Of such an image, which is not packed."""
ORIGIN_XY = (0.0, 7_200_000.0)
"""Upper left corner of the lattice, metres: a whole multiple of 1.5 and of 0.2."""
EXTENT_M = 1_400_000.0
"""Side of the square that holds metropolitan France."""
MOST_SIDE_PX = 6000
"""Of a square: 36 million pixels, some 1.1 GB in memory while three bands are read and warped."""
WHITE, BLACK = 253, 2
"""All bands at least, or at most so bright: white and black as JPEG gives them back where nothing else is near."""
FRINGE = 40
"""Beside measurements it gives back something else, over a block of 16 pixels: next to a blank area, what is so near to its
white or black is blank too. Of some 6,000 pixels along 1,000 of edge, 300 stay, the mixed ones on the edge itself."""
FRINGE_PX = 24
"""How far from a blank area: a block of the coarsest layer that is offered (`COARSEST`)."""
BLANK_PX = 4096
"""Least connected pixels of white or black in one image that are no measurement; fewer are."""
NODATA = 0
GLANCE_PX = 64
"""Side of an image by which is found out whether a layer has anything at a place."""
GLANCED_TILES = 4
"""More tiles than this are asked for only after such a glance: two of three years of aerial images have nothing at a place."""
MOST_AT_ONCE = 8
"""Requests at the same time."""
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class MosaicLayer:
    """A layer as a raster of three bands; see `curate.sources.protocol.RasterInfo`."""

    client: WmsClient
    """Of its service."""
    name: str
    """As the service calls it."""
    gsd: float
    """Size of the pixels that are asked for, metres."""
    nodata: float | None = NODATA
    """Of what `read` gives."""
    data_type: str = "uint8"
    """numpy's name."""
    checksum: str | None = None
    """None: the service gives none."""

    @cached_property
    def grid(self) -> Grid:
        """All of metropolitan France."""
        side = round(EXTENT_M / self.gsd)
        return Grid(LAMBERT_93, (self.gsd, 0.0, ORIGIN_XY[0], 0.0, -self.gsd, ORIGIN_XY[1]), side, side)

    def read(self, window: Window, pool: ThreadPoolExecutor) -> NDArray[np.uint8]:
        """Pixels of a window that lies inside the raster, (3, height, width); 0 where nothing was measured.

        Args:
            window: (column, row, width, height).
            pool: Threads that ask for tiles.

        Raises:
            SourceUnavailableError: The service does not answer, or refuses.
            StoppedError: The client was stopped.
        """
        column, row, width, height = window
        tiles = [
            (tile_column, tile_row)
            for tile_row in range(row // TILE_PX, -(-(row + height) // TILE_PX))
            for tile_column in range(column // TILE_PX, -(-(column + width) // TILE_PX))
        ]
        pixels = np.full((3, height, width), NODATA, np.uint8)
        if len(tiles) > GLANCED_TILES and self._has_nothing(window):
            return pixels
        asked = [(tile, pool.submit(self._tile, *tile)) for tile in tiles]
        try:
            for (tile_column, tile_row), image in asked:
                _paste(image.result(), tile_column * TILE_PX - column, tile_row * TILE_PX - row, pixels)
        finally:
            for _, image in asked:
                image.cancel()
        return pixels

    def _tile(self, column: int, row: int) -> NDArray[np.uint8]:
        return mark_blank(self.client.read(self.name, part_of(self.grid, column * TILE_PX, row * TILE_PX, TILE_PX)))

    def _has_nothing(self, window: Window) -> bool:
        """Whether a coarse image of a window is blank all over."""
        column, row, width, height = window
        step = math.ceil(max(width, height) / GLANCE_PX)
        image = self.client.read(self.name, part_of(self.grid, column, row, GLANCE_PX, step=step))
        return bool((_is_white(image) | _is_black(image) | _is_transparent(image)).all())


@dataclass(frozen=True, slots=True)
class LayerBand:
    """One band of a layer; see `curate.sources.protocol.SourceRaster`."""

    layer: MosaicLayer
    """All of its bands."""
    index: int
    """Which, from 1."""
    pool: ThreadPoolExecutor
    """Threads that ask for tiles."""
    nodata: float | None = NODATA
    """Of what `read` gives."""
    data_type: str = "uint8"
    """numpy's name."""
    checksum: str | None = None
    """None: the service gives none."""

    @property
    def grid(self) -> Grid:
        """All of metropolitan France."""
        return self.layer.grid

    def read(self, window: Window) -> NDArray[Any]:
        """Pixels of a window that lies inside the raster, (height, width); all bands of the layer are asked for."""
        pixels: NDArray[Any] = self.layer.read(window, self.pool)[self.index - 1]
        return pixels


class GeoplateformePlanes:
    """Reads planes of the Geoplateforme; see `curate.planes.PlaneReader`."""

    gathers = True
    by_location = True

    def __init__(self, client: WmsClient, *, connections: int) -> None:
        """Read nothing yet.

        Args:
            client: Of the service; stopped and closed with this.
            connections: Requests at once at most, and no more than `MOST_AT_ONCE`.
        """
        self.turn: AbstractContextManager[Any] = Lock()
        self.outage = Outage()
        self._client = client
        self._pool = ThreadPoolExecutor(min(connections, MOST_AT_ONCE), thread_name_prefix="geoplateforme")

    @property
    def fetched(self) -> Counts:
        """What has gone over the network so far."""
        return self._client.counts.snapshot()

    def read(self, asks: Sequence[tuple[Key, PlaneAsk]]) -> Iterator[tuple[Key, Plane | SourceUnavailableError]]:
        """Each plane, location by location and layer by layer; fewer where it is stopped.

        Raises:
            CurateError: A square has too many pixels.
        """
        together: dict[tuple[str, str], list[tuple[Key, PlaneAsk]]] = {}
        for key, ask in asks:
            together.setdefault((ask.location.id, ask.band.href), []).append((key, ask))
        down: HostDownError | None = None
        try:
            for same in together.values():
                for key, plane in self._read(same) if down is None else [(key, down) for key, _ in same]:
                    down = plane if isinstance(plane, HostDownError) else down
                    yield key, plane
        except StoppedError:
            return

    def stop(self) -> None:
        """Give up what is being asked."""
        self._client.stop()

    def close(self) -> None:
        """Let go of threads and connections."""
        self._client.stop()
        self._pool.shutdown(cancel_futures=True)
        self._client.close()

    def _read(self, same: Sequence[tuple[Key, PlaneAsk]]) -> list[tuple[Key, Plane | SourceUnavailableError]]:
        """The planes of one layer over one location, from one reading."""
        layer = open_layer(self._client, same[0][1].band)
        check_side(same[0][1].location.side_m, layer.gsd)
        plans: list[tuple[Key, PlanePlan]] = [(key, plan_plane(layer, ask)) for key, ask in same]
        part = plans[0][1].part
        try:
            pixels = layer.read(part, self._pool) if part else None
        except SourceUnavailableError as error:
            return [(key, error) for key, _ in same]
        return [(key, finish_plane(plan, None if pixels is None else pixels[plan.ask.band.index - 1])) for key, plan in plans]


def open_layer(client: WmsClient, band: SourceBand) -> MosaicLayer:
    """The layer that a band's address names, as a raster.

    Raises:
        SourceUnavailableError: It names none.
    """
    found = re.search(r"[?&]LAYERS=([^&]+)", band.href)
    gsd = next((gsd for part, gsd in GSDS.items() if found and part in found[1]), None)
    if found is None or gsd is None:
        raise SourceUnavailableError(
            f"{without_secrets(band.href)} names no layer of the Geoplateforme that can be read. Expected "
            f"...?LAYERS=<layer> with {' or '.join(GSDS)} in it, as its search gives it."
        )
    return MosaicLayer(client, found[1], gsd)


def check_side(side_m: int, gsd: float) -> None:
    """Refuse a square whose pixels would take too much memory.

    Args:
        side_m: Of the square, metres.
        gsd: Size of the pixels, metres.

    Raises:
        CurateError: It has more than `MOST_SIDE_PX` of them a side.
    """
    if side_m / gsd > MOST_SIDE_PX:
        most_m = int(MOST_SIDE_PX * gsd) // 60 * 60
        raise CurateError(
            f"A square of {side_m} m is {side_m / gsd:,.0f} x {side_m / gsd:,.0f} pixels of {gsd:g} m; expected at most "
            f"{MOST_SIDE_PX:,} a side, for which memory is kept. Sample again with --patch-m {most_m} or less, or leave that "
            "sensor out."
        )


def part_of(grid: Grid, column: int, row: int, side_px: int, *, step: int = 1) -> Grid:
    """A square of a grid, or with a step of several pixels a coarser one that begins at the same corner.

    Args:
        grid: Of the whole raster.
        column: First column.
        row: First row.
        side_px: Pixels of the part.
        step: How many pixels of the grid one of the part is wide.
    """
    gsd, _, left, _, _, top = grid.transform
    return Grid(grid.epsg, (gsd * step, 0.0, left + column * gsd, 0.0, -gsd * step, top - row * gsd), side_px, side_px)


def mark_blank(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put 0 where the service drew nothing, or white or black for want of a measurement, and 1 where it measured 0.

    Args:
        image: (3 or 4, height, width), a whole image as drawn; a fourth band is opacity.

    Returns:
        (3, height, width).
    """
    from scipy.ndimage import binary_dilation, label

    measured: NDArray[np.uint8] = np.maximum(image[:3], 1)
    nearly = (_is_white(image, WHITE - FRINGE), _is_black(image, BLACK + FRINGE))
    for blank, fringe in zip((_is_white(image), _is_black(image)), nearly, strict=True):
        areas, _ = label(blank)
        is_large = np.bincount(areas.ravel()) >= BLANK_PX
        is_large[0] = False  # the number of what is not blank
        if is_large.any():
            lost = binary_dilation(is_large[areas], np.ones((3, 3)), iterations=FRINGE_PX, mask=fringe)
            measured[:, lost] = NODATA
    measured[:, _is_transparent(image)] = NODATA
    return measured


def _is_white(image: NDArray[np.uint8], least: int = WHITE) -> NDArray[np.bool_]:
    white: NDArray[np.bool_] = image[:3].min(axis=0) >= least
    return white


def _is_black(image: NDArray[np.uint8], most: int = BLACK) -> NDArray[np.bool_]:
    black: NDArray[np.bool_] = image[:3].max(axis=0) <= most
    return black


def _is_transparent(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where an image with opacity shows nothing, (height, width)."""
    transparent: NDArray[np.bool_] = image[3] == 0 if len(image) > 3 else np.zeros(image.shape[1:], bool)
    return transparent


def _paste(image: NDArray[np.uint8], left: int, top: int, pixels: NDArray[np.uint8]) -> None:
    """Put an image into (3, height, width) pixels whose corner it has at a column and row, either of which may be negative."""
    rows = slice(max(top, 0), min(top + image.shape[1], pixels.shape[1]))
    columns = slice(max(left, 0), min(left + image.shape[2], pixels.shape[2]))
    pixels[:, rows, columns] = image[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
