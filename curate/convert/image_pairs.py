"""Images and the masks of their pixels, in two folders side by side: found by name, and refused where one lacks the other.

`images/0001.png` and `masks/0001.png` (or `labels/0001.png`) are a pair. Folders of splits may be above or below:
`train/images/0001.png` or `images/train/0001.png`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from curate.convert.class_folders import SUFFIXES, is_hidden
from curate.errors import CurateError

IMAGE_FOLDERS = ("images", "image", "imgs", "img")
MASK_FOLDERS = ("masks", "mask", "labels", "label", "annotations")
SPLITS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test", "testing": "test",
}  # fmt: skip
"""What folders of splits are called."""
EXPECTED = (
    "a folder or a zip archive with images/<name>.png and masks/<name>.png (or labels/<name>.png), perhaps in train, val and "
    "test"
)


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """An image and its mask."""

    name: str
    """What both are called, with the folders that tell it from others: `train/0001`."""
    image: str
    """File of the image."""
    mask: str
    """File of the mask."""
    split: str | None
    """Of its folder; none where no folder says so."""


def find_pairs(path: Path, names: Iterable[str]) -> list[Pair]:
    """All pairs of images and masks, by name.

    Args:
        path: Where they lie, for messages.
        names: Files there.

    Raises:
        CurateError: There are none, an image lacks a mask or a mask an image, or there are two of one name.
    """
    places = [PurePosixPath(name) for name in names]
    shown = [place for place in places if place.suffix.lower() in SUFFIXES and not is_hidden(place)]
    images, masks = (_by_key(path, shown, folders) for folders in (IMAGE_FOLDERS, MASK_FOLDERS))
    if not images:
        first = str(shown[0]) if shown else "no image"
        raise CurateError(f"{path} holds {first}, but no images in a folder images; expected {EXPECTED}.")
    _check_both(path, images, masks)
    levels = list(zip(*(key.split("/")[:-1] for key in images), strict=False))
    depth = next((number for number, level in enumerate(levels) if len(set(level)) > 1), len(levels))
    return sorted(
        Pair("/".join(key.split("/")[depth:]), str(image), str(masks[key]), _split_of(image)) for key, image in images.items()
    )


def _by_key(path: Path, places: Iterable[PurePosixPath], folders: tuple[str, ...]) -> dict[str, PurePosixPath]:
    """Files below folders of a kind, by their names without that folder and the suffix."""
    found: dict[str, PurePosixPath] = {}
    for place in places:
        parts = [*place.parent.parts]
        kinds = [number for number, part in enumerate(parts) if part.lower() in (*IMAGE_FOLDERS, *MASK_FOLDERS)]
        if not kinds or parts[kinds[-1]].lower() not in folders:
            continue
        key = "/".join([*parts[: kinds[-1]], *parts[kinds[-1] + 1 :], place.stem])
        if key in found:
            raise CurateError(f"{path} has {found[key]} and {place}, which are called the same. Keep one of them.")
        found[key] = place
    return found


def _check_both(path: Path, images: Mapping[str, PurePosixPath], masks: Mapping[str, PurePosixPath]) -> None:
    for one, other, what, lacking in ((images, masks, "images", "mask"), (masks, images, "masks", "image")):
        alone = sorted(str(one[key]) for key in one.keys() - other.keys())
        if alone:
            raise CurateError(
                f"{path} has {len(alone):,} {what} without {'an' if lacking == 'image' else 'a'} {lacking} of the same name, "
                f"such as {alone[0]}; expected {EXPECTED}. Add what is lacking, or take them away."
            )


def _split_of(image: PurePosixPath) -> str | None:
    return next((SPLITS[part.lower()] for part in reversed(image.parent.parts) if part.lower() in SPLITS), None)
