"""What is read of Earth Engine for one location, put into as few requests as its limits allow. Pure.

All bands of all scenes whose pixels lie on one lattice, or on coarser ones whose pixels are whole blocks of it, go in one
request on the finest: Earth Engine repeats the pixels of a coarser band there, and `cut` takes one of each block, so that
nothing is resampled. What does not fit into one request is put into several by pixel size, so that nothing is repeated, and a
window that is too large by itself is cut into tiles.

References:
    Google, Earth Engine REST API v1, projects.image.computePixels: 48 MB in uncompressed data, 32K pixels in either dimension,
    1,024 bands.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.records import Grid, Window
from curate.sources.earth_engine.failures import RefusedError
from curate.sources.earth_engine.images import EngineBand

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_BYTES = 48 << 20
MOST_SIDE_PX = 32_768
MOST_BANDS = 1_024
TILE_PX = 3_328
"""Side of a tile of a window that is too large for one request: 44.3 MB of 32 bits."""
ALIKE = 1e-6
"""Of a pixel: how far two lattices may be apart and still be one."""


@dataclass(frozen=True, slots=True)
class BandRead:
    """A window of one band of one image."""

    key: Hashable
    """Whose it is."""
    band: EngineBand
    """Which."""
    window: Window
    """Pixels of the band's own grid, inside it."""

    @property
    def itemsize(self) -> int:
        """Bytes of a pixel."""
        return np.dtype(self.band.data_type).itemsize


@dataclass(frozen=True, slots=True)
class PixelRequest:
    """Windows of bands that are asked for at once, on one grid."""

    lattice: Grid
    """Whose pixels the request's are; of its size nothing is meant."""
    window: Window
    """The request's pixels, counted from the lattice's corner; may begin before it."""
    reads: tuple[BandRead, ...]
    """One band of the request each, in order."""

    @property
    def nbytes(self) -> int:
        """Size of the answer as Earth Engine counts it."""
        return self.window[2] * self.window[3] * sum(read.itemsize for read in self.reads)

    @property
    def images(self) -> list[str]:
        """Ids of the images, each once."""
        return list(dict.fromkeys(read.band.image for read in self.reads))

    def of_images(self, images: Sequence[str]) -> PixelRequest:
        """The part of the request that is of some images."""
        return PixelRequest(self.lattice, self.window, tuple(read for read in self.reads if read.band.image in images))


def plan_requests(reads: Sequence[BandRead]) -> list[PixelRequest]:
    """The requests that give some windows.

    Args:
        reads: Of one location, so that their windows lie on each other.
    """
    requests: list[PixelRequest] = []
    for lattice, group in _by_lattice(reads):
        whole = PixelRequest(lattice, _hull([_on(lattice, read) for read in group]), tuple(group))
        requests += [whole] if _fits(whole) else _in_portions(group)
    return requests


