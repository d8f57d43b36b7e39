"""Connections for Google's library, which takes anything that asks as httplib2 does: ours can be cut, and none hangs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from urllib3 import HTTPConnectionPool

    from curate.reading.retries import Patience

QUOTA_STATUS = "x-earth-engine-quota-status"
"""Header by which Earth Engine says that a project is over its month's quota and computes slowly from now on."""


class EngineTransport:
    """Asks over connections that can all be cut at once; any thread may ask."""

    def __init__(self, most: int, patience: Patience) -> None:
        """Connect to nobody yet.

        Args:
            most: Connections to one host at once.
            patience: How long one takes to open, and how long it may be silent.
        """
        from curate.reading.connections import OpenSockets

        self._most, self._patience = most, patience
        self._sockets = OpenSockets(lambda: None)
        self._pools: dict[tuple[str, str, int], HTTPConnectionPool] = {}
        self._lock = threading.Lock()
        self._is_told = False

    def request(  # noqa: PLR0917 - as httplib2 has it
        self,
        uri: str,
        method: str = "GET",
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        redirections: int | None = None,  # noqa: ARG002 - as httplib2 has it
        connection_type: Any = None,  # noqa: ARG002 - the same
    ) -> tuple[Any, bytes]:
        """An answer, whatever its status: (httplib2's response, content).

        Raises:
            ConnectionError: There is no connection, or it broke.
            TimeoutError: Nothing came in time.
        """
        from httplib2 import Response
        from urllib3.exceptions import HTTPError
        from urllib3.exceptions import TimeoutError as TooLate

        from curate.reading.addresses import place_of

        place = place_of(uri)
        pool = self._pool(place)
        target = place.plain_address if pool.proxy is not None and place.scheme == "http" else place.target
        try:
            answer = pool.urlopen(
                method, target, body=body, headers=dict(headers or {}), retries=False, redirect=False, assert_same_host=False
            )
        except TooLate:
            raise TimeoutError(f"{urlsplit(uri).netloc} did not answer in time") from None
        except HTTPError:
            raise ConnectionError(f"no connection to {urlsplit(uri).netloc}") from None
        told = {name.lower(): value for name, value in answer.headers.items()}
        self._hear(told.pop(QUOTA_STATUS, ""))
        return Response({**told, "status": str(answer.status)}), answer.data

    def close(self) -> None:
        """Google's library calls it and asks on."""

    def cut(self) -> None:
        """End whatever is sent or received."""
        self._sockets.cut()

    def _pool(self, place: Any) -> HTTPConnectionPool:
        from curate.reading.connections import open_pool

        with self._lock:
            key = place.scheme, place.host, place.port
            if key not in self._pools:
                self._pools[key] = open_pool(place, self._most, self._patience, self._sockets)
            return self._pools[key]

    def _hear(self, status: str) -> None:
        """Say once that the project is over its quota; the library would do so in a warning of Python's."""
        if "parallelism_restricted=true" in status and not self._is_told:
            import logging

            self._is_told = True
            logging.getLogger(__name__).warning(
                "The project has used up its EECU-hours of this month: Earth Engine goes on, slowly. "
                "https://developers.google.com/earth-engine/guides/noncommercial_tiers tells what that means."
            )
