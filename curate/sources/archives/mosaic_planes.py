"""Squares of mosaics: windows of the files that touch one, put together on their common lattice, then warped as one raster.

Files of another lattice, as where two zones meet, are put together and warped by themselves, and fill what the first ones lack.
Those of another type of numbers are left out: one mosaic's are alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from catalogs.foreign import SourceBand
from catalogs.lattice import to_lonlat
from catalogs.records import Grid, SourceWindow, Window
from catalogs.secrets import without_secrets
from curate.errors import SourceUnavailableError
from curate.fetch import Plane, PlaneAsk, PlanePlan, can_hold, finish_plane, plan_plane
from curate.pixel_size import beside, pixel_size_m
from curate.planes import UNDECODED_BYTES, BlockPlanes, FilePlanes
from curate.reading.reader import BlockReader, SourceRasterInfo, WindowRead
from curate.reading.transport import Transport

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from catalogs.records import Location

LATTICE_TOLERANCE = 1e-3
"""Of a pixel, by which the corners of files of one lattice may be off."""
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Tiles:
    """The files that hold a band over a square."""

    bands: tuple[SourceBand, ...]
    """One per file, in the order in which they win where they overlap."""
    nodata: float
    """What the mosaic has where none of them has measured anything."""
    unless_stated: float | None
    """What says so in files that do not state it themselves; none where all of theirs was measured."""


@dataclass(frozen=True, slots=True)
class _Tile:
    band: SourceBand
    info: SourceRasterInfo
    nodata: float | None
    grid: Grid
    """Its own; in degrees, as it lies beside the square, whichever side of 180 that is on."""


@dataclass(slots=True, eq=False)
class _Mosaic:
    """What files of one lattice give to a plane, in work."""

    plan: PlanePlan
    tiles: Sequence[_Tile]
    windows: Sequence[Window | None]
    """Of each tile, what of the plan's part it holds, in the mosaic's pixels."""
    pieces: dict[int, NDArray[Any]] = field(default_factory=dict)
    error: SourceUnavailableError | None = None
    missing: int = 0

    @property
    def held_m2(self) -> float:
        """Ground of the plan's part that its files hold; overlaps count twice."""
        pixels = sum(window[2] * window[3] for window in self.windows if window)
        return pixels * math.prod(pixel_size_m(self.plan.raster.grid))


class MosaicPlanes(BlockPlanes):
    """Reads planes of mosaics, and of single files; see `curate.planes.PlaneReader`."""

    def __init__(self, tiles_of: Callable[[SourceBand, Location], Tiles | None], *, connections: int) -> None:
        """Read nothing yet.

        Args:
            tiles_of: The files of a band over a location; none where the band is a file itself.
            connections: Ranges of files that are fetched at once at most.
        """
        transport = Transport(connections=connections)
        super().__init__(BlockReader(transport, fetchers=connections, undecoded_bytes=UNDECODED_BYTES), transport)
        self._tiles_of = tiles_of
        self._files = FilePlanes(self._blocks, transport)

    def _read(self, asks: Sequence[tuple[Key, PlaneAsk]]) -> Iterator[tuple[Key, Plane | SourceUnavailableError]]:
        works: dict[Key, Sequence[_Mosaic]] = {}
        found: dict[Key, tuple[PlaneAsk, Tiles]] = {}
        files = []
        for key, ask in asks:
            try:
                tiles = self._tiles_of(ask.band, ask.location)
            except SourceUnavailableError as error:
                yield key, error
                continue
            if tiles is None:
                files.append((key, ask))
            else:
                found[key] = ask, tiles
        yield from self._files.read(files)
        for key, layers in self._begin(found):
            if isinstance(layers, SourceUnavailableError):
                yield key, layers
            elif not _missing(layers):
                yield key, _finish(layers)
            else:
                works[key] = layers
        for (key, layer, number), pixels in self._blocks.read(_reads(works)):
            work = works[key][layer]
            work.missing -= 1
            if isinstance(pixels, SourceUnavailableError):
                work.error = work.error or pixels
            else:
                work.pieces[number] = pixels
            if not _missing(works[key]):
                yield key, _finish(works.pop(key))

    def _begin(
        self, found: Mapping[Key, tuple[PlaneAsk, Tiles]]
    ) -> Iterator[tuple[Key, Sequence[_Mosaic] | SourceUnavailableError]]:
        """What to read of the files of each ask; their headers are fetched at the same time."""
        bands = list(dict.fromkeys(band for _, tiles in found.values() for band in tiles.bands))
        infos = dict(zip(bands, self._blocks.rasters(bands), strict=True))
        for key, (ask, tiles) in found.items():
            yield key, _plan(ask, tiles, [infos[band] for band in tiles.bands])


