"""EuroSAT: 27,000 images of Sentinel-2 in ten classes of land cover, as red, green and blue JPEG of 64 x 64 pixels.

What the files do not say is not made up. The ground of an image is not known, and neither is its date: the interval reaches
from the launch of Sentinel-2A to the first submission of the paper. Values are display values that the authors stretched to
eight bits, no reflectance. Pixels are those that GDAL decodes: chroma is halved in these files, and libraries enlarge it
differently, so that the libjpeg 9 of rasterio's wheels and the libjpeg-turbo of Pillow and torchvision are 0.8 of 255 apart on
average, 57 at most (100 images).

The paper has no fixed split. Here each image is in `test` by a seeded hash of its name, one in five, else in `train`: like all
published random splits of EuroSAT it may part neighbours, since many images were cut from one scene side by side.

References:
    Helber et al., EuroSAT, IEEE JSTARS 2019, https://doi.org/10.1109/JSTARS.2019.2918242 (https://arxiv.org/abs/1709.00029)
    The archive EuroSAT_RGB.zip, https://doi.org/10.5281/zenodo.7711810
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from catalogs.bands import SENSORS, raster_key
from catalogs.records import SourceWindow
from catalogs.writer import Patch
from curate.convert.class_folders import released_files
from curate.convert.class_images import Draw, Found, check_once, choose_images, recipe_of, remarks_of
from curate.convert.data_files import DataFiles
from curate.convert.dataset import Dataset, Image
from curate.convert.decoding import read_pixels
from curate.errors import CurateError

KIND = "eurosat"
SENSOR = SENSORS["eurosat-rgb"]
CLASSES = (
    "AnnualCrop", "Forest", "HerbaceousVegetation", "Highway", "Industrial", "Pasture", "PermanentCrop", "Residential", "River",
    "SeaLake",
)  # fmt: skip
COUNT = 27_000
"""Images of the whole data set."""
SIDE_PX = 64
SENTINEL_2A_LAUNCH = datetime(2015, 6, 23, tzinfo=UTC)
PAPER_SUBMITTED = datetime(2017, 8, 31, 23, 59, 59, tzinfo=UTC)
EXPECTED = "EuroSAT_RGB.zip, or the folder 2750 that it unpacks to, with images <Class>/<Class>_<number>.jpg"


def open_eurosat(path: Path, *, limit: int | None = None, seed: int = 0) -> Dataset:
    """The images of EuroSAT.

    An image has the same id and split whatever the limit: its id is its number among all images, by class and number.

    Args:
        path: `EuroSAT_RGB.zip`, or the folder that it unpacks to.
        limit: At most so many images, as evenly from all classes as they allow, the same ones for the same seed; a smaller
            limit takes some of those of a greater one.
        seed: Of that choice, and of the splits.

    Raises:
        CurateError: There is no such data set, or two files of one image.
    """
    files = DataFiles.at(path, EXPECTED)
    sizes = files.sizes()
    found = find_images(path, sizes, "jpe?g", f"expected {EXPECTED}. Its 13-band version is another data set: eurosat-ms.")
    images = choose_images(found, Draw(KIND, seed), slug=KIND, side_m=round(SIDE_PX * SENSOR.gsds[0]), limit=limit)
    return Dataset(
        kind=KIND,
        sensor=SENSOR.id,
        images=images,
        start=SENTINEL_2A_LAUNCH,
        end=PAPER_SUBMITTED,
        description=f"EuroSAT, {len(images)} images in {len({image.labels for image in images})} classes of land cover: "
        "display values, ground and dates unknown, split image by image. Converted by seastars.",
        recipe=recipe_of(found, sizes, limit=limit, seed=seed),
        decode=partial(read_image, files),
        released=released_files,
        remarks=remarks_of(sizes.keys() - {image.member for image in found}, found, title="EuroSAT", count=COUNT),
    )


def read_image(files: DataFiles, image: Image) -> list[Patch]:
    """Decode an image.

    Raises:
        CurateError: It is no JPEG, a damaged one, or one of another size.
        OSError: It cannot be read; see `DataFiles.read` for an archive's own errors.
    """
    form = (len(SENSOR.bands), SIDE_PX, SIDE_PX, SENSOR.data_type)
    pixels = read_pixels(files.read(image.member), ["JPEG"], expected=form)
    source = SourceWindow(f"{image.labels[0]}/{image.name}.jpg", (0, 0, SIDE_PX, SIDE_PX))
    grid = image.location.grid(SENSOR.gsds[0])
    return [Patch(raster_key(SENSOR.bands[0]), pixels, SENSOR.bands, grid, (source,) * len(SENSOR.bands))]


def find_images(path: Path, names: Iterable[str], suffix: str, remedy: str) -> list[Found]:
    """All images of one of its versions, by class and number.

    Args:
        path: Where it lies, for messages.
        names: Files there.
        suffix: Expression of the images' suffix.
        remedy: What to say where there are none.

    Raises:
        CurateError: There are none, or two files of one image.
    """
    member = re.compile(rf"(?:.*/)?({'|'.join(CLASSES)})/\1_(\d+)\.{suffix}")
    matches = {name: match for name in names if (match := member.fullmatch(name))}
    found = sorted(Found(match[1], int(match[2]), f"{match[1]}_{int(match[2])}", name) for name, match in matches.items())
    if not found:
        first = next(iter(names), None)
        raise CurateError(f"{path} holds {f'{first!r}' if first else 'nothing'}, but no image of EuroSAT; {remedy}")
    check_once(path, found)
    return found
