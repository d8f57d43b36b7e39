"""Released sets of pictures of scenes, one folder per class, each 256 x 256 pixels in red, green and blue."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from catalogs.bands import find_sensor
from curate.convert.class_folders import EARLIEST, Reader, released_files
from curate.convert.class_images import Draw, Found, check_once, choose_images, recipe_of, remarks_of
from curate.convert.data_files import DataFiles
from curate.convert.dataset import Dataset
from curate.errors import CurateError

SIDE_PX = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneImages:
    """What tells one released set from another."""

    kind: str
    """Its name on the command line."""
    title: str
    """What people call it."""
    sensor: str
    """Id of the sensor that stands for its images."""
    classes: tuple[str, ...]
    """Names of the class folders, which images start with too."""
    member: str
    """Expression of the rest of an image's name."""
    count: int
    """Images of the whole set."""
    published: datetime
    """Before which its images were taken, UTC."""
    resize: bool
    """Whether images of another size than 256 x 256 are part of it, and brought to that."""
    expected: str
    """What it looks like, for messages."""


def open_scene_images(scenes: SceneImages, path: Path, *, limit: int | None = None, seed: int = 0) -> Dataset:
    """The images of a released set, with ids and splits that are the same whatever the limit.

    Args:
        scenes: Which set.
        path: Its zip archive, or the folder that it unpacks to.
        limit: At most so many images, as evenly from all classes as they allow.
        seed: Of that choice, and of the splits.

    Raises:
        CurateError: There is no such data set, or two files of one image.
    """
    files = DataFiles.at(path, scenes.expected)
    sizes = files.sizes()
    member = re.compile(rf"(?:.*/)?({'|'.join(scenes.classes)})/\1{scenes.member}")
    matches = [(match[1], PurePosixPath(name)) for name in sizes if (match := member.fullmatch(name))]
    found = sorted(Found(label, 0, place.stem, str(place)) for label, place in matches)
    if not found:
        first = next(iter(sizes), None)
        what = repr(first) if first else "nothing"
        raise CurateError(f"{path} holds {what}, but no image of {scenes.title}; expected {scenes.expected}.")
    check_once(path, found)
    images = choose_images(found, Draw(scenes.kind, seed), slug=scenes.kind, side_m=SIDE_PX, limit=limit)
    return Dataset(
        kind=scenes.kind,
        sensor=scenes.sensor,
        images=images,
        start=EARLIEST,
        end=scenes.published,
        description=f"{scenes.title}, {len(images)} images in {len({image.labels for image in images})} classes: display "
        "values, ground and dates unknown, split image by image. Converted by seastars.",
        recipe=recipe_of(found, sizes, limit=limit, seed=seed),
        decode=Reader(files, find_sensor(scenes.sensor), SIDE_PX, resize=scenes.resize),
        released=released_files,
        remarks=remarks_of(sizes.keys() - {image.member for image in found}, found, title=scenes.title, count=scenes.count),
    )
