"""What was answered to each tested item, by one of the scores of a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluate.item_table import ItemTable, counts_pixels
from evaluate.pairs import Difference, paired_difference


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """The answers behind a score."""

    table: ItemTable
    """Of the score's result."""
    number: int
    """Place of the score in its result."""
    threshold: float = 0.5
    """Least score at which a label counts as answered, where items have several."""
    members: int = 1
    """How many trainings the repeats are of, in equal parts."""

    @property
    def found(self) -> NDArray[Any]:
        """As in `ItemTable.found`."""
        return self.table.found[self.number]

    def right(self) -> NDArray[np.float64]:
        """Share of right answers to each item, (items,): of the repeats, and of the labels or pixels of an item."""
        found, truth = self.found, self.table.truth
        if counts_pixels(truth):
            return np.asarray((np.trace(found, axis1=2, axis2=3) / truth.sum(axis=1)).mean(axis=0), np.float64)
        if truth.ndim == 2:
            shares: NDArray[np.float64] = ((found >= self.threshold) == truth).mean(axis=(0, 2))
            return shares
        return np.asarray((found == truth).mean(axis=0), np.float64)

    def less(self, other: Answered, *, metric: str, seed: int) -> Difference | None:
        """What this score has more than another, with its interval; see `paired_difference`.

        Args:
            other: Answers to the same items, in any order.
            metric: Of both scores, one of `MEASURES`.
            seed: Of the draws behind the interval.

        Returns:
            None where the items are others.
        """
        mine, theirs = (np.argsort(each.table.ids, kind="stable") for each in (self, other))
        if not np.array_equal(self.table.ids[mine], other.table.ids[theirs]):
            return None
        return paired_difference(
            self.found[:, mine],
            other.found[:, theirs],
            self.table.groups[mine],
            truth=self.table.truth[mine],
            metric=metric,
            members=(self.members, other.members),
            seed=seed,
        )
