"""Ids and relative hrefs: the only place that makes a path from an id. Pure strings.

```
<collection>/items.parquet, or items/<five digits>.parquet
<collection>/<grid square>[/<10 km digits>]/<location>/<item>.json
                                                      /<stem>_<asset key>.tif
```

Images of somebody else's data set, off the lattice or of unknown ground, lie by the number in their id: `012/eurosat-012345`.
Their files may have been left where they were, anywhere in the catalog's folder: `../River/River_1.jpg`, relative to the
collection's.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from catalogs.errors import UnsafeHrefError
from catalogs.lattice import grid_square
from catalogs.records import Location

CATALOG = "catalog.json"
COLLECTION = "collection.json"
INDEX = "items.parquet"
INDEX_FOLDER = "items"
"""Of the files of a divided index."""
INDEX_PART = rf"{INDEX_FOLDER}/\d{{5}}\.parquet"
"""What their names look like, relative to the collection."""
LOCATIONS = "locations.parquet"
FAILURES = "failures.parquet"
RECIPE = "recipe.json"
PACKS = "packs"
"""Folder of the packs, one folder per sensor."""
PACK = "pack.parquet"
"""Of a pack, where each item is."""
PACK_JOURNAL = "journal.jsonl"
"""What an unfinished pack has so far."""
WORK = ".seastars"
"""Folder of what a build needs to continue: saved searches, the journal."""
PART = f"{WORK}/part"
"""Which part of a build a folder holds, such as `3/20`, where it does not hold everything."""
CROWDED = 2000
"""A square with more locations than this is split by its 10 km digits."""
THOUSAND_DIGITS = 3
"""Last digits of an id's number that images of one folder differ in, where no grid square tells where they lie."""
TEMPORARY = ".part"
"""Ending of a file that is still being written."""


@dataclass(frozen=True)
class Layout:
    """Where the locations of one catalog live below their collection."""

    crowded: frozenset[str] = field(default_factory=frozenset)
    """Grid squares that are split by their 10 km digits."""

    @classmethod
    def of(cls, locations: Iterable[Location]) -> Layout:
        """The layout of a whole set of locations."""
        counts = Counter(grid_square(location) for location in locations if location.is_sampled)
        return cls(frozenset(square for square, count in counts.items() if count > CROWDED))

    def folder(self, location: Location) -> str:
        """Folder of a location's files, relative to the collection: `31UDQ/france-000412`, `012/eurosat-012345`."""
        if not location.is_sampled:
            return numbered_folder(location.id)
        square = grid_square(location)
        if square not in self.crowded:
            return f"{square}/{location.id}"
        x, y = location.centre_xy
        return f"{square}/{int(x // 10_000) % 10}{int(y // 10_000) % 10}/{location.id}"


def numbered_folder(location_id: str) -> str:
    """Folder of a location that is not sampled, by the number in its id.

    Examples:
        >>> numbered_folder("eurosat-012345")
        '012/eurosat-012345'
    """
    number = location_id.rpartition("-")[2]
    return f"{number[:-THOUSAND_DIGITS] or '0'}/{location_id}"


def where(folder: str) -> str:
    """What the items of a folder of locations have in common, in words.

    Examples:
        >>> where("31UDQ/47"), where("012")
        ('in MGRS square 31UDQ 47', 'with numbers 012000 to 012999')
    """
    if folder.isdigit():
        return f"with numbers {folder}{'0' * THOUSAND_DIGITS} to {folder}{'9' * THOUSAND_DIGITS}"
    return f"in MGRS square {folder.replace('/', ' ')}"


def stem(when: datetime | None, start: datetime | None, end: datetime | None) -> str:
    """What tells the acquisitions of a location apart: `20230714T105031`, or `20210401_20210930` of a vintage."""
    if when is not None:
        return f"{when:%Y%m%dT%H%M%S}"
    assert start is not None, "a scene has a datetime or an interval"
    assert end is not None, "an interval has an end"
    return f"{start:%Y%m%d}_{end:%Y%m%d}"


def item_id(location_id: str, stem_: str) -> str:
    """Id of an item, unique in its collection."""
    return f"{location_id}_{stem_}"


def asset_name(stem_: str, key: str) -> str:
    """File name of an asset."""
    return f"{stem_}_{key}.tif"


def item_name(id_: str) -> str:
    """File name of an item."""
    return f"{id_}.json"


def index_part(number: int) -> str:
    """A file of a divided index, relative to its collection: `items/00012.parquet`."""
    return f"{INDEX_FOLDER}/{number:05d}.parquet"


def pack_folder(sensor_id: str) -> str:
    """Folder of a sensor's pack, relative to the catalog."""
    return f"{PACKS}/{sensor_id}"


def shard_name(layer_key: str, number: int) -> str:
    """File of a shard, relative to its pack's folder: `10m/00012.npy`."""
    return f"{layer_key}/{number:05d}.npy"


def up(folder: str, name: str) -> str:
    """Relative href from a file in `folder` to `name` at the root that `folder` is relative to.

    Examples:
        >>> up("31UDQ/a-000001", "collection.json")
        '../../collection.json'
    """
    return "../" * (folder.count("/") + 1 if folder else 0) + name


def join(folder: str, href: str) -> str:
    """Resolve a relative href against a folder, refusing one that leaves the root.

    Raises:
        UnsafeHrefError: The href is absolute or climbs above the root.
    """
    joined = posixpath.normpath(posixpath.join(folder, href))
    if is_absolute(href) or joined.startswith("../") or joined == "..":
        raise UnsafeHrefError(
            f"Href {href!r} leaves the catalog's folder. A catalog holds relative hrefs to its own files only; "
            "open it as a remote catalog (trust_hrefs=True) if you trust its author."
        )
    return joined


def in_collection(sensor_id: str, folder: str, href: str) -> str:
    """An href of a document in a collection, relative to the collection's folder.

    Args:
        sensor_id: The collection.
        folder: The document's folder, relative to the collection's.
        href: Relative to the document.

    Raises:
        UnsafeHrefError: The href is absolute or climbs above the catalog.

    Examples:
        >>> in_collection("naip", "012/a-012345", "./a.tif"), in_collection("naip", "012/a-012345", "../../../River/a.jpg")
        ('012/a-012345/a.tif', '../River/a.jpg')
    """
    joined = join(f"{sensor_id}/{folder}", href)
    return joined.removeprefix(f"{sensor_id}/") if joined.startswith(f"{sensor_id}/") else f"../{joined}"


def is_absolute(href: str) -> bool:
    """Whether an href names its place by itself: a path from the root, or an address with a scheme."""
    return href.startswith(("/", "\\")) or "://" in href or href[1:3] in (":\\", ":/")
