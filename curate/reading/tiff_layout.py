"""What a TIFF's header says, where the file is of a kind whose blocks are read here; all others are left to GDAL."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs import tiff_header as tiff
from catalogs.records import Grid, Window
from catalogs.tiff_header import Directory, Read
from curate.reading.blocks import Cut
from curate.reading.decode import KNOWN, Encoding
from curate.sources.rasters import checked_grid, pixel_frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_BLOCK_BYTES = 1 << 30
"""Of a decoded block; a header that promises more is damaged, or better read by GDAL."""
PLAIN_COLOURS = range(4)
"""Photometric interpretations whose values GDAL gives as they are: of one kind, red green blue, a palette's numbers."""
TYPES = {
    (8, tiff.UNSIGNED): "u1",
    (8, tiff.SIGNED): "i1",
    (16, tiff.UNSIGNED): "u2",
    (16, tiff.SIGNED): "i2",
    (32, tiff.UNSIGNED): "u4",
    (32, tiff.SIGNED): "i4",
    (32, tiff.FLOATING): "f4",
    (64, tiff.FLOATING): "f8",
}
"""By bits and sample format, numpy's name."""


@dataclass(frozen=True, slots=True)
class Packing:
    """Where the blocks of a file are and how they are packed."""

    encoding: Encoding
    """Of every block."""
    are_tiles: bool
    """Tiles are whole at the edges, strips are not."""
    are_apart: bool
    """Whether each band has blocks of its own."""
    offsets: NDArray[np.int64]
    """Of the blocks in the file: all of the first band, then of the next, where they are apart."""
    sizes: NDArray[np.int64]
    """Bytes; 0 of a block that was never written, whose pixels are all `nodata`, or 0."""
    nodata: float | None
    """As the file states it, if its type can hold it."""

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return self.offsets.nbytes + self.sizes.nbytes


@dataclass(frozen=True, slots=True)
class FileHeader:
    """What a file says of itself."""

    grid: Grid
    """Its own."""
    data_types: tuple[str, ...]
    """numpy's name of each band's type."""
    nodata: tuple[float | None, ...]
    """Of each band, as the file states it."""
    cuts: tuple[Cut, ...]
    """Of each band."""
    packing: Packing | None
    """Absent where GDAL reads the blocks."""
    etag: str | None = None
    """As what was read first of it came with; see `curate.reading.ranges.Fetched`."""
    size: int | None = None
    """Bytes of the file, where told."""
    stated_block_bytes: int | None = None
    """What a block of a band takes in the mean, where GDAL reads the blocks and the file tells their sizes."""

    @property
    def count(self) -> int:
        """Bands."""
        return len(self.cuts)

    @property
    def mean_block_bytes(self) -> int | None:
        """What a block of a band takes in a file that GDAL reads, in the mean, where that can be told.

        A TIFF tells what its blocks take. Of another file, such as a JPEG 2000, only the whole is known: its size by the number
        of its blocks. GDAL fetches more than that of a few blocks of it, since it looks for them through the file and in
        pieces of 16 KB: 1.5 times as much, in 2 to 4 requests a block, of 4 of the 16 blocks of a JPEG 2000 of 4,096 pixels; as
        much, in 0.6 requests a block, of all 16.
        """
        whole = self.size // sum(cut.count for cut in self.cuts) if self.size else None
        return self.stated_block_bytes or whole

    def is_inside(self, window: Window) -> bool:
        """Whether a window has pixels, and none beyond the raster."""
        column, row, width, height = window
        fits = column + width <= self.grid.width and row + height <= self.grid.height
        return min(column, row) >= 0 and min(width, height) >= 1 and fits


def parse_tiff(read: Read, href: str, *, etag: str | None, size: int | None, is_placed: bool = True) -> FileHeader | None:
    """The header of a file.

    Args:
        read: Gives the file's bytes.
        href: Of the file, without secrets, for messages.
        etag: Passed on.
        size: Passed on.
        is_placed: Whether its grid is of the ground; see `curate.sources.rasters.pixel_frame`.

    Returns:
        The header; none where it takes GDAL to read the file, or to tell what is wrong with it.

    Raises:
        SourceUnavailableError: The grid is rotated, upside down or oblong.
    """
    try:
        directory = tiff.read_directory(read, tiff.LAYOUT | tiff.GROUND)
        if directory is None:
            return None
        epsg, transform = tiff.stated_epsg(directory), tiff.stated_transform(directory)
        cut, packing = _cut(directory), _packing(directory)
        count = directory.first(tiff.SAMPLES, 1)
        is_whole = packing is not None and _is_whole(packing, cut, count)
    except (struct.error, LookupError, ValueError, ArithmeticError, MemoryError):
        return None
    if packing is None or not is_whole:
        return None
    if not is_placed:
        grid = pixel_frame(cut.height, cut.width)
    elif epsg is None or transform is None:
        return None
    else:
        grid = checked_grid(href, epsg, transform, (cut.height, cut.width))
    name = packing.encoding.data_type.name
    return FileHeader(grid, (name,) * count, (packing.nodata,) * count, (cut,) * count, packing, etag, size)


