"""A network of our own: ranges of local files, counted, with faults where a test puts them; and rasters of any layout."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from rasterio import Affine

from catalogs.foreign import SourceBand
from curate.errors import SourceUnavailableError
from curate.reading.counts import Counts
from curate.reading.reader import WindowRead
from curate.reading.transport import Fetched

ROOT = "https://store.test/"
"""Addresses of the files of a folder; what is behind it is their path."""


class DiskTransport:
    """What a reader needs of a transport, over the files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts = Counts()
        self.ranges: list[tuple[str, int, int]] = []
        """(name, start, end) of every request."""
        self.at_once = self.most_at_once = 0
        self.etags: dict[str, str] = {}
        self.is_stopped = False
        self.latency_s = 0.0
        self.fault: Callable[[str, int, int, bytes], bytes] | None = None
        """Given name, start, end and content, gives another content or raises."""
        self._lock = threading.Lock()

    def fetch(self, href: str, start: int, end: int) -> Fetched:
        name = href.removeprefix(ROOT).partition("?")[0]
        with self._lock:
            self.ranges.append((name, start, end))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            path = self.folder / name.removeprefix(f"{self.folder}/")
            if not path.exists():
                raise SourceUnavailableError(f"{name} is not there (404)")
            content = path.read_bytes()
            part = content[start:end]
            if self.fault:
                part = self.fault(name, start, end, part)
            return Fetched(part, self.etags.get(name, "one"), len(content))
        finally:
            with self._lock:
                self.at_once -= 1

    @property
    def bytes(self) -> int:
        return sum(min(end, (self.folder / name).stat().st_size) - start for name, start, end in self.ranges)


def write_raster(path: Path, *, data_type: str = "uint16", size=(300, 340), count: int = 1, seed: int = 0, **options):
    """A raster of noise (smooth enough to be compressed), written by GDAL; its pixels."""
    rng = np.random.default_rng(seed)
    base = np.add.outer(np.arange(size[0]), np.arange(size[1])) * 3
    pixels = (base + rng.integers(0, 40, (count, *size))).astype(data_type)
    settings = {
        "driver": "GTiff", "crs": "EPSG:32631", "transform": Affine(10, 0, 499980, 0, -10, 5700000), "dtype": data_type,
        "count": count, "height": size[0], "width": size[1], **options,
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", **settings) as raster:
        raster.write(pixels)
    return pixels


def windows_of(size=(300, 340), count: int = 10, seed: int = 0) -> list[tuple[int, int, int, int]]:
    """The whole raster, its corners, single pixels, and any others."""
    rng = np.random.default_rng(seed)
    height, width = size
    found = [(0, 0, width, height), (0, 0, 1, 1), (width - 1, height - 1, 1, 1), (width - 50, height - 40, 50, 40)]
    while len(found) < count:
        column, row = int(rng.integers(0, width)), int(rng.integers(0, height))
        found.append((column, row, int(rng.integers(1, width - column + 1)), int(rng.integers(1, height - row + 1))))
    return found


def wishes(href: str, windows, bands=(1,)) -> list[tuple[tuple, WindowRead]]:
    """A wish for each window of each band, named (href, band, window)."""
    return [((href, band, window), WindowRead(SourceBand(href, band), window)) for band in bands for window in windows]


def by_rasterio(path: Path) -> np.ndarray:
    """The oracle: all bands, (bands, height, width)."""
    with rasterio.open(path) as raster:
        return raster.read()


def cut_out(pixels: np.ndarray, window) -> np.ndarray:
    """A window of a band."""
    column, row, width, height = window
    return pixels[row : row + height, column : column + width]


def read_all(reader, reads) -> dict:
    """Everything that a reader gives, by name; each name once."""
    found = list(reader.read(reads))
    assert len(found) == len(reads)
    assert {key for key, _ in found} == {key for key, _ in reads}
    return dict(found)
