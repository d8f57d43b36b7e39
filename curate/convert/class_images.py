"""Images in one folder per class: numbered, chosen and split the same every time, whatever else is chosen.

A split is drawn image by image, by a hash of its name and the seed: without replacement, and the same on every machine. Images
that were cut side by side may be parted by it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from catalogs.records import Location
from curate.convert.data_files import digest_of
from curate.convert.dataset import Image
from curate.errors import CurateError

TEST_SHARE = 0.2
SPLITS = [1 - TEST_SHARE, 0.0, TEST_SHARE]
"""Shares of train, val and test."""


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """An image file, before images are chosen and numbered."""

    label: str
    """Its class."""
    number: int
    """Its place within the class; 0 where names alone order them."""
    name: str
    """What the data set calls it."""
    member: str
    """Its file, relative to where the data set lies."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Numbers that hang on their arguments alone."""

    kind: str
    """Of the data set, so that two with the same names draw apart."""
    seed: int

    def number(self, purpose: str, name: str) -> float:
        """A number in [0, 1) for an image."""
        digest = hashlib.sha256(f"{self.kind}\n{self.seed}\n{purpose}\n{name}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64

    def split(self, name: str) -> str:
        """`train` or `test`."""
        return "test" if self.number("split", name) < TEST_SHARE else "train"


def check_once(path: Path, found: Sequence[Found]) -> None:
    """Refuse a data set that has an image twice.

    Args:
        path: Where it lies.
        found: Its images, sorted.

    Raises:
        CurateError: It has.
    """
    for one, other in pairwise(found):
        if one.name == other.name:
            raise CurateError(
                f"{path} has {one.name} twice, as {one.member} and {other.member}. Give the folder of one of them."
            )


def choose_images(found: Sequence[Found], draw: Draw, *, slug: str, side_m: int, limit: int | None) -> list[Image]:
    """Images with their ids and splits, which are the same whatever the limit: an id is a number among all images.

    Args:
        found: All images, sorted.
        draw: Draws the choice and the splits.
        slug: What ids start with.
        side_m: Side of their squares, metres.
        limit: At most so many, as evenly from all classes as they allow; a smaller limit takes some of those of a greater one.
    """
    chosen = spread(found, draw, limit)
    return [
        Image(
            Location(f"{slug}-{number:06d}", None, (0, 0, side_m, side_m), draw.split(image.name)), image.name, image.member,
            (image.label,),
        )
        for number, image in enumerate(found) if image in chosen
    ]  # fmt: skip


def recipe_of(found: Sequence[Found], sizes: Mapping[str, int], *, limit: int | None, seed: int) -> dict[str, Any]:
    """What identifies a choice of images and their splits.

    Args:
        found: All images.
        sizes: Bytes of the files.
        limit: As of `choose_images`.
        seed: Of the draw.
    """
    images = {"count": len(found), "sha256": digest_of({image.name: sizes[image.member] for image in found})}
    return {"limit": limit, "seed": seed, "splits": SPLITS, "images": images}


def remarks_of(others: Iterable[str], found: Sequence[Found], *, title: str, count: int) -> list[str]:
    """What a user should know of a released data set: files that are no images of it, images that it lacks.

    Args:
        others: Files that are none.
        found: Images.
        title: What people call it.
        count: How many images it has.
    """
    names = sorted(others)
    remarks = [f"Left out {len(names)} files that are no images of {title}, such as {names[0]}."] if names else []
    return [*remarks, *([f"There are {len(found):,} of the {count:,} images of {title}."] if count != len(found) else [])]


def spread(found: Sequence[Found], draw: Draw, limit: int | None) -> set[Found]:
    """So many images, round after round one of each class that has any left, in a seeded order; all where there is no limit."""
    if limit is None:
        return set(found)
    by_class: dict[str, list[Found]] = defaultdict(list)
    for image in sorted(found, key=lambda image: draw.number("limit", image.name)):
        by_class[image.label].append(image)
    rounds = sorted((turn, image) for images in by_class.values() for turn, image in enumerate(images))
    return {image for _, image in rounds[:limit]}