def _plan(
    ask: PlaneAsk, tiles: Tiles, infos: Sequence[SourceRasterInfo | SourceUnavailableError]
) -> Sequence[_Mosaic] | SourceUnavailableError:
    """What to read of which file, the lattice that holds most first; a header that is of no use speaks for all."""
    whole = []
    lon, _ = to_lonlat(*ask.location.centre_xy, ask.location.zone)
    for band, info in zip(tiles.bands, infos, strict=True):
        if isinstance(info, SourceUnavailableError):
            return info
        stated = (band.nodata, info.nodata, tiles.unless_stated)
        held = (value for value in stated if value is not None and can_hold(info.data_type, value))
        whole.append(_Tile(band, info, next(held, None), beside(info.grid, float(lon[0]))))
    if not whole:
        return SourceUnavailableError(
            f"{ask.band.href} has no file over location {ask.location.id}, though the search found some. They have changed "
            "since: restore them, or build into a new folder."
        )
    try:
        return _laid(ask, of_one_lattice(whole), tiles.nodata)
    except SourceUnavailableError as error:
        return error


def _laid(ask: PlaneAsk, groups: Sequence[Sequence[_Tile]], nodata: float) -> Sequence[_Mosaic]:
    """Files of one lattice each as one raster each, the one that holds most first."""
    first = max((_lay(ask, group, nodata) for group in groups), key=lambda mosaic: mosaic.held_m2)
    alike = replace(ask, gsd=first.plan.grid.gsd)
    others = [
        _lay(alike, group, nodata)
        for group in groups
        if group is not first.tiles and group[0].info.data_type == first.plan.raster.data_type
    ]
    return [first, *sorted(others, key=lambda mosaic: -mosaic.held_m2)]


def _lay(ask: PlaneAsk, tiles: Sequence[_Tile], nodata: float) -> _Mosaic:
    """Files of one lattice as one raster."""
    grid = bounding_grid([tile.grid for tile in tiles])
    plan = plan_plane(SourceRasterInfo(grid, nodata, tiles[0].info.data_type, None), ask)
    windows = [plan.part and _shared(plan.part, window_in(grid, tile.grid)) for tile in tiles]
    return _Mosaic(plan, tiles, windows, missing=sum(window is not None for window in windows))


def of_one_lattice(tiles: Sequence[_Tile]) -> list[list[_Tile]]:
    """Files in groups whose pixels continue each other: of one coordinate system, pixel size, phase and type."""
    groups: list[list[_Tile]] = []
    for tile in tiles:
        fitting = (group for group in groups if _continues(group[0], tile))
        group = next(fitting, None)
        if group is None:
            groups.append([tile])
        else:
            group.append(tile)
    return groups


def _continues(one: _Tile, other: _Tile) -> bool:
    mine, theirs = one.grid, other.grid
    if (mine.epsg, one.info.data_type) != (theirs.epsg, other.info.data_type):
        return False
    sizes = zip((mine.transform[0], mine.transform[4]), (theirs.transform[0], theirs.transform[4]), strict=True)
    if any(abs(a - b) > LATTICE_TOLERANCE * abs(a) / max(mine.width, mine.height) for a, b in sizes):
        return False
    steps = (
        (theirs.transform[2] - mine.transform[2]) / mine.transform[0],
        (theirs.transform[5] - mine.transform[5]) / mine.transform[4],
    )
    return all(abs(step - round(step)) < LATTICE_TOLERANCE for step in steps)


def bounding_grid(grids: Sequence[Grid]) -> Grid:
    """The raster that holds rasters of one lattice; its pixels are the first one's."""
    first = grids[0]
    places = [window_in(first, grid) for grid in grids]
    column, row = min(place[0] for place in places), min(place[1] for place in places)
    width = max(place[0] + place[2] for place in places) - column
    height = max(place[1] + place[3] for place in places) - row
    a, _, left, _, e, top = first.transform
    return Grid(first.epsg, (a, 0.0, left + column * a, 0.0, e, top + row * e), height, width)


