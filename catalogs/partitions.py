"""How a large index is divided: each file holds the items of so many locations, in the order of their ids.

So the files, one after the other, are the sorted index, and a location's items are in a file that the sampled locations alone
decide. Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

LOCATIONS_PER_FILE = 5_000
"""With four items each, a file is one row group."""


@dataclass(frozen=True, slots=True)
class Partitions:
    """Which file of an index holds which locations."""

    firsts: tuple[str, ...]
    """Ids of the first location of each file, sorted."""

    @classmethod
    def of(cls, locations: Iterable[str]) -> Partitions | None:
        """How the index of a catalog's locations is divided, if it is: where they are more than one file holds.

        Args:
            locations: Ids of all locations of the catalog.
        """
        ids = sorted(locations)
        return cls(tuple(ids[::LOCATIONS_PER_FILE])) if len(ids) > LOCATIONS_PER_FILE else None

    def number(self, location: str) -> int:
        """Which file holds a location, from 0.

        Examples:
            >>> Partitions(("a-000000", "a-005000")).number("a-004999")
            0
        """
        return max(bisect_right(self.firsts, location) - 1, 0)
