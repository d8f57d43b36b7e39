"""What a check says: problems of named kinds, what is unfinished, and how much was looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

RESTORE = "Restore the file from a copy, or build the catalog again in another folder"
RELINK = "Run `curate build` on the catalog again: it writes links and collections anew"
DOUBT = "Look at the frame; leave it out, or build the catalog again with other dates or another source"

REMEDIES = {
    "contract": "Read it with the seastars that wrote it, or build it again with this one",
    "missing-file": RESTORE,
    "unreadable": RESTORE,
    "broken-link": RELINK,
    "unlinked": RELINK,
    "collection": RELINK,
    "index": "Restore items.parquet from a copy, or build the catalog again in another folder",
    "schema": "Restore the item from a copy, or write it again with catalogs.writer",
    "duplicate-id": "Remove one of the two",
    "location": "Restore locations.parquet from a copy, or sample again in another folder",
    "split": "Restore the item or locations.parquet from a copy: neighbours must not part",
    "incomplete": "Run `curate build` with --retry-failed, or build the catalog again in another folder",
    "grid": "Restore the item or its file: every file of a location lies on the location's square",
    "missing-asset": RESTORE,
    "truncated-asset": RESTORE,
    "altered-asset": RESTORE,
    "raster": RESTORE,
    "labels": "Convert the data set again, with the names of all values, or declare as 255 what nobody knows",
    "unsafe-href": "Copy the file into the catalog and name it there: a catalog names its own files only",
    "secret": "Remove it from the file, and revoke it where it was issued",
    "blank": DOUBT,
    "constant": DOUBT,
    "saturated": DOUBT,
    "duplicate-pixels": "Keep one of the two: the source delivered one acquisition under two dates",
    "offset": "Compare with the source's metadata: the offset is stated but already applied, or applied nowhere",
    "pack": "Remove the sensor's folder in `packs` and run `curate pack`: packs are derived",
    "cover": "Restore the item or its mask from a copy: cloud and snow are shares of the mask",
}
"""What to do about each kind of problem."""
KEPT = 1_000
"""Problems of one kind that are kept in words; the rest is counted."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is not as the contract has it."""

    kind: str
    """One of `REMEDIES`."""
    where: str
    """File, relative to the catalog, or id of an item or location."""
    message: str
    """What is wrong, with the value, and what was expected."""

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return REMEDIES[self.kind]


@dataclass(frozen=True, slots=True)
class Report:
    """What a catalog's check found."""

    catalog: str
    """Path or address."""
    problems: tuple[Problem, ...]
    """Sorted; of one kind at most `KEPT`."""
    counts: Mapping[str, int]
    """How many problems there are of each kind."""
    unfinished: tuple[str, ...]
    """What a build or a packing that was stopped left to do or to remove, and packs to renew; no errors."""
    checked: Mapping[str, int]
    """How many of what were looked at."""
    left_out: str | None = None
    """What was not looked at, and how to have it looked at; none where everything was."""

    @property
    def is_valid(self) -> bool:
        """Whether nothing is wrong."""
        return not self.counts

    def to_json(self) -> dict[str, Any]:
        """The report in JSON's types."""
        return {
            "catalog": self.catalog,
            "valid": self.is_valid,
            "checked": dict(self.checked),
            "left_out": self.left_out,
            "counts": dict(self.counts),
            "problems": [{"kind": p.kind, "where": p.where, "message": p.message, "remedy": p.remedy} for p in self.problems],
            "unfinished": list(self.unfinished),
        }


@dataclass(slots=True)
class Findings:
    """A report in the making."""

    problems: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    loose: dict[str, list[str]] = field(default_factory=dict)
    """Files that a stopped build left, by what they are."""

    def add(self, kind: str, where: str, message: str) -> None:
        """Note a problem."""
        assert kind in REMEDIES, f"no remedy for {kind}"
        if self.counts[kind] < KEPT:
            self.problems.append(Problem(kind, where, message))
        self.counts[kind] += 1

    def extend(self, problems: Iterable[Problem]) -> None:
        """Note several."""
        for problem in problems:
            self.add(problem.kind, problem.where, problem.message)

    def leave(self, what: str, hrefs: Iterable[str]) -> None:
        """Note files that a stopped build left."""
        self.loose.setdefault(what, []).extend(hrefs)

    def take(self, other: Findings) -> None:
        """Take in what was found elsewhere."""
        self.extend(other.problems)
        kept = Counter(problem.kind for problem in other.problems)
        self.counts.update(other.counts - kept)
        self.checked.update(other.checked)
        for what, hrefs in other.loose.items():
            self.leave(what, hrefs)
