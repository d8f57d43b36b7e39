"""What a released data set is to its conversion: images, what is known of each, and how to read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from catalogs.records import Location
from catalogs.writer import Patch


@dataclass(frozen=True, slots=True)
class Image:
    """One image of a data set."""

    location: Location
    """What is known of its place, and its split."""
    name: str
    """What the data set calls it, such as `AnnualCrop_1`."""
    member: str
    """Its file, relative to where the data set lies."""
    labels: tuple[str, ...]
    """What it shows, in the data set's words."""


@dataclass(frozen=True)
class Dataset:
    """A released data set, looked through but not read."""

    kind: str
    """Its name on the command line."""
    sensor: str
    """Id of the sensor that its images are of."""
    images: Sequence[Image]
    """Those to convert, by id."""
    start: datetime
    """First instant that an image may be of, UTC."""
    end: datetime
    """Last one."""
    description: str
    """Of the catalog, for people."""
    recipe: Mapping[str, Any]
    """What identifies the images and their splits."""
    decode: Callable[[Image], list[Patch]]
    """Reads an image; goes to other processes, so it can be pickled. What it raises says what is wrong with the image."""
    remarks: Sequence[str] = ()
    """What a user should know: files that are no images of it, images that it lacks."""
