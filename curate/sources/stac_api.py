"""Scenes of a STAC API, searched through pystac-client.

Only bounding box, time and collection are asked of every API. Cloud and order are asked where its conformance classes
declare them, cloud only of a single collection, since of several the cloudy copies have to be known too; everything is filtered
and sorted here as well, so that all APIs give the same scenes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from catalogs.bands import SENSORS, find_sensor
from catalogs.errors import NotACatalogError
from catalogs.foreign import COLLECTION_ALIASES, SourceBand, SourceScene, match_sensor
from catalogs.secrets import has_secret, without_secrets
from catalogs.terms import SourceTerms
from curate.errors import SourceSensorError, SourceUnavailableError
from curate.reading.buckets import check_paid
from curate.sources.copies import Copy, without_copies
from curate.sources.documents import CONNECT_TIMEOUT_S, READ_TIMEOUT_S, patience, refusal, unavailable
from curate.sources.our_collections import stated_terms
from curate.sources.protocol import LonLatBox, SourceRaster, why_lacking
from curate.sources.rasters import open_raster
from curate.sources.scenes import SceneIndex, read_scene

if TYPE_CHECKING:
    from pystac_client import Client
    from pystac_client.stac_api_io import StacApiIO

PAGE_SIZES = (100, 20)
"""Items asked for at once; the smaller where an API fails on the larger, since answers of some megabytes break gateways."""
TOO_LARGE_CODES = (413, 500, 502, 504)
REFUSED_CODES = (401, 403)
NOT_FOUND = 404
SHOWN_CHARACTERS = 120
SHOWN_COLLECTIONS = 12

Given = TypeVar("Given")


class StacApiSource:
    """A source of scenes behind a STAC API."""

    simulated = False
    reads_files = True

    def __init__(
        self,
        address: str,
        *,
        name: str | None = None,
        collections: Mapping[str, str | Sequence[str]] | None = None,
        max_scene_cloud: float = 100,
        prepare: Callable[[dict[str, Any]], dict[str, Any]] = lambda item: item,
        lacking: Mapping[str, str] | None = None,
        queries: Mapping[str, Mapping[str, Any]] | None = None,
        asks_terms: bool = False,
        one_process: str = "",
    ) -> None:
        """Describe the API; nothing is asked of it yet.

        Args:
            address: Of its root (landing page).
            name: What the user calls it; the address without secrets where none.
            collections: Id of the API's collection by sensor, or several, the preferred one first: each further one fills the
                gaps of those before it. Looked up in the API's list of collections where none.
            max_scene_cloud: Percent of a whole scene above which it is not offered.
            prepare: Puts an item right before it is read, such as which of an asset's addresses is opened.
            lacking: Why it has not a sensor that people may look for there, a sentence by the sensor's id.
            queries: What its items must be for a sensor, in the words of STAC's query extension; asked of an API that has it,
                so that it does not send what we cannot use.
            asks_terms: Whether to ask for the collections that are given, too, since what they state of their terms matters.
            one_process: Why its files may be read by one process at a time alone, a sentence; any number may where none.
        """
        self.name = name or without_secrets(address)
        self.max_scene_cloud = max_scene_cloud
        self.skipped: dict[str, str] = {}
        """Why an item, by its id, is of no use."""
        self._address, self._prepare = address, prepare
        self._collections = {sensor: _listed(ids) for sensor, ids in collections.items()} if collections else None
        self.lacking = dict(lacking or {})
        """See `curate.sources.protocol.why_lacking`."""
        self.one_process = one_process
        """See `curate.sources.protocol.why_one_process`."""
        self._queries = queries or {}
        self._asks_terms = asks_terms or not collections
        self.terms: dict[str, SourceTerms] = {}
        """What its collections, if they are ours, ask of who hands their pixels on, by sensor; known once its sensors are."""
        self._opened: tuple[Client, StacApiIO] | None = None
        self._lock = RLock()

    def sensors(self) -> Sequence[str]:
        """Ids of the sensors it has."""
        return list(self._served())

    def search(self, sensor: str, box: LonLatBox, start: datetime, end: datetime) -> list[SourceScene]:
        """Find scenes; see `curate.sources.protocol.Source`.

        Raises:
            SourceSensorError: The API has no collection of the sensor.
            SourceUnavailableError: It does not answer.
            CurateError: Its files are read at their reader's expense, and there are no credentials to pay with.
        """
        served = self._served()
        if sensor not in served:
            known = ", ".join(f"{name} (its collection {', '.join(ids)})" for name, ids in served.items())
            has = f"It has {known or 'no collection of a sensor that we know'}."
            words = [f"{self.name} has no {sensor}.", why_lacking(self, sensor), has, "Choose another --sensor or --source."]
            raise SourceSensorError(" ".join(filter(None, words)))
        asked: dict[str, Any] = {"collections": list(served[sensor]), "bbox": list(box)}
        if not find_sensor(sensor).is_static:  # whose items state a day of publication
            asked["datetime"] = [start, end]
        with_cloud = find_sensor(sensor).mask is not None and len(served[sensor]) == 1  # copies: see `without_copies`
        items = self._items(asked, dict(self._queries.get(sensor, {})), with_cloud=with_cloud)
        scenes = list(without_copies(self._copies(items, sensor, served[sensor])))
        for scene in scenes:
            check_paid(next(iter(scene.bands.values())).href)
        return SceneIndex(scenes).search(box, start, end, max_scene_cloud=self.max_scene_cloud)

    def open(self, band: SourceBand) -> AbstractContextManager[SourceRaster]:
        """Open one band; see `curate.sources.rasters.open_raster`."""
        return open_raster(band)

    def _copies(self, items: Iterable[dict[str, Any]], sensor: str, collections: tuple[str, ...]) -> Iterator[Copy]:
        """The scenes of items, those left out that are of another collection or sensor, or of no use."""
        ranks = {name: rank for rank, name in enumerate(collections)} | {None: 0}
        for item in items:
            if item.get("collection") not in ranks:
                continue
            scene = read_scene(self._prepare(item), self.skipped)
            if scene and scene.sensor == sensor:
                tile = item.get("properties", {}).get("grid:code")
                yield Copy(replace(scene, source=self.name), ranks[item.get("collection")], tile)

    def _items(self, asked: dict[str, Any], query: dict[str, Any], *, with_cloud: bool) -> list[dict[str, Any]]:
        """All items of a search, page by page; smaller pages where the server breaks on large ones."""
        from pystac_client.exceptions import APIError

        client, _ = self._api()
        asked["method"] = _search_method(client)
        if with_cloud and self.max_scene_cloud < 100:
            query["eo:cloud_cover"] = {"lte": self.max_scene_cloud}
        if query and client.conforms_to("QUERY"):
            asked["query"] = query
        if client.conforms_to("SORT"):
            asked["sortby"] = [{"field": "properties.datetime", "direction": "asc"}]
        large, small = PAGE_SIZES
        with _told(self._address, self.name):
            try:
                return list(client.search(**asked, limit=large).items_as_dicts())
            except APIError as error:
                if getattr(error, "status_code", None) not in TOO_LARGE_CODES:
                    raise
                return list(client.search(**asked, limit=small).items_as_dicts())

    def _served(self) -> dict[str, tuple[str, ...]]:
        """Its collections by sensor, in our order of sensors, the preferred ones first."""
        with self._lock:
            served = self._collections
            if served is None or self._asks_terms:
                described = self._described(served)
                if served is None:
                    served = _choose_collections(described)
                    self.lacking |= {sensor: _strangers(described) for sensor in SENSORS if sensor not in served}
                self._collections = served
                by_id = {str(collection.get("id")): collection for collection in described}
                self.terms = stated_terms((sensor, by_id.get(id_, {})) for sensor, ids in served.items() for id_ in ids)
                self._asks_terms = False
            return served

    def _described(self, served: Mapping[str, Sequence[str]] | None) -> list[dict[str, Any]]:
        """The API's collections, all or those that are served, as they stand.

        Raises:
            SourceSensorError: It has none of an id that is served.
        """
        client, requests = self._api()
        with _told(self._address, self.name):
            if served is None:
                return _list_collections(client, requests, self._address)
            asked = (client, requests, self._address)
            found: dict[str, dict[str, Any]] = {
                id_: _if_there(partial(_read_collection, *asked, id_), {}) for ids in served.values() for id_ in ids
            }
            known: list[dict[str, Any]] = [] if all(found.values()) else _if_there(partial(_list_collections, *asked), [])
        named = [str(collection.get("id")) for collection in known]
        for id_ in (id_ for id_, collection in found.items() if named and not collection and id_ not in named):
            raise SourceSensorError(f"{self.name} has no collection {id_!r}. {_choice(id_, named)}")
        return [*known, *filter(None, found.values())]

    def _api(self) -> tuple[Client, StacApiIO]:
        with self._lock:
            if self._opened is None:
                with _told(self._address, self.name):
                    self._opened = _open(self._address)
            return self._opened


def _open(address: str) -> tuple[Client, StacApiIO]:
    from pystac_client import Client
    from pystac_client.stac_api_io import StacApiIO

    requests = StacApiIO(max_retries=patience())
    client = Client.from_file(address, stac_io=requests, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S))
    client.add_conforms_to("ITEM_SEARCH")
    return client, requests


def _search_method(client: Client) -> str:
    methods = {link.extra_fields.get("method", "GET") for link in client.get_links("search")}
    return "POST" if "POST" in methods or not methods else "GET"


def _list_collections(client: Client, requests: StacApiIO, address: str) -> list[dict[str, Any]]:
    """Collections as they stand: pystac's own reading of them fails on a small fault in a single one."""
    pages = requests.get_pages(_collections_href(client, address))
    return [collection for page in pages for collection in page.get("collections", [])]


