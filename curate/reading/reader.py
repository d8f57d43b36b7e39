"""Windows of many rasters at once: each header and each block is fetched once and decoded once, whoever needs it.

Many small windows of large files cost what their blocks cost, so the plan is made by file and block: a patch of 264 px is
0.14 MB of a band, the blocks that it touches are 2 to 8 MB. `tests/benchmarks/curation` measures this against rasterio,
odc-stac and stackstac.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Semaphore
from typing import TYPE_CHECKING, Any, TypeVar, cast

from catalogs.files import is_remote
from catalogs.foreign import SourceBand
from catalogs.records import Grid
from catalogs.secrets import without_secrets
from curate.errors import SourceUnavailableError
from curate.reading.headers import Headers
from curate.reading.pieces import OpenFile, OpenRead, WindowRead, scene_of
from curate.reading.sweep import Portion, Sweep
from curate.reading.tiff_layout import FileHeader
from curate.sources.rasters import lacking_band

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.reading.transport import Transport

__all__ = ["BlockReader", "SourceRasterInfo", "WindowRead"]

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class SourceRasterInfo:
    """What a file's header says of one of its bands."""

    grid: Grid
    """The file's own grid."""
    nodata: float | None
    """As the file states it."""
    data_type: str
    """numpy's name of its type."""
    checksum: str | None
    """As the source's item states it."""


class BlockReader:
    """Reads windows of rasters; one per process, for any number of threads."""

    def __init__(
        self,
        transport: Transport,
        *,
        fetchers: int = 64,
        decoders: int | None = None,
        undecoded_bytes: int = 64 << 20,
        is_placed: bool = True,
    ) -> None:
        """Open nothing yet.

        Args:
            transport: Fetches ranges of files.
            fetchers: Requests at the same time, of one reading.
            decoders: Threads that decode at the same time, of all readings; absent, as many as there are cores.
            undecoded_bytes: What one reading may have fetched and not decoded, and what it may have ready and not given; half
                as much again is no faster on two cores, at no latency up to 80 ms.
            is_placed: Whether the files' grids are of the ground; see `curate.sources.rasters.pixel_frame`.
        """
        self._transport = transport
        self._fetchers = fetchers
        self._cores = decoders or os.cpu_count() or 1
        self._decoders = Semaphore(self._cores)
        self._undecoded_bytes = undecoded_bytes
        self._headers = Headers(transport, fetchers=fetchers, is_placed=is_placed)

    def rasters(self, bands: Sequence[SourceBand]) -> list[SourceRasterInfo | SourceUnavailableError]:
        """What the headers say, in the order of the bands; each file's is fetched once and kept.

        An error stands where a file cannot be read, has no EPSG code, is rotated, has oblong pixels or lacks the band.
        """
        headers = self._headers.read_all(band.href for band in bands)
        return [_info(headers[band.href], band) for band in bands]

    def read(self, reads: Iterable[tuple[Key, WindowRead]]) -> Iterator[tuple[Key, NDArray[Any] | SourceUnavailableError]]:
        """Pixels of windows, each as soon as its last block has come, or why it cannot be had.

        Scenes come in the order in which they are first named, the places of a scene from north to south. A block that cannot
        be read spoils the windows that touch it and no others. Close the iterator to drop what is left; its threads end too.

        Args:
            reads: (name, wish); the names are given back.

        Yields:
            (name, pixels (height, width) of the file's type, or an error).

        Raises:
            ValueError: A window does not lie inside its raster.
            Exception: What the transport raises when it is stopped.
        """
        by_file: dict[str, list[OpenRead]] = {}
        for key, wish in reads:
            by_file.setdefault(wish.band.href, []).append(OpenRead(key, wish))
        threads = self._fetchers if any(map(is_remote, by_file)) else self._cores
        sweep = Sweep(
            self._transport,
            self._headers,
            decoders=self._decoders,
            cores=self._cores,
            undecoded_bytes=self._undecoded_bytes,
            windows=sum(map(len, by_file.values())),
        )
        given = sweep.run(self._scenes(by_file), threads)
        yield from cast("Iterator[tuple[Key, NDArray[Any] | SourceUnavailableError]]", given)

    def _scenes(self, by_file: Mapping[str, list[OpenRead]]) -> Iterator[Portion]:
        """The files of one scene after the other, each scene as soon as its headers are there."""
        by_scene: dict[str, list[str]] = {}
        for href in by_file:
            by_scene.setdefault(scene_of(href), []).append(href)
        headers = self._headers.read_each(href for hrefs in by_scene.values() for href in hrefs)
        for hrefs in by_scene.values():
            yield _portion((by_file[href], header) for href, (_, header) in zip(hrefs, headers, strict=False))


def _portion(files: Iterable[tuple[list[OpenRead], FileHeader | SourceUnavailableError]]) -> Portion:
    """Files with what is read of them, and windows that cannot be read, with the reason.

    Raises:
        ValueError: A window does not lie inside its raster.
    """
    readable, failed = [], []
    for reads, header in files:
        errors = [(read, _why_not(header, read.read)) for read in reads]
        failed += [(read, error) for read, error in errors if error is not None]
        good = [read for read, error in errors if error is None]
        if good and isinstance(header, FileHeader):
            readable.append(OpenFile.of(good[0].read.band.href, header, good))
    return readable, failed


def _info(header: FileHeader | SourceUnavailableError, band: SourceBand) -> SourceRasterInfo | SourceUnavailableError:
    if isinstance(header, SourceUnavailableError):
        return header
    if not 1 <= band.index <= header.count:
        return lacking_band(without_secrets(band.href), header.count, band.index)
    position = band.index - 1
    return SourceRasterInfo(header.grid, header.nodata[position], header.data_types[position], band.checksum)


def _why_not(header: FileHeader | SourceUnavailableError, read: WindowRead) -> SourceUnavailableError | None:
    """Why a window cannot be read, as far as the header tells."""
    info = _info(header, read.band)
    if isinstance(info, SourceUnavailableError):
        return info
    assert isinstance(header, FileHeader), "it has told of its band"
    if read.grid is not None and read.grid != header.grid:
        return SourceUnavailableError(
            f"{without_secrets(read.band.href)} was replaced by one of another grid since its header was read first. "
            "Run the same command again when its provider is done."
        )
    if not header.is_inside(read.window):
        raise ValueError(
            f"Window {read.window} (column, row, width, height) is not inside {without_secrets(read.band.href)}, "
            f"which is {header.grid.width} x {header.grid.height} pixels. Read what both share."
        )
    return None
