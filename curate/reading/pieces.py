"""What a sweep has to do: windows on their way, the files that they need, and pieces of these that are fetched at once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from catalogs.foreign import SourceBand
from catalogs.records import Grid, Window
from catalogs.secrets import without_secrets
from curate.reading.blocks import Part, join_blocks
from curate.reading.tiff_layout import FileHeader

if TYPE_CHECKING:
    from numpy.typing import NDArray

GDAL_BYTES = 4 << 20
"""What a file that GDAL reads is counted as holding, while it does."""
BlockName = tuple[int, int]
"""(band from 1, number in that band) of a block; the band is 0 where the bands lie together."""


@dataclass(frozen=True, slots=True)
class WindowRead:
    """A wish for pixels."""

    band: SourceBand
    """Which file and band."""
    window: Window
    """(column, row, width, height), inside the raster."""
    grid: Grid | None = None
    """The raster's own, by which the window was chosen; none where whatever the file has now will do."""


@dataclass(slots=True, eq=False)
class OpenRead:
    """A window on its way."""

    key: Hashable
    """Its name for who asked."""
    read: WindowRead
    """What was asked."""
    missing: int = 0
    """Blocks that are still to come."""
    pixels: NDArray[Any] | None = None
    """(height, width), from its first block on."""
    is_over: bool = False
    """Given, failed or dropped."""


@dataclass(slots=True, eq=False)
class OpenFile:
    """A file, in one version, and who needs what of it."""

    href: str
    """Its address, with its signature."""
    header: FileHeader
    """Of this version."""
    reads: list[OpenRead]
    """All windows that it serves."""
    is_second: bool = False
    """Whether a version before it turned out to be replaced."""
    is_void: bool = False
    """Whether this version turned out to be replaced: what still comes of it is thrown away."""
    users: dict[BlockName, list[OpenRead]] = field(default_factory=dict)
    """The windows that touch a block."""

    @classmethod
    def of(cls, href: str, header: FileHeader, reads: list[OpenRead], *, is_second: bool = False) -> OpenFile:
        """The file and what its windows touch; tells each window how many blocks are missing."""
        file = cls(href, header, reads, is_second)
        packing = header.packing
        for read in reads:
            index = read.read.band.index
            band = 0 if packing is not None and not packing.are_apart else index
            numbers = header.cuts[index - 1].touched(read.read.window)
            read.missing = len(numbers)
            for number in numbers:
                file.users.setdefault((band, number), []).append(read)
        return file

    @property
    def name(self) -> str:
        """Its address without secrets."""
        return without_secrets(self.href)

    def place(self, block: BlockName) -> tuple[int, int]:
        """(offset, size) of a block in the file."""
        packing = self.header.packing
        assert packing is not None, "GDAL knows where its blocks are"
        position = max(block[0] - 1, 0) * self.header.cuts[0].count + block[1]
        return int(packing.offsets[position]), int(packing.sizes[position])

    def has(self, offset: int, size: int) -> bool:
        """Whether the file has these bytes, as far as is known, and there are any."""
        return size > 0 and (self.header.size is None or offset + size <= self.header.size)

    def part(self, block: BlockName, read: OpenRead) -> Part:
        """What a block and a window share."""
        return self.header.cuts[read.read.band.index - 1].part(block[1], read.read.window)

    def order_of(self, block: BlockName) -> tuple[float, float]:
        """Southing and easting of a block's upper left corner, in the grid's units: where it comes in a sweep."""
        row, column = self.header.cuts[max(block[0] - 1, 0)].corner(block[1])
        gsd, _, left, _, _, top = self.header.grid.transform
        return row * gsd - top, left + column * gsd


@dataclass(slots=True, eq=False)
class Piece:
    """Blocks of a file that are fetched at once."""

    file: OpenFile
    """Which."""
    blocks: Sequence[BlockName]
    """All that are needed of the piece."""
    start: int = 0
    """First byte in the file."""
    end: int = 0
    """Byte after the last; the same as the first where nothing is to be fetched."""
    tries: int = 1
    """Which try this is."""

    @property
    def cost(self) -> int:
        """Bytes that it holds until its pixels are where they belong."""
        return self.end - self.start if self.file.header.packing is not None else GDAL_BYTES

    def reads(self) -> Iterable[OpenRead]:
        """The windows that touch it, some of them several times."""
        return (read for block in self.blocks for read in self.file.users[block])


def scene_of(href: str) -> str:
    """The folder of a file: those of a scene share it."""
    return without_secrets(href).rpartition("/")[0]


def cut_pieces(file: OpenFile) -> list[Piece]:
    """The needed blocks of a file, those that lie close to each other in one piece.

    Blocks that were never written, or that lie beyond the file's end, are pieces by themselves; a file that GDAL reads is one.
    """
    if file.header.packing is None:
        return [Piece(file, sorted(file.users, key=lambda block: (block[1], block[0])))]
    places = [(*file.place(block), block) for block in file.users]
    pieces = [Piece(file, [block], offset, offset + size) for offset, size, block in places if not file.has(offset, size)]
    for group in join_blocks(place for place in places if file.has(*place[:2])):
        blocks = [block for _, _, block in group]
        pieces.append(Piece(file, blocks, group[0][0], group[-1][0] + group[-1][1]))
    return pieces


def in_sweep_order(files: Sequence[OpenFile]) -> list[Piece]:
    """The pieces of all files, scene by scene and in each from north to south.

    All bands are swept together, so that the windows of a place are complete one soon after the other, and those that are
    begun and not complete stay few.
    """
    scenes: dict[str, int] = {}
    ordered = []
    for order, file in enumerate(files):
        scene = scenes.setdefault(scene_of(file.href), len(scenes))
        for piece in cut_pieces(file):
            place = min(file.order_of(block) for block in piece.blocks)
            ordered.append(((scene, *place, order, piece.start), piece))
    return [piece for _, piece in sorted(ordered, key=lambda entry: entry[0])]
