"""What every contender is asked, the same patches of the same scenes, and what is true of them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from tests.benchmarks.curation.scenes import BANDS, BLOCK, FULL, ORIGIN, QUICK, Layout, SceneBand, scene_folder

SEED = 11
"""Of the places: one that needs about as many blocks as the mean of many seeds, 199 sparse and 627 dense."""
SIZE_M = 2640
"""Side of a patch: 264 px of 10 m, 132 of 20 m."""


class Density(NamedTuple):
    """How many patches of how many scenes."""

    scenes: int
    """Under names of their own; some are the same files."""
    patches: int
    """In each."""


DENSITIES = {
    FULL: {"sparse": Density(10, 2), "dense": Density(2, 50), "crowded": Density(2, 400)},
    QUICK: {"sparse": Density(10, 2), "dense": Density(6, 5), "crowded": Density(2, 36)},
}
"""By their names; per area the same in small scenes as in full ones, sparse apart."""


@dataclass(frozen=True)
class Patch:
    """One place in one scene."""

    scene: str
    """Folder of its files below the server's address."""
    column: int
    """Of its upper left corner, 10 m pixels, even."""
    row: int
    """See `column`."""

    def window(self, band: SceneBand) -> tuple[int, int, int, int]:
        """(column, row, width, height), pixels of the band."""
        return (self.column * 10 // band.gsd, self.row * 10 // band.gsd, SIZE_M // band.gsd, SIZE_M // band.gsd)

    def corner(self) -> tuple[float, float]:
        """Easting and northing of its upper left corner, m."""
        return ORIGIN[0] + 10 * self.column, ORIGIN[1] - 10 * self.row


@dataclass(frozen=True)
class Task:
    """What a contender gets. It gives an array per patch and band, in the order of `reads`."""

    url: str
    """Of the server."""
    patches: tuple[Patch, ...]
    """Scene by scene."""
    sides: dict[int, int]
    """Height and width of a band, px, by its gsd."""

    def reads(self) -> Iterator[tuple[Patch, SceneBand]]:
        """All of them."""
        return ((patch, band) for patch in self.patches for band in BANDS)

    def href(self, patch: Patch, band: SceneBand) -> str:
        """Address of a file."""
        return f"{self.url}/{patch.scene}/{band.key}.tif"

    def to_json(self) -> dict[str, Any]:
        """For another process."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Task:
        """From another process."""
        sides = {int(gsd): side for gsd, side in record["sides"].items()}
        return cls(record["url"], tuple(Patch(**patch) for patch in record["patches"]), sides)


@dataclass(frozen=True)
class Needed:
    """The least that a task can be done with."""

    files: int
    """Distinct addresses."""
    blocks: int
    """Distinct ones of all files."""
    bytes: int
    """Of these blocks, compressed."""


def draw_task(url: str, layout: Layout, density: Density) -> Task:
    """Places at random, always the same for a layout and density; they may overlap."""
    rng = np.random.default_rng([SEED, layout.width, *density])
    patches = []
    for number in range(density.scenes):
        scene = f"@{number}/scene-{number % layout.scenes}"
        corners = rng.integers(0, (layout.width - SIZE_M // 10) // 2, (density.patches, 2)) * 2
        patches += [Patch(scene, int(column), int(row)) for column, row in corners]
    return Task(url, tuple(patches), {gsd: layout.side(gsd) for gsd in (10, 20)})


def true_pixels(folder: Path, task: Task) -> list[int]:
    """Checksum of each read of a task, as GDAL reads it from the file itself."""
    checksums: dict[tuple[Patch, SceneBand], int] = {}
    for path, reads in _by_file(task, lambda patch, band: str(_local(folder, patch, band))).items():
        with rasterio.open(path) as file:
            checksums |= {(patch, band): checksum(file.read(1, window=Window(*patch.window(band)))) for patch, band in reads}
    return [checksums[read] for read in task.reads()]


def checksum(pixels: NDArray[Any]) -> int:
    """Of the numbers, whatever their type."""
    return zlib.crc32(np.ascontiguousarray(pixels, dtype="<u2").tobytes() + str(pixels.shape).encode())


def needed_ranges(folder: Path, task: Task) -> dict[str, list[tuple[int, int]]]:
    """Start and end of each block that a task touches, by the path of its file; GDAL tells them."""
    ranges = {}
    for path, reads in _by_file(task, lambda patch, band: f"{patch.scene}/{band.key}.tif").items():
        blocks = {block for patch, band in reads for block in _blocks(patch.window(band))}
        with rasterio.open(_local(folder, *reads[0])) as file:
            ranges[path] = sorted(block_range(file, *block) for block in blocks)
    return ranges


def block_range(file: DatasetReader, x: int, y: int) -> tuple[int, int]:
    """Where a block begins and ends in its file."""
    offset, size = (int(file.get_tag_item(f"BLOCK_{what}_{x}_{y}", "TIFF", bidx=1)) for what in ("OFFSET", "SIZE"))
    return offset, offset + size


def needed(folder: Path, task: Task) -> Needed:
    """The least that a task can be done with."""
    ranges = needed_ranges(folder, task)
    distinct = [pair for pairs in ranges.values() for pair in pairs]
    return Needed(len(ranges), len(distinct), sum(end - start for start, end in distinct))


def _blocks(window: tuple[int, int, int, int]) -> Iterator[tuple[int, int]]:
    column, row, width, height = window
    columns = range(column // BLOCK, (column + width - 1) // BLOCK + 1)
    return ((x, y) for y in range(row // BLOCK, (row + height - 1) // BLOCK + 1) for x in columns)


def _by_file(task: Task, name: Callable[[Patch, SceneBand], str]) -> dict[str, list[tuple[Patch, SceneBand]]]:
    files: dict[str, list[tuple[Patch, SceneBand]]] = {}
    for patch, band in task.reads():
        files.setdefault(name(patch, band), []).append((patch, band))
    return files


def _local(folder: Path, patch: Patch, band: SceneBand) -> Path:
    return scene_folder(folder, int(patch.scene.rpartition("-")[2])) / f"{band.key}.tif"
