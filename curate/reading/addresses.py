"""Where the bytes of an href are: `http(s)://` as it is, `s3://` signed for an hour, either signed anew when refused."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from catalogs.secrets import without_secrets
from curate.errors import SourceUnavailableError
from curate.reading import buckets

SIGNED_FOR_S = 3600.0
"""For which a signature of ours holds, seconds."""
MARGIN_S = 300.0
"""Before its end a signature is not used any more, seconds."""
REMEMBERED = 20_000
"""Addresses that are kept beside their hrefs."""
AGENT = "seastars (python-urllib3)"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """A file of a web server."""

    address: str
    """Whole, with what it is signed by."""
    scheme: str
    """`http` or `https`."""
    host: str
    """Name or number of its host."""
    port: int
    """Of the host."""
    target: str
    """What the host is asked for: path and query."""
    headers: dict[str, str]
    """Of each request."""

    @property
    def plain_address(self) -> str:
        """What a proxy is asked for: the address without user and password, which stand in the headers."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.target}"


@lru_cache(maxsize=8192)
def place_of(address: str) -> Place:
    """Where an address leads.

    Args:
        address: An `http(s)://` address.

    Raises:
        SourceUnavailableError: It is no such address.

    Examples:
        >>> place_of("https://host/B04.tif?sig=x").target
        '/B04.tif?sig=x'
    """
    from urllib3.util import make_headers, parse_url

    try:
        parts = urlsplit(address)
        port, scheme = parts.port or _PORTS[parts.scheme], parts.scheme
        target = parse_url(address).request_uri
        (parts.hostname or "").encode("idna")
    except (KeyError, ValueError):
        host = ""
    else:
        host = parts.hostname or ""
    if not host:
        raise SourceUnavailableError(
            f"{without_secrets(address)} is no address of a web server. Expected http:// or https:// and a host; repair the "
            "source's item."
        )
    headers = {"Accept-Encoding": "identity", "User-Agent": AGENT}
    if parts.username is not None:
        headers |= make_headers(basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}")
    return Place(address, scheme, host, port, target, headers)


class Addresses:
    """The addresses of hrefs, signed where they must be."""

    def __init__(self, resign: Callable[[str], str] | None = None, clock: Callable[[], float] = time.time) -> None:
        """Know none yet.

        Args:
            resign: Gives an href anew with a signature that holds; may be called by several threads, one at a time.
            clock: The time, seconds.
        """
        self._resign, self._clock = resign, clock
        self._signed: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._regions: dict[str, str] = {}
        self._lock = threading.Lock()

    def place(self, href: str) -> Place:
        """Where a file is.

        Args:
            href: An `http(s)://` or `s3://` address.

        Raises:
            SourceUnavailableError: It is no address, or credentials for it cannot be had.
        """
        bucket = buckets.is_bucket(href)
        known = self._signed.get(href) if bucket or self._signed else None
        if known is not None and self._clock() < known[1]:
            return place_of(known[0])
        if not bucket:
            return place_of(href)
        with self._lock:
            return place_of(self._sign(href))

    def renew(self, href: str, refused: str) -> Place | None:
        """Where a file is after its server has refused a signature; none where nobody can sign it.

        Args:
            href: The file.
            refused: The address that was asked.

        Raises:
            SourceUnavailableError: Signing fails.
        """
        with self._lock:
            known = self._signed.get(href)
            if known is not None and known[0] != refused:  # another thread has renewed it meanwhile
                return place_of(known[0])
            if self._resign is not None:
                return place_of(self._keep(href, self._resign(href), float("inf")))
            if not (buckets.is_bucket(href) and buckets.is_signing()):
                return None
            buckets.forget_credentials()
            return place_of(self._sign(href))

    def move(self, href: str, region: str) -> Place | None:
        """Where a file is, now that its bucket is known to be in another region; none where that is known already."""
        bucket = urlsplit(href).netloc
        with self._lock:
            if not buckets.is_bucket(href) or self._regions.get(bucket) == region:
                return None
            self._regions[bucket] = region
            return place_of(self._sign(href))

    def _keep(self, href: str, address: str, for_s: float) -> str:
        self._signed[href] = address, self._clock() + for_s
        self._signed.move_to_end(href)
        if len(self._signed) > REMEMBERED:
            self._signed.popitem(last=False)
        return address

    def _sign(self, href: str) -> str:
        address = buckets.web_address(href, self._regions.get(urlsplit(href).netloc), SIGNED_FOR_S)
        return self._keep(href, address, SIGNED_FOR_S - MARGIN_S)
