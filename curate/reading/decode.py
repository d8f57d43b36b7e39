"""From the bytes of a block to the pixels of windows: inflated whole and checked, the predictor undone where it is needed.

A deflated block ends with a checksum (Adler-32), which `deflate` (libdeflate) holds against what it inflated: a flipped bit is
an error, never a pixel. Blocks of zstd and raw ones carry none; of those only their length is known.

Inflating is what reading costs: of a block of 1,024 x 1,024 pixels of two bytes it takes 3.6 ms of a core, half of what zlib
takes; all else that a block needs takes a quarter of that.

References:
    RFC 1950 (zlib); TIFF 6.0, section 14 (differencing predictor); Adobe Photoshop TIFF Technical Note 3 (floating point)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs import tiff_header as tiff
from curate.reading.blocks import Part

if TYPE_CHECKING:
    from numpy.typing import NDArray

INFLATED = (tiff.DEFLATE, tiff.OLD_DEFLATE)
KNOWN = (tiff.RAW, *INFLATED, tiff.ZSTD)
"""Compressions that are undone here."""


class DamagedBlockError(ValueError):
    """A block whose bytes are not those of so many pixels."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the pixels of a file's blocks became bytes."""

    data_type: np.dtype[Any]
    """In the file's byte order."""
    samples: int
    """Values of a pixel in a block: the bands that lie together, or 1."""
    compression: int
    """One of `KNOWN`."""
    predictor: int
    """TIFF's: none, differences, or bytes of floating numbers."""
    block_width: int
    """Columns of a block, padding among them."""

    def unpack(self, packed: bytes | memoryview, rows: int, most_rows: int) -> NDArray[np.uint8]:
        """The bytes of a block's rows, the predictor still done.

        Args:
            packed: The block as it lies in the file.
            rows: That it must have at least.
            most_rows: That it may have: some writers fill the last strip.

        Returns:
            (rows, bytes of a row).

        Raises:
            DamagedBlockError: The checksum is another, or the size.
        """
        row_bytes = self.block_width * self.samples * self.data_type.itemsize
        raw = self._inflate(packed, rows * row_bytes, most_rows * row_bytes)
        if len(raw) not in (rows * row_bytes, most_rows * row_bytes):
            raise DamagedBlockError(f"holds {len(raw)} bytes of pixels; expected {rows * row_bytes}")
        return np.frombuffer(raw, np.uint8).reshape(-1, row_bytes)

    def _inflate(self, packed: bytes | memoryview, size: int, most: int) -> bytes | bytearray | memoryview:
        if self.compression == tiff.RAW:
            return packed
        if self.compression == tiff.ZSTD:
            return _inflate_zstd(packed, size, most)
        import deflate

        try:
            return deflate.zlib_decompress(packed, most)
        except deflate.DeflateError:
            raise DamagedBlockError(f"does not inflate to {size} bytes of its own checksum") from None

    def scatter(self, raw: NDArray[np.uint8], part: Part, sample: int, target: NDArray[Any]) -> None:
        """Write a part of an unpacked block.

        Args:
            raw: As `unpack` gives it.
            part: Rows and columns of the block.
            sample: Which of a pixel's values, from 0.
            target: Where to, the part's shape, the block's type in this machine's byte order.
        """
        rows, columns = raw[part.rows], part.columns
        if self.predictor == tiff.FLOAT_BYTES:
            target[...] = self._floats(rows, columns, sample)
        elif self.predictor == tiff.DIFFERENCES:
            unsigned = f"u{self.data_type.itemsize}"
            stored = np.dtype(unsigned).newbyteorder(self.data_type.byteorder)
            steps = rows.view(stored).reshape(len(rows), self.block_width, self.samples)[:, :, sample]
            sums = target.view(unsigned)
            np.cumsum(steps[:, columns], axis=1, dtype=unsigned, out=sums)
            if columns.start:
                sums += steps[:, : columns.start].sum(axis=1, dtype=unsigned)[:, None]
        else:
            values = rows.view(self.data_type).reshape(len(rows), self.block_width, self.samples)
            target[...] = values[:, columns, sample]

    def _floats(self, rows: NDArray[np.uint8], columns: slice, sample: int) -> NDArray[Any]:
        """Undo the predictor of floating numbers: differences of bytes, the highest bytes of a whole row first."""
        size = self.data_type.itemsize
        steps = rows.reshape(len(rows), size * self.block_width, self.samples)[:, :, sample]
        high_to_low = np.cumsum(steps, axis=1, dtype=np.uint8).reshape(len(rows), size, self.block_width)
        needed = high_to_low[:, ::-1, columns]
        return np.ascontiguousarray(needed.transpose(0, 2, 1)).view(f"<f{size}")[:, :, 0]


def _inflate_zstd(packed: bytes | memoryview, size: int, most: int) -> memoryview:
    """A frame of `size` bytes, or of `most`: Arrow wants to know which."""
    import pyarrow as pa

    for expected in {size: None, most: None}:
        try:
            return memoryview(pa.Codec("zstd").decompress(pa.py_buffer(packed), expected))
        except (OSError, pa.ArrowException):
            continue
    raise DamagedBlockError(f"does not inflate to {size} bytes")
