"""JSON documents of a catalog or an API, from a path or over HTTP, with patience and with words where they fail."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urljoin

from catalogs.errors import NotACatalogError
from catalogs.secrets import without_secrets
from curate.errors import SourceUnavailableError
from curate.sources import PROVIDERS

if TYPE_CHECKING:
    from requests import Session
    from urllib3 import Retry

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 60
BACKOFF_S = 0.5
"""Pause before the third try; each further one is twice as long."""
BUSY_CODES = (429, 500, 502, 503, 504)
"""Answers of a server that may be able to do it a little later."""
TOO_MANY = 429
"""Answer of a server that limits how often somebody asks."""
FAULT = 500
"""From here on answers tell of a fault of the server's own."""
UNAUTHORIZED = 401
"""Answer of a server that wants to know who asks. A bucket says 403 of what is not there, too, so that is no such answer."""
LONGEST_WAIT_S = 900.0
"""For which a server may ask to be left alone, seconds; one that asks for longer does not answer now."""
KEPT = "what is done is kept"
SHOWN_CHARACTERS = 60
ROOT_NAMES = ("catalog.json", "collection.json")


def read_document(address: str) -> dict[str, Any]:
    """The JSON object at a path or an http(s) address.

    Raises:
        SourceUnavailableError: The address does not answer.
        NotACatalogError: There is nothing at it, or something else than a JSON object.
    """
    data = _fetch(address) if is_web(address) else _read_file(address)
    try:
        document = json.loads(data)
    except ValueError:
        raise NotACatalogError(_not_stac(address, _told_of(data))) from None
    if not isinstance(document, dict):
        raise NotACatalogError(_not_stac(address, f"a JSON {type(document).__name__}"))
    return document


def is_web(address: str) -> bool:
    """Whether an address is one of the web rather than a path."""
    return address.lower().startswith(("http://", "https://"))


def read_root(address: str) -> tuple[str, dict[str, Any]]:
    """The first document of a catalog and where it is; of a folder its `catalog.json`, or else its `collection.json`.

    Raises:
        SourceUnavailableError: The address does not answer.
        NotACatalogError: There is no STAC at it.
    """
    places = [address] if is_web(address) else [Path(address).expanduser().absolute().as_posix()]
    if is_web(address) and not address.endswith("json"):
        places += [f"{address.rstrip('/')}/{name}" for name in ROOT_NAMES]
    elif Path(places[0]).is_dir():
        places = _files_of(places[0])
    failures = []
    for place in places:
        try:
            return place, check_stac(read_document(place), place)
        except NotACatalogError as error:
            failures.append(error)
    raise failures[0]


def check_stac(document: dict[str, Any], address: str) -> dict[str, Any]:
    """Pass on a document that is STAC.

    Raises:
        NotACatalogError: It is another JSON document.
    """
    if "stac_version" in document or document.get("type") == "FeatureCollection":
        return document
    if "collections" in document:
        raise NotACatalogError(
            f"{without_secrets(address)} is an API's list of collections. Expected its root, which can be searched: name the "
            "address without /collections."
        )
    raise NotACatalogError(
        _not_stac(address, f"JSON without stac_version (its fields: {', '.join(list(document)[:6]) or 'none'})")
    )


def check_whole(document: dict[str, Any], address: str) -> None:
    """Refuse one collection of an API, which links to none of its items.

    Raises:
        NotACatalogError: It is one.
    """
    links = {link.get("rel"): str(link.get("href")) for link in document.get("links") or []}
    if document.get("type") == "Collection" and "items" in links and not {"item", "child"} & set(links):
        root = f", {without_secrets(urljoin(address, links['root']))}" if "root" in links else ""
        raise NotACatalogError(
            f"{without_secrets(address)} is one collection of an API, {document.get('id')!r}, and cannot be searched by "
            f"itself. Expected the API's root{root}: name that. Which of its collections is which sensor is said, where it is "
            "not known, by a mapping file (*.toml)."
        )


def patience() -> Retry:
    """How often, and how slowly, a request is repeated; searches (POST) change nothing and are repeated too."""
    from urllib3 import Retry
    from urllib3.exceptions import MaxRetryError

    class BoundedRetry(Retry):
        """Keeps to Retry-After, and takes an answer that asks for more than `LONGEST_WAIT_S` for the last one."""

        def increment(self, method: Any = None, url: Any = None, response: Any = None, *args: Any, **options: Any) -> Self:
            if response is not None and (self.get_retry_after(response) or 0.0) > LONGEST_WAIT_S:
                raise MaxRetryError(options["_pool"], url)
            return super().increment(method, url, response, *args, **options)

    return BoundedRetry(
        total=5, connect=2, backoff_factor=BACKOFF_S, status_forcelist=BUSY_CODES, allowed_methods=None, raise_on_status=False
    )


