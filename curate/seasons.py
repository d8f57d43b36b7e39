"""Which date windows to look for at a location. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from catalogs.date_windows import (
    SECO,
    SECO_DATES,
    SECO_MAX_SHIFT_DAYS,
    SECO_SPACING,
    SECO_WINDOW_DAYS,
    equal_windows,
    midnight,
    seco_windows,
)
from curate.errors import CurateError


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
            CurateError: It has no day, no season, or windows that overlap.
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
        if not self.seasons and self.window_days and timedelta(days=self.window_days) > SECO_SPACING:
            raise CurateError(
                f"--window-days {self.window_days} exceeds the {SECO_SPACING.days} days between two dates of --seasons {SECO}: "
                f"windows would overlap. Expected at most {SECO_SPACING.days}; leave it out for SeCo's own {SECO_WINDOW_DAYS}."
            )

    @property
    def span(self) -> tuple[datetime, datetime]:
        """First and last instant of any window of any location: what has to be searched."""
        if self.seasons:
            return midnight(self.start), midnight(self.end)
        half = timedelta(days=self.window_days or SECO_WINDOW_DAYS) / 2
        reach = (SECO_DATES - 1) * SECO_SPACING + timedelta(days=SECO_MAX_SHIFT_DAYS) + half
        return midnight(self.end) - reach, midnight(self.end) + half

    def windows(self, location_id: str) -> list[DateWindow]:
        """The date windows of a location, in order of time."""
        days = self.window_days
        if self.seasons:
            spans = equal_windows(self.start, self.end, self.seasons, days=days)
        else:
            spans = seco_windows(location_id, self.end, days=days, seed=self.seed)
        return [DateWindow(season, *span) for season, span in enumerate(spans)]
