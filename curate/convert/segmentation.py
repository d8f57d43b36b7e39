"""Images with masks: pictures in red, green and blue, and for each a raster of class numbers of the same size.

Images are JPEG, PNG or TIFF of three bands of eight bits, or four, of which the last is transparency and left out. Masks are
PNG or TIFF of one band of eight bits; JPEG changes values, and is refused. Nothing is resampled: images that are no squares of
one size are cut into tiles (`curate.convert.tiles`), all of them in one split. The id of a tile's location has the name of its
image, which is what intervals have to be drawn over: `segmentation-<image>-<number>`. Its source id is that name with the first
row and column of the tile.

All headers and masks are read before anything is written, so that a value that means nothing is told at once. Where every
image is a GeoTIFF on whole metres of UTM, in one pixel size, its tiles lie where it says; else nobody knows the ground, and a
pixel is one metre of a frame of its own. Dates are not known, and the interval is all that there could be.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.bands import SENSORS, raster_key
from catalogs.records import SourceWindow
from catalogs.writer import Patch, label_patch
from curate.convert.class_folders import EARLIEST, FORMATS, LATEST
from curate.convert.class_images import SPLITS, Draw
from curate.convert.data_files import DataFiles, digest_of
from curate.convert.dataset import Dataset, Image, ReleasedFile
from curate.convert.decoding import SIGNATURES, Form, read_form, read_grid, read_pixels
from curate.convert.image_pairs import EXPECTED, Pair, find_pairs
from curate.convert.label_values import LabelValues, choose_values, count_values, read_names
from curate.convert.tiles import Ground, common_ground, cut_window, ground_of, tile_location, tile_name, tile_windows
from curate.errors import CurateError

if TYPE_CHECKING:
    from numpy.typing import NDArray

KIND = "segmentation"
SENSOR = SENSORS["rgb-image"]
KEY = "labels"
MASK_FORMATS = ("PNG", "TIFF")
SHOWN = 4
"""Sizes that a message names."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a pair before its pixels are copied."""

    pair: Pair
    height: int
    width: int
    ground: Ground | None
    """Where tiles of it lie, if a location can say so."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads tiles of images, and of their masks; goes to other processes."""

    files: DataFiles
    values: LabelValues

    def __call__(self, image: Image) -> list[Patch]:
        """Decode a tile.

        Raises:
            CurateError: Its image or mask is damaged, of another form than it was, or has a value that no class has.
            OSError: A file cannot be read; see `DataFiles.read` for an archive's own errors.
        """
        assert image.window is not None, "a tile is a part of an image"
        pixels, mask = (
            cut_window(_decode(self.files, member, formats), image.window)
            for member, formats in ((image.member, FORMATS), (image.label_member, MASK_FORMATS))
        )
        gsd = image.location.side_m / image.window[2]
        grid = image.location.grid(gsd)
        bands = tuple(replace(band, gsd=gsd) for band in SENSOR.bands)
        source, labels = (SourceWindow(_short(name), image.window) for name in (image.member, image.label_member))
        return [
            Patch(raster_key(SENSOR.bands[0]), pixels[: len(bands)], bands, grid, (source,) * len(bands)),
            label_patch(KEY, self.values.number(mask[0]), self.values.names, grid, source=labels),
        ]

    def released(self, image: Image, patch: Patch) -> list[ReleasedFile]:
        """The file of an image, if it is the patch as it lies there: whole, of three bands, on the location's own grid.

        Masks are none, since their values are numbered anew.
        """
        if patch.is_mask:
            return []
        content = self.files.read(image.member)
        is_whole = read_form(content, FORMATS) == (*patch.pixels.shape, patch.pixels.dtype.name)
        lies_there = patch.grid.epsg is None or read_grid(content) == patch.grid
        return [ReleasedFile(image.member, patch.key, patch.bands)] if is_whole and lies_there else []


def open_segmentation(
    path: Path, *, limit: int | None = None, seed: int = 0, size_px: int | None = None, ignore: int | None = None
) -> Dataset:
    """The tiles of a folder of images and masks.

    Args:
        path: The folder, or a zip archive of it.
        limit: At most so many images, with all their tiles.
        seed: Of that choice, and of the splits where folders have none.
        size_px: Side of the tiles; where absent, all images have to be squares of one size.
        ignore: Value of masks where nobody knows, beside 255.

    Raises:
        CurateError: There are no such pairs, one lacks an image or a mask, they differ in size, or are of another kind; a mask
            has a value that no class has.
    """
    files = DataFiles.at(path, EXPECTED)
    sizes = files.sizes()
    pairs = find_pairs(path, sizes)
    looks, counted = _look_at(path, files, pairs, size_px)
    values = choose_values(path, counted, read_names(path, files), ignore=ignore)
    side = size_px or _one_side(path, looks)
    on_ground, remark = common_ground([look.ground for look in looks])
    draw = Draw(KIND, seed)
    tiles = _tiles(looks, draw, side, on_ground=on_ground)
    chosen = {look.pair.name for look in sorted(looks, key=lambda look: draw.number("limit", look.pair.name))[:limit]}
    images = [image for name, image in tiles if name in chosen]
    if not images:
        raise CurateError(f"{path} has no image of {side} x {side} pixels or more. Give a smaller --size-px.")
    reader = Reader(files, values)
    splits = "by folders" if any(pair.split for pair in pairs) else SPLITS
    described = {member: sizes[member] for pair in pairs for member in (pair.image, pair.mask)}
    return Dataset(
        kind=KIND,
        sensor=SENSOR.id,
        images=images,
        start=EARLIEST,
        end=LATEST,
        description=f"{len(images):,} images of {side} x {side} pixels with labels of {len(values.names)} classes for each "
        f"pixel: display values, dates unknown{'' if on_ground else ', ground unknown'}. Converted by seastars.",
        recipe={
            "limit": limit, "seed": seed, "size_px": side, "splits": splits, "ignore": list(values.ignored),
            "classes": dict(zip(map(str, values.values), values.names, strict=True)),
            "images": {"count": len(pairs), "sha256": digest_of(described)},
        },
        decode=reader,
        released=reader.released if all((look.height, look.width) == (side, side) for look in looks) else None,
        remarks=[*_remarks(looks, side), *([remark] if remark else [])],
        label_rasters={KEY: values.names},
    )  # fmt: skip


