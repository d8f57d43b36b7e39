"""OSCD, Onera Satellite Change Detection: 24 cities, each seen twice by Sentinel-2, and maps of what was built in between.

The images of `imgs_1_rect` and `imgs_2_rect` are top-of-atmosphere reflectance times 10,000, 13 bands that their authors
brought to 10 m and onto each other. A city is cut into tiles (`curate.convert.tiles`), of 96 pixels as in SeCo's protocol. A
tile is a location, `oscd-<city>-<number>`, with two items: the earlier one (season 0), and the later one (season 1), whose
label raster `change` says which pixels changed. Both dates of a tile, and all tiles of a city, are in one split: the published
lists name 14 cities for `train` and 10 for `test`, and none for `val`. Cities are what intervals have to be drawn over, since
tiles of one are alike: the id of a location has its city, and so has the source id, `<city>_<first row>_<first column>`.

`dates.txt` has days, no times: an item's interval is that day. Images are older than the processing baseline that shifted
numbers by 1,000, so that the offset is 0. Change maps are read from `<city>-cm.tif` (1 unchanged, 2 changed), else `cm.png` (0
and 255).

References:
    Daudt et al., IGARSS 2018, https://doi.org/10.1109/IGARSS.2018.8518015 (https://arxiv.org/abs/1810.08468)
    The data set, https://rcdaudt.github.io/oscd
    Mañas et al., Seasonal Contrast, ICCV 2021, section 4.3, https://arxiv.org/abs/2103.16607
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.bands import SENSORS, raster_key
from catalogs.records import SourceWindow
from catalogs.writer import Patch, label_patch
from curate.convert.class_images import Draw
from curate.convert.data_files import DataFiles, digest_of
from curate.convert.dataset import Dataset, Image
from curate.convert.decoding import read_form, read_pixels
from curate.convert.oscd_cities import EXPECTED, City, find_cities, look_at, read_change
from curate.convert.tiles import common_ground, cut_window, tile_location, tile_name, tile_windows
from curate.errors import CurateError

if TYPE_CHECKING:
    from numpy.typing import NDArray

KIND = "oscd"
SENSOR = SENSORS["oscd"]
KEY = "change"
CLASSES = ("unchanged", "changed")
COUNT = 24
"""Cities of the whole data set."""
SIDE_PX = 96


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads tiles of one date, and the change map with the later one; goes to other processes."""

    files: DataFiles

    def __call__(self, image: Image) -> list[Patch]:
        """Decode a tile.

        Raises:
            CurateError: A band or the change map is damaged, or not of the size and type of the others.
            OSError: A file cannot be read; see `DataFiles.read` for an archive's own errors.
        """
        assert image.window is not None, "a tile is a part of an image"
        folder = f"{image.member}/imgs_{image.season + 1}_rect"
        pixels = cut_window(_read_bands(self.files, folder), image.window)
        grid = image.location.grid(image.location.side_m / image.window[2])
        city = PurePosixPath(image.member).name
        sources = tuple(
            SourceWindow(f"{city}/imgs_{image.season + 1}_rect/{band.name}.tif", image.window) for band in SENSOR.bands
        )
        patches = [Patch(raster_key(SENSOR.bands[0]), pixels, SENSOR.bands, grid, sources)]
        if image.label_member:
            source = SourceWindow("/".join(PurePosixPath(image.label_member).parts[-3:]), image.window)
            change = cut_window(read_change(self.files, image.label_member), image.window)[0]
            patches.append(label_patch(KEY, change, CLASSES, grid, source=source))
        return patches


