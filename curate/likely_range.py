"""How many seasons are likely to find their scenes: a range, since nobody knows the weather beforehand. Pure.

Squares side by side have the same weather: if one finds a date clear, so does the next. All locations of a grid square (100 km)
are therefore taken to find their season together or not at all, each with its own chance p, and different grid squares and
seasons by themselves; then the count has the variance sum_g (sum_i sqrt(p_i (1 - p_i)))^2 over the groups g, and two standard
deviations each way are told. That errs towards wide ranges: clouds are smaller than 100 km. It leaves out that the chances
themselves may be off, which over 144 real dates they were by 4 % (see `curate.estimate`).
"""

from __future__ import annotations

import math
from collections import defaultdict

DEVIATIONS = 2.0
"""Standard deviations that are told, each way."""


class SeasonsFound:
    """Seasons of locations, taken in one by one."""

    def __init__(self) -> None:
        """None yet."""
        self._groups: dict[tuple[str, int], float] = defaultdict(float)
        self._expected = 0.0
        self._possible = 0

    def add(self, square: str, season: int, chance: float, *, has_scenes: bool) -> None:
        """Take in a season of a location.

        Args:
            square: Grid square of the location.
            season: Its number.
            chance: That clear scenes are found.
            has_scenes: Whether there is a scene at all, of each sensor.
        """
        chance = min(max(chance, 0.0), 1.0)
        self._groups[square, season] += math.sqrt(chance * (1 - chance))
        self._expected += chance
        self._possible += has_scenes

    def likely(self) -> tuple[int, int]:
        """Fewest and most seasons that are likely to find their scenes.

        Examples:
            >>> found = SeasonsFound()
            >>> for _ in range(100):
            ...     found.add("31UDQ", 0, 0.9, has_scenes=True)
            >>> found.likely()
            (30, 100)
        """
        half = DEVIATIONS * math.sqrt(sum(each**2 for each in self._groups.values()))
        return max(0, round(self._expected - half)), min(self._possible, round(self._expected + half))
