"""A catalog around somebody's images, which lie in folders beside its own: made with `CatalogWriter` alone."""

import warnings
from pathlib import Path

import numpy as np
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from catalogs import Location, Raster, Scene, find_sensor, layout
from catalogs.locations import write_locations
from catalogs.pixels import multihash
from catalogs.recipe import own_names, write_section
from catalogs.records import JPEG, PNG, TIFF
from catalogs.testing import FIRST_DAY
from catalogs.writer import CatalogWriter, Patch, write_patch
from tests.curate.convert.images import encode, make_picture

SENSOR = find_sensor("rgb-image")
SIDE_PX = 32
FILES = {"River/1.png": ("PNG", PNG), "Lake/a lake 2.tif": ("GTiff", TIFF), "River/deep/3.jpg": ("JPEG", JPEG)}
"""By their names, GDAL's word and STAC's for what they are."""
MADE = len(FILES)
"""Number of the one image that is a raster of the catalog."""


def shown(folder: Path, number: int) -> np.ndarray:
    """What an image shows, as GDAL decodes its file, (3, 32, 32)."""
    if number == MADE:
        return make_picture(MADE, SIDE_PX)
    name, (driver, _) = list(FILES.items())[number]
    with (
        warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning),
        MemoryFile((folder / name).read_bytes()) as memory,
        memory.open(driver=driver) as raster,
    ):
        return raster.read()


def location_of(number: int) -> Location:
    return Location(f"image-{number:06d}", None, (0, 0, SIDE_PX, SIDE_PX), "train")


def make_released(folder: Path, *, json_items: bool = False) -> Path:
    """Write the images, then the catalog."""
    for number, (name, (driver, _)) in enumerate(FILES.items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encode(make_picture(number, SIDE_PX), driver))
    write_section(folder, "convert", {"sensors": [SENSOR.id], "seasons": 1}, own=own_names([SENSOR.id]))
    locations = [location_of(number) for number in range(len(FILES) + 1)]
    write_locations(folder / layout.LOCATIONS, locations)
    writer = CatalogWriter(folder, locations, {SENSOR.id: SENSOR.bands}, description="Around images.", json_items=json_items)
    for number, location in enumerate(locations):
        raster = _made(folder, location) if number == MADE else _left(folder, number)
        scene = Scene(
            SENSOR.id, location, (raster,), start_datetime=FIRST_DAY, end_datetime=FIRST_DAY, season=0, valid_percent=100.0
        )
        writer.finish(location, [writer.write_item(scene)], [])
    writer.close()
    return folder


def _left(folder: Path, number: int) -> Raster:
    name, (_, media_type) = list(FILES.items())[number]
    content = (folder / name).read_bytes()
    grid = location_of(number).grid(1)
    return Raster("1m", f"../{name}", SENSOR.bands, grid, "uint8", multihash(content), len(content), media_type=media_type)


def _made(folder: Path, location: Location) -> Raster:
    href = f"{layout.Layout().folder(location)}/made_1m.tif"
    return write_patch(folder / SENSOR.id, href, Patch("1m", make_picture(MADE, SIDE_PX), SENSOR.bands, location.grid(1)))
