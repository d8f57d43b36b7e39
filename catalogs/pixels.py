"""Reading and writing the pixels of one raster.

The layout: GeoTIFF, one file per pixel size, bands apart (`INTERLEAVE=BAND`), a band in one strip up to 512 px and in
512 px tiles beyond, zstd level 1 with the horizontal predictor (3 for floats), lossless. Chosen by measurement
(`python -m tests.benchmarks.geotiff_layout`: 24 real Sentinel-2 patches of 264 px, four 10 m bands, GDAL 3.10, one core of an
AMD EPYC, warm cache; size as a share of the raw bytes, CPU time per patch to write, to read all bands, and to read one):

    ============================================  =====  ========  ========  ========
    layout                                        size   write     read 4    read 1
    ============================================  =====  ========  ========  ========
    no compression, bands apart, 1 strip          1.001   1.3 ms    0.6 ms    0.6 ms
    **zstd 1, predictor 2, bands apart, 1 strip** 0.736   2.6 ms    1.4 ms    0.8 ms
    zstd 1, predictor 2, pixel-interleaved        0.742   2.0 ms    1.1 ms    1.1 ms
    zstd 9, predictor 2, bands apart, 1 strip     0.728   5.9 ms    1.5 ms    0.8 ms
    deflate, predictor 2, bands apart, 1 strip    0.752   7.8 ms    2.3 ms    1.0 ms
    LERC + zstd, bands apart, 1 strip             0.687   4.3 ms    1.4 ms    0.8 ms
    LZW, predictor 2, bands apart, 1 strip        0.883   9.7 ms    3.4 ms    1.1 ms
    ============================================  =====  ========  ========  ========

Pixel-interleaving writes and reads whole files a fifth faster; bands apart cost less where some of the bands are wanted, which
is the usual question, and are smaller. LERC is 7 % smaller than zstd, but fewer readers know it.
"""

from __future__ import annotations

import errno
import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import TYPE_CHECKING, Any

from catalogs import layout
from catalogs.errors import CatalogError, CatalogUnreachableError, MissingAssetError
from catalogs.plain_raster import read_plain
from catalogs.records import Band, Grid, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rasterio import DatasetReader

BLOCK_PX = 512
SHA256_MULTIHASH = "1220"
FETCHED = ("/vsicurl/", "/vsis3/")
"""How GDAL's names of remote files begin."""
_OPENING = Lock()
"""Warnings are muted for all threads at once, so that one opens a file at a time; they decode side by side."""


def encode_raster(array: NDArray[Any], grid: Grid, bands: Sequence[Band]) -> bytes:
    """The bytes of a GeoTIFF; the same bytes for the same input.

    Args:
        array: Pixels, (bands, height, width), any of GDAL's types.
        grid: Where they lie.
        bands: Their names, written as band descriptions, and their nodata value, of which GeoTIFF has one per file.
    """
    from rasterio import Affine
    from rasterio.io import MemoryFile

    count, height, width = array.shape
    assert (height, width) == grid.shape, f"array of {height} x {width} px on a grid of {grid.shape}"
    assert count == len(bands), f"{count} planes for {len(bands)} bands"
    blocks: dict[str, Any] = {"tiled": True, "blockxsize": BLOCK_PX, "blockysize": BLOCK_PX}
    if max(grid.shape) <= BLOCK_PX:
        blocks = {"tiled": False, "blockysize": height}
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", count=count, height=height, width=width, dtype=array.dtype, nodata=bands[0].nodata,
            crs=f"EPSG:{grid.epsg}" if grid.epsg else None, transform=Affine(*grid.transform), interleave="band",
            compress="zstd", zstd_level=1, predictor=3 if array.dtype.kind == "f" else 2, **blocks,
        ) as raster:  # fmt: skip
            raster.write(array)
            raster.descriptions = [band.name for band in bands]
        return bytes(memory.getbuffer())


def write_raster(path: Path, array: NDArray[Any], grid: Grid, bands: Sequence[Band]) -> tuple[str, int]:
    """Write a raster as a whole or not at all.

    Args:
        path: Where to; its folder is made.
        array: Pixels, (bands, height, width).
        grid: Where they lie.
        bands: What they are.

    Returns:
        Its SHA-256 as a multihash, and its size in bytes.
    """
    content = encode_raster(array, grid, bands)
    write_whole(path, content)
    return multihash(content), len(content)


def write_whole(path: Path, content: bytes, *, shared: bool = False) -> None:
    """Write a file beside its name, then rename it, so that a name never holds a part.

    Args:
        path: Where to; its folder is made.
        content: All of it.
        shared: Other processes may write it at the same time: its part has a name of its own, which a later run does not write
            over. For folders that are swept.

    Raises:
        OSError: The disk is full or cannot be written; the part is removed.
    """
    own = f".{token_hex(8)}" if shared else ""
    part = path.with_name(f"{path.name}{own}{layout.TEMPORARY}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        part.write_bytes(content)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    part.replace(path)


def multihash(content: bytes) -> str:
    """SHA-256 as the multihash that `file:checksum` asks for."""
    return SHA256_MULTIHASH + hashlib.sha256(content).hexdigest()


def multihash_file(path: Path) -> str:
    """As `multihash`, of a file of any size."""
    with path.open("rb") as file:
        return SHA256_MULTIHASH + hashlib.file_digest(file, "sha256").hexdigest()


def is_disk_full(error: OSError) -> bool:
    """Whether writing failed because there is no room."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def read_raster(
    href: str, indexes: Sequence[int] | None = None, window: Window | None = None, *, out: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Read bands of a raster file as they are.

    A local file of the layout above, or one as plain, is read without GDAL, at a third of the time; any other one with it, such
    as the JPEG of a data set that was left where it lay.

    Args:
        href: A path, or an `http(s)://` or `s3://` address.
        indexes: Bands of the file, from 1; all where absent.
        window: (column, row, width, height) in pixels; the whole file where absent.
        out: Where to put them, (bands, height, width), of native type.

    Returns:
        Pixels, (bands, height, width), native type; `out` where it is given.

    Raises:
        MissingAssetError: A path that is not there.
        CatalogUnreachableError: A file that cannot be read.
        CatalogError: A file of another layout, where rasterio is not installed.
    """
    plain = read_plain(href, indexes, out) if window is None else None
    if plain is not None:
        return plain
    try:
        import rasterio
    except ModuleNotFoundError as error:
        raise CatalogError(
            f"{href} is of no layout that is read without rasterio, which is not installed here. Install it, or read from a "
            "pack: run curate pack on the catalog where rasterio is."
        ) from error
    from rasterio.errors import RasterioIOError
    from rasterio.windows import Window as RasterioWindow

    try:
        with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"), _open(href) as raster:
            pixels: NDArray[Any] = raster.read(
                list(indexes) if indexes else None, window=window and RasterioWindow(*window), out=out
            )
    except RasterioIOError as error:
        if "://" not in href and not Path(href).exists():
            raise MissingAssetError(
                f"{href} is not there, though the catalog names it. Fetch it again, or run curate verify."
            ) from error
        raise CatalogUnreachableError(
            f"{href} cannot be read ({error}). Run curate verify to see what else is broken."
        ) from error
    return pixels


def _open(href: str) -> DatasetReader:
    """A raster file. That a local one says nothing of its ground is no surprise: its item does, or nobody knows."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    if "://" in href or href.startswith(FETCHED):  # opening it takes requests, for which no other thread shall wait
        return rasterio.open(href)
    with _OPENING, warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning):
        return rasterio.open(href)
