"""How a file of a provider is reached: a matter of its address alone, whoever found it.

Some hosts want a signature in the address, some a token in a header, for a while each; the hrefs of scenes carry neither.
`signer_for` finds who can give it, from the credentials of this process's environment, so that searching, reading by range,
reading by GDAL and workers of a cluster all reach a file in the same way. Both ways of reading share what was given, renew it
once for all their threads, and together keep to the connections that a host grants a user; whether it is down, or asks for a
pause, each finds out for itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from math import inf
from typing import Protocol
from weakref import WeakKeyDictionary

from curate.errors import StoppedError

MARGIN_S = 20.0
"""Before its end what a signer gave is not used for a new request any more, seconds. Signers renew earlier by themselves."""
LOOKS_S = 0.25
"""Between two looks of who waits for a turn whether to go on waiting, seconds."""
MOST_CONNECTIONS: dict[str, int] = {
    "eodata.dataspace.copernicus.eu": 4,
    "eodata.ams.dataspace.copernicus.eu": 4,
    "download.dataspace.copernicus.eu": 4,
}
"""By host, without its port: how many connections it grants one user. One process keeps to it, ranges and GDAL together;
several would not, so that a source of such files is read by one (`curate.sources.protocol.why_one_process`). A connection is
closed after each request, so that none is kept besides."""
CLOSING = {"Connection": "close"}
"""Headers of each request to a host that grants so many connections and no more."""


@dataclass(frozen=True, slots=True)
class Signed:
    """An address that can be asked for now."""

    address: str = field(repr=False)
    """`http(s)://`, with what it is signed by."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of each request, such as a token."""
    until: float = inf
    """Until when it holds, seconds since 1970."""


class Signer(Protocol):
    """Who can make the files of some hosts or buckets readable; one per process, any thread may ask."""

    @property
    def advice(self) -> str:
        """What a user can do where a host goes on refusing a file: a sentence with the account or the variables to check."""

    def signs(self, href: str) -> bool:
        """Whether a file is one of those; asked before each request, so it answers at once."""

    def sign(self, href: str) -> Signed:
        """The file's address, signed for some while; what was given before is given again as long as it holds.

        Raises:
            SourceUnavailableError: Credentials are missing, refused, or cannot be had now; the message says what to do.
            CurateError: The same, where running again would not help: an account, a variable or a package is missing.
        """

    def refuse(self, href: str) -> None:
        """Take note that what was given for a file was refused by its host: get another one next time."""


SIGNERS: tuple[str, ...] = (
    "curate.sources.planetary_computer.tokens",
    "curate.sources.cdse.access",
    "curate.reading.buckets",
)
"""Modules with a function `signer()`, the more particular first; loaded when the first remote file is asked for."""
ADVICE = "Expected a raster at that address: check it and your access to it"
"""To who is refused a file that nobody signs, or whose file is not there."""
LIMITED = "It limits how often it is asked: wait some minutes"
"""To who has asked too often."""
FAULTY = "Check the network and the provider's status"
"""To who meets a host with a fault of its own."""
USED_UP = "Your quota there is used up: wait until it is renewed (`curate sources` tells how much it is)"
"""To who has fetched all that a provider grants for a while."""
_RENEWING: WeakKeyDictionary[Signer, threading.Lock] = WeakKeyDictionary()
"""By signer, so that a slow login holds up nobody else's files."""
_TURNS: dict[tuple[str, int], threading.BoundedSemaphore] = {}
"""By host and its number of connections."""


def signer_for(href: str) -> Signer | None:
    """Who makes a file readable; none where its address is enough.

    Args:
        href: A path, or a `file://`, `http(s)://` or `s3://` address, unsigned.
    """
    return next((signer for signer in _signers() if signer.signs(href)), None)


def sign(signer: Signer, href: str, *, clock: Callable[[], float] = time.time) -> Signed:
    """A file's address that holds for long enough to be asked for.

    Args:
        signer: Who signs it.
        href: The file.
        clock: The time, seconds since 1970.

    Raises:
        CurateError: As `Signer.sign`.
    """
    signed = signer.sign(href)
    return signed if clock() < signed.until - MARGIN_S else renew(signer, href, signed)


def renew(signer: Signer, href: str, refused: Signed) -> Signed:
    """A file's address after its host has refused one; of many threads that come with the same one, one has it renewed.

    Args:
        signer: Who signs it.
        href: The file.
        refused: What was refused, or is about to end.

    Raises:
        CurateError: As `Signer.sign`.
    """
    with _RENEWING.setdefault(signer, threading.Lock()):
        signed = signer.sign(href)
        if signed != refused:
            return signed
        signer.refuse(href)
        return signer.sign(href)


def most_connections(host: str) -> int | None:
    """How many connections a host grants one user; none where nobody says.

    Args:
        host: Its name, without a port.
    """
    return MOST_CONNECTIONS.get(host.lower())


@contextmanager
def turn(host: str, is_over: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Wait until a host may be asked, and ask it within: by no more of this process's threads than it grants connections.

    Args:
        host: Its name, without a port.
        is_over: Asked while waiting whether to stop.

    Raises:
        StoppedError: It is to stop.
    """
    most = most_connections(host)
    if most is None:
        yield
        return
    turns = _TURNS.setdefault((host.lower(), most), threading.BoundedSemaphore(most))  # one of two threads at once sets it
    while not turns.acquire(timeout=LOOKS_S):
        _go_on(host, is_over)
    try:
        _go_on(host, is_over)
        yield
    finally:
        turns.release()


def _go_on(host: str, is_over: Callable[[], bool]) -> None:
    if is_over():
        raise StoppedError(f"{host} is not asked any more: its reader was stopped.")


@cache
def _signers() -> tuple[Signer, ...]:
    return tuple(import_module(name).signer() for name in SIGNERS)