@lru_cache(maxsize=2)
def _decode(files: DataFiles, member: str, formats: tuple[str, ...]) -> NDArray[Any]:
    """Pixels of a whole file: of the last image and the last mask, whose tiles follow each other."""
    content = files.read(member)
    return read_pixels(content, formats, expected=read_form(content, formats))


def _look_at(
    path: Path, files: DataFiles, pairs: Sequence[Pair], side_px: int | None
) -> tuple[list[Look], Mapping[str, NDArray[np.int64]]]:
    """Sizes and places of all images, and the values of all masks by file.

    Raises:
        CurateError: An image or a mask cannot be read, is of another kind, or the two differ in size.
    """
    import rasterio

    looks, counted = [], {}
    with rasterio.Env():  # once, not for every file
        for pair in pairs:
            try:
                content = files.read(pair.image)
                form, mask = read_form(content, FORMATS), _decode(files, pair.mask, MASK_FORMATS)
                grid = read_grid(content) if content.startswith(SIGNATURES["TIFF"]) else None
            except CurateError as error:
                raise CurateError(f"{pair.image} or its mask {pair.mask} of {path} cannot be read: {error}.") from error
            _check_kinds(path, pair, form, mask)
            looks.append(Look(pair, form[1], form[2], ground_of(grid, side_px or form[1]) if grid else None))
            counted[pair.mask] = count_values(mask[0])
    return looks, counted


def _check_kinds(path: Path, pair: Pair, form: Form, mask: NDArray[Any]) -> None:
    bands, height, width, data_type = form
    if bands not in {3, 4} or data_type != SENSOR.data_type:
        raise CurateError(
            f"{pair.image} of {path} has {bands} bands of {data_type}; expected 3 of {SENSOR.data_type}: red, green and blue."
        )
    if len(mask) != 1 or mask.dtype != np.uint8:
        raise CurateError(
            f"{pair.mask} of {path} has {len(mask)} bands of {mask.dtype}; expected 1 of uint8: numbers of classes. "
            "Masks in colours have to be turned into numbers first."
        )
    if mask.shape[1:] != (height, width):
        raise CurateError(
            f"{pair.image} of {path} has {width} x {height} pixels, and its mask {pair.mask} {mask.shape[2]} x "
            f"{mask.shape[1]}; expected the same."
        )


def _one_side(path: Path, looks: Sequence[Look]) -> int:
    """Side of all images.

    Raises:
        CurateError: They are of several sizes, or no squares.
    """
    sizes = Counter((look.height, look.width) for look in looks)
    (height, width), *_ = sizes
    if len(sizes) > 1 or height != width:
        listed = ", ".join(f"{columns} x {rows} ({count:,} images)" for (rows, columns), count in sizes.most_common(SHOWN))
        raise CurateError(
            f"{path} has images of {len(sizes)} sizes: {listed}; expected squares of one size. Give --size-px, such as "
            f"{min(min(size) for size in sizes)}, to cut all of them into squares of that side."
        )
    return height


def _tiles(looks: Sequence[Look], draw: Draw, side: int, *, on_ground: bool) -> list[tuple[str, Image]]:
    """All tiles, each with the name of its image: numbered through, so that an id does not hang on a limit."""
    has_folders = any(look.pair.split for look in looks)
    found: list[tuple[str, Image]] = []
    for look in looks:
        pair, ground = look.pair, look.ground if on_ground else None
        split = (pair.split or "none") if has_folders else draw.split(pair.name)
        for window in tile_windows(look.height, look.width, side):
            id_ = f"{KIND}-{re.sub('[^0-9A-Za-z_]+', '-', pair.name)}-{len(found):06d}"
            location = tile_location(id_, split, window, ground, gsd=SENSOR.gsds[0])
            name = tile_name(pair.name, window)
            image = Image(location, name, pair.image, (), window=window, label_member=pair.mask)
            found.append((pair.name, image))
    return sorted(found, key=lambda tile: tile[1].location.id)


def _remarks(looks: Sequence[Look], side: int) -> list[str]:
    """What is left out."""
    small = [look.pair.image for look in looks if min(look.height, look.width) < side]
    cut = [look for look in looks if look.height % side or look.width % side]
    lost = sum(look.height * look.width - side**2 * len(tile_windows(look.height, look.width, side)) for look in looks)
    share = 100 * lost / sum(look.height * look.width for look in looks)
    nowhere = sum(look.pair.split is None for look in looks)
    unsplit = nowhere if nowhere < len(looks) else 0
    remarks = [f"{unsplit:,} images are in no folder of a split, and in no split."] if unsplit else []
    remarks += [f"Left out {len(small):,} images smaller than {side} x {side} pixels, such as {small[0]}."] if small else []
    return [*remarks, *([f"Left out {share:.1f} % of all pixels, at the borders of {len(cut):,} images."] if cut else [])]


def _short(member: str) -> str:
    """The last folder and the name of a file."""
    return "/".join(PurePosixPath(member).parts[-2:])