def window_in(grid: Grid, other: Grid) -> Window:
    """Where a raster lies in another one of its lattice, (column, row, width, height); it may reach beyond."""
    column = round((other.transform[2] - grid.transform[2]) / grid.transform[0])
    row = round((other.transform[5] - grid.transform[5]) / grid.transform[4])
    return column, row, other.width, other.height


def _missing(layers: Sequence[_Mosaic]) -> int:
    """Windows that are still to come."""
    return sum(mosaic.missing for mosaic in layers)


def _finish(layers: Sequence[_Mosaic]) -> Plane | SourceUnavailableError:
    """Make a plane of the windows of a mosaic's files, each lattice's where those before it have nothing.

    It tells the file that holds most of it, and its window there, which may reach beyond that file.
    """
    error = next((mosaic.error for mosaic in layers if mosaic.error), None)
    if error:
        return error
    try:
        planes = [finish_plane(mosaic.plan, _put_together(mosaic) if mosaic.plan.part else None) for mosaic in layers]
    except SourceUnavailableError as unwarped:
        return unwarped
    pixels, nodata = planes[0].pixels, layers[0].plan.raster.nodata
    for plane in planes[1:]:
        np.copyto(pixels, plane.pixels, where=pixels == nodata)
    return replace(planes[0], pixels=pixels, source=_told(layers[0]))


def _put_together(mosaic: _Mosaic) -> NDArray[Any]:
    part, nodata = mosaic.plan.part, mosaic.plan.raster.nodata
    assert part is not None, "nothing is put together where nothing lies"
    assert nodata is not None, "a mosaic always has one"
    pixels = np.full((part[3], part[2]), nodata, mosaic.plan.raster.data_type)
    for number in sorted(mosaic.pieces):
        window = mosaic.windows[number]
        assert window is not None, "what was read has a window"
        column, row, width, height = window[0] - part[0], window[1] - part[1], window[2], window[3]
        under = pixels[row : row + height, column : column + width]
        piece = as_measured(mosaic.pieces[number], mosaic.tiles[number].nodata, nodata)
        np.copyto(under, piece, where=under == nodata)
    return pixels


def as_measured(pixels: NDArray[Any], nodata: float | None, wanted: float) -> NDArray[Any]:
    """Pixels of a file under the mosaic's nodata: what has that number and was measured becomes its neighbour, one more.

    Deep water is 0 in the near infrared: 0 is not taken for a collar where nobody says so. A mapping file can (`nodata = 0`).

    Args:
        pixels: (height, width), as the file has them.
        nodata: The file's own; none where all of it was measured.
        wanted: The mosaic's.
    """
    if nodata == wanted:
        return pixels
    measured = pixels.copy()
    measured[pixels == wanted] += 1
    if nodata is not None:
        measured[pixels == nodata] = wanted
    return measured


def _told(mosaic: _Mosaic) -> SourceWindow:
    held = [(window[2] * window[3] if window else 0) for window in mosaic.windows]
    tile = mosaic.tiles[max(range(len(held)), key=held.__getitem__)]
    column, row, _, _ = window_in(tile.grid, mosaic.plan.raster.grid)
    left, top, width, height = mosaic.plan.window
    return SourceWindow(without_secrets(tile.band.href), (left + column, top + row, width, height), tile.band.checksum)


def _shared(part: Window, other: Window) -> Window | None:
    """What two windows share; none where they do not touch."""
    left, top = max(part[0], other[0]), max(part[1], other[1])
    right, bottom = min(part[0] + part[2], other[0] + other[2]), min(part[1] + part[3], other[1] + other[3])
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None


def _reads(works: Mapping[Key, Sequence[_Mosaic]]) -> Iterator[tuple[tuple[Key, int, int], WindowRead]]:
    """The windows of all files, in their own pixels; their keys tell the lattice and the file."""
    for key, layers in works.items():
        for layer, mosaic in enumerate(layers):
            for number, read in _windows(mosaic):
                yield (key, layer, number), read


def _windows(mosaic: _Mosaic) -> Iterator[tuple[int, WindowRead]]:
    for number, (tile, window) in enumerate(zip(mosaic.tiles, mosaic.windows, strict=True)):
        if window is not None:
            column, row, _, _ = window_in(tile.grid, mosaic.plan.raster.grid)
            inside = (window[0] + column, window[1] + row, window[2], window[3])
            yield number, WindowRead(tile.band, inside, tile.info.grid)
