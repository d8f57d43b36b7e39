"""What the first directory of a TIFF says of its raster, read with `struct` from whatever gives its bytes.

Classic TIFF and BigTIFF, of either byte order. What a tag means is told here and nowhere else; who reads pixels chooses
which of it they can follow, and leaves the other files to GDAL.

References:
    TIFF 6.0, https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf
    BigTIFF, https://libtiff.gitlab.io/libtiff/specification/bigtiff.html
    Adobe Photoshop TIFF Technical Note 3 (floating point predictor), April 2005
    OGC GeoTIFF 1.1, https://docs.ogc.org/is/19-008r4/19-008r4.html
    GDAL, "GTiff -- GeoTIFF File Format": the nodata tag, sparse files, and half a pixel where pixels are points
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from catalogs.records import Transform

SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 254, 256, 257, 258, 259, 262, 266
SAMPLES, PLANES, PREDICTOR, FORMAT = 277, 284, 317, 339
STRIP_OFFSETS, STRIP_ROWS, STRIP_SIZES = 273, 278, 279
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_SIZES = 322, 323, 324, 325
PIXEL_SCALE, TIE_POINTS, TRANSFORMATION, GEO_KEYS, NODATA = 33_550, 33_922, 34_264, 34_735, 42_113

LAYOUT = frozenset({
    SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, SAMPLES, PLANES, PREDICTOR, FORMAT, STRIP_OFFSETS,
    STRIP_ROWS, STRIP_SIZES, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_SIZES,
})  # fmt: skip
"""What tells how pixels lie in the file."""
GROUND = frozenset({PIXEL_SCALE, TIE_POINTS, TRANSFORMATION, GEO_KEYS, NODATA})
"""What tells where they lie on the ground, and which of them mean nothing."""

HIGH_BITS_FIRST = 1
RAW, DEFLATE, OLD_DEFLATE, ZSTD = 1, 8, 32_946, 50_000
TOGETHER, APART = 1, 2
"""Whether the bands of a pixel lie side by side, or each band by itself."""
NO_PREDICTOR, DIFFERENCES, FLOAT_BYTES = 1, 2, 3
UNSIGNED, SIGNED, FLOATING = 1, 2, 3
"""Sample formats."""
LITTLE, BIG = "<", ">"
"""Byte orders, as `struct` and numpy have them."""

MODEL_KEY, RASTER_KEY, GEOGRAPHIC_KEY, TO_WGS84_KEY, PROJECTED_KEY, VERTICAL_KEY = 1024, 1025, 2048, 2062, 3072, 4096
PROJECTED, GEOGRAPHIC = 1, 2
PIXEL_IS_POINT = 2
EPSG_CODES = range(1024, 32_767)
"""GeoTIFF 1.1, requirement 12.4: codes below are obsolete, above are nobody's or private."""

DIRECTORY_BYTES = 4096
"""Read where the directory is; they hold all that describes a file of a few bands."""
_WHOLE = {1: (1, "B"), 3: (2, "H"), 4: (4, "I"), 13: (4, "I"), 16: (8, "Q"), 18: (8, "Q")}
_FLOATING = {12: (8, "d")}
_TEXT = {2: (1, "s")}
_KINDS = {PIXEL_SCALE: _FLOATING, TIE_POINTS: _FLOATING, TRANSFORMATION: _FLOATING, NODATA: _TEXT}
"""By tag and by TIFF's type, a value's bytes and its code in `struct`. All other tags hold whole numbers; one whose values are
of another type is damaged, and taken for absent."""
_FORMS = {
    b"II*\0": (LITTLE, False),
    b"MM\0*": (BIG, False),
    b"II+\0": (LITTLE, True),
    b"MM\0+": (BIG, True),
}

Read = Callable[[int, int], bytes]
"""Gives so many bytes of a file from an offset; fewer where it ends."""


@dataclass(frozen=True, slots=True)
class Directory:
    """The first directory of a TIFF."""

    byte_order: str
    """`LITTLE` or `BIG`, of numbers and pixels alike."""
    is_big: bool
    """Whether it is a BigTIFF."""
    tags: dict[int, tuple[Any, ...]]
    """The values of each tag; a text is a single value, bytes."""

    def first(self, tag: int, default: Any = None) -> Any:
        """The first value of a tag, or the default."""
        return self.tags[tag][0] if tag in self.tags else default


