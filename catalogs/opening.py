"""Where a reader starts: the root document of an address, and the items of its collections."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from catalogs import fields, files, layout
from catalogs.bands import find_sensor
from catalogs.errors import MissingAssetError, NotACatalogError
from catalogs.foreign import from_item, match_sensor, resolve_href
from catalogs.from_stac import scene_from_item, unlink_item
from catalogs.index_files import open_index
from catalogs.index_listing import listed_index
from catalogs.secrets import without_secrets
from catalogs.stores import REPEATING, IndexStore, Store, WalkedStore
from catalogs.walk import Check, Linked, read_document, walk_items

LOG = logging.getLogger(__name__)


def find_root(address: str) -> Linked:
    """The root document of a folder, a file, or the address of either.

    Raises:
        MissingAssetError: There is no such folder or file.
        NotACatalogError: It holds no STAC catalog, or it is a STAC API.
        CatalogUnreachableError: Its server does not answer, or refuses.
    """
    if address.endswith(".json"):
        return Linked(address, read_document(address))
    for name in (layout.CATALOG, layout.COLLECTION):
        with suppress(MissingAssetError):
            return Linked(f"{address}/{name}", read_document(f"{address}/{name}"))
    if not files.is_remote(address):
        if Path(address, layout.LOCATIONS).exists():
            raise NotACatalogError(f"{address} was sampled, and nothing is built yet. Build it first: curate build {address}")
        what = "is not there" if not Path(address).exists() else f"has no {layout.CATALOG}"
        error = MissingAssetError if not Path(address).exists() else NotACatalogError
        raise error(f"{without_secrets(address)} {what}. Give the folder of a catalog, or start one with curate sample --out.")
    content = read_document(address)
    if "conformsTo" in content:
        raise NotACatalogError(
            f"{without_secrets(address)} is a STAC API, which is searched, not opened. "
            f"Build a catalog from it: curate build CATALOG --source {without_secrets(address)}"
        )
    return Linked(address, content)


def collection_sensor(linked: Linked, check: Check) -> str | None:
    """Id of the sensor that a collection holds: by its own words, else by those of its first item; none where unknown."""
    if fields.CONTRACT in linked.content:
        return str(linked.content["id"])
    stated = match_sensor(linked.content) if linked.content.get("type") == "Collection" else None
    return stated or next((match_sensor(item.content) for item in walk_items(linked, check)), None)


def open_our_store(linked: Linked, check: Check) -> Store:
    """The items of a collection of ours: by its index, or by its links where it has none.

    Raises:
        MissingAssetError: It has neither.
        ContractError: Its index is damaged, or an item breaks the contract.
    """
    sensor, folder = str(linked.content["id"]), posixpath.dirname(linked.href)
    try:
        hrefs = [f"{folder}/{name}" for name in listed_index(linked.content)]
        return IndexStore(open_index(hrefs, dictionaries=REPEATING), sensor, folder)
    except MissingAssetError:
        has_links = any(link["rel"] in ("child", "item") for link in linked.content["links"])
        if "assets" in linked.content and not has_links:
            raise
    rows = [unlink_item(item.content, _folder_within(item.href, folder)) for item in walk_items(linked, check)]
    rows.sort(key=lambda row: (row["properties"][fields.LOCATION], row["id"]))
    return WalkedStore(sensor, folder, rows, [scene_from_item(row) for row in rows])


def open_other_store(sensor: str, collections: Sequence[Linked], check: Check) -> Store:
    """The items of one sensor in another catalog; how many of its collections' items are of other products is logged.

    Raises:
        ContractError: An item has no time, or no footprint.
    """
    items = [item for linked in collections for item in walk_items(linked, check)]
    mine = [item for item in items if match_sensor(item.content) == sensor]
    if len(mine) < len(items):
        others = [str(item.content.get("id")) for item in items if match_sensor(item.content) != sensor]
        LOG.warning("%d of %d items are no %s and left out, such as %s.", len(others), len(items), sensor, others[0])
    scenes = [from_item(item.content, find_sensor(sensor), base_href=item.href) for item in mine]
    return WalkedStore(sensor, posixpath.dirname(collections[0].href), [_with_absolute_hrefs(item) for item in mine], scenes)


def _folder_within(href: str, folder: str) -> str:
    return posixpath.dirname(href).removeprefix(folder).strip("/")


def _with_absolute_hrefs(item: Linked) -> dict[str, Any]:
    assets = {key: {**asset, "href": resolve_href(asset["href"], item.href)} for key, asset in item.content["assets"].items()}
    return {**item.content, "assets": assets}
