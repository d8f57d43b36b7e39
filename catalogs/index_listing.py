"""The files of an index among the assets of its collection, and back. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from catalogs import layout
from catalogs.pixels import SHA256_MULTIHASH

ASSET = "items"
"""Key of an index of one file; the keys of the files of a divided one begin with it: `items-00000`."""
GEOPARQUET = "application/vnd.apache.parquet"


def index_assets(checksums: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The files of an index as assets of its collection.

    Args:
        checksums: Multihash of each file, by its name relative to the collection's folder.
    """
    assets = {}
    for number, name in enumerate(sorted(checksums)):
        part = "" if name == layout.INDEX else f", part {number + 1} of {len(checksums)}"
        assets[_key(name)] = {
            "href": f"./{name}",
            "type": GEOPARQUET,
            "roles": ["collection-mirror"],
            "title": f"All items, as stac-geoparquet{part}",
            "file:checksum": checksums[name],
        }
    return assets


def listed_index(collection: Mapping[str, Any]) -> dict[str, str | None]:
    """The files of the index that a collection lists, in the order of their rows, with the checksums that it states.

    Args:
        collection: As STAC. One that lists none is taken to have one file.
    """
    assets = collection.get("assets") or {}
    stated = {_name(asset): asset.get("file:checksum") for key, asset in sorted(assets.items()) if _is_divided(key, asset)}
    return stated or {layout.INDEX: assets.get(ASSET, {}).get("file:checksum")}


def hash_of_index(checksums: Mapping[str, str]) -> str:
    """What tells an index from every other: 64 hexadecimal digits, of one file those of its SHA-256.

    Args:
        checksums: Multihash of each file, by its name.
    """
    if len(checksums) == 1:
        return next(iter(checksums.values())).removeprefix(SHA256_MULTIHASH)
    lines = "".join(f"{name} {checksum}\n" for name, checksum in sorted(checksums.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def hash_as_listed(collection: Mapping[str, Any]) -> str | None:
    """`hash_of_index`, by the checksums that a collection states; none where it states them not all."""
    listed = listed_index(collection)
    stated = {name: checksum for name, checksum in listed.items() if checksum}
    return hash_of_index(stated) if len(stated) == len(listed) else None


def _key(name: str) -> str:
    return ASSET if name == layout.INDEX else f"{ASSET}-{name.rpartition('/')[2].removesuffix('.parquet')}"


def _name(asset: Mapping[str, Any]) -> str:
    return str(asset["href"]).removeprefix("./")


def _is_divided(key: str, asset: Mapping[str, Any]) -> bool:
    """Whether an asset is a file of a divided index; others of that name lie anywhere."""
    return key.startswith(f"{ASSET}-") and bool(re.fullmatch(layout.INDEX_PART, _name(asset) if "href" in asset else ""))
