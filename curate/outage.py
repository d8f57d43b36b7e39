"""Hosts that are down for a while: what was asked of them is asked again, rather than recorded as a failure of each location.

A provider that fails for ten minutes in the night must cost ten minutes, not the night; and one that stays away costs these
minutes once, not once per unit.
"""

from __future__ import annotations

import time
from threading import Event, Lock
from urllib.parse import urlsplit

from curate.errors import HostDownError

OUTAGE_S = 900.0
"""For which a build waits for a host; then it ends, or goes on without it where another host has answered meanwhile."""
LOOK_S = 15.0
"""Between two looks at a host that is down."""


class Outage:
    """The hosts that are down, as all units of a reader meet them; any thread may tell and ask."""

    def __init__(self) -> None:
        """All hosts are up until one is met that is not."""
        self._down: dict[str, tuple[float, HostDownError]] = {}
        self._answered: dict[str, float] = {}
        self._given_up: set[str] = set()
        self._lock = Lock()

    def is_borne(self, href: str, error: HostDownError) -> bool:
        """Take note that a file's host is down; whether to ask again later, rather than to record the failure."""
        host = urlsplit(href).netloc
        with self._lock:
            if host in self._given_up:
                return False
            self._down.setdefault(host, (time.monotonic(), error))
        return True

    def answered(self, href: str) -> None:
        """Take note that a file's host is up."""
        host = urlsplit(href).netloc
        with self._lock:
            self._answered[host] = time.monotonic()
            self._down.pop(host, None)
            self._given_up.discard(host)

    def endure(self, stop: Event) -> None:
        """Wait a little before the next round of a unit that has borne something.

        Args:
            stop: Ends the wait once it is set.

        Raises:
            HostDownError: None answers, for longer than anybody should wait.
        """
        with self._lock:
            self._give_up()
        stop.wait(LOOK_S)

    def _give_up(self) -> None:
        """Wait no more for hosts that were down too long, if any other has answered since.

        Raises:
            HostDownError: None has.
        """
        now = time.monotonic()
        lasting = [host for host, (since, _) in self._down.items() if now - since > OUTAGE_S]
        last = max((at for host, at in self._answered.items() if host not in lasting), default=0.0)
        for host in lasting:
            since, error = self._down[host]
            if last <= since:
                raise error
            del self._down[host]
            self._given_up.add(host)
