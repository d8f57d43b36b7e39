"""Blocks of the files that only GDAL can read (JPEG 2000, LZW, JPEG, LERC ...): each needed one is read once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from catalogs.foreign import SourceBand
from curate.errors import SourceUnavailableError
from curate.reading.blocks import Cut
from curate.reading.tiff_layout import FileHeader
from curate.sources.rasters import FileRaster, open_raster

if TYPE_CHECKING:
    from numpy.typing import NDArray


def gdal_header(href: str) -> FileHeader:
    """What GDAL tells of a file.

    Raises:
        SourceUnavailableError: It cannot be opened, has no EPSG code, is rotated or has oblong pixels.
    """
    with open_raster(SourceBand(href)) as raster:
        dataset = raster.dataset
        cuts = tuple(Cut(dataset.height, dataset.width, *shape) for shape in dataset.block_shapes)
        return FileHeader(raster.grid, tuple(dataset.dtypes), tuple(dataset.nodatavals), cuts, packing=None)


def read_blocks(
    href: str, header: FileHeader, blocks: Iterable[tuple[int, int]], *, is_over: Callable[[], bool]
) -> Iterator[tuple[tuple[int, int], NDArray[Any] | SourceUnavailableError]]:
    """Blocks of a file, each with its pixels, edge blocks cut off where the raster ends, or why it cannot be read.

    Args:
        href: Of the file.
        header: As `gdal_header` told it.
        blocks: (index of a band, from 1; number of a block).
        is_over: Asked before each block, and while its host has no connection to spare, whether to stop.

    Raises:
        SourceUnavailableError: The file cannot be opened, or its grid is another by now.
        StoppedError: It is to stop, and was waiting.
    """
    with ExitStack() as stack:
        rasters: dict[int, FileRaster] = {}
        for index, number in blocks:
            if is_over():
                return
            if index not in rasters:
                rasters[index] = stack.enter_context(open_raster(SourceBand(href, index), is_over))
            yield (index, number), _read(rasters[index], header.cuts[index - 1].extent(number))


def _read(raster: FileRaster, window: tuple[int, int, int, int]) -> NDArray[Any] | SourceUnavailableError:
    try:
        return raster.read(window)
    except SourceUnavailableError as error:
        return error
