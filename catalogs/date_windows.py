"""When the seasons of a location are: what a recipe's `start`, `end`, `seasons` and `window_days` mean. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.recipe import items_section

if TYPE_CHECKING:
    from numpy.typing import NDArray

SECO = "seco"
"""Name of the preset: five dates, twelve weeks apart, one random shift of up to a year per location, windows of 15 days."""
SECO_DATES = 5
SECO_SPACING = timedelta(weeks=12)
SECO_MAX_SHIFT_DAYS = 365
SECO_WINDOW_DAYS = 15

Span = tuple[datetime, datetime]
"""First instant of a date window, and the first one after it, UTC."""


def equal_windows(start: date, end: date, count: int, *, days: int | None = None) -> list[Span]:
    """The date windows of a count of seasons of one length, in order of time, the same at all locations.

    Args:
        start: First day of the first season.
        end: First day after the last one.
        count: Of seasons.
        days: Width of a window about the middle of its season; the whole season where absent.
    """
    first, length = midnight(start), (midnight(end) - midnight(start)) / count
    edges = [_whole_second(first + length * number) for number in range(count)] + [midnight(end)]
    seasons = list(pairwise(edges))
    if days is None:
        return seasons
    half = timedelta(days=days) / 2
    middles = [_whole_second(begin + (after - begin) / 2) for begin, after in seasons]
    return [(middle - half, middle + half) for middle in middles]


def seco_windows(location: str, end: date, *, days: int | None = None, seed: int = 0) -> list[Span]:
    """The date windows of SeCo's dates, in order of time.

    Args:
        location: Id of the location, by which they are shifted.
        end: First day after the last date without a shift.
        days: Width of a window about its date; 15 where absent.
        seed: Of the shifts.
    """
    shift = timedelta(days=_seco_shift_days(location, seed))
    return [(start - shift, after - shift) for start, after in _unshifted(end, days)]


def windows_of(recipe: Mapping[str, Any], locations: Sequence[str]) -> NDArray[np.datetime64] | None:
    """The date windows of some locations, as a recipe asks for them.

    Args:
        recipe: Of a catalog.
        locations: Ids of any of its locations.

    Returns:
        First instants, and the first ones after them, UTC, (locations, seasons, 2); none where the recipe tells no dates, as
        that of a conversion.
    """
    section = items_section(recipe)
    seasons, start, end, days = (section.get(key) for key in ("seasons", "start", "end", "window_days"))
    if seasons == SECO and end:
        last, seed = date.fromisoformat(end), recipe.get("sample", {}).get("seed", 0)
        shifts = np.array([_seco_shift_days(location, seed) for location in locations], "timedelta64[D]")
        shifted: NDArray[np.datetime64] = _as_array([_unshifted(last, days)]) - shifts[:, None, None]
        return shifted
    if isinstance(seasons, int) and start and end:
        equal = _as_array([equal_windows(date.fromisoformat(start), date.fromisoformat(end), seasons, days=days)])
        return np.broadcast_to(equal, (len(locations), *equal.shape[1:]))
    return None


def midnight(day: date) -> datetime:
    """First instant of a day, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _unshifted(end: date, days: int | None) -> list[Span]:
    """SeCo's date windows of a location without a shift."""
    half = timedelta(days=days or SECO_WINDOW_DAYS) / 2
    middles = [midnight(end) - SECO_SPACING * number for number in reversed(range(SECO_DATES))]
    return [(middle - half, middle + half) for middle in middles]


def _seco_shift_days(location: str, seed: int) -> int:
    digest = hashlib.sha256(f"{seed}:{location}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % SECO_MAX_SHIFT_DAYS


def _whole_second(when: datetime) -> datetime:
    return when.replace(microsecond=0)


def _as_array(windows: Sequence[Sequence[Span]]) -> NDArray[np.datetime64]:
    """(locations, seasons, 2); NumPy's instants have no zone."""
    plain = [[[when.replace(tzinfo=None) for when in span] for span in spans] for spans in windows]
    return np.array(plain, "datetime64[us]")