def cut(request: PixelRequest, pixels: NDArray[Any]) -> Iterator[tuple[BandRead, tuple[int, int], NDArray[Any]]]:
    """What came for each window: the read, where its piece lies in the window (row, column), and the piece.

    Args:
        request: What was asked.
        pixels: A structured array, (height, width), one field per band of the request.

    Raises:
        RefusedError: Earth Engine gave other pixels than those of its images.
    """
    column0, row0, width, height = request.window
    names = pixels.dtype.names or ()
    if pixels.shape != (height, width) or len(names) != len(request.reads):
        raise RefusedError(
            f"Earth Engine gave {len(names)} bands of {pixels.shape} pixels; {len(request.reads)} of {(height, width)} were "
            "asked. Run the same command again; if it stays so, tell us."
        )
    for name, read in zip(names, request.reads, strict=True):
        column, row, wide, high = _on(request.lattice, read)
        step = wide // read.window[2]
        left, top = max(column, column0), max(row, row0)
        right, bottom = min(column + wide, column0 + width), min(row + high, row0 + height)
        block = pixels[name][top - row0 : bottom - row0, left - column0 : right - column0]
        piece = block[::step, ::step]
        if step > 1 and not np.array_equal(piece, block[step - 1 :: step, step - 1 :: step]):
            raise RefusedError(
                f"Earth Engine resampled {read.band.image}/{read.band.name}, whose pixels of {read.band.grid.gsd:g} m should "
                f"be repeated on a grid of {request.lattice.gsd:g} m. Its grid is not what its metadata say; leave the "
                "scene out, or tell us."
            )
        yield read, ((top - row) // step, (left - column) // step), np.ascontiguousarray(piece, read.band.data_type)


def _by_lattice(reads: Sequence[BandRead]) -> list[tuple[Grid, list[BandRead]]]:
    """Reads by the finest lattice that their pixels are whole blocks of, the finest first."""
    groups: list[tuple[Grid, list[BandRead]]] = []
    for read in sorted(reads, key=lambda each: each.band.grid.gsd):
        for lattice, group in groups:
            if _divides(lattice, read.band.grid):
                group.append(read)
                break
        else:
            groups.append((read.band.grid, [read]))
    return groups


def _divides(fine: Grid, coarse: Grid) -> bool:
    """Whether each pixel of a grid is a block of whole pixels of a lattice."""
    if fine.epsg != coarse.epsg:
        return False
    counts = (
        coarse.gsd / fine.gsd,
        (coarse.transform[2] - fine.transform[2]) / fine.gsd,
        (coarse.transform[5] - fine.transform[5]) / fine.gsd,
    )
    return all(abs(count - round(count)) < ALIKE for count in counts)


def _on(lattice: Grid, read: BandRead) -> Window:
    """A read's window in pixels of a lattice."""
    grid, (column, row, width, height) = read.band.grid, read.window
    step = round(grid.gsd / lattice.gsd)
    left = round((grid.transform[2] - lattice.transform[2]) / lattice.gsd)
    top = round((lattice.transform[5] - grid.transform[5]) / lattice.gsd)
    return left + column * step, top + row * step, width * step, height * step


def _hull(windows: Sequence[Window]) -> Window:
    """The least window that holds all of several."""
    left, top = min(window[0] for window in windows), min(window[1] for window in windows)
    right, bottom = max(window[0] + window[2] for window in windows), max(window[1] + window[3] for window in windows)
    return left, top, right - left, bottom - top


def _fits(request: PixelRequest) -> bool:
    width, height = request.window[2:]
    return request.nbytes <= MOST_BYTES and max(width, height) <= MOST_SIDE_PX and len(request.reads) <= MOST_BANDS


def _in_portions(group: Sequence[BandRead]) -> Iterator[PixelRequest]:
    """Requests of one lattice each, as full as they may be."""
    same: dict[tuple[float, ...], list[BandRead]] = {}
    for read in group:
        grid = read.band.grid
        same.setdefault((grid.gsd, grid.transform[2] % grid.gsd, grid.transform[5] % grid.gsd), []).append(read)
    for reads in same.values():
        lattice, portion = reads[0].band.grid, PixelRequest(reads[0].band.grid, (0, 0, 0, 0), ())
        for read in reads:
            windows = [_on(lattice, read), *([portion.window] if portion.reads else [])]
            larger = PixelRequest(lattice, _hull(windows), (*portion.reads, read))
            if _fits(larger):
                portion = larger
                continue
            if portion.reads:
                yield portion
            portion = PixelRequest(lattice, _on(lattice, read), (read,))
            if not _fits(portion):
                yield from _tiles(portion)
                portion = PixelRequest(lattice, (0, 0, 0, 0), ())
        if portion.reads:
            yield portion


def _tiles(request: PixelRequest) -> Iterator[PixelRequest]:
    """A window that is too large for one request, in tiles."""
    column, row, width, height = request.window
    for down in range(0, height, TILE_PX):
        for right in range(0, width, TILE_PX):
            tile = column + right, row + down, min(TILE_PX, width - right), min(TILE_PX, height - down)
            yield PixelRequest(request.lattice, tile, request.reads)
