"""Scenes of a static STAC catalog: a tree of JSON files in a folder or behind a web server, read once.

Its links are followed here rather than by pystac: that takes a fraction of the time, fetches a level at once over HTTP,
leaves the old fields (`eo:bands`, `raster:bands`, `proj:epsg`) as they stand, and a broken branch of somebody else's tree
is counted rather than the end. A catalog of ours is read from its indexes, whether or not it has items in JSON.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from catalogs import fields, files, layout
from catalogs.bands import SENSORS
from catalogs.errors import CatalogUnreachableError, NotACatalogError
from catalogs.foreign import SourceBand, SourceScene, resolve_href
from catalogs.index import iter_items
from catalogs.index_files import open_index
from catalogs.index_listing import listed_index
from catalogs.secrets import without_secrets
from catalogs.to_stac import item_folder, link_item
from curate.daemons import do_each
from curate.errors import SourceSensorError, SourceUnavailableError
from curate.sources.documents import check_stac, is_web, read_document, read_root
from curate.sources.our_collections import is_ours, stated_terms
from curate.sources.protocol import LonLatBox, SourceRaster
from curate.sources.rasters import open_raster
from curate.sources.scenes import SceneIndex, read_scene

FOLLOWED = ("child", "item")
WEB_READERS = 16
"""Documents that are fetched at once; a web server answers one in some 20 to 200 ms."""


@dataclass(frozen=True, slots=True)
class Link:
    """A document that another one names."""

    address: str
    """Absolute path or address."""
    collection: str | None = None
    """Id of the collection that names it."""


class StaticCatalogSource:
    """A source of scenes that holds all of a static catalog in memory."""

    simulated = False
    reads_files = True

    def __init__(
        self,
        address: str,
        *,
        name: str | None = None,
        max_scene_cloud: float = 100,
        prepare: Callable[[dict[str, Any]], dict[str, Any]] = lambda item: item,
    ) -> None:
        """Read the catalog.

        Args:
            address: Path or http(s) address of a catalog, collection, item or item collection, or of a folder with one.
            name: What the user calls it; the address without secrets where none.
            max_scene_cloud: Percent of a whole scene above which it is not offered.
            prepare: Puts an item right before it is read, such as under other names of its bands.

        Raises:
            NotACatalogError: There is no STAC at the address.
            SourceUnavailableError: It does not answer.
        """
        self.name = without_secrets(name or address)
        self.max_scene_cloud = max_scene_cloud
        self.skipped: dict[str, str] = {}
        """Why an item, by its id, or a document, by its address, is of no use."""
        scenes: dict[str, list[SourceScene]] = {}
        collections: list[Mapping[str, Any]] = []
        for item, base_href in crawl(address, self.skipped, collections):
            scene = read_scene(prepare(dict(item)), self.skipped, base_href=base_href)
            if scene:
                scenes.setdefault(scene.sensor, []).append(scene)
        self._indexes = {sensor: SceneIndex(scenes[sensor]) for sensor in SENSORS if sensor in scenes}
        self.terms = stated_terms((str(each.get("id")), each) for each in collections)
        """What its collections, if they are ours, ask of whoever hands their pixels on, by sensor."""

    def sensors(self) -> Sequence[str]:
        """Ids of the sensors it has."""
        return list(self._indexes)

    def search(self, sensor: str, box: LonLatBox, start: datetime, end: datetime) -> list[SourceScene]:
        """Find scenes; see `curate.sources.protocol.Source`.

        Raises:
            SourceSensorError: The catalog has no scene of the sensor.
        """
        if sensor not in self._indexes:
            counted = ", ".join(f"{known} ({len(index.scenes)} scenes)" for known, index in self._indexes.items())
            raise SourceSensorError(
                f"{self.name} has no {sensor}. It has {counted or 'no scene of a sensor that we know'}"
                f"{f'; {len(self.skipped)} others were skipped' if self.skipped else ''}. Choose another --sensor or --source."
            )
        return self._indexes[sensor].search(box, start, end, max_scene_cloud=self.max_scene_cloud)

    def open(self, band: SourceBand) -> AbstractContextManager[SourceRaster]:
        """Open one band; see `curate.sources.rasters.open_raster`."""
        return open_raster(band)


def crawl(
    address: str, skipped: dict[str, str], collections: list[Mapping[str, Any]] | None = None
) -> Iterator[tuple[Mapping[str, Any], str]]:
    """All items below an address, level by level, with the address of each; a document that is met twice is read once.

    Args:
        address: As in `StaticCatalogSource`.
        skipped: Receives, by address, why a document that another one names could not be read.
        collections: Receives the collections of ours that the items are of.

    Raises:
        NotACatalogError: There is no STAC at the address itself, or one page of a search.
        SourceUnavailableError: It, or a document below it, does not answer.
    """
    root, document = read_root(address)
    ours = collections if collections is not None else []
    ours += _collections_above(document, root, skipped)
    documents: Iterable[tuple[Link, dict[str, Any]]] = [(Link(root), document)]
    seen = {root}
    at_once = WEB_READERS if is_web(root) else 1
    while documents:
        following: list[Link] = []
        for link, content in documents:
            ours += [content] if is_ours(content) else []
            if content.get("type") in {"Feature", "FeatureCollection"}:
                yield from _items(content, link)
            elif _is_indexed(content, link.address):
                yield from _indexed_items(content, link.address)
            else:
                following += _links(content, link)
        level = [link for link in dict.fromkeys(following) if link.address not in seen]
        seen.update(link.address for link in level)
        read = do_each(lambda link: _read_or_skip(link, skipped), level, at_once=at_once)
        documents = list(zip(level, read, strict=True))


def _read_or_skip(link: Link, skipped: dict[str, str]) -> dict[str, Any]:
    try:
        return check_stac(read_document(link.address), link.address)
    except NotACatalogError as error:
        skipped[without_secrets(link.address)] = str(error)
        return {}


def _items(document: dict[str, Any], link: Link) -> Iterator[tuple[Mapping[str, Any], str]]:
    links = document.get("links") or []
    if any(named.get("rel") == "next" for named in links):
        raise NotACatalogError(
            f"{without_secrets(link.address)} is one page of a search, and others follow. Expected a whole catalog: "
            "name the root of the API instead."
        )
    for item in document.get("features", [document]):
        yield {**item, "collection": item.get("collection") or link.collection}, link.address


def _collections_above(document: dict[str, Any], address: str, skipped: dict[str, str]) -> Iterator[dict[str, Any]]:
    """The collection of ours that a catalog of one grid square, or an item, is of; nothing above what is none of ours."""
    seen: set[str] = set()
    while _is_within_collection(document) and address not in seen:
        seen.add(address)
        links = {link.get("rel"): str(link["href"]) for link in document.get("links") or [] if "href" in link}
        above = links.get("collection") or links.get("parent")
        if not above:
            return
        address = resolve_href(above, address)
        document = _read_or_skip(Link(address), skipped)
        if is_ours(document):
            yield document


def _is_within_collection(document: Mapping[str, Any]) -> bool:
    """Whether a document is an item of ours, or a catalog of a grid square as `catalogs.to_stac.square_to_stac` makes it."""
    if document.get("type") == "Feature":
        return fields.LOCATION in (document.get("properties") or {})
    words = str(document.get("description", ""))
    return document.get("type") == "Catalog" and any(words.startswith(f"Items of {sensor} ") for sensor in SENSORS)


def _is_indexed(document: dict[str, Any], address: str) -> bool:
    """Whether a document is a collection of ours with an index beside it."""
    if not is_ours(document):
        return False
    with _unreachable_is_unavailable():
        return files.exists(f"{posixpath.dirname(address)}/{next(iter(listed_index(document)))}")


def _indexed_items(collection: Mapping[str, Any], address: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Items of a collection of ours as they would stand in JSON."""
    folder = posixpath.dirname(address)
    with _unreachable_is_unavailable():
        for row in iter_items(open_index([f"{folder}/{name}" for name in listed_index(collection)])):
            yield link_item(row), f"{folder}/{item_folder(row)}/{layout.item_name(row['id'])}"


@contextmanager
def _unreachable_is_unavailable() -> Iterator[None]:
    try:
        yield
    except CatalogUnreachableError as error:
        raise SourceUnavailableError(str(error)) from None


def _links(document: dict[str, Any], link: Link) -> list[Link]:
    collection = document.get("id") if document.get("type") == "Collection" else link.collection
    named = [followed for followed in document.get("links") or [] if followed.get("rel") in FOLLOWED and "href" in followed]
    return [Link(resolve_href(str(followed["href"]), link.address), collection) for followed in named]
