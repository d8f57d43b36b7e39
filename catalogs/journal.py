"""What a build has finished since its last checkpoint: one line per location, so that a kill costs the locations in work."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalogs import layout

NO_SEASON = -1
"""In place of a season's number, of a static layer, which is of none; its items state none."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Something of a location that could not be completed."""

    location: str
    """Id of the location."""
    season: int
    """Which of its date windows; `NO_SEASON` of a static layer."""
    sensor: str
    """Id of the sensor that is to blame; several joined by `+`."""
    reason: str
    """A word: `no-scene`, `not-clear`, `radiometry`, `too-far-apart`, `unreadable`."""
    message: str
    """For people: what, how close it came, and which flag to widen."""
    transient: bool = False
    """Whether running the same command again may succeed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One location, finished."""

    location: str
    """Its id."""
    items: Sequence[Mapping[str, Any]]
    """In row form, all its sensors."""
    failures: Sequence[Failure]
    """What could not be completed."""


class Journal:
    """An append-only file of entries; a torn last line is forgotten."""

    def __init__(self, folder: Path) -> None:
        """Use the journal of a catalog's folder; nothing is written yet."""
        self._path = folder / layout.WORK / "journal.jsonl"

    @property
    def is_begun(self) -> bool:
        """Whether a run has written to it since the last checkpoint."""
        return self._path.exists()

    def begin(self) -> None:
        """Show that a change is under way: until `clear`, what is not linked is unfinished, not wrong."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch()

    def append(self, entry: Entry) -> None:
        """Add one finished location."""
        line = json.dumps(
            {
                "location": entry.location,
                "items": entry.items,
                "failures": [_failure_row(failure) for failure in entry.failures],
            }
        )
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def entries(self) -> Iterator[Entry]:
        """What was appended, in that order."""
        if not self._path.exists():
            return
        with self._path.open(encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n"):
                    row = json.loads(line)
                    yield Entry(row["location"], row["items"], [Failure(**failure) for failure in row["failures"]])

    def trim(self) -> None:
        """Drop a torn last line, so that the next one starts afresh."""
        if not self._path.exists():
            return
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(self._path, whole)

    def clear(self) -> None:
        """Forget everything: a checkpoint holds it now."""
        self._path.unlink(missing_ok=True)


def _failure_row(failure: Failure) -> dict[str, Any]:
    return {name: getattr(failure, name) for name in Failure.__slots__}
