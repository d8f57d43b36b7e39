"""Any folder of class folders, `<Class>/<image>`: pictures in red, green and blue whose origin nobody states.

A catalog needs squares of one size, so that they make one batch. Where images are of several sizes or no squares, nothing is
guessed: the sizes are counted and refused, and `size_px` brings all of them to one, bilinear, without keeping the ratio of
their sides; an image that has that size already is copied, and the item of every other one says that it was resampled.

Values are taken for display values of eight bits, and other bands or types are refused. The size of a pixel on the ground is
not known: a pixel is one metre of a frame of its own. What a TIFF says of its ground is not read. The split is drawn as in
`curate.convert.class_images`; dates are not known either, and the interval says so: it is all that there could be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from catalogs.bands import SENSORS, Sensor, raster_key
from catalogs.records import SourceWindow
from catalogs.writer import Patch
from curate.convert.class_images import Draw, Found, check_once, choose_images, recipe_of
from curate.convert.data_files import DataFiles
from curate.convert.dataset import Dataset, Image, ReleasedFile
from curate.convert.decoding import Form, read_form, read_pixels
from curate.errors import CurateError

KIND = "folder"
SENSOR = SENSORS["rgb-image"]
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
FORMATS = ("JPEG", "PNG", "TIFF")
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""Start of an interval of which nothing is known."""
LATEST = datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)
"""Its end."""
EXPECTED = f"a folder of class folders or a zip archive of one, with images <Class>/<image>, {' '.join(SUFFIXES)}"
SHOWN = 4
"""Forms or folders that a message names."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the images of one data set; goes to other processes."""

    files: DataFiles
    sensor: Sensor
    side_px: int
    """Height and width."""
    resize: bool
    """Whether images of another size are brought to it, or refused."""

    def __call__(self, image: Image) -> list[Patch]:
        """Decode an image.

        Raises:
            CurateError: It is no image, a damaged one, or not of the size and type of the others.
            OSError: It cannot be read; see `DataFiles.read` for an archive's own errors.
        """
        content = self.files.read(image.member)
        bands, side = self.sensor.bands, self.side_px
        expected = (len(bands), side, side, self.sensor.data_type)
        _, height, width, _ = read_form(content, FORMATS) if self.resize else expected
        pixels = read_pixels(content, FORMATS, expected=expected, resize=self.resize)
        source = SourceWindow("/".join(PurePosixPath(image.member).parts[-2:]), (0, 0, width, height))
        kernel = None if (height, width) == (side, side) else "bilinear"
        grid = image.location.grid(self.sensor.gsds[0])
        return [Patch(raster_key(bands[0]), pixels, bands, grid, (source,) * len(bands), kernel)]


def open_class_folders(path: Path, *, limit: int | None = None, seed: int = 0, size_px: int | None = None) -> Dataset:
    """The images of a folder of class folders; a class is called as its folder.

    Args:
        path: The folder, or a zip archive of it; both may hold it within other folders.
        limit: At most so many images, as evenly from all classes as they allow.
        seed: Of that choice, and of the splits.
        size_px: Height and width that all are brought to; where absent, all have to be squares of one size.

    Raises:
        CurateError: There are no class folders, several sets of them, or an image twice; images are of several sizes, no
            squares, or not of three bands of eight bits.
    """
    files = DataFiles.at(path, EXPECTED)
    sizes = files.sizes()
    found = find_images(path, sizes)
    draw = Draw(KIND, seed)
    chosen = choose_images(found, draw, slug="image", side_m=1, limit=limit)
    side = _one_side(path, files, chosen) if size_px is None else size_px
    images = choose_images(found, draw, slug="image", side_m=side, limit=limit)
    return Dataset(
        kind=KIND,
        sensor=SENSOR.id,
        images=images,
        start=EARLIEST,
        end=LATEST,
        description=f"A folder of {len(images)} images in {len({image.labels for image in images})} classes: display values, "
        "ground and dates unknown, split image by image. Converted by seastars.",
        recipe={**recipe_of(found, sizes, limit=limit, seed=seed), "size_px": side},
        decode=Reader(files, SENSOR, side, resize=size_px is not None),
        released=released_files,
        remarks=_left_out(sizes.keys() - {image.member for image in found}),
    )


def released_files(image: Image, patch: Patch) -> list[ReleasedFile]:
    """The file of an image, if its pixels are those of the file."""
    return [] if patch.resampling else [ReleasedFile(image.member, patch.key, patch.bands)]


def find_images(path: Path, names: Iterable[str]) -> list[Found]:
    """All images in class folders, by class and name.

    Raises:
        CurateError: There are none, or several sets of class folders, or an image twice.
    """
    places = [PurePosixPath(name) for name in names]
    images = [place for place in places if place.suffix.lower() in SUFFIXES and not is_hidden(place)]
    inside = [place for place in images if len(place.parts) > 1]
    if not inside:
        what = f"{len(images):,} images, but no folder" if images else "no image"
        raise CurateError(f"{path} holds {what}; expected {EXPECTED}.")
    parents = Counter(str(place.parent.parent) for place in inside)
    if len(parents) > 1:
        listed = ", ".join(f"{parent} ({count:,} images)" for parent, count in sorted(parents.items())[:SHOWN])
        raise CurateError(
            f"{path} has class folders in {len(parents)} folders: {listed}. Give the one that holds the class folders."
        )
    found = sorted(Found(place.parent.name, 0, f"{place.parent.name}/{place.name}", str(place)) for place in inside)
    check_once(path, found)
    return found


def is_hidden(place: PurePosixPath) -> bool:
    """Whether it is what a system leaves beside images, such as `__MACOSX/River/._1.jpg`."""
    return place.name.startswith(".") or "__MACOSX" in place.parts


def _one_side(path: Path, files: DataFiles, images: Sequence[Image]) -> int:
    """Height and width of all images that can be read; what is damaged is told of when it is converted.

    Raises:
        CurateError: They are of several sizes or types, no squares, or not in red, green and blue; or none can be read.
    """
    import rasterio

    forms: Counter[Form] = Counter()
    with rasterio.Env():  # once, not for every file
        for image in images:
            try:
                forms[read_form(files.read(image.member), FORMATS)] += 1
            except CurateError:
                continue
    if not forms:
        raise CurateError(f"None of the {len(images):,} images of {path} can be read as {' or '.join(FORMATS)}.")
    counts = ", ".join(f"{_words(form)} ({count:,} images)" for form, count in forms.most_common(SHOWN))
    if any((form[0], form[3]) != (len(SENSOR.bands), SENSOR.data_type) for form in forms):
        raise CurateError(
            f"{path} has images of {counts}; expected 3 bands of uint8: red, green and blue. Convert the others to RGB."
        )
    (_, height, width, _), *others = dict(forms.most_common())
    if others or height != width:
        raise CurateError(
            f"{path} has images of {len(forms)} sizes: {counts}; expected squares of one size. "
            f"Give --size-px {min(height, width)} to bring all of them to that, or another size."
        )
    return height


def _words(form: Form) -> str:
    bands, height, width, data_type = form
    return f"{width} x {height} pixels, {bands} bands of {data_type}"


def _left_out(others: Iterable[str]) -> list[str]:
    names = sorted(others)
    return [f"Left out {len(names):,} files that are no images in a class folder, such as {names[0]}."] if names else []
