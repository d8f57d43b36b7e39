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

import hashlib
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from catalogs.bands import SENSORS, raster_key
from catalogs.records import Location, SourceWindow
from catalogs.writer import Patch
from curate.convert.data_files import DataFiles, digest_of
from curate.convert.dataset import Dataset, Image
from curate.errors import CurateError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
TEST_SHARE = 0.2
SPLITS = [1 - TEST_SHARE, 0.0, TEST_SHARE]
"""Shares of train, val and test."""
EXPECTED = "EuroSAT_RGB.zip, or the folder 2750 that it unpacks to, with images <Class>/<Class>_<number>.jpg"
_MEMBER = re.compile(rf"(?:.*/)?({'|'.join(CLASSES)})/\1_(\d+)\.jpe?g")


@dataclass(frozen=True, slots=True, order=True)
class _Found:
    """An image file, before images are chosen and numbered."""

    label: str
    number: int
    member: str

    @property
    def name(self) -> str:
        """What EuroSAT calls it."""
        return f"{self.label}_{self.number}"


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
    found = _find_images(path, sizes)
    chosen = _spread(found, limit, seed)
    side = round(SIDE_PX * SENSOR.gsds[0])
    images = [
        Image(Location(f"{KIND}-{number:06d}", None, (0, 0, side, side), _split(image, seed)), image.name, image.member,
              (image.label,))
        for number, image in enumerate(found) if image in chosen
    ]  # fmt: skip
    recipe = {
        "limit": limit,
        "seed": seed,
        "splits": SPLITS,
        "images": {"count": len(found), "sha256": digest_of({image.name: sizes[image.member] for image in found})},
    }
    return Dataset(
        kind=KIND,
        sensor=SENSOR.id,
        images=images,
        start=SENTINEL_2A_LAUNCH,
        end=PAPER_SUBMITTED,
        description=f"EuroSAT, {len(images)} images in {len({image.labels for image in images})} classes of land cover: "
        "display values, ground and dates unknown, split image by image. Converted by seastars.",
        recipe=recipe,
        decode=partial(read_image, files),
        remarks=_remarks(sizes.keys() - {image.member for image in found}, len(found)),
    )


def read_image(files: DataFiles, image: Image) -> list[Patch]:
    """Decode an image.

    Raises:
        CurateError: It is no JPEG, a damaged one, or one of another size.
        OSError: It cannot be read; see `DataFiles.read` for an archive's own errors.
    """
    pixels = _decode(files.read(image.member))
    shape = (len(SENSOR.bands), SIDE_PX, SIDE_PX)
    if pixels.shape != shape:
        raise CurateError(f"it has {' x '.join(map(str, pixels.shape))} values; expected {' x '.join(map(str, shape))}")
    source = SourceWindow(f"{image.labels[0]}/{image.name}.jpg", (0, 0, SIDE_PX, SIDE_PX))
    grid = image.location.grid(SENSOR.gsds[0])
    return [Patch(raster_key(SENSOR.bands[0]), pixels, SENSOR.bands, grid, (source,) * len(SENSOR.bands))]


def _decode(content: bytes) -> NDArray[np.uint8]:
    """Pixels of a JPEG, (bands, height, width)."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError
    from rasterio.io import MemoryFile

    if not content:
        raise CurateError("it is empty")
    try:
        with (
            warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning),
            rasterio.Env(GDAL_ERROR_ON_LIBJPEG_WARNING=True),
            MemoryFile(content) as memory,
            memory.open(driver="JPEG") as raster,
        ):
            pixels: NDArray[np.uint8] = raster.read()
    except RasterioError as error:  # its words name a file in memory, another one each time
        raise CurateError("it is no JPEG, or a damaged one") from error
    return pixels


def _find_images(path: Path, names: Iterable[str]) -> list[_Found]:
    """All images, by class and number."""
    found = sorted(_Found(match[1], int(match[2]), name) for name in names if (match := _MEMBER.fullmatch(name)))
    if not found:
        first = next(iter(names), None)
        raise CurateError(
            f"{path} holds {f'{first!r}' if first else 'nothing'}, but no image of EuroSAT; expected {EXPECTED}. "
            "Its 13-band version is another data set."
        )
    for one, other in pairwise(found):
        if one.name == other.name:
            raise CurateError(
                f"{path} has {one.name} twice, as {one.member} and {other.member}. Give the folder of one of them."
            )
    return found


def _spread(found: Sequence[_Found], limit: int | None, seed: int) -> set[_Found]:
    """So many images, round after round one of each class that has any left, in a seeded order."""
    by_class: dict[str, list[_Found]] = defaultdict(list)
    for image in sorted(found, key=lambda image: _draw(seed, "limit", image.name)):
        by_class[image.label].append(image)
    rounds = sorted((turn, image) for images in by_class.values() for turn, image in enumerate(images))
    return {image for _, image in rounds[:limit]}


def _split(image: _Found, seed: int) -> str:
    return "test" if _draw(seed, "split", image.name) < TEST_SHARE else "train"


def _draw(seed: int, purpose: str, name: str) -> float:
    """A number in [0, 1) that hangs on its arguments alone."""
    digest = hashlib.sha256(f"{KIND}\n{seed}\n{purpose}\n{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _remarks(others: Iterable[str], count: int) -> list[str]:
    names = sorted(others)
    remarks = [f"Left out {len(names)} files that are no images of EuroSAT, such as {names[0]}."] if names else []
    return [*remarks, *([f"There are {count:,} of the {COUNT:,} images of EuroSAT."] if count != COUNT else [])]