def _read_collection(client: Client, requests: StacApiIO, address: str, id_: str) -> dict[str, Any]:
    """One collection as it stands."""
    return requests.read_json(f"{_collections_href(client, address)}/{quote(id_, safe='')}")


def _if_there(read: Callable[[], Given], otherwise: Given) -> Given:
    """What is read, or something else where it is not there: an API need not give its collections."""
    from pystac_client.exceptions import APIError

    try:
        return read()
    except APIError as error:
        if getattr(error, "status_code", None) != NOT_FOUND:
            raise
        return otherwise


def _choice(id_: str, known: Sequence[str]) -> str:
    """Which collections there are, and which of them may be meant."""
    guess = get_close_matches(id_, known, 1, 0.5)
    return f"It has {_some(known)}. {f'Did you mean {guess[0]!r}?' if guess else 'Name one of these.'}"


def _strangers(described: Sequence[Mapping[str, Any]]) -> str:
    """What can be done about collections that are of no sensor that we know."""
    ids = [str(collection.get("id")) for collection in described if match_sensor(dict(collection)) is None]
    if not ids:
        return ""
    return f"Of its collections {_some(ids)} we do not know the sensor: a mapping file (*.toml) can say it."


def _some(ids: Sequence[str]) -> str:
    """The first of many."""
    more = f" and {len(ids) - SHOWN_COLLECTIONS} more" if len(ids) > SHOWN_COLLECTIONS else ""
    return f"{', '.join(ids[:SHOWN_COLLECTIONS])}{more}"


