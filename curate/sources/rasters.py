"""Windows of a provider's rasters, read with GDAL from a folder, a web server or a bucket; see `curate.sources.gdal_files`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any

from catalogs.console import counted
from catalogs.foreign import SourceBand
from catalogs.records import Grid, Transform, Window
from catalogs.secrets import without_secrets
from curate.errors import SourceUnavailableError
from curate.pixel_size import UTM, is_in_degrees
from curate.sources.gdal_files import GdalFile

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rasterio.io import DatasetReader

SQUARE_TOLERANCE = 1e-6


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
    file: GdalFile
    """It is in."""

    @property
    def dataset(self) -> DatasetReader:
        """The handle of rasterio."""
        return self.file.dataset

    def read(self, window: Window) -> NDArray[Any]:
        """Pixels of a window that lies inside the raster, (height, width), native type.

        Raises:
            ValueError: The window does not lie inside.
            SourceUnavailableError: The file cannot be read, or was replaced by another.
            CurateError: Credentials for it are missing.
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
        pixels: NDArray[Any] = self.file.ask(lambda dataset: dataset.read(self.band.index, window=part))
        return pixels


@contextmanager
def open_raster(
    band: SourceBand, is_over: Callable[[], bool] = lambda: False, *, is_placed: bool = True
) -> Iterator[FileRaster]:
    """Open one band of a source scene for reading; safe to call from several threads.

    Args:
        band: Which.
        is_over: As of `GdalFile`.
        is_placed: Whether its grid is of the ground; see `pixel_frame`.

    Raises:
        SourceUnavailableError: The file cannot be opened, has no EPSG code, is rotated, has oblong pixels or lacks the
            band; each spoils a scene, not a build.
        StoppedError: Nobody waits for it any more.
        CurateError: Credentials for it are missing.
    """
    href = without_secrets(band.href)
    with closing(_open(band.href, is_over)) as file:
        dataset = file.dataset
        if not 1 <= band.index <= dataset.count:
            raise lacking_band(href, dataset.count, band.index)
        yield FileRaster(
            grid=_grid(dataset, href) if is_placed else pixel_frame(*dataset.shape),
            nodata=dataset.nodatavals[band.index - 1],
            data_type=dataset.dtypes[band.index - 1],
            checksum=band.checksum,
            band=band,
            file=file,
        )


def _open(href: str, is_over: Callable[[], bool]) -> GdalFile:
    from rasterio.errors import NotGeoreferencedWarning

    try:
        return GdalFile(href, is_over=is_over)
    except NotGeoreferencedWarning:
        raise SourceUnavailableError(_placeless(without_secrets(href), "nothing")) from None


def lacking_band(href: str, count: int, index: int) -> SourceUnavailableError:
    """The words for a file of so many bands that lacks one."""
    return SourceUnavailableError(
        f"{href} has {counted(count, 'band')}, its item names band {index}. Repair the source's item."
    )


def checked_grid(href: str, epsg: int, transform: Transform, shape: tuple[int, int]) -> Grid:
    """The grid of a raster of (height, width) pixels.

    Raises:
        SourceUnavailableError: It is rotated, upside down or has oblong pixels, other than in degrees; or nobody can tell where
            it lies.
    """
    a, b, left, d, e, top = transform
    if epsg not in UTM and not _is_known(epsg):  # to ask PROJ for the first time holds all threads for 13 ms
        raise SourceUnavailableError(_placeless(href, f"EPSG:{epsg}, which PROJ does not know,"))
    if not all(map(isfinite, transform)):
        raise SourceUnavailableError(_placeless(href, f"a corner at {left:g}, {top:g} and pixels of {a:g}"))
    if b or d or a <= 0 or e >= 0:
        raise SourceUnavailableError(
            f"{href} is rotated or upside down (transform {a}, {b}, {d}, {e}); expected north up. Use gdalwarp."
        )
    if abs(a + e) > SQUARE_TOLERANCE * a and not is_in_degrees(epsg):
        raise SourceUnavailableError(
            f"{href} has pixels of {a:g} x {-e:g}; expected squares. Warp it with `gdalwarp -tr {a:g} {a:g}`."
        )
    return Grid(epsg, (a, 0.0, left, 0.0, e, top), *shape)


def pixel_frame(height: int, width: int) -> Grid:
    """The grid of a raster whose pixels lie on no grid of the ground, as of radar images: pixels are counted from 0.

    Examples:
        >>> pixel_frame(100, 200)
        Grid(epsg=None, transform=(1.0, 0.0, 0.0, 0.0, -1.0, 0.0), height=100, width=200)
    """
    return Grid(None, (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), height, width)


def _grid(dataset: DatasetReader, href: str) -> Grid:
    epsg = dataset.crs.to_epsg() if dataset.crs else None
    if epsg is None:
        raise SourceUnavailableError(_placeless(href, f"{str(dataset.crs)[:60]!r}" if dataset.crs else "nothing"))
    return checked_grid(href, epsg, dataset.transform[:6], dataset.shape)


@lru_cache(maxsize=256)
def _is_known(epsg: int) -> bool:
    """Whether pixels can be brought from a coordinate system to another."""
    import rasterio
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    try:
        with rasterio.Env():  # or PROJ says so on stderr
            return bool(CRS.from_epsg(epsg))
    except CRSError:
        return False


def _placeless(href: str, stated: str) -> str:
    return (
        f"{href} states {stated} where a coordinate system with an EPSG code was expected, so its pixels have no place "
        "on the ground. Assign one, for example with `gdal_edit.py -a_srs EPSG:32631`."
    )
