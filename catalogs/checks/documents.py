"""The STAC files above the items: the root catalog, the collections, the squares' catalogs, and their links."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from catalogs import fields, index, layout
from catalogs.bands import SENSORS
from catalogs.checks.report import Findings
from catalogs.checks.tree import BROKEN_TABLE, Tree, Visit, beside
from catalogs.errors import CatalogUnreachableError, ContractError, MissingAssetError, UnsafeHrefError
from catalogs.from_stac import read_time
from catalogs.index_files import IndexFiles
from catalogs.index_listing import hash_of_index, listed_index
from catalogs.pack_listing import pack_assets
from catalogs.pixels import SHA256_MULTIHASH, multihash
from catalogs.recipe import items_section
from catalogs.to_stac import WORLD, item_folder

STRUCTURE = ("root", "parent", "child", "item", "collection", "locations")
"""Links that hold a catalog together; others tell of what is elsewhere."""
DEGREES = 1e-6
"""By how much a bounding box may differ."""


@dataclass(slots=True)
class Collected:
    """The items that one collection is said to have."""

    sensor: str
    """Id of the sensor, which is the collection's folder."""
    linked: dict[str, str] = field(default_factory=dict)
    """Item files, relative to the collection's folder, with the catalog that links each."""
    squares: set[str] = field(default_factory=set)
    """Catalogs of its squares that could be read, relative to the root."""
    rows: int = 0
    """Items in its index."""
    assets_per_item: int = 0
    """Asset keys of its index."""
    is_indexed: bool = False
    """Whether its index could be read."""
    index: Sequence[str] = ()
    """Files of its index, relative to the root, in the order of their rows."""
    has_files: bool = False
    """Whether items are JSON files too, not rows of the index alone."""
    pack: Mapping[str, Any] = field(default_factory=dict)
    """The files of its pack that the collection lists, by asset key."""
    index_hash: str | None = None
    """Hash of its index; none where the index cannot be read, or the last run was stopped."""

    @property
    def index_name(self) -> str:
        """How a problem names its index: its file, or the folder of its files."""
        return self.index[0] if len(self.index) == 1 else f"{self.sensor}/{layout.INDEX_FOLDER}"


def check_documents(visit: Visit, recipe: Mapping[str, Any]) -> list[Collected]:
    """Check everything above the items.

    Args:
        visit: The check that this is part of.
        recipe: Of the catalog.

    Returns:
        Its collections, with what their squares link.
    """
    root = visit.read(layout.CATALOG)
    if root is not None:
        check_document(root, layout.CATALOG, "Catalog", visit.findings)
        check_links(root, layout.CATALOG, {"root": layout.CATALOG, "locations": layout.LOCATIONS}, visit.findings)
    linked = links_to(root or {}, layout.CATALOG, "child")
    found = [_check_collection(visit, posixpath.dirname(href), is_linked=True) for href in linked]
    sensors = {str(sensor) for sensor in items_section(recipe).get("sensors", ())}
    for sensor in sorted(sensors - {collected.sensor for collected in found}):
        if any(visit.tree.exists(f"{sensor}/{name}") for name in (layout.INDEX, layout.index_part(0))):
            found.append(_check_collection(visit, sensor, is_linked=False))
            if visit.settled and root is not None:
                visit.add("unlinked", layout.CATALOG, f"Does not link {sensor}/{layout.COLLECTION}, which the recipe names.")
        elif root is not None:
            visit.add("missing-file", f"{sensor}/{layout.INDEX}", "Is not there, though the recipe names its sensor.")
    if root is None and any(collected.rows for collected in found):
        visit.add(
            "missing-file", layout.CATALOG, f"Is not there, though {found[0].sensor} has items; expected the root of all links."
        )
    return found


def check_document(document: Mapping[str, Any], href: str, type_: str, findings: Findings) -> None:
    """Check what a catalog or a collection says of itself."""
    if not document:
        return
    if document.get("type") != type_ or document.get("stac_version") != "1.1.0":
        findings.add(
            "schema",
            href,
            f"Is a {document.get('type')!r} of STAC {document.get('stac_version')!r}; expected a {type_} of 1.1.0.",
        )
    if not isinstance(document.get("id"), str) or not isinstance(document.get("description"), str):
        findings.add("schema", href, f"Lacks an id or a description; expected both in a {type_}.")
    version = document.get(fields.CONTRACT, fields.CONTRACT_VERSION)
    try:
        fields.check_contract(version, href)
    except ContractError as error:
        findings.add("contract", href, str(error))


def check_links(document: Mapping[str, Any], href: str, expected: Mapping[str, str], findings: Findings) -> None:
    """Check that structural links stay in the catalog, and that the expected ones lead where they should.

    Args:
        document: A STAC document.
        href: Its own, relative to the root.
        expected: Relations, each with the file that it leads to, relative to the root.
        findings: Where problems go.
    """
    if not document:
        return
    targets: dict[str, str] = {}
    for rel, target in _structure(document):
        try:
            targets[rel] = beside(href, target)
        except UnsafeHrefError:
            targets[rel] = expected.get(rel, "")
            findings.add("unsafe-href", href, f"Its {rel} link {target!r} leaves the catalog; expected a relative href within.")
    for rel, wanted in expected.items():
        if rel not in targets:
            findings.add("broken-link", href, f"Has no {rel} link; expected one to {wanted}.")
        elif targets[rel] != wanted:
            findings.add("broken-link", href, f"Its {rel} link leads to {targets[rel]}; expected {wanted}.")


def links_to(document: Mapping[str, Any], href: str, rel: str) -> list[str]:
    """Targets of one relation, relative to the root; those that leave the catalog are left out."""
    targets = []
    for found, target in _structure(document):
        if found == rel:
            try:
                targets.append(beside(href, target))
            except UnsafeHrefError:
                continue
    return targets