def open_oscd(path: Path, *, limit: int | None = None, seed: int = 0, size_px: int | None = None) -> Dataset:
    """The tiles of OSCD.

    Args:
        path: The folder of its unpacked archives, or a zip archive of that.
        limit: At most so many cities, with all their tiles.
        seed: Of that choice.
        size_px: Side of the tiles; 96 where absent.

    Raises:
        CurateError: There is no such data set; a city lacks its change map, its dates or its list; its images and its change
            map differ in size.
    """
    files, side = DataFiles.at(path, EXPECTED), size_px or SIDE_PX
    sizes = files.sizes()
    cities = [look_at(path, files, found, side) for found in find_cities(path, files, sizes)]
    on_ground, remark = common_ground([city.ground for city in cities])
    draw = Draw(KIND, seed)
    chosen = sorted(cities, key=lambda city: draw.number("limit", city.found.name))[:limit]
    tiles = _tiles(cities, side, on_ground=on_ground)
    images = [image for image in tiles if image.member in {city.found.folder for city in chosen}]
    if not images:
        raise CurateError(f"No city of {path} has {side} x {side} pixels or more. Give a smaller --size-px.")
    days = [day for city in cities for day in city.days]
    described = {f"{city.found.split} {city.found.name} {n}": sizes[city.found.sample(n)] for city in cities for n in (1, 2)}
    return Dataset(
        kind=KIND,
        sensor=SENSOR.id,
        images=images,
        start=min(days),
        end=_end_of(max(days)),
        description=f"Onera Satellite Change Detection, {len(images) // 2:,} tiles of {side} x {side} pixels in {len(chosen)} "
        f"cities at two dates, with change maps{'' if on_ground else ', ground unknown'}. Converted by seastars.",
        recipe={
            "limit": limit, "seed": seed, "size_px": side, "splits": "as published",
            "images": {"count": len(cities), "sha256": digest_of(described)},
        },
        decode=Reader(files),
        remarks=[*_remarks(cities, side), *([remark] if remark else [])],
        seasons=2,
        label_rasters={KEY: CLASSES},
        decision="default",
    )  # fmt: skip


def _tiles(cities: Sequence[City], side: int, *, on_ground: bool) -> list[Image]:
    """All tiles at both dates, numbered through, so that an id does not hang on a limit."""
    found: list[Image] = []
    for city in cities:
        name, folder, change_map, split = city.found.name, city.found.folder, city.found.change_map, city.found.split
        intervals = [(day, _end_of(day)) for day in city.days]
        for window in tile_windows(city.height, city.width, side):
            id_ = f"{KIND}-{name}-{len(found) // 2:06d}"
            ground = city.ground if on_ground else None
            location = tile_location(id_, split, window, ground, gsd=SENSOR.gsds[0])
            tile = Image(location, tile_name(name, window), folder, (), window=window)
            found += [
                replace(tile, interval=intervals[0]), replace(tile, interval=intervals[1], season=1, label_member=change_map)
            ]  # fmt: skip
    return sorted(found, key=lambda image: (image.location.id, image.season))


def _remarks(cities: Sequence[City], side: int) -> list[str]:
    """What is lacking, and what is left out."""
    pixels = sum(city.height * city.width for city in cities)
    kept = sum(side**2 * len(tile_windows(city.height, city.width, side)) for city in cities)
    remarks = [f"There are {len(cities)} of the {COUNT} cities of OSCD."] if len(cities) != COUNT else []
    lost = 100 * (1 - kept / pixels)
    return [*remarks, *([f"Left out {lost:.1f} % of all pixels, at the borders of the cities."] if kept < pixels else [])]


@lru_cache(maxsize=2)
def _read_bands(files: DataFiles, folder: str) -> NDArray[np.uint16]:
    """All bands of a city at one date, (13, height, width): of the last two dates, whose tiles follow each other."""
    planes: list[NDArray[Any]] = []
    for band in SENSOR.bands:
        content = files.read(f"{folder}/{band.name}.tif")
        _, height, width, _ = read_form(content, ["TIFF"])
        shape = planes[0].shape[1:] if planes else (height, width)
        planes.append(read_pixels(content, ["TIFF"], expected=(1, *shape, SENSOR.data_type)))
    return np.concatenate(planes)


def _end_of(day: datetime) -> datetime:
    """Its last second."""
    return day + timedelta(days=1, seconds=-1)
