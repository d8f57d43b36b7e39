"""Following the links of a STAC catalog, where there is no index of its items."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from catalogs import files
from catalogs.errors import NotACatalogError, UnsafeHrefError
from catalogs.foreign import resolve_href
from catalogs.secrets import without_secrets

REQUESTS = 16
"""Documents fetched at a time from a remote catalog."""

Check = Callable[[str], str]
"""Gives an address back, or raises UnsafeHrefError."""


class Linked(NamedTuple):
    """A document of a catalog."""

    href: str
    """Its path or address."""
    content: Mapping[str, Any]
    """Its JSON."""


def read_document(href: str) -> dict[str, Any]:
    """A STAC catalog or collection.

    Raises:
        NotACatalogError: It is neither.
        MissingAssetError: There is no such file.
        CatalogUnreachableError: Its server does not answer, or refuses.
    """
    document = files.read_json(href)
    kind = document.get("type", "Catalog")
    if "stac_version" not in document or not isinstance(document.get("links"), list) or kind not in ("Catalog", "Collection"):
        what = f"a STAC {kind}" if "stac_version" in document else f"JSON of {', '.join(sorted(document)[:4]) or 'nothing'}"
        raise NotACatalogError(
            f"{without_secrets(href)} holds {what}; expected a STAC catalog or collection. Give the address of a catalog.json."
        )
    return document


def find_collections(root: Linked, check: Check) -> list[Linked]:
    """The topmost collections of a catalog; the catalog itself where there are none.

    Args:
        root: The catalog.
        check: Of every address that is followed.
    """
    return list(_collections(root, check, {root.href})) or [root]


def walk_items(root: Linked, check: Check) -> Iterator[Linked]:
    """All items of a catalog or collection, in the order of its links.

    Args:
        root: The catalog or collection.
        check: Of every address that is followed.
    """
    yield from _items(root, check, {root.href})


def is_within(href: str, folder: str) -> bool:
    """Whether a path or address lies in a folder."""
    return posixpath.normpath(href).startswith(posixpath.normpath(folder).rstrip("/") + "/")


def guard(folder: str, *, is_ours: bool, trust_hrefs: bool) -> Check:
    """What decides which addresses a catalog may send its reader to.

    Its own folder, always. Other people's catalogs may also name `http(s)://` and `s3://` addresses, as their pixels usually
    lie elsewhere; no catalog may name a file of this machine beside its folder. With `trust_hrefs` it may name anything.
    """

    def check(href: str) -> str:
        if is_within(href, folder) or trust_hrefs or (not is_ours and files.is_remote(href)):
            return href
        raise UnsafeHrefError(
            f"Href {without_secrets(href)!r} leaves the catalog's folder {without_secrets(folder)}. "
            "Open the catalog with trust_hrefs=True if you trust its author."
        )

    return check


def _collections(at: Linked, check: Check, seen: set[str]) -> Iterator[Linked]:
    if at.content.get("type") == "Collection":
        yield at
        return
    for child in _follow("child", at, check, seen):
        yield from _collections(child, check, seen)


def _items(at: Linked, check: Check, seen: set[str]) -> Iterator[Linked]:
    yield from _follow("item", at, check, seen)
    for child in _follow("child", at, check, seen):
        yield from _items(child, check, seen)


def _follow(rel: str, at: Linked, check: Check, seen: set[str]) -> Iterator[Linked]:
    """What links of one kind lead to, each document once."""
    hrefs = [check(resolve_href(link["href"], at.href)) for link in at.content["links"] if link.get("rel") == rel]
    new = [href for href in dict.fromkeys(hrefs) if href not in seen]
    seen.update(new)
    yield from map(Linked, new, _read_all(new, files.read_json if rel == "item" else read_document))


def _read_all(hrefs: Sequence[str], read: Callable[[str], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    if not any(map(files.is_remote, hrefs)):
        yield from map(read, hrefs)
        return
    with ThreadPoolExecutor(REQUESTS) as pool:
        yield from pool.map(read, hrefs)
