"""Blocks of the files that only GDAL can read (JPEG 2000, LZW, JPEG, LERC ...): each needed one is read once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.foreign import SourceBand
from curate.errors import SourceUnavailableError
from curate.reading.blocks import Cut
from curate.reading.gdal_counts import begin_counting
from curate.reading.tiff_layout import FileHeader
from curate.sources.rasters import FileRaster, open_raster

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rasterio.io import DatasetReader

ASKED_BLOCKS = 64
"""Of a TIFF whose sizes stand for all of them, spread over the file."""


def gdal_header(href: str, is_over: Callable[[], bool] = lambda: False, *, is_placed: bool = True) -> FileHeader:
    """What GDAL tells of a file.

    Args:
        href: Of the file.
        is_over: As of `curate.sources.gdal_files.GdalFile`.
        is_placed: Whether its grid is of the ground; see `curate.sources.rasters.pixel_frame`.

    Raises:
        SourceUnavailableError: It cannot be opened, has no EPSG code, is rotated or has oblong pixels.
        StoppedError: It is to stop, and was waiting.
    """
    begin_counting()
    with open_raster(SourceBand(href), is_over, is_placed=is_placed) as raster:
        dataset = raster.dataset
        cuts = tuple(Cut(dataset.height, dataset.width, *shape) for shape in dataset.block_shapes)
        told = tuple(dataset.dtypes), tuple(dataset.nodatavals), cuts
        return FileHeader(raster.grid, *told, packing=None, stated_block_bytes=_stated_block_bytes(dataset, cuts[0]))


def _stated_block_bytes(dataset: DatasetReader, cut: Cut) -> int | None:
    """What a block of a band takes in the mean, as a TIFF tells, those that were never written left out.

    Args:
        dataset: Open.
        cut: Of its first band, which stands for the others.
    """
    if dataset.driver != "GTiff":
        return None
    numbers = np.linspace(0, cut.count - 1, min(cut.count, ASKED_BLOCKS), dtype=int).tolist()
    places = [(number % cut.across, number // cut.across) for number in numbers]
    told = [dataset.get_tag_item(f"BLOCK_SIZE_{x}_{y}", "TIFF", bidx=1) for x, y in places]
    sizes = [int(size) for size in told if size]
    lie_together = dataset.count > 1 and dataset.interleaving is not None and dataset.interleaving.name == "pixel"
    return int(np.mean(sizes)) // (dataset.count if lie_together else 1) if sizes else None


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
    begin_counting()
    with ExitStack() as stack:
        rasters: dict[int, FileRaster] = {}
        for index, number in blocks:
            if is_over():
                return
            if index not in rasters:
                opened = open_raster(SourceBand(href, index), is_over, is_placed=header.grid.epsg is not None)
                rasters[index] = stack.enter_context(opened)
            yield (index, number), _read(rasters[index], header.cuts[index - 1].extent(number))


def _read(raster: FileRaster, window: tuple[int, int, int, int]) -> NDArray[Any] | SourceUnavailableError:
    try:
        return raster.read(window)
    except SourceUnavailableError as error:
        return error