def _cut(directory: Directory) -> Cut:
    height, width = directory.tags[tiff.HEIGHT][0], directory.tags[tiff.WIDTH][0]
    if tiff.TILE_OFFSETS in directory.tags:
        return Cut(height, width, directory.tags[tiff.TILE_HEIGHT][0], directory.tags[tiff.TILE_WIDTH][0])
    return Cut(height, width, min(directory.first(tiff.STRIP_ROWS, height), height), width)


def _packing(directory: Directory) -> Packing | None:
    """How the blocks are packed; none where that is not known here."""
    tags, count = directory.tags, directory.first(tiff.SAMPLES, 1)
    kinds = set(zip(tags[tiff.BITS], tags.get(tiff.FORMAT, (tiff.UNSIGNED,) * count), strict=True))
    name = TYPES.get(kinds.pop())
    is_usual = (
        directory.first(tiff.SUBFILE, 0) == 0
        and directory.first(tiff.PHOTOMETRIC) in PLAIN_COLOURS
        and directory.first(tiff.FILL_ORDER, tiff.HIGH_BITS_FIRST) == tiff.HIGH_BITS_FIRST
    )
    if not is_usual or kinds or name is None:
        return None
    data_type = np.dtype(directory.byte_order + name)
    compression, predictor = tags[tiff.COMPRESSION][0], directory.first(tiff.PREDICTOR, tiff.NO_PREDICTOR)
    nodata = _nodata(directory, data_type)
    if compression not in KNOWN or predictor not in _predictors(data_type, compression) or _is_odd(nodata, data_type):
        return None
    are_tiles = tiff.TILE_OFFSETS in tags
    are_apart = count == 1 or directory.first(tiff.PLANES, tiff.TOGETHER) == tiff.APART
    block_width = tags[tiff.TILE_WIDTH if are_tiles else tiff.WIDTH][0]
    offsets, sizes = (tiff.TILE_OFFSETS, tiff.TILE_SIZES) if are_tiles else (tiff.STRIP_OFFSETS, tiff.STRIP_SIZES)
    return Packing(
        encoding=Encoding(data_type, 1 if are_apart else count, compression, predictor, block_width),
        are_tiles=are_tiles,
        are_apart=are_apart,
        offsets=np.array(tags[offsets], np.int64),
        sizes=np.array(tags[sizes], np.int64),
        nodata=nodata,
    )


def _predictors(data_type: np.dtype[Any], compression: int) -> tuple[int, ...]:
    """Those that are undone here; without compression the tag means nothing and GDAL is asked."""
    if compression == tiff.RAW:
        return (tiff.NO_PREDICTOR,)
    return (tiff.NO_PREDICTOR, tiff.DIFFERENCES, *((tiff.FLOAT_BYTES,) if data_type.kind == "f" else ()))


def _nodata(directory: Directory, data_type: np.dtype[Any]) -> float | None:
    """The nodata value, where the type can hold it, as rasterio has it."""
    stated = tiff.stated_nodata(directory)
    if stated is None or (data_type.kind == "f" and not math.isfinite(stated)):
        return stated
    limits: Any = np.finfo(data_type) if data_type.kind == "f" else np.iinfo(data_type)
    return stated if limits.min <= stated <= limits.max else None


def _is_odd(nodata: float | None, data_type: np.dtype[Any]) -> bool:
    """Whether it takes GDAL's rounding to make a pixel of it."""
    return nodata is not None and data_type.kind != "f" and not nodata.is_integer()


def _is_whole(packing: Packing, cut: Cut, count: int) -> bool:
    """Whether the header has a place for each block, and its blocks fit into memory."""
    blocks = cut.count * (count if packing.are_apart else 1)
    block_bytes = cut.block_height * cut.block_width * packing.encoding.samples * packing.encoding.data_type.itemsize
    return len(packing.offsets) == len(packing.sizes) == blocks > 0 and block_bytes <= MOST_BLOCK_BYTES
