"""Large images cut into squares side by side: pixels are copied, never resampled; what is left at the border is left out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalogs.records import Grid, Location, Window
from curate.pixel_size import UTM

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Ground:
    """Where an image lies, so that whole metres bound its tiles: what a location can say."""

    epsg: int
    """UTM zone."""
    left: int
    """Of the image's outer edge, metres."""
    top: int
    """See `left`."""
    gsd: float
    """Side of a pixel, metres."""


def tile_windows(height: int, width: int, side_px: int) -> list[Window]:
    """Squares of one side that lie side by side in an image, by row and column; none where it is smaller.

    Examples:
        >>> tile_windows(4, 5, 2)
        [(0, 0, 2, 2), (2, 0, 2, 2), (0, 2, 2, 2), (2, 2, 2, 2)]
    """
    rows, columns = range(0, height - side_px + 1, side_px), range(0, width - side_px + 1, side_px)
    return [(column, row, side_px, side_px) for row in rows for column in columns]


def cut_window(pixels: NDArray[Any], window: Window) -> NDArray[Any]:
    """Pixels of a window, (bands, height, width)."""
    column, row, width, height = window
    return pixels[:, row : row + height, column : column + width]


def tile_name(name: str, window: Window) -> str:
    """What a tile is called: its image, its first row and its first column: `paris_96_192`."""
    column, row, _, _ = window
    return f"{name}_{row}_{column}"


def ground_of(grid: Grid, side_px: int) -> Ground | None:
    """Where an image lies, if tiles of it are squares of whole metres in a UTM zone, north up; none otherwise.

    Args:
        grid: As its file has it.
        side_px: Of the tiles.
    """
    a, b, left, d, e, top = grid.transform
    if grid.epsg is None or grid.epsg not in UTM or b or d or a <= 0 or a != -e:
        return None
    if any(abs(value - round(value)) > 1e-6 for value in (left, top, a * side_px)):
        return None
    return Ground(grid.epsg, round(left), round(top), a)


def common_ground(grounds: Collection[Ground | None]) -> tuple[bool, str | None]:
    """Whether all images lie on ground that their tiles can tell, with one pixel size; else all are images without.

    Returns:
        That, and a remark where some say where they lie, and it is left out.
    """
    known = [ground for ground in grounds if ground is not None]
    sizes = {ground.gsd for ground in known}
    if len(known) == len(grounds) and len(sizes) == 1:
        return True, None
    if not known:
        return False, None
    why = f"pixels are of {len(sizes)} sizes" if len(known) == len(grounds) else f"{len(known):,} of {len(grounds):,} do"
    return False, f"The ground is left out: all images should lie on whole metres of UTM in one pixel size, and {why}."


def tile_location(id_: str, split: str, window: Window, ground: Ground | None, *, gsd: float) -> Location:
    """The square of a tile.

    Args:
        id_: Its id.
        split: Its split.
        window: Its pixels in the image.
        ground: Where the image lies; none where nobody knows.
        gsd: Side of a pixel where nobody knows, metres.
    """
    column, row, side_px, _ = window
    if ground is None:
        side = round(side_px * gsd)
        return Location(id_, None, (0, 0, side, side), split)
    left, top = round(ground.left + column * ground.gsd), round(ground.top - row * ground.gsd)
    side = round(side_px * ground.gsd)
    return Location(id_, ground.epsg, (left, top - side, left + side, top), split, off_lattice=True)
