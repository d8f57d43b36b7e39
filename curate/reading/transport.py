"""Byte ranges of files, from a folder, a web server or a bucket, for many threads at once.

What came is checked against what was asked (`ranges`), a range that fails is asked for again as long as its failure may pass
(`retries`), and a host is asked as often and by as many as it bears (`hosts`).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Self

from catalogs.files import is_remote
from catalogs.secrets import without_secrets
from curate.errors import HostDownError, SourceUnavailableError, StoppedError
from curate.reading.addresses import Addresses, Place
from curate.reading.buckets import is_bucket
from curate.reading.counts import Counts
from curate.reading.hosts import HostGate
from curate.reading.ranges import Fetched, TryError, ask_range, read_range
from curate.reading.retries import SLOW_DOWN, THROTTLED, Patience, pause_s
from curate.sources.access import FAULTY, LIMITED, USED_UP, Signer, most_connections, signer_for, turn

if TYPE_CHECKING:
    from urllib3 import HTTPConnectionPool

__all__ = ["Counts", "Fetched", "Patience", "Transport"]

SHORT_BYTES = 64 << 10
"""Ranges up to this length take as long as the way to their server and back."""
REDIRECTIONS = 5
"""Followed one after the other."""
_STOPPED = "{} was not read: the transport was stopped."


@dataclass(slots=True)
class _Host:
    gate: HostGate
    pool: HTTPConnectionPool
    quickest_s: float | None = None
    """Of its short answers."""


@dataclass(slots=True)
class _Task:
    """A range that somebody waits for."""

    number: int
    href: str
    start: int
    end: int
    began: float = field(default_factory=time.monotonic)
    failures: int = 0
    throttles: int = 0
    redirections: int = 0
    renewed: bool = False


class Transport:
    """Fetches ranges for many threads at once; one per process."""

    def __init__(
        self,
        *,
        connections: int = 64,
        patience: Patience | None = None,
        signer_of: Callable[[str], Signer | None] = signer_for,
        chance: random.Random | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            connections: To one host at once, at most, 1 or more.
            patience: With failures, throttling and silence; the usual one if not given.
            signer_of: Who signs an href.
            chance: Where the lengths of pauses are drawn from.
        """
        from curate.reading.connections import OpenSockets

        if connections < 1:
            raise ValueError(f"A transport of {connections} connections fetches nothing. Give 1 or more.")
        self.counts = Counts()
        self._connections, self._patience = connections, patience or Patience()
        self._addresses = Addresses(signer_of)
        self._chance = chance or random.Random()
        self._numbers = count()
        self._hosts: dict[tuple[str, str, int], _Host] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._sockets = OpenSockets(lambda: self.counts.add(connections=1))

    def fetch(self, href: str, start: int, end: int) -> Fetched:
        """Bytes of a file; waits until they are there, however often that must be tried.

        Args:
            href: A path, or a `file://`, `http(s)://` or `s3://` address.
            start: First byte, from 0.
            end: Byte after the last one, above `start`; fewer come only where the file ends before.

        Raises:
            SourceUnavailableError: They cannot be had, now or ever.
            HostDownError: Their host is down.
            StoppedError: The transport was stopped.
            ValueError: There are no such bytes in any file.
        """
        if not 0 <= start < end:
            raise ValueError(f"Bytes {start} to {end} are no range. Give a start from 0, and an end above it.")
        if not is_remote(href):
            return self._read(href, start, end)
        task = _Task(next(self._numbers), href, start, end)
        place = self._addresses.place(href)
        while True:
            try:
                return self._try(task, place)
            except TryError as error:
                failure = error
            place = self._place_after(task, place, failure)  # not above: what it raises shall not lead to signed addresses

    @property
    def is_stopped(self) -> bool:
        """Whether nothing is fetched any more."""
        return self._stopped.is_set()

    @property
    def latency_s(self) -> float:
        """How long the way to a server and back takes, seconds; of the farthest that was asked."""
        return max((host.quickest_s or 0.0 for host in [*self._hosts.values()]), default=0.0)

    def stop(self) -> None:
        """End all that goes on: who waits for a range, or asks for one from now on, raises StoppedError within a second.

        Who waits for a signature or a first token waits on: until the server of these has answered or failed, a minute or two.
        """
        with self._lock:
            self._stopped.set()
        for host in self._hosts.values():
            host.gate.stop()
        self._sockets.cut()

    def close(self) -> None:
        """Stop, and close all connections."""
        self.stop()
        for host in self._hosts.values():
            host.pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, href: str, start: int, end: int) -> Fetched:
        if self._stopped.is_set():
            raise StoppedError(_STOPPED.format(without_secrets(href)))
        fetched = read_range(href, start, end)
        self.counts.add(requests=1, bytes=len(fetched.content))
        return fetched

    def _try(self, task: _Task, place: Place) -> Fetched:
        """Ask once, and tell the host's gate and the counts what came of it."""
        host = self._hosts.get((place.scheme, place.host, place.port)) or self._open_host(place)
        ticket = host.gate.enter()
        began = time.monotonic()
        try:
            with turn(place.host, self._stopped.is_set):
                fetched = ask_range(host.pool, place, task.start, task.end)
        except TryError as failure:
            self._tell(host.gate, ticket, task, failure)
            raise
        except BaseException:
            host.gate.give_up(ticket)
            raise
        host.gate.succeed(ticket)
        self.counts.add(requests=1, bytes=len(fetched.content))
        if len(fetched.content) <= SHORT_BYTES:
            took_s = time.monotonic() - began
            host.quickest_s = took_s if host.quickest_s is None else min(host.quickest_s, took_s)
        return fetched

    def _open_host(self, place: Place) -> _Host:
        from curate.reading.connections import open_pool

        name = place.host if place.port in {80, 443} else f"{place.host}:{place.port}"
        with self._lock:
            if self._stopped.is_set():
                raise StoppedError(_STOPPED.format(without_secrets(place.address)))
            key = place.scheme, place.host, place.port
            if key not in self._hosts:
                most = min(self._connections, most_connections(place.host) or self._connections)
                gate = HostGate(name, most, self._patience, waited=self._count_wait)
                self._hosts[key] = _Host(gate, open_pool(place, most, self._patience, self._sockets))
            return self._hosts[key]

    def _tell(self, gate: HostGate, ticket: int, task: _Task, failure: TryError) -> None:
        if self._stopped.is_set():  # what failed is the connection that was cut
            gate.give_up(ticket)
            raise StoppedError(_STOPPED.format(without_secrets(task.href)))
        self.counts.add(requests=1, bytes=failure.received, throttled=failure.status in SLOW_DOWN)
        if _is_throttled(failure):
            gate.throttle(ticket, failure.wait_s)
        elif failure.passing or failure.status is None:
            gate.fail(ticket, task.number, failure.cause, slow=failure.status in SLOW_DOWN)
        else:
            gate.succeed(ticket)

    def _place_after(self, task: _Task, place: Place, failure: TryError) -> Place:
        """Where to ask after a failure, once it is time to.

        Raises:
            SourceUnavailableError: Asking again is of no use, or was not too often.
        """
        if elsewhere := self._elsewhere(task, place, failure):
            return elsewhere
        if not failure.passing:
            advice = USED_UP if failure.is_used_up else self._addresses.advice(task.href, failure.status)
            raise SourceUnavailableError(
                f"{without_secrets(task.href)} cannot be read: {failure.cause}. {advice}, then run the same command again; "
                "what is done is kept."
            )
        self._bear(task, place, failure)
        self.counts.add(retries=1)
        if failure.wait_s is None:  # else the gate waits, for everybody
            self._pause(task)
        task.redirections = 0
        return self._addresses.place(task.href)

    def _elsewhere(self, task: _Task, place: Place, failure: TryError) -> Place | None:
        """Another address of the same file, to be asked at once: where a server points to, or signed anew."""
        if failure.region and (moved := self._addresses.move(task.href, failure.region)):
            return moved
        if failure.location and task.redirections < REDIRECTIONS:
            task.redirections += 1
            return place.towards(failure.location)
        refused = failure.status in {401, 403} or (failure.status == 400 and is_bucket(task.href))
        if not refused or failure.is_used_up or task.renewed:
            return None
        task.renewed = True
        return self._addresses.renew(task.href, place.signed)

    def _bear(self, task: _Task, place: Place, failure: TryError) -> None:
        """Count a failure against the patience.

        A host that has answered and is not reached any more is down, however few ranges have found that out; one that never
        has may be no host at all.
        """
        throttled = _is_throttled(failure)
        task.throttles += throttled
        task.failures += not throttled
        if task.throttles > self._patience.throttles or task.failures >= self._patience.attempts:
            tries, took_s = task.failures + task.throttles, time.monotonic() - task.began
            advice = LIMITED if failure.status == THROTTLED else FAULTY
            is_down = failure.is_unreached and self._hosts[place.scheme, place.host, place.port].gate.has_answered
            raise (HostDownError if is_down else SourceUnavailableError)(
                f"{without_secrets(task.href)} cannot be read: {failure.cause}, the last of {tries} tries over {took_s:,.0f} s."
                f" {advice}, then run the same command again; what is done is kept."
            )

    def _pause(self, task: _Task) -> None:
        began = time.monotonic()
        self._stopped.wait(pause_s(self._patience, task.failures + task.throttles, self._chance))
        self._count_wait(time.monotonic() - began)
        if self._stopped.is_set():
            raise StoppedError(_STOPPED.format(without_secrets(task.href)))

    def _count_wait(self, waited_s: float) -> None:
        self.counts.add(waited_s=waited_s)


def _is_throttled(failure: TryError) -> bool:
    """Whether a host asks for fewer requests, or for a pause."""
    return failure.status == THROTTLED or (failure.passing and failure.wait_s is not None)
