"""What both versions of BigEarthNet are looked through for: patches with labels, ground and split, and what is left out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SIDE_M = 1_200
PATCH_V1 = re.compile(r"S2[AB]_MSIL2A_\d{8}T\d{6}_\d+_\d+")
TILE_V2 = re.compile(r"S2[AB]_MSIL2A_\d{8}T\d{6}_N\d{4}_R\d{3}_T\d{2}[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class LandPatch:
    """One patch, looked at but not read."""

    number: int
    """Among all of the data set, by name."""
    name: str
    """What the data set calls it, and its folder."""
    member: str
    """Its folder, relative to where the data set lies."""
    labels: tuple[str, ...]
    """Its classes, at least one."""
    epsg: int
    """UTM zone of its tile."""
    left: int
    """Easting of its upper left corner, metres."""
    top: int
    """Northing of that."""
    split: str | None = None
    """As published; none where that says nothing of it."""


@dataclass(frozen=True, kw_only=True)
class Archive:
    """One version of the data set, as it lies there."""

    version: str
    """`1.0` or `2.0`."""
    patches: list[LandPatch]
    """Those that can be used, by name."""
    left_out: Mapping[str, int]
    """How many cannot, by reason."""
    remarks: list[str] = field(default_factory=list)
    """What a user should know."""
    lists: Path | None = None
    """Folder of the official lists of its splits."""
    is_drawn: bool = False
    """Whether a patch has no split but one that is drawn."""

    @property
    def split_words(self) -> str:
        """How it is split, for people."""
        return "split image by image" if self.is_drawn else "split as published"


def folders(path: Path, names: re.Pattern[str]) -> Iterator[str]:
    """Names of folders in a folder that look like what is wanted, in no order."""
    with os.scandir(path) as entries:
        yield from (entry.name for entry in entries if names.fullmatch(entry.name) and entry.is_dir())


def find_root(path: Path, inner: str, names: re.Pattern[str]) -> Path | None:
    """The folder of such folders: a path itself, or what an archive unpacks to in it.

    Args:
        path: Where to look.
        inner: What the archive unpacks to.
        names: Of the folders wanted.
    """
    places = [place for place in (path, path / inner) if place.is_dir()]
    return next((place for place in places if next(folders(place, names), None) is not None), None)


def relative(root: Path, path: Path, name: str) -> str:
    """A folder below a root, relative to where the data set lies."""
    return (root / name).relative_to(path).as_posix()


def remarks_of_left_out(left_out: Mapping[str, int]) -> list[str]:
    """What is left out, in words."""
    return [f"Left out {count:,} {'patch' if count == 1 else 'patches'} {why}." for why, count in left_out.items() if count]
