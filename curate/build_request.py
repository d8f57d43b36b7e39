"""What a user asks of a build, resolved into the recipe's build section and into what is wanted of every location. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from catalogs.band_guess import guess_band
from catalogs.bands import SENSORS, find_sensor, unknown_sensor
from catalogs.date_windows import SECO, SECO_DATES
from catalogs.records import Band
from catalogs.writer import INDEX_ONLY_ABOVE
from curate.assemble import Wanted
from curate.errors import CurateError
from curate.offsets import KEEP, MODES, STRICT
from curate.seasons import SeasonPlan
from curate.sources.offers import offered_sensors

SETTLED = timedelta(weeks=4)
"""How long before today a search ends by default: by then providers have what they will have (SeCo's own choice)."""
YEAR = timedelta(days=365)
AS_BEFORE = KEEP
"""How a catalog's recipe without a word on radiometry goes on: it was begun when conflicts were written and recorded."""


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """What a user asks of a build; what is absent is taken from the catalog's recipe, then from the defaults."""

    source: str | None = None
    """Name, path or address of the source."""
    sensors: Sequence[str] = ()
    """Ids of the sensors."""
    bands: Sequence[str] = ()
    """Names of the bands; all of each sensor where absent."""
    seasons: str | None = None
    """A count of equal windows, or `seco`."""
    start: date | None = None
    """First day."""
    end: date | None = None
    """First day after the last one."""
    window_days: int | None = None
    """Width of a window."""
    max_cloud: float | None = None
    """Greatest share of a square that is not clear, percent."""
    max_scene_cloud: float | None = None
    """Greatest cloud cover of a whole scene, percent, asked of the source."""
    max_delta_days: float | None = None
    """Greatest time between the sensors of one season, days."""
    items: str | None = None
    """`json` or `parquet`."""
    radiometry: str | None = None
    """What to do with a scene whose pixels contradict its offset: see `curate.offsets.MODES`."""


def resolve_request(request: BuildRequest, old: Mapping[str, Any] | None, *, today: date, locations: int) -> dict[str, Any]:
    """The recipe's build section that a request asks for.

    Args:
        request: What the user gave.
        old: The section of an earlier run; its values hold where the request is silent.
        today: For the default dates.
        locations: How many there are: above 50,000 items the index is the items, unless told otherwise.

    Returns:
        JSON's types, every default resolved.

    Raises:
        CurateError: A count of seasons or a share that is none, or a period that has not begun.
    """
    _check_given(request, today)
    sensors = _apart(request.sensors)
    given = {
        "source": request.source,
        "sensors": sensors or None,
        "bands": list(request.bands) or None,
        "seasons": request.seasons and _read_seasons(request.seasons),
        "start": request.start and request.start.isoformat(),
        "end": request.end and request.end.isoformat(),
        "window_days": request.window_days,
        "max_cloud": request.max_cloud,
        "max_scene_cloud": request.max_scene_cloud,
        "max_delta_days": request.max_delta_days,
        "items": request.items,
        "radiometry": request.radiometry,
    }
    section = {**_defaults(request, today), **(old or {}), **{key: value for key, value in given.items() if value is not None}}
    if old is not None and sensors and not request.bands and sensors != old["sensors"]:
        section["bands"] = []  # those of before are the other sensors'
    if old is not None and "radiometry" not in old and request.radiometry in {None, AS_BEFORE}:
        del section["radiometry"]
    seasons = SECO_DATES if section["seasons"] == SECO else section["seasons"]
    many = locations * seasons * len(section["sensors"]) > INDEX_ONLY_ABOVE
    return {**section, "items": section["items"] or ("parquet" if many else "json")}


def _check_given(request: BuildRequest, today: date) -> None:
    """Refuse what cannot be meant."""
    for flag, share in (("--max-cloud", request.max_cloud), ("--max-scene-cloud", request.max_scene_cloud)):
        if share is not None and not 0 <= share <= 100:
            raise CurateError(f"{flag} is {share:g}; expected percent, from 0 to 100.")
    if request.max_delta_days is not None and request.max_delta_days < 0:
        raise CurateError(f"--max-delta-days is {request.max_delta_days:g}; expected days between sensors, 0 or more.")
    begin = request.start or (request.end and request.end - YEAR)
    if begin and begin > today:
        raise CurateError(
            f"The period begins on {begin}, after today ({today}): nothing was taken since. Choose an earlier --start or --end."
        )


def _apart(sensors: Sequence[str]) -> list[str]:
    """Ids one by one, of which several may have been written with commas between them."""
    return [name.strip() for sensor in sensors for name in sensor.split(",") if name.strip() or "," not in sensor]


def check_dates(request: BuildRequest, old: Mapping[str, Any] | None) -> None:
    """Refuse to build a part over a period that the clock decides: another part may be built on another day.

    Raises:
        CurateError: Neither the request nor an earlier run says which period.
    """
    if old is None and request.start is None and request.end is None:
        raise CurateError(
            "--part is given without --start or --end: the period would end four weeks before today, and parts that are built "
            "on different days would not fit together. Give --end, such as --end 2024-01-01, the same for all parts."
        )


def _defaults(request: BuildRequest, today: date) -> dict[str, Any]:
    end = request.end or (request.start + YEAR if request.start else today - SETTLED)
    return {
        "source": "earth-search",
        "sensors": ["sentinel-2-l2a"],
        "bands": [],
        "seasons": 4,
        "start": (request.start or end - YEAR).isoformat(),
        "end": end.isoformat(),
        "window_days": None,
        "max_cloud": 10.0,
        "max_scene_cloud": 100.0,
        "max_delta_days": None,
        "items": None,
        "radiometry": STRICT,
    }


def _read_seasons(text: str) -> int | str:
    if text == SECO:
        return SECO
    if not text.isdigit() or int(text) < 1:
        raise CurateError(f"--seasons is {text!r}; expected a count such as 4, or {SECO!r}.")
    return int(text)


def read_wanted(section: Mapping[str, Any], seed: int) -> Wanted:
    """What a recipe's build section wants of every location.

    Args:
        section: As `resolve_request` gives it.
        seed: Of SeCo's shifts.

    Raises:
        CurateError: A band that no sensor has, dates that do not fit together, or an unknown word for what to do about offsets.
        ContractError: An unknown sensor.
    """
    plan = SeasonPlan(
        start=date.fromisoformat(section["start"]),
        end=date.fromisoformat(section["end"]),
        seasons=None if section["seasons"] == SECO else section["seasons"],
        window_days=section["window_days"],
        seed=seed,
    )
    radiometry = section.get("radiometry", AS_BEFORE)
    if radiometry not in MODES:
        raise CurateError(f"The recipe's radiometry is {radiometry!r}; expected {', '.join(MODES)}. Repair it in recipe.json.")
    return Wanted(
        _wanted_bands(section["sensors"], section["bands"]),
        plan,
        section["max_cloud"],
        section["max_delta_days"],
        radiometry,
    )


def _wanted_bands(sensor_ids: Sequence[str], names: Sequence[str]) -> dict[str, tuple[Band, ...]]:
    """Of each sensor the bands of those names; all where there are no names."""
    unknown_ids = [sensor_id for sensor_id in sensor_ids if sensor_id not in SENSORS]
    if unknown_ids:
        raise unknown_sensor(unknown_ids[0], offered_sensors())
    sensors = [find_sensor(sensor_id) for sensor_id in sensor_ids]
    known = {band.name for sensor in sensors for band in sensor.bands}
    unknown = [name for name in names if name not in known]
    if unknown:
        having = "; ".join(f"{sensor.id} has {', '.join(band.name for band in sensor.bands)}" for sensor in sensors)
        guess = guess_band(unknown[0], [band for sensor in sensors for band in sensor.bands])
        meant = f" Did you mean {guess!r}?" if guess else ""
        raise CurateError(f"Unknown band {unknown[0]!r} in --bands. Choose from: {having}.{meant}")
    wanted = {sensor.id: tuple(band for band in sensor.bands if not names or band.name in names) for sensor in sensors}
    for sensor in sensors:
        if not wanted[sensor.id]:
            raise CurateError(
                f"--bands {','.join(names)} leaves no band of {sensor.id}. "
                f"Name at least one of {', '.join(band.name for band in sensor.bands)}."
            )
    return wanted
