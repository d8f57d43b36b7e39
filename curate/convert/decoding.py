"""Pixels of an image file that is in memory, as GDAL decodes them; what is wrong with a damaged one."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from catalogs.records import Grid
from curate.errors import CurateError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIGNATURES = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
}
"""How the files of each format begin."""
DRIVERS = {"JPEG": "JPEG", "PNG": "PNG", "TIFF": "GTiff"}
"""GDAL's names of them."""
Form = tuple[int, int, int, str]
"""(bands, height, width, numpy's name of the type)."""


def read_form(content: bytes, formats: Sequence[str]) -> Form:
    """Size and type of an image, from its header alone.

    Args:
        content: The file.
        formats: Those that it may be of, of `SIGNATURES`.

    Raises:
        CurateError: It is of none, or damaged.
    """
    with _opened(content, formats) as raster:
        return _form(raster)


def read_pixels(content: bytes, formats: Sequence[str], *, expected: Form, resize: bool = False) -> NDArray[Any]:
    """Pixels of an image, (bands, height, width).

    Args:
        content: The file.
        formats: Those that it may be of, of `SIGNATURES`.
        expected: What it should be.
        resize: Bring one of another height or width to that, bilinear.

    Raises:
        CurateError: It is of no such format, damaged, or not what is expected.
    """
    from rasterio.enums import Resampling

    with _opened(content, formats) as raster:
        _check_form(_form(raster), expected, resize=resize)
        pixels: NDArray[Any] = raster.read(out_shape=expected[:3], resampling=Resampling.bilinear)
    return pixels


def read_placed(content: bytes, *, expected: Form) -> tuple[NDArray[Any], Grid]:
    """Pixels of a TIFF, (bands, height, width), and where it says that they lie.

    Args:
        content: The file.
        expected: What it should be.

    Raises:
        CurateError: It is no TIFF, damaged, or not what is expected.
    """
    with _opened(content, ["TIFF"]) as raster:
        _check_form(_form(raster), expected, resize=False)
        pixels: NDArray[Any] = raster.read()
        return pixels, _grid(raster)


def read_grid(content: bytes) -> Grid:
    """Where a TIFF says that its pixels lie, from its header alone.

    Raises:
        CurateError: It is no TIFF, or damaged.
    """
    with _opened(content, ["TIFF"]) as raster:
        return _grid(raster)


@contextmanager
def _opened(content: bytes, formats: Sequence[str]) -> Iterator[Any]:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError
    from rasterio.io import MemoryFile

    if not content:
        raise CurateError("it is empty")
    fault = f"it is no {' or '.join(formats)}, or a damaged one"
    driver = next((DRIVERS[name] for name in formats if content.startswith(SIGNATURES[name])), None)
    if driver is None or (driver == "PNG" and not _is_whole_png(content)):
        raise CurateError(fault)
    try:
        with (
            warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning),
            rasterio.Env(GDAL_ERROR_ON_LIBJPEG_WARNING=True),
            MemoryFile(content) as memory,
            memory.open(driver=driver) as raster,
        ):
            yield raster
    except RasterioError as error:  # its words name a file in memory, another one each time
        raise CurateError(fault) from error


def _is_whole_png(content: bytes) -> bool:
    """Whether all its chunks are there and as they were written: GDAL fills what is not with zeros, without a word."""
    start = len(SIGNATURES["PNG"][0])
    while start + 12 <= len(content):
        length, name = struct.unpack_from(">I4s", content, start)
        end = start + 8 + length
        if content[end : end + 4] != zlib.crc32(content[start + 4 : end]).to_bytes(4, "big"):
            return False
        if name == b"IEND":
            return True
        start = end + 4
    return False


def _form(raster: Any) -> Form:
    return raster.count, raster.height, raster.width, raster.dtypes[0]


def _check_form(form: Form, expected: Form, *, resize: bool) -> None:
    if not resize and form[:3] != expected[:3]:
        raise CurateError(f"it has {_times(form)} values; expected {_times(expected)}")
    if (form[0], form[3]) != (expected[0], expected[3]):
        raise CurateError(f"it has {form[0]} bands of {form[3]}; expected {expected[0]} of {expected[3]}")


def _grid(raster: Any) -> Grid:
    a, b, left, d, e, top = raster.transform[:6]
    epsg = _epsg(raster.crs.to_wkt()) if raster.crs else None
    return Grid(epsg, (a, b, left, d, e, top), raster.height, raster.width)


@lru_cache(maxsize=256)
def _epsg(wkt: str) -> int | None:
    """Code of a coordinate system; looking it up takes longer than reading a small image."""
    from rasterio.crs import CRS

    code: int | None = CRS.from_wkt(wkt).to_epsg()
    return code


def _times(form: Form) -> str:
    return " x ".join(map(str, form[:3]))