def _structure(document: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    links = document.get("links")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("rel") in STRUCTURE:
            yield link["rel"], str(link.get("href"))


def _check_collection(visit: Visit, sensor: str, *, is_linked: bool) -> Collected:
    href = f"{sensor}/{layout.COLLECTION}"
    collected = Collected(sensor)
    document = visit.read(href)
    if document is None and is_linked:
        visit.add("broken-link", layout.CATALOG, f"Links {href}, which is not there.")
    document = document or {}
    if document:
        check_document(document, href, "Collection", visit.findings)
        check_links(document, href, {"root": layout.CATALOG, "parent": layout.CATALOG}, visit.findings)
        if document.get("id") != sensor or sensor not in SENSORS:
            known = ", ".join(SENSORS)
            visit.add("schema", href, f"Has id {document.get('id')!r} in folder {sensor}; expected one of {known} in its own.")
    collected.pack = pack_assets(document)
    for key, asset in document.get("assets", {}).items():
        _check_inside(visit, href, key, str(asset.get("href")))
    for square in links_to(document, href, "child"):
        _check_square(visit, square, href, collected)
    _check_index(visit, collected, document)
    return collected


def _check_inside(visit: Visit, document: str, key: str, href: str) -> None:
    """Check that an asset of a collection stays in the catalog."""
    try:
        beside(document, href)
    except UnsafeHrefError:
        visit.add(
            "unsafe-href", document, f"Its asset {key} is {href!r}, which leaves the catalog; expected a relative href within."
        )


def _check_square(visit: Visit, href: str, parent: str, collected: Collected) -> None:
    """Check the catalog of a square or of a part of one, and take in the items that it links."""
    document = visit.read(href)
    if document is None:
        visit.add("broken-link", parent, f"Links {href}, which is not there.")
        return
    collected.squares.add(href)
    check_document(document, href, "Catalog", visit.findings)
    check_links(document, href, {"root": layout.CATALOG, "parent": parent}, visit.findings)
    inside = f"{collected.sensor}/"
    for item in links_to(document, href, "item"):
        if item.startswith(inside):
            collected.linked[item.removeprefix(inside)] = href
        else:
            visit.add("broken-link", href, f"Links {item}, of another collection; expected items of {collected.sensor}.")
    for part in links_to(document, href, "child"):
        if part not in collected.squares:
            _check_square(visit, part, href, collected)


def _check_index(visit: Visit, collected: Collected, document: Mapping[str, Any]) -> None:
    """Check that the collection tells the truth of its index, and see whether its items are files too."""
    stated = listed_index(document)
    collected.index = [f"{collected.sensor}/{name}" for name in stated]
    href = collected.index_name
    compared = visit.settled and bool(document)
    try:
        with visit.tree.open_index(collected.index) as file:
            collected.rows = file.num_rows
            collected.is_indexed = True
            collected.assets_per_item = len(file.asset_keys)
            first = first_file(file)
            collected.has_files = bool(collected.linked) or (
                first is not None and visit.tree.exists(f"{collected.sensor}/{first}")
            )
            covered = index.extent(file)
    except MissingAssetError:
        lacking = next((href for href in collected.index if not visit.tree.exists(href)), href)
        visit.add("missing-file", lacking, "Is not there; expected the index of the collection's items.")
        return
    except CatalogUnreachableError:
        raise
    except (ContractError, *BROKEN_TABLE) as error:
        visit.add("index", href, f"Cannot be read ({type(error).__name__}: {error}); expected the items as stac-geoparquet.")
        return
    if compared:
        _check_extent(visit.findings, f"{collected.sensor}/{layout.COLLECTION}", document, covered)
        real = {name: _checksum(visit.tree, f"{collected.sensor}/{name}") for name in stated}
        collected.index_hash = hash_of_index(real)
        for name, checksum in real.items():
            if stated[name] != checksum:
                words = f"Has checksum {checksum}; its collection.json says {stated[name]}."
                visit.add("index", f"{collected.sensor}/{name}", words)


def first_file(file: IndexFiles) -> str | None:
    """File of the first item of an index, relative to the collection's folder, if items are files."""
    for item in index.read_items(file, [0]) if file.num_rows else ():
        if item["assets"]:
            return f"{item_folder(item)}/{layout.item_name(item['id'])}"
    return None


def _checksum(tree: Tree, href: str) -> str:
    """Multihash of a file, a local one without holding it in memory."""
    if tree.is_remote:
        return multihash(tree.read(href))
    with Path(tree.address(href)).open("rb") as file:
        return SHA256_MULTIHASH + hashlib.file_digest(file, "sha256").hexdigest()


def _check_extent(findings: Findings, href: str, document: Mapping[str, Any], covered: tuple[Any, Any, int]) -> None:
    bbox, interval, count = covered
    if not count:
        return
    bbox = bbox or WORLD
    extent = document.get("extent", {})
    try:
        stated_bbox = extent["spatial"]["bbox"][0]
        stated_times = tuple(read_time(when) for when in extent["temporal"]["interval"][0])
        is_far = any(abs(a - b) > DEGREES for a, b in zip(stated_bbox, bbox, strict=True))
    except (LookupError, TypeError, ValueError):
        findings.add("collection", href, "Has no extent in space and time; expected that of its items.")
        return
    if is_far:
        findings.add("collection", href, f"Has bbox {stated_bbox}; that of its items is {list(bbox)}.")
    if stated_times != interval:
        findings.add(
            "collection", href, f"Spans {' to '.join(map(str, stated_times))}; its items {' to '.join(map(str, interval))}."
        )
