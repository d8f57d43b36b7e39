"""Layers of no season, such as heights: what is known of them that sets them apart from acquisitions.

A sensor with an `interval` is static (`catalogs.bands.Sensor.is_static`). Each location has one item of it, whatever seasons
the others have: nothing is chosen by date or cloud, and no season of another sensor waits for it or fails with it. Of the
sources that have it over a location the one whose files hold the whole square is read, else the preferred one; what they lack,
as open sea, stays without a measurement, and a square without any is a failure of its own, of no season.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from catalogs.bands import find_sensor
from catalogs.journal import NO_SEASON, Failure
from catalogs.records import Location
from curate.choose import Candidate
from curate.decide import place_in_words, unreadable
from curate.errors import HostDownError, SourceUnavailableError
from curate.fetch import valid_percent
from curate.looks import Look, Steps, Wish
from curate.seasons import DateWindow

SECOND = timedelta(seconds=1)
Each = TypeVar("Each")


def of_seasons(by_sensor: Mapping[str, Each]) -> dict[str, Each]:
    """What is given for the sensors of which each season has acquisitions of its own."""
    return {sensor: each for sensor, each in by_sensor.items() if not find_sensor(sensor).is_static}


def of_no_season(by_sensor: Mapping[str, Each]) -> dict[str, Each]:
    """What is given for the static layers."""
    return {sensor: each for sensor, each in by_sensor.items() if find_sensor(sensor).is_static}


def span_of(sensor: str, span: tuple[datetime, datetime]) -> tuple[datetime, datetime]:
    """First instant to search for a sensor, and the first one after the last: a static layer's own, whatever the dates are.

    Args:
        sensor: Its id.
        span: Of the seasons.
    """
    interval = find_sensor(sensor).interval
    return (interval[0], interval[1] + SECOND) if interval else span


def static_window(sensor: str) -> DateWindow:
    """The one window of a static layer, of no season."""
    interval = find_sensor(sensor).interval
    assert interval is not None, f"{sensor} is no static layer"
    return DateWindow(NO_SEASON, interval[0], interval[1] + SECOND)


def in_order(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those of one static layer in the order in which they are read: what holds the whole square first, then by source."""
    return sorted(candidates, key=lambda each: (not each.covers, each.scene.rank, each.scene.id))


def decide_static(sensor: str, location: Location, candidates: Sequence[Candidate]) -> Steps[list[Look] | Failure]:
    """What is kept of a static layer: the first candidate that has a measurement in the square.

    Args:
        sensor: Id of the layer.
        location: Where.
        candidates: Of all sources.

    Yields:
        Wishes, as `curate.decide.Decision.steps` does.
    """
    unread: SourceUnavailableError | None = None
    for candidate in in_order(candidates):
        (answer,) = yield Wish((candidate.scene,), masks=False)
        if isinstance(answer, HostDownError):
            return unreadable(location, static_window(sensor), {sensor: None}, answer)
        if isinstance(answer, SourceUnavailableError):
            unread = unread or answer
        elif valid_percent(answer):
            return [Look(candidate.scene, patches=answer)]
    if unread:
        return unreadable(location, static_window(sensor), {sensor: None}, unread)
    return Failure(
        location.id,
        NO_SEASON,
        sensor,
        "no-scene",
        f"No {sensor} over {place_in_words(location)}: no file of it has a measurement there, as over open sea. "
        "The seasons of other sensors are kept without it.",
    )
