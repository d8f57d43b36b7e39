"""How fast a host is asked: so many requests a second at most, by all threads of a process, and pauses that hold for all.

A host that bans whoever asks too fast is asked a little slower than it allows, since it counts by its own clock and requests
that left one after the other may arrive together.
"""

from __future__ import annotations

import time
from threading import Event, Lock

from curate.errors import StoppedError


class Pace:
    """Turns to ask a host; one per host and process, any thread may wait for one."""

    def __init__(self, per_second: float) -> None:
        """Let the first request go at once.

        Args:
            per_second: Requests, above 0.
        """
        self._spacing_s = 1 / per_second
        self._next = 0.0
        self._lock = Lock()

    def wait(self, stop: Event) -> float:
        """Wait until the caller may send one request, and give the seconds that this took.

        Raises:
            StoppedError: `stop` was set meanwhile.
        """
        waited = 0.0
        while not stop.is_set():
            left = self._take()
            if left <= 0:
                return waited
            stop.wait(left)
            waited += left
        raise StoppedError("The reading was stopped while it waited for its turn to ask.")

    def pause(self, seconds: float) -> None:
        """Nobody asks for so long, from now on; those who wait already do not, either."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)

    def _take(self) -> float:
        """Take a turn if there is one; seconds until there may be one, 0 where it was taken."""
        with self._lock:
            now = time.monotonic()
            if now < self._next:
                return self._next - now
            self._next = now + self._spacing_s
        return 0.0