def _collections_href(client: Client, address: str) -> str:
    link = client.get_single_link("data")
    return (link.get_absolute_href() if link else None) or f"{address.rstrip('/')}/collections"


def _listed(ids: str | Sequence[str]) -> tuple[str, ...]:
    return (ids,) if isinstance(ids, str) else tuple(ids)


def _choose_collections(described: list[dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    """The best collection of each sensor: that of its own id, else the first of the aliases, else the first that matches."""
    order = {name: place for place, name in enumerate([*SENSORS, *COLLECTION_ALIASES])}
    ranked = sorted(described, key=lambda collection: order.get(str(collection.get("id")), len(order)))
    matched = [(match_sensor(collection), str(collection.get("id"))) for collection in ranked]
    best = {sensor: collection for sensor, collection in reversed(matched) if sensor}
    return {sensor: (best[sensor],) for sensor in SENSORS if sensor in best}


@contextmanager
def _told(address: str, name: str) -> Iterator[None]:
    """Say in our words what goes wrong between us and an API; its own may repeat a signed address."""
    from json import JSONDecodeError

    from pystac import STACError, STACTypeError
    from pystac_client.errors import ClientTypeError
    from pystac_client.exceptions import APIError

    try:
        yield
    except APIError as error:
        code = getattr(error, "status_code", None)
        said = " ".join(str(error).split())[:SHOWN_CHARACTERS] if code else ""
        detail = f"HTTP {code}{f': {said}' if said and not has_secret(said) else ''}" if code else "no connection"
        words = refusal(address, detail, name=name) if code in REFUSED_CODES else unavailable(address, code, detail, name=name)
        raise SourceUnavailableError(words) from None
    except (STACTypeError, ClientTypeError, STACError, JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise NotACatalogError(
            f"{without_secrets(address)} answers, but not as a STAC API does ({type(error).__name__}). Expected a landing page "
            "with conformsTo and a search link; check the address."
        ) from None
