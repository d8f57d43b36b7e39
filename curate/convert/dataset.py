"""What a released data set is to its conversion: images, what is known of each, and how to read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from catalogs.records import Band, Location, Window
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
    when: datetime | None = None
    """Its acquisition, UTC; none where the data set's interval is all that is known."""
    platform: str | None = None
    """What took it, such as `sentinel-2b`; none where nobody knows."""
    interval: tuple[datetime, datetime] | None = None
    """First and last instant that it may be of, UTC, where these are closer than the data set's."""
    season: int = 0
    """Which of its location's dates it is of, from 0."""
    window: Window | None = None
    """The pixels of the file that it is; all where absent."""
    label_member: str = ""
    """File of the labels of its pixels, where there is one."""


@dataclass(frozen=True, slots=True)
class ReleasedFile:
    """A file of a data set that is an asset as it lies there."""

    member: str
    """Relative to where the data set lies."""
    key: str
    """Of the asset: that of a patch, or the name of its one band."""
    bands: tuple[Band, ...]
    """What it holds, in its order."""


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
    decision: str | None = None
    """How scale and offset were decided, as `Radiometry.decision`, which pixels are then checked against; none of values that
    are no reflectance, or that nobody checks."""
    seasons: int = 1
    """Dates of each location, whose images follow each other."""
    label_rasters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Classes of the label rasters that its images may have, by asset key."""
    released: Callable[[Image, Patch], Sequence[ReleasedFile]] | None = None
    """The files that hold just the pixels of a patch, so that they can stay where they are, and nothing of a patch that had to
    be made; goes to other processes. None where no file can."""
    released_apart: bool = False
    """Whether each of these holds one band."""
    lists: Path | None = None
    """Folder of the official lists of its splits, where they lie with it; taken where no others are asked for."""
