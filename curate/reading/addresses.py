"""Where the bytes of an href are: its own address, or one that is signed for a while and signed anew when refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from catalogs.secrets import without_secrets
from curate.errors import SourceUnavailableError
from curate.reading.buckets import BucketSigner
from curate.sources.access import ADVICE, CLOSING, Signed, Signer, most_connections, renew, sign, signer_for

AGENT = "seastars (python-urllib3)"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """A file of a web server."""

    address: str = field(repr=False)
    """Whole, with what it is signed by."""
    scheme: str
    """`http` or `https`."""
    host: str
    """Name or number of its host."""
    port: int
    """Of the host."""
    target: str = field(repr=False)
    """What the host is asked for: path and query."""
    headers: dict[str, str] = field(repr=False)
    """Of each request."""
    signed: Signed | None = None
    """What its signer gave, or gave for the address that pointed here; none where it needs none."""

    @property
    def plain_address(self) -> str:
        """What a proxy is asked for: the address without user and password, which stand in the headers."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.target}"

    def towards(self, location: str) -> Place:
        """Where a server points to from here; what the headers say to this one is not told to another."""
        there = place_of(location)
        same = (there.scheme, there.host, there.port) == (self.scheme, self.host, self.port)
        return replace(there, headers=self.headers | there.headers if same else there.headers, signed=self.signed)


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
    if most_connections(host) is not None:
        headers |= CLOSING
    return Place(address, scheme, host, port, target, headers)


class Addresses:
    """The addresses of hrefs, signed where they must be."""

    def __init__(self, signer_of: Callable[[str], Signer | None] = signer_for, clock: Callable[[], float] = time.time) -> None:
        """Know how to find out.

        Args:
            signer_of: Who signs an href; asked before each request.
            clock: The time, seconds since 1970.
        """
        self._signer_of, self._clock = signer_of, clock

    def place(self, href: str) -> Place:
        """Where a file is.

        Args:
            href: An `http(s)://` or `s3://` address.

        Raises:
            SourceUnavailableError: It is no address, or credentials for it cannot be had.
            CurateError: Credentials for it are missing.
        """
        signer = self._signer_of(href)
        return place_of(href) if signer is None else _place(sign(signer, href, clock=self._clock))

    def renew(self, href: str, refused: Signed | None) -> Place | None:
        """Where a file is after its server has refused it; none where nobody can sign it anew.

        Args:
            href: The file.
            refused: What was refused.

        Raises:
            CurateError: Signing fails.
        """
        signer = self._signer_of(href)
        if signer is None or refused is None:
            return None
        renewed = renew(signer, href, refused)
        return _place(renewed) if renewed != refused else None

    def advice(self, href: str, status: int | None) -> str:
        """What its user can do about a file that stays refused, or is not there: the beginning of a sentence."""
        signer = self._signer_of(href) if status in {400, 401, 403} else None
        return signer.advice if signer else ADVICE

    def move(self, href: str, region: str) -> Place | None:
        """Where a file is, now that its bucket is known to be in another region; none where that is known already."""
        signer = self._signer_of(href)
        if not isinstance(signer, BucketSigner) or not signer.move(href, region):
            return None
        return self.place(href)


def _place(signed: Signed) -> Place:
    place = place_of(signed.address)
    return replace(place, headers={**place.headers, **signed.headers}, signed=signed)
