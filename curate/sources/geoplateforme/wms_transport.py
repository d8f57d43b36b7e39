"""Connections to a Web Map Service, that can all be cut at once from another thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from curate.reading.retries import Patience

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

    from curate.reading.addresses import Place

CHUNK_BYTES = 1 << 16
ROOM_S = 120
"""How long one may wait for others to be through with a connection, seconds."""


class NoAnswerError(Exception):
    """Nothing came, or not all of it; the reason in words."""


class TooLongError(Exception):
    """More came than an answer may have; the bytes that were taken in words."""


@dataclass(frozen=True, slots=True)
class Received:
    """What came back, whatever it is."""

    status: int
    """HTTP."""
    headers: Mapping[str, str]
    """By their names in small letters."""
    body: bytes
    """All of it."""


class WmsTransport:
    """Asks one host; any thread may ask."""

    def __init__(self, most: int, *, stall_s: float, opened: Callable[[], None]) -> None:
        """Connect to nobody yet.

        Args:
            most: Connections at once; who wants another one waits.
            stall_s: For which the host may be silent, seconds.
            opened: Called when a connection stands.
        """
        from curate.reading.connections import OpenSockets

        self._most, self._patience = most, Patience(stall_s=stall_s)
        self._sockets = OpenSockets(opened)
        self._pool: HTTPConnectionPool | None = None
        self._lock = Lock()

    def get(self, address: str, *, most_bytes: int) -> Received:
        """An answer, whatever its status; nobody is redirected.

        Args:
            address: Whole, with its query.
            most_bytes: Of its body.

        Raises:
            NoAnswerError: There is no connection, or it broke, or nothing came in time.
            TooLongError: The body has more bytes.
            SourceUnavailableError: It is no address of a web server.
        """
        from urllib3.exceptions import HTTPError, NewConnectionError, SSLError
        from urllib3.exceptions import TimeoutError as TooLate

        from curate.reading.addresses import place_of

        place = place_of(address)
        pool = self._pool_of(place)
        target = place.plain_address if pool.proxy is not None and place.scheme == "http" else place.target
        try:
            answer = pool.urlopen(
                "GET", target, headers=place.headers, retries=False, redirect=False, assert_same_host=False,
                preload_content=False, pool_timeout=ROOM_S,
            )  # fmt: skip
            try:
                body = _receive(answer, most_bytes)
            finally:
                answer.close()  # a connection whose answer was read whole is back in the pool by now, and stays open
                answer.release_conn()
        except HTTPError as error:
            is_late = isinstance(error, TooLate) and not isinstance(error, NewConnectionError)
            why = "its certificate is not accepted" if isinstance(error, SSLError) else "no connection, or it broke"
            raise NoAnswerError("no answer in time" if is_late else why) from None
        return Received(answer.status, {name.lower(): value for name, value in answer.headers.items()}, body)

    def cut(self) -> None:
        """End whatever is sent or received, now and later."""
        self._sockets.cut()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        if self._pool is not None:
            self._pool.close()

    def _pool_of(self, place: Place) -> HTTPConnectionPool:
        from curate.reading.connections import open_pool

        with self._lock:
            if self._pool is None:
                self._pool = open_pool(place, self._most, self._patience, self._sockets)
            return self._pool


def _receive(answer: BaseHTTPResponse, most_bytes: int) -> bytes:
    parts, received = [], 0
    for part in answer.stream(CHUNK_BYTES):
        received += len(part)
        if received > most_bytes:
            raise TooLongError(f"more than {most_bytes:,} bytes")
        parts.append(part)
    return b"".join(parts)
