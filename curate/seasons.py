"""Which date windows to look for at a location. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from curate.errors import CurateError

SECO = "seco"
"""Name of the preset: five dates, twelve weeks apart, one random shift of up to a year per location, windows of 15 days."""
SECO_DATES = 5
SECO_SPACING = timedelta(weeks=12)
SECO_MAX_SHIFT_DAYS = 365
SECO_WINDOW_DAYS = 15


@dataclass(frozen=True, slots=True)
class DateWindow:
    """A span of time from which one acquisition is wanted."""

    season: int
    """Its number, from 0, in order of time; `catalogs.journal.NO_SEASON` of a static layer's."""
    start: datetime
    """First instant, UTC."""
    end: datetime
    """First instant after it, UTC."""

    @property
    def text(self) -> str:
        """Its days, for messages: `2023-06-01..2023-08-31`."""
        return f"{self.start:%Y-%m-%d}..{self.end - timedelta(seconds=1):%Y-%m-%d}"


@dataclass(frozen=True, slots=True)
class SeasonPlan:
    """How the date windows of every location are made."""

    start: date
    """First day."""
    end: date
    """First day after the last one."""
    seasons: int | None = 4
    """How many equal windows; none for SeCo's dates, which end at `end`."""
    window_days: int | None = None
    """Width of a window about the middle of its season; the whole season where absent."""
    seed: int = 0
    """Of SeCo's shifts."""

    def __post_init__(self) -> None:
        """Check the plan.

        Raises:
            CurateError: It has no day, no season, or a window wider than its season.
        """
        if self.start >= self.end:
            raise CurateError(
                f"--start {self.start} is not before --end {self.end}. The end is the first day that no longer counts."
            )
        if self.seasons is not None and self.seasons < 1:
            raise CurateError(f"--seasons is {self.seasons}; expected 1 or more, or {SECO!r}.")
        if self.window_days is not None and self.window_days < 1:
            raise CurateError(f"--window-days is {self.window_days}; expected 1 or more.")
        days = (self.end - self.start) / (self.seasons or 1)
        if self.seasons and self.window_days and timedelta(days=self.window_days) > days:
            raise CurateError(f"--window-days {self.window_days} exceeds a season of {days.days} days. Lower it or --seasons.")

    @property
    def span(self) -> tuple[datetime, datetime]:
        """First and last instant of any window of any location: what has to be searched."""
        if self.seasons:
            return _midnight(self.start), _midnight(self.end)
        reach = (SECO_DATES - 1) * SECO_SPACING + timedelta(days=SECO_MAX_SHIFT_DAYS + self._seco_days / 2)
        return _midnight(self.end) - reach, _midnight(self.end) + timedelta(days=self._seco_days / 2)

    def windows(self, location_id: str) -> list[DateWindow]:
        """The date windows of a location, in order of time."""
        return self._equal_windows() if self.seasons else self._seco_windows(location_id)

    @property
    def _seco_days(self) -> int:
        return self.window_days or SECO_WINDOW_DAYS

    def _equal_windows(self) -> list[DateWindow]:
        assert self.seasons is not None, "equal windows need a count"
        first, length = _midnight(self.start), (_midnight(self.end) - _midnight(self.start)) / self.seasons
        edges = [_whole_second(first + length * number) for number in range(self.seasons)] + [_midnight(self.end)]
        windows = [DateWindow(number, edges[number], edges[number + 1]) for number in range(self.seasons)]
        if self.window_days is None:
            return windows
        half = timedelta(days=self.window_days) / 2
        middles = [_whole_second(window.start + (window.end - window.start) / 2) for window in windows]
        return [
            DateWindow(window.season, middle - half, middle + half) for window, middle in zip(windows, middles, strict=True)
        ]

    def _seco_windows(self, location_id: str) -> list[DateWindow]:
        digest = hashlib.sha256(f"{self.seed}:{location_id}".encode()).digest()
        shift = timedelta(days=int.from_bytes(digest[:8], "big") % SECO_MAX_SHIFT_DAYS)
        half = timedelta(days=self._seco_days) / 2
        middles = [_midnight(self.end) - shift - SECO_SPACING * number for number in reversed(range(SECO_DATES))]
        return [DateWindow(season, middle - half, middle + half) for season, middle in enumerate(middles)]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _whole_second(when: datetime) -> datetime:
    return when.replace(microsecond=0)
