"""What fetching costs, counted while it goes on."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counts:
    """What a transport has done so far; any thread may add and read."""

    requests: int = 0
    """Sent to servers, every try and every redirection among them; reads of local files too."""
    bytes: int = 0
    """Received in bodies, in vain or not; what came before a reset or a stall is not known. What GDAL fetches is what GDAL says
    it fetched; of local files, and where GDAL cannot be asked, blocks that it reads count as what they take in their file in
    the mean, each as one request."""
    retries: int = 0
    """Tries after a failure."""
    throttled: int = 0
    """Answers 429 and 503."""
    connections: int = 0
    """Opened."""
    waited_s: float = 0.0
    """Spent in pauses by all callers together, because a try had failed or a host had enough to do, seconds."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, **amounts: float) -> None:
        """Add to counts by their names."""
        with self._lock:
            for name, amount in amounts.items():
                setattr(self, name, getattr(self, name) + amount)

    def snapshot(self) -> Counts:
        """The counts of one moment, which do not change any more."""
        with self._lock:
            return Counts(self.requests, self.bytes, self.retries, self.throttled, self.connections, self.waited_s)