def _fetch(address: str) -> bytes:
    from requests import RequestException

    try:
        answer = _session().get(address, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S))
    except RequestException as error:
        raise SourceUnavailableError(unavailable(address, None, _why_not(error))) from None
    told = f"HTTP {answer.status_code} {answer.reason or ''}".strip()
    if answer.status_code in BUSY_CODES:
        raise SourceUnavailableError(unavailable(address, answer.status_code, told))
    if answer.status_code == UNAUTHORIZED:
        raise SourceUnavailableError(refusal(address, told))
    if answer.status_code >= 400:
        raise NotACatalogError(_not_stac(address, told))
    return answer.content


def _why_not(error: Exception) -> str:
    """Why nothing was answered: the kind of failure, in words where the address itself may be the mistake."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    is_nameless = type(reason).__name__ == "NameResolutionError"
    return "no host of that name is found" if is_nameless else type(error).__name__


@lru_cache(maxsize=1)
def _session() -> Session:
    """One for the process; it honours the environment's proxies and certificates as pystac-client's does."""
    from requests import Session
    from requests.adapters import HTTPAdapter

    session = Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=32, max_retries=patience()))
    return session


def unavailable(address: str, code: int | None, reason: str, *, name: str = "") -> str:
    """Words for a catalog or an API of which nothing can be had now.

    Args:
        address: That was asked.
        code: The HTTP status of its answer; none where there was no answer.
        reason: What happened, in short.
        name: What the user calls it; of a provider nobody has to check the address, which is ours.
    """
    who, is_provider = _who(address, name), name in PROVIDERS
    if code is None and is_provider:
        return f"{who} cannot be reached ({reason}). Check the network; `curate sources {name} --check` tries it again."
    if code is None:
        return f"{who} cannot be reached ({reason}). Check the address and the network, then run the same command again."
    if code == TOO_MANY:
        return f"{who} limits how often it is asked ({reason}). Run the same command again in some minutes; {KEPT}."
    if code >= FAULT:
        others = " `curate sources` tells who else has its sensors." if is_provider else ""
        return f"{who} has a fault ({reason}). Run the same command again later; {KEPT}.{others}"
    if is_provider:
        return f"{who} refuses what it was asked ({reason}). Run the same command again later; if it stays so, report it."
    return (
        f"{who} refuses what it was asked ({reason}). Expected a STAC catalog or API that can be searched: check the address."
    )


def refusal(address: str, reason: str, *, name: str = "") -> str:
    """Words for a catalog or an API that refuses whoever asks; see `unavailable`."""
    if name in PROVIDERS:
        return (
            f"{_who(address, name)} refuses whoever asks ({reason}). Its searches need no account: look whether a proxy of "
            f"your network answers in its place, or run the same command again later; {KEPT}."
        )
    return (
        f"{without_secrets(address)} refuses whoever asks ({reason}). Expected a STAC catalog or API that is open to all, or "
        "whose account is in ~/.netrc (`machine HOST login USER password PASSWORD`): check that account and its rights, then "
        f"run the same command again; {KEPT}."
    )


def _who(address: str, name: str) -> str:
    shown = without_secrets(address)
    return f"{name} ({shown})" if name in PROVIDERS else shown


def _files_of(folder: str) -> list[str]:
    found = [f"{folder}/{name}" for name in ROOT_NAMES if (Path(folder) / name).is_file()]
    if not found:
        raise NotACatalogError(
            f"{without_secrets(folder)} is a folder without {' or '.join(ROOT_NAMES)}, so it is no STAC catalog. "
            "Name the folder that has one; of loose GeoTIFFs a mapping file (*.toml) that says what they hold."
        )
    return found


def _read_file(address: str) -> bytes:
    path = Path(address)
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise NotACatalogError(
            f"{without_secrets(address)} does not exist. Expected a STAC catalog, collection or item; check the path."
        ) from None
    except OSError as error:
        raise SourceUnavailableError(
            f"{without_secrets(address)} cannot be read ({error.strerror}). Check the disk and the permissions, then run again."
        ) from None


def _not_stac(address: str, got: str) -> str:
    return (
        f"{without_secrets(address)} is no STAC catalog: it gives {got}. Expected a catalog.json, a collection.json or the "
        "root of a STAC API; check the address."
    )


def _told_of(data: bytes) -> str:
    """What bytes are that are no JSON."""
    text = " ".join(data[: 4 * SHOWN_CHARACTERS].decode("utf-8", "replace").split())[:SHOWN_CHARACTERS]
    if not text.isprintable() or "\ufffd" in text:
        return "a file of another kind, which is no text"
    return f"text that is not JSON ({f'it begins {without_secrets(text)!r}' if text else 'it is empty'})"
