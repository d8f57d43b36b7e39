"""Why a candidate does not become a location."""

from __future__ import annotations

from enum import IntEnum


class Refusal(IntEnum):
    """The first test that a candidate failed, in the order of the tests."""

    NONE = 0
    OUTSIDE_UTM = 1
    ZONE_BORDER = 2
    SEA = 3
    OUTSIDE = 4
    FAR = 5
    SPLIT_BORDER = 6
    EXCLUDED = 7
    REPEATED = 8
    TOO_NEAR = 9
    OVERLAP = 10

    @property
    def words(self) -> str:
        """For people, after a number: "12 in the sea"."""
        return WORDS[self]


WORDS = {
    Refusal.NONE: "accepted",
    Refusal.OUTSIDE_UTM: "beyond 80 S or 84 N",
    Refusal.ZONE_BORDER: "snapped across the border of a UTM zone",
    Refusal.SEA: "in the sea",
    Refusal.OUTSIDE: "outside the region",
    Refusal.FAR: "with no place within 15 km",
    Refusal.SPLIT_BORDER: "between two splits",
    Refusal.EXCLUDED: "touching an excluded footprint",
    Refusal.REPEATED: "on the very square of another",
    Refusal.TOO_NEAR: "closer to another than the minimum distance",
    Refusal.OVERLAP: "overlapping another",
}
