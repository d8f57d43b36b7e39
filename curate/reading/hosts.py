"""The gate before each host: how many may ask it at once, how soon, and whether at all.

The number adapts as congestion control does: halved when the host answers 429 or 503, one more after some successes. A host
that says when to come back is left alone until then, by everybody. One of which nothing succeeds any more is taken for down:
for a while all fail at once, then one range is tried.

References:
    D.-M. Chiu, R. Jain, "Analysis of the increase and decrease algorithms for congestion avoidance", 1989.
    M. Nygard, "Release It!", 2007: circuit breaker.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from curate.errors import HostDownError, StoppedError
from curate.reading.retries import Patience

SUCCESSES = 8
"""After which one more may ask."""
PACE = 0.25
"""Of the pauses of `Patience`: those between two requests of a host that goes on throttling a single one."""
EASING = 0.8
"""What each success leaves of that pause."""
_PROBE = -1
"""Ticket of the one range that is tried while a host is down."""


class HostGate:
    """Lets threads ask one host; each enters before a request, and leaves after it by what came of it."""

    def __init__(
        self,
        host: str,
        most: int,
        patience: Patience,
        *,
        clock: Callable[[], float] = time.monotonic,
        waited: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Open the gate.

        Args:
            host: Its name, for messages.
            most: Who may ask at once when all goes well, 1 or more.
            patience: When the host is taken for down, and for how long.
            clock: Seconds that only grow.
            waited: Told of each wait, seconds.
        """
        self._host, self._most, self._patience = host, most, patience
        self._clock, self._waited = clock, waited
        self._changed = threading.Condition(threading.Lock())
        self._allowed, self._in_flight, self._waiting, self._successes = most, 0, 0, 0
        self._generation, self._eased = 0, True
        self._pace_s, self._open_at = 0.0, clock()
        self._failing: set[int] = set()
        self._failing_since: float | None = None
        self._throttled_since: float | None = None
        self._down: str | None = None
        self._down_until, self._probing, self._stopped = 0.0, False, False
        self.has_answered = False
        """Whether anything has succeeded so far."""

    @property
    def allowed(self) -> int:
        """How many may ask at once now."""
        return self._allowed

    @property
    def pace_s(self) -> float:
        """Pause between two requests, seconds; 0 as long as the number alone is enough."""
        return self._pace_s

    def enter(self) -> int:
        """Wait until the host may be asked; give the ticket to leave with.

        Raises:
            HostDownError: The host is down.
            StoppedError: The transport was stopped.
        """
        with self._changed:
            now = self._clock()
            self._check(now)
            if now < self._open_at or self._in_flight >= self._allowed:
                now = self._wait(now)
            self._in_flight += 1
            if self._pace_s:
                self._open_at = now + self._pace_s
            if self._down is None:
                return self._generation
            self._probing = True
            return _PROBE

    def succeed(self, ticket: int) -> None:
        """Leave after an answer that is one, be it that the file is not there."""
        with self._left(ticket):
            self.has_answered = True
            self._failing.clear()
            self._failing_since = self._throttled_since = self._down = None
            self._eased = True
            if self._pace_s:
                self._pace_s *= EASING
                self._pace_s = 0.0 if self._pace_s < PACE * self._patience.base_s / 10 else self._pace_s
            elif self._allowed < self._most:
                self._successes += 1
                self._grow()

    def throttle(self, ticket: int, wait_s: float | None = None) -> None:
        """Leave after an answer that asks for fewer requests.

        Args:
            ticket: What `enter` gave.
            wait_s: For how long the host asks to be left alone, seconds, if it does.
        """
        with self._left(ticket):
            now = self._clock()
            if ticket in {self._generation, _PROBE}:
                self._slow_down()
            self._open_at = max(self._open_at, now + (wait_s or 0.0))
            self._throttled_since = now if self._throttled_since is None else self._throttled_since
            throttled_s = now - self._throttled_since
            if wait_s is not None and wait_s > self._patience.throttled_s:
                self._trip(now + wait_s, f"{self._host} asks to be left alone for {wait_s:,.0f} s")
            elif throttled_s > self._patience.throttled_s or self._is_down_still(ticket):
                self._trip(
                    now + max(self._patience.down_s, wait_s or 0.0),
                    f"{self._host} has answered nothing but that it has too much to do for {throttled_s:,.0f} s",
                )

    def fail(self, ticket: int, task: int, cause: str, *, slow: bool = False) -> None:
        """Leave after a failure of the host or of the way to it.

        Args:
            ticket: What `enter` gave.
            task: A number of the range that was asked for, the same at each of its tries.
            cause: What happened, in words without secrets.
            slow: Whether the host may have failed because it has too much to do.
        """
        with self._left(ticket):
            now = self._clock()
            if slow and ticket == self._generation:
                self._slow_down()
            self._failing.add(task)
            self._failing_since = now if self._failing_since is None else self._failing_since
            failing_s = now - self._failing_since
            many = len(self._failing) >= self._patience.failures and failing_s >= self._patience.failing_s
            if many or self._is_down_still(ticket):
                self._trip(
                    now + self._patience.down_s,
                    f"{self._host} is down: {len(self._failing):,} requests in a row have failed over {failing_s:,.0f} s "
                    f"(the last: {cause})",
                )

    def give_up(self, ticket: int) -> None:
        """Leave without having learned anything of the host."""
        with self._left(ticket):
            pass

    def stop(self) -> None:
        """Let nobody in any more; whoever waits raises StoppedError."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _check(self, now: float) -> None:
        if self._stopped:
            raise StoppedError(f"{self._host} is not asked any more: the transport was stopped.")
        if self._down is not None and (now < self._down_until or self._probing):
            left_s = max(self._down_until - now, 0.0)
            raise HostDownError(
                f"{self._down}. It is left alone for another {left_s:,.0f} s. Check the network and the provider's status, "
                "then run the same command again; what is done is kept."
            )

    def _wait(self, began: float) -> float:
        """Wait for the host to be open and for a place; gives the time then."""
        self._waiting += 1
        try:
            now = began
            while now < self._open_at or self._in_flight >= self._allowed:
                self._changed.wait(self._open_at - now if now < self._open_at else None)
                now = self._clock()
                self._check(now)
            return now
        finally:
            self._waiting -= 1
            self._waited(self._clock() - began)

    @contextmanager
    def _left(self, ticket: int) -> Iterator[None]:
        with self._changed:
            self._in_flight -= 1
            if ticket == _PROBE:
                self._probing = False
            yield
            if self._waiting:
                self._changed.notify(max(self._allowed - self._in_flight, 1))

    def _grow(self) -> None:
        if self._successes >= SUCCESSES:
            self._allowed, self._successes = self._allowed + 1, 0

    def _slow_down(self) -> None:
        """Halve who may ask, once for all that asked before; a single one that never succeeds is spaced out."""
        if self._allowed == 1 and not self._eased:
            first_s, slowest_s = PACE * self._patience.base_s, PACE * self._patience.longest_s
            self._pace_s = min(max(2.0 * self._pace_s, first_s), slowest_s)
        self._allowed = max(min(self._allowed, self._in_flight + 1) // 2, 1)
        self._generation += 1
        self._successes, self._eased = 0, False

    def _is_down_still(self, ticket: int) -> bool:
        """Whether a ticket is that of the one range that was tried, and no other has succeeded meanwhile."""
        return ticket == _PROBE and self._down is not None

    def _trip(self, until: float, why: str) -> None:
        self._down, self._down_until = why, until
        self._changed.notify_all()
