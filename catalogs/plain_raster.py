"""Reading a GeoTIFF of the layout that `pixels` writes, with numpy and pyarrow alone.

GDAL opens a file in half a millisecond and decodes its bands in two or three times the time that they take here; and a
training machine need not have it. Released files that lie as plainly, band by band, deflated or not compressed at all, are read
too: those of a band each are opened often. Whatever else there is, is left to GDAL.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from catalogs import tiff_header as tiff
from catalogs.tiff_header import Read, read_directory

TYPES = {(8, tiff.UNSIGNED): "u1", (16, tiff.UNSIGNED): "<u2", (32, tiff.FLOATING): "<f4"}
"""By bits and sample format, numpy's name."""
ZSTD_CODEC = pa.Codec("zstd")


def read_plain(path: str, indexes: Sequence[int] | None, out: NDArray[Any] | None) -> NDArray[Any] | None:
    """Bands of a GeoTIFF that lies as plainly as ours do.

    Args:
        path: Of a local file.
        indexes: Bands of the file, from 1; all where absent.
        out: Where to put them, (bands, height, width).

    Returns:
        Pixels, (bands, height, width), native type; none where the file is of another layout, damaged or not there, or `out`
        is of another shape or type.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _read(lambda offset, size: os.pread(file, size, offset), indexes, out)
    except (struct.error, LookupError, ValueError, ArithmeticError, MemoryError, pa.ArrowException, zlib.error, OSError):
        return None
    finally:
        os.close(file)


def _read(read: Read, indexes: Sequence[int] | None, out: NDArray[Any] | None) -> NDArray[Any] | None:
    blocks = _Blocks.of(_tags(read))
    if blocks is None:
        return None
    chosen = range(1, blocks.bands + 1) if indexes is None else indexes
    shape = (len(chosen), blocks.height, blocks.width)
    pixels = np.empty(shape, blocks.type) if out is None else out
    if pixels.shape != shape or pixels.dtype != blocks.type or not all(0 < index <= blocks.bands for index in chosen):
        return None
    for plane, index in zip(pixels, chosen, strict=True):
        blocks.decode(read, index - 1, plane)
    return pixels


def _tags(read: Read) -> dict[int, tuple[int, ...]]:
    """The whole numbers of a file's first directory, by tag; empty where it is no classic TIFF of little-endian numbers."""
    found = read_directory(read, tiff.LAYOUT)
    return found.tags if found and found.byte_order == tiff.LITTLE and not found.is_big else {}


def _predictors(compression: int, *, is_float: bool) -> tuple[int, ...]:
    """Those that a compression may come with; none where it is not known."""
    if compression == tiff.RAW:
        return (tiff.NO_PREDICTOR,)
    if compression not in (tiff.DEFLATE, tiff.OLD_DEFLATE, tiff.ZSTD):
        return ()
    return tiff.NO_PREDICTOR, tiff.FLOAT_BYTES if is_float else tiff.DIFFERENCES


@dataclass(frozen=True, slots=True)
class _Blocks:
    """How the bands of a file are cut into compressed blocks: strips or tiles, one band after the other."""

    bands: int
    height: int
    width: int
    type: np.dtype[Any]
    compression: int
    predictor: int
    block_height: int
    block_width: int
    are_tiles: bool
    """Tiles are whole at the edges, strips are not."""
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, tags: Mapping[int, tuple[int, ...]]) -> _Blocks | None:
        """The blocks of a file; none where it is of another layout."""
        if not tags:
            return None
        bands, height, width = tags[tiff.SAMPLES][0], tags[tiff.HEIGHT][0], tags[tiff.WIDTH][0]
        kinds = set(zip(tags[tiff.BITS], tags.get(tiff.FORMAT, (tiff.UNSIGNED,) * bands), strict=True))
        kind = kinds.pop()
        compression, predictor = tags[tiff.COMPRESSION][0], tags.get(tiff.PREDICTOR, (tiff.NO_PREDICTOR,))[0]
        predictors = _predictors(compression, is_float=kind[1] == tiff.FLOATING)
        is_usual = tags.get(tiff.FILL_ORDER) in (None, (tiff.HIGH_BITS_FIRST,)) and not kinds and kind in TYPES
        if not is_usual or predictor not in predictors or (bands > 1 and tags[tiff.PLANES] != (tiff.APART,)):
            return None
        tiled = tiff.TILE_OFFSETS in tags
        if tiled:
            block = tags[tiff.TILE_HEIGHT][0], tags[tiff.TILE_WIDTH][0]
            places = tags[tiff.TILE_OFFSETS], tags[tiff.TILE_SIZES]
        else:
            block = min(tags[tiff.STRIP_ROWS][0], height), width
            places = tags[tiff.STRIP_OFFSETS], tags[tiff.STRIP_SIZES]
        blocks = cls(bands, height, width, np.dtype(TYPES[kind]), compression, predictor, *block, tiled, *places)
        is_whole = len(blocks.offsets) == len(blocks.sizes) == bands * blocks.per_band and all(blocks.sizes)
        return blocks if is_whole else None

    @property
    def per_band(self) -> int:
        """Blocks of one band."""
        return -(-self.height // self.block_height) * -(-self.width // self.block_width)

    def decode(self, read: Read, band: int, plane: NDArray[Any]) -> None:
        """Fill the plane of a band, counted from 0.

        Raises:
            ValueError: A block is shorter or longer than it should be.
            pyarrow.ArrowException: A block is damaged.
            zlib.error: The same.
        """
        number = band * self.per_band
        for top in range(0, self.height, self.block_height):
            for left in range(0, self.width, self.block_width):
                target = plane[top : top + self.block_height, left : left + self.block_width]
                rows = self.block_height if self.are_tiles else len(target)
                packed = read(self.offsets[number], self.sizes[number])
                if len(packed) != self.sizes[number]:
                    raise ValueError(f"block {number} has {len(packed)} bytes; expected {self.sizes[number]}")
                raw = self._unpack(packed, rows * self.block_width * self.type.itemsize)
                self._undo(np.frombuffer(raw, np.uint8).reshape(rows, -1)[: len(target)], target)
                number += 1

    def _unpack(self, packed: bytes, size: int) -> Any:
        """The bytes of a block, so many."""
        if self.compression == tiff.ZSTD:
            return ZSTD_CODEC.decompress(packed, size)
        raw = packed if self.compression == tiff.RAW else zlib.decompress(packed, bufsize=size)
        if len(raw) != size:
            raise ValueError(f"a block has {len(raw)} bytes of pixels; expected {size}")
        return raw

    def _undo(self, rows: NDArray[np.uint8], target: NDArray[Any]) -> None:
        """Undo the predictor, row by row; the rows may be wider than the target."""
        width = target.shape[1]
        if self.predictor == tiff.DIFFERENCES:
            np.cumsum(rows.view(self.type)[:, :width], axis=1, dtype=self.type, out=target)
        elif self.predictor == tiff.FLOAT_BYTES:
            high_to_low = np.cumsum(rows, axis=1, dtype=np.uint8).reshape(len(rows), self.type.itemsize, self.block_width)
            values = np.ascontiguousarray(high_to_low[:, ::-1].transpose(0, 2, 1)).view(self.type)
            target[...] = values[:, :width, 0]
        else:
            target[...] = rows.view(self.type)[:, :width]
