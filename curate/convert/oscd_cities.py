"""What lies there of each city of OSCD: its images, its change map, its dates, its split. Looked through, no pixel copied.

The layout is that of the published archives: `<city>/imgs_1_rect/B01.tif` and so on, `<city>/dates.txt`, and in another folder
`<city>/cm/<city>-cm.tif` and `cm.png`; `train.txt` and `test.txt` name the cities of each split.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from curate.convert.data_files import DataFiles
from curate.convert.decoding import read_form, read_grid, read_pixels
from curate.convert.tiles import Ground, ground_of
from curate.errors import CurateError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BAND = "B02"
CHANGED = {".tif": {1: 0, 2: 1}, ".png": {0: 0, 255: 1}}
"""Number of the class of each value, by the suffix of a change map."""
IMAGE = re.compile(rf"((?:.*/)?([^/]+))/imgs_[12]_rect/{BAND}\.tif")
CHANGE_MAP = re.compile(r"(?:.*/)?([^/]+)/cm/(?:\1-cm\.tif|cm\.png)")
LIST = re.compile(r"(?:.*/)?(train|test)\.txt")
EXPECTED = (
    "the folder that holds what its archives unpack to: `Onera Satellite Change Detection dataset - Images`, "
    "`... - Train Labels` and `... - Test Labels`"
)
SHOWN = 4
"""Cities that a message names."""


@dataclass(frozen=True, slots=True)
class Found:
    """Files of one city."""

    name: str
    folder: str
    """Of its images."""
    change_map: str
    """File of its change map."""
    split: str

    def sample(self, visit: int) -> str:
        """File of the band whose header stands for those of the others, at the first or the second date."""
        return f"{self.folder}/imgs_{visit}_rect/{BAND}.tif"


@dataclass(frozen=True, slots=True)
class City:
    """One city, its files looked at."""

    found: Found
    days: tuple[datetime, datetime]
    """Of its two images, UTC."""
    height: int
    width: int
    ground: Ground | None
    """Where tiles of it lie, if a location can say so."""


def find_cities(path: Path, files: DataFiles, sizes: Mapping[str, int]) -> list[Found]:
    """All cities, by name.

    Args:
        path: Where they lie, for messages.
        files: What lies there.
        sizes: Of `files`, which are looked up once.

    Raises:
        CurateError: There are none, one is there twice, or it lacks its change map or its list.
    """
    folders: dict[str, str] = {}
    for match in filter(None, map(IMAGE.fullmatch, sizes)):
        if folders.setdefault(match[2], match[1]) != match[1]:
            raise CurateError(f"{path} has {match[2]} twice, as {folders[match[2]]} and {match[1]}. Give the folder of one.")
    if not folders:
        first = next(iter(sizes), None)
        raise CurateError(f"{path} holds {repr(first) if first else 'nothing'}, but no image of OSCD; expected {EXPECTED}.")
    maps = {match[1]: match[0] for match in filter(None, map(CHANGE_MAP.fullmatch, sorted(sizes, key=_is_exact)))}
    _check_all(path, folders, maps, f"change map, <city>/cm/<city>-cm.tif or cm.png. Expected {EXPECTED}")
    split_of = _read_splits(files, sizes)
    _check_all(path, folders, split_of, "place in train.txt or test.txt, which lie with the images. Restore them")
    return [Found(name, folders[name], maps[name], split_of[name]) for name in sorted(folders)]


def _is_exact(name: str) -> bool:
    """Whether a change map is the one to take of two: a TIFF, which comes last."""
    return name.endswith(".tif")


def _check_all(path: Path, cities: Collection[str], having: Collection[str], what: str) -> None:
    lacking = sorted(set(cities) - set(having))
    if lacking:
        listed = ", ".join(lacking[:SHOWN])
        raise CurateError(f"{path} has {len(lacking)} of {len(cities)} cities ({listed}) without a {what}.")


def _read_splits(files: DataFiles, sizes: Mapping[str, int]) -> dict[str, str]:
    """Split of each city that a list names; a list is one line of names with commas between, or a name a line."""
    lists = {name: match[1] for name in sizes if (match := LIST.fullmatch(name))}
    return {
        city.strip(): split
        for name, split in lists.items()
        for city in re.split(r"[,\n]", files.read(name).decode("utf-8-sig")) if city.strip()
    }  # fmt: skip


def look_at(path: Path, files: DataFiles, found: Found, side: int) -> City:
    """Size, place and dates of a city.

    Args:
        path: Where it lies, for messages.
        files: What lies there.
        found: The city.
        side: Of its tiles, pixels.

    Raises:
        CurateError: A file of it is lacking or damaged, or they differ in size.
    """
    try:
        first = files.read(found.sample(1))
        forms = [read_form(content, ["TIFF"])[1:3] for content in (first, files.read(found.sample(2)))]
        change = read_change(files, found.change_map)
        grid = read_grid(first)
    except (CurateError, OSError, KeyError) as error:
        raise CurateError(f"{found.folder} of {path} cannot be read: {error}. Get the data set again.") from error
    if len({*forms, change.shape[1:]}) > 1:
        listed = ", ".join(f"{width} x {height}" for height, width in (*forms, change.shape[1:]))
        raise CurateError(
            f"{found.folder} of {path} has images and a change map of {listed} pixels; expected one size. "
            "Take imgs_1_rect and imgs_2_rect as they were published."
        )
    height, width = forms[0]
    return City(found, _read_days(path, files, found), height, width, ground_of(grid, side))


def _read_days(path: Path, files: DataFiles, found: Found) -> tuple[datetime, datetime]:
    """The days of the two images, from `dates.txt`: `date_1: 20160816` and `date_2: 20180328`.

    Raises:
        CurateError: They are not there, or not in their order.
    """
    name = f"{found.folder}/dates.txt"
    try:
        text = files.read(name).decode("utf-8-sig")
        first, second = (datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC) for day in re.findall(r"\d{8}", text))
    except (OSError, KeyError, ValueError) as error:
        raise CurateError(
            f"{name} of {path} has no two dates ({error}); expected date_1: 20160816 and date_2: 20180328."
        ) from error
    if first >= second:
        raise CurateError(f"{name} of {path} has {first:%Y-%m-%d} before {second:%Y-%m-%d}; expected the earlier date first.")
    return first, second


@lru_cache(maxsize=1)
def read_change(files: DataFiles, name: str) -> NDArray[np.uint8]:
    """Change map of a city, (1, height, width): 0 unchanged, 1 changed.

    Raises:
        CurateError: It is damaged, or has other values than those that are published.
    """
    content = files.read(name)
    form = read_form(content, ["PNG", "TIFF"])
    values = read_pixels(content, ["PNG", "TIFF"], expected=(*form[:3], "uint8"))[:1]
    numbers = CHANGED[PurePosixPath(name).suffix]
    strange = sorted(set(np.unique(values).tolist()) - numbers.keys())
    if strange:
        raise CurateError(f"its change map {name} has value {strange[0]}; expected {' and '.join(map(str, numbers))}")
    found = np.zeros(values.shape, np.uint8)
    for value, number in numbers.items():
        found[values == value] = number
    return found