def read_directory(read: Read, wanted: Collection[int]) -> Directory | None:
    """The first directory of a file.

    Args:
        read: Gives the file's bytes.
        wanted: Tags that are read; long lists of others cost nothing.

    Returns:
        The directory; none of a file that is no TIFF.

    Raises:
        struct.error: The file ends within its directory or the values of a tag.
    """
    start = read(0, 16)
    if start[:4] not in _FORMS:
        return None
    order, is_big = _FORMS[start[:4]]
    count_size, entry = (8, f"{order}HHQ8s") if is_big else (2, f"{order}HHI4s")
    (place,) = struct.unpack_from(f"{order}Q" if is_big else f"{order}I", start, 8 if is_big else 4)
    part = _buffered(read, place)
    (count,) = struct.unpack(f"{order}Q" if is_big else f"{order}H", part(place, count_size))
    size = struct.calcsize(entry)
    tags = {}
    for tag, type_, length, field in struct.iter_unpack(entry, _whole(part, place + count_size, size * min(count, 1 << 16))):
        if tag in wanted and type_ in (kinds := _KINDS.get(tag, _WHOLE)):
            tags[tag] = _values(part, order, (*kinds[type_], length, field))
    return Directory(order, is_big, tags)


def stated_transform(directory: Directory) -> Transform | None:
    """The affine from (column, row) to (x, y) of the upper left corners; none where there is none, or it takes GDAL to tell."""
    scale, ties = directory.tags.get(PIXEL_SCALE, ()), directory.tags.get(TIE_POINTS, ())
    matrix = directory.tags.get(TRANSFORMATION, ())
    if len(scale) >= 2 and len(ties) == 6 and scale[0] > 0 and scale[1] > 0:
        left = ties[3] - ties[0] * scale[0]
        top = ties[4] + ties[1] * scale[1]
        stated = (scale[0], 0.0, left, 0.0, -scale[1], top)
    elif not scale and len(matrix) == 16:
        stated = (matrix[0], matrix[1], matrix[3], matrix[4], matrix[5], matrix[7])
    else:
        return None
    half = 0.5 if geo_keys(directory).get(RASTER_KEY) == PIXEL_IS_POINT else 0.0
    a, b, left, d, e, top = stated
    return a, b, left - half * (a + b), d, e, top - half * (d + e)


def stated_epsg(directory: Directory) -> int | None:
    """Code of the coordinate system; none where it is stated in another way than by its code alone."""
    keys = geo_keys(directory)
    if VERTICAL_KEY in keys or TO_WGS84_KEY in keys:
        return None
    code = keys.get({PROJECTED: PROJECTED_KEY, GEOGRAPHIC: GEOGRAPHIC_KEY}.get(keys.get(MODEL_KEY, 0), 0))
    return code if code in EPSG_CODES else None


def geo_keys(directory: Directory) -> dict[int, int]:
    """The GeoTIFF keys; 0 for those whose values are texts or floating numbers."""
    stated = directory.tags.get(GEO_KEYS, ())
    entries = zip(*(stated[position::4] for position in range(4)), strict=False)
    return {key: value if place == 0 else 0 for key, place, _, value in list(entries)[1:]}


def stated_nodata(directory: Directory) -> float | None:
    """GDAL's nodata value; none where there is none.

    Raises:
        ValueError: It is no number.
    """
    text = directory.first(NODATA)
    return None if text is None else float(text.partition(b"\0")[0])


def _buffered(read: Read, start: int) -> Read:
    """Reads what lies close behind `start` from one piece."""
    piece = read(start, DIRECTORY_BYTES)

    def part(offset: int, size: int) -> bytes:
        at = offset - start
        return piece[at : at + size] if 0 <= at <= len(piece) - size else read(offset, size)

    return part


def _whole(part: Read, offset: int, size: int) -> bytes:
    found = part(offset, size)
    if len(found) != size:
        raise struct.error(f"{len(found)} bytes at {offset}; expected {size}")
    return found


def _values(part: Read, order: str, entry: tuple[int, str, int, bytes]) -> tuple[Any, ...]:
    """The values of an entry (bytes and code of each, how many, field); the field holds them, or the offset where they are."""
    each, code, length, field = entry
    size = each * length
    if size > len(field):
        (place,) = struct.unpack(f"{order}Q" if len(field) == 8 else f"{order}I", field)
        field = _whole(part, place, size)
    return struct.unpack_from(f"{order}{length}{code}", field)
