"""Hosts that are down for a while: what was asked of them is asked again, rather than recorded as a failure of each location.

A provider that fails for ten minutes in the night must cost ten minutes, not the night.
"""

from __future__ import annotations

import time
from threading import Event
from urllib.parse import urlsplit

from curate.errors import HostDownError

OUTAGE_S = 900.0
"""For which a unit waits for a host; then the build ends, or goes on without it where another host answers."""
LOOK_S = 15.0
"""Between two looks at a host that is down."""


class Outage:
    """The hosts that are down, as one unit meets them."""

    def __init__(self) -> None:
        """All hosts are up until one is met that is not."""
        self._since: dict[str, float] = {}
        self._others: set[str] = set()
        self._given_up: set[str] = set()
        self._met: HostDownError | None = None

    def is_borne(self, href: str, error: HostDownError) -> bool:
        """Take note that a file's host is down; whether to ask again later, rather than to record the failure."""
        host = urlsplit(href).netloc
        if host in self._given_up:
            return False
        self._since.setdefault(host, time.monotonic())
        self._met = error
        return True

    def answered(self, href: str) -> None:
        """Take note that a file's host is up."""
        host = urlsplit(href).netloc
        self._since.pop(host, None)
        if self._since:
            self._others.add(host)

    def endure(self, stop: Event) -> None:
        """Wait a little before the next round, if a host was down in the last one.

        Args:
            stop: Ends the wait once it is set.

        Raises:
            HostDownError: None answers, for longer than anybody should wait.
        """
        met, self._met = self._met, None
        lasting = [host for host, since in self._since.items() if time.monotonic() - since > OUTAGE_S]
        if met is None:
            return
        if not lasting:
            stop.wait(LOOK_S)
        elif self._others - self._since.keys():
            self._given_up.update(lasting)
        else:
            raise met
