"""A signer that numbers its signatures, in the query or in a header, and remembers what it was asked."""

from __future__ import annotations

import threading
from math import inf

from curate.sources.access import Signed


class NumberedSigner:
    """Signs every file with the number of the signatures that were refused so far."""

    advice = "Check MY_KEY"

    def __init__(self, *, in_header: bool = False, lifetime_s: float = inf, clock=lambda: 0.0):
        self.in_header, self.lifetime_s, self.clock = in_header, lifetime_s, clock
        self.number, self.began = 0, clock()
        self.refused: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, href):
        """Who signs a file: it does."""
        return self if self.signs(href) else None

    def signs(self, href):
        return href.startswith("http")

    def sign(self, href):
        until = self.began + self.lifetime_s
        if self.in_header:
            return Signed(href, {"Authorization": f"Bearer number-{self.number}"}, until)
        return Signed(f"{href}?X-Amz-Signature=number-{self.number}", until=until)

    def refuse(self, href):
        with self._lock:
            self.refused.append(href)
            self.number += 1
            self.began = self.clock()


def is_signed(asked, number: int) -> bool:
    """Whether a request carries the signature of a number."""
    return f"number-{number}" in asked.target + asked.headers.get("authorization", "")
