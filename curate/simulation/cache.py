"""A small memory of results: bounded in bytes, oldest use forgotten first, safe between threads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Protocol, TypeVar


class Sized(Protocol):
    """What a cache can weigh."""

    @property
    def nbytes(self) -> int:
        """Memory, bytes."""


Value = TypeVar("Value", bound=Sized)


class Cache:
    """Results by key, up to a number of bytes."""

    def __init__(self, limit: int) -> None:
        """Start empty.

        Args:
            limit: Bytes that it may hold; a larger single result is not kept.
        """
        self.limit = limit
        self.held = 0
        self._entries: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The result of that key, made now if it is not held.

        Two threads that ask at once may both make it: results are pure, so either will do.
        """
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                kept: Value = self._entries[key]
                return kept
        value = make()
        with self._lock:
            if key not in self._entries and value.nbytes <= self.limit:
                self._entries[key] = value
                self.held += value.nbytes
            while self.held > self.limit:
                self.held -= self._entries.popitem(last=False)[1].nbytes
        return value
