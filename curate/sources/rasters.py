"""Windows of a provider's rasters, read with GDAL from a folder, a web server or a bucket.

A handle per call, since GDAL's are not to be shared between threads. Over HTTP GDAL itself tries again on 429 and 5xx;
what it gives up on (a cut connection, a truncated answer) is tried again here, past its cache.

References:
    GDAL, "Virtual file systems", /vsicurl/: the options below.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalogs.files import for_gdal, is_remote
from catalogs.foreign import SourceBand
from catalogs.records import Grid, Transform, Window
from catalogs.secrets import has_secret, without_secrets
from curate.errors import SourceUnavailableError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rasterio.io import DatasetReader

GDAL_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MULTIPLEX": "YES",
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
    "GDAL_HTTP_CONNECTTIMEOUT": "20",
    "GDAL_HTTP_TIMEOUT": "120",
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "0.5",
    "GDAL_HTTP_RETRY_CODES": "429,500,502,503,504",
}
"""One request for the header, neighbouring blocks in one more, no listing of folders, patience with busy servers."""
RETRY_DELAYS_S = (1.0, 5.0)
"""Pauses before a remote raster is tried again."""
PERMANENT = ("401", "403", "404", "410")
"""Answers that another try does not change."""
SQUARE_TOLERANCE = 1e-6
_FAILED: set[str] = set()
"""Files that could not be read in this process: GDAL remembers them as missing, so the next try goes around it."""


@dataclass(slots=True)
class FileRaster:
    """An open band of a file; see `curate.sources.protocol.SourceRaster`."""

    grid: Grid
    """The file's own grid."""
    nodata: float | None
    """As the file states it."""
    data_type: str
    """numpy's name of its type."""
    checksum: str | None
    """As the source's item states it."""
    band: SourceBand
    """What was opened."""
    dataset: DatasetReader
    """rasterio's handle."""

    def read(self, window: Window) -> NDArray[Any]:
        """Pixels of a window that lies inside the raster, (height, width), native type.

        Raises:
            ValueError: The window does not lie inside.
            SourceUnavailableError: The file cannot be read.
        """
        from rasterio.windows import Window as FileWindow

        column, row, width, height = window
        inside = column + width <= self.grid.width and row + height <= self.grid.height
        if min(column, row) < 0 or min(width, height) < 1 or not inside:
            raise ValueError(
                f"Window {window} (column, row, width, height) is not inside {without_secrets(self.band.href)}, "
                f"which is {self.grid.width} x {self.grid.height} pixels. Read what both share."
            )
        part = FileWindow(column, row, width, height)
        pixels: NDArray[Any] = _retry(lambda: self.dataset.read(self.band.index, window=part), self.band.href)
        return pixels


@contextmanager
def open_raster(band: SourceBand) -> Iterator[FileRaster]:
    """Open one band of a source scene for reading; safe to call from several threads.

    Raises:
        SourceUnavailableError: The file cannot be opened, has no EPSG code, is rotated, has oblong pixels or lacks the
            band; each spoils a scene, not a build.
    """
    import rasterio

    href = without_secrets(band.href)
    with rasterio.Env(**_options(band.href)), _open(band.href) as dataset:
        if not 1 <= band.index <= dataset.count:
            raise lacking_band(href, dataset.count, band.index)
        yield FileRaster(
            grid=_grid(dataset, href),
            nodata=dataset.nodatavals[band.index - 1],
            data_type=dataset.dtypes[band.index - 1],
            checksum=band.checksum,
            band=band,
            dataset=dataset,
        )


def _open(href: str) -> DatasetReader:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    try:
        dataset: DatasetReader = _retry(lambda: rasterio.open(_path(href)), href)
    except NotGeoreferencedWarning:
        raise SourceUnavailableError(_placeless(without_secrets(href), "nothing")) from None
    return dataset


def _path(href: str) -> str:
    return for_gdal(href.removeprefix("file://"))


def _options(href: str) -> dict[str, str]:
    anonymous = href.startswith("s3://") and not {"AWS_ACCESS_KEY_ID", "AWS_PROFILE"}.intersection(os.environ)
    return GDAL_OPTIONS | ({"AWS_NO_SIGN_REQUEST": "YES"} if anonymous else {})


def lacking_band(href: str, count: int, index: int) -> SourceUnavailableError:
    """The words for a file of so many bands that lacks one."""
    return SourceUnavailableError(f"{href} has {count} bands, its item names band {index}. Repair the source's item.")


def checked_grid(href: str, epsg: int, transform: Transform, shape: tuple[int, int]) -> Grid:
    """The grid of a raster of (height, width) pixels.

    Raises:
        SourceUnavailableError: It is rotated, upside down or has oblong pixels.
    """
    a, b, left, d, e, top = transform
    if b or d or a <= 0 or e >= 0:
        raise SourceUnavailableError(
            f"{href} is rotated or upside down (transform {a}, {b}, {d}, {e}); expected north up. Use gdalwarp."
        )
    if abs(a + e) > SQUARE_TOLERANCE * a:
        raise SourceUnavailableError(
            f"{href} has pixels of {a:g} x {-e:g}; expected squares. Warp it with `gdalwarp -tr {a:g} {a:g}`."
        )
    return Grid(epsg, (a, 0.0, left, 0.0, e, top), *shape)


def _grid(dataset: DatasetReader, href: str) -> Grid:
    epsg = dataset.crs.to_epsg() if dataset.crs else None
    if epsg is None:
        raise SourceUnavailableError(_placeless(href, f"{str(dataset.crs)[:60]!r}" if dataset.crs else "nothing"))
    return checked_grid(href, epsg, dataset.transform[:6], dataset.shape)


def _placeless(href: str, stated: str) -> str:
    return (
        f"{href} states {stated} where a coordinate system with an EPSG code was expected, so its pixels have no place "
        "on the ground. Assign one, for example with `gdal_edit.py -a_srs EPSG:32631`."
    )


def _retry(action: Callable[[], Any], href: str) -> Any:
    """Run an action; over a network again after a pause and past GDAL's cache, as long as the failure may pass."""
    import rasterio
    from rasterio.errors import RasterioError

    around_cache = {"CPL_VSIL_CURL_NON_CACHED": _path(href)}
    options = around_cache if href in _FAILED else {}
    for delay in (*(RETRY_DELAYS_S if is_remote(href) else ()), None):
        try:
            with rasterio.Env(**options):
                return action()
        except RasterioError as error:
            if delay is None or any(f"response code: {code}" in str(error) for code in PERMANENT):
                _FAILED.add(href)
                raise SourceUnavailableError(_failure(href, str(error))) from None
        time.sleep(delay)
        options = around_cache
    raise AssertionError("the last round returns or raises")


def _failure(href: str, message: str) -> str:
    """What went wrong, in words; GDAL's own only where they betray nothing."""
    clean = without_secrets(href)
    said = message.replace(_path(href), clean).replace(href, clean)
    detail = "" if not said or has_secret(said) else f" (GDAL: {said.rstrip('.')})"
    if is_remote(href):
        return (
            f"{clean} cannot be read{detail}. Expected a raster at that address: check it and your access to it, "
            "then run the same command again; what is done is kept."
        )
    there = "cannot be read as a raster" if Path(_path(href)).exists() else "does not exist"
    return f"{clean} {there}{detail}. Expected the file that its item names; restore it, then run the same command again."
