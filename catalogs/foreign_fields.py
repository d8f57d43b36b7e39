"""What the fields of somebody else's item say, whatever their version and spelling. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from catalogs.errors import ContractError

PRODUCT_NAMES = ("s2:product_uri", "sentinel:product_id", "sentinel2:product_id", "title")
"""Fields that may hold ESA's name of the product, which tells level, baseline and orbit."""


def stated_words(described: Mapping[str, Any], *names: str) -> list[str]:
    """Values of those fields of an item, or of a collection's summaries, in one spelling: `LANDSAT_8` is `landsat-8`."""
    stated = described.get("properties") or described.get("summaries") or {}
    values = [stated.get(name) for name in names]
    flat = [word for value in values if value for word in (value if isinstance(value, list) else [value])]
    return [str(word).lower().replace("_", "-").replace(" ", "-") for word in flat]


def first_text(stated: Mapping[str, Any], *names: str) -> str | None:
    """The first of those fields that is there."""
    return next((str(stated[name]) for name in names if stated.get(name) not in {None, ""}), None)


def first_number(stated: Mapping[str, Any], *names: str) -> float | None:
    """The first of those fields that is a number; raster 1 writes `nan` and `inf` as words."""
    numbers = (to_number(stated.get(name)) for name in names)
    return next((number for number in numbers if number is not None), None)


def to_number(value: Any) -> float | None:
    """A JSON value as a number; none where it is none."""
    try:
        return None if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def read_times(item: Mapping[str, Any]) -> tuple[datetime | None, datetime | None, datetime | None]:
    """Instant, or start and end of an interval, of an item; UTC.

    Raises:
        ContractError: It has neither, or writes them in no known form.
    """
    properties = item.get("properties", {})
    try:
        when, start, end = (_time(properties.get(name)) for name in ("datetime", "start_datetime", "end_datetime"))
    except ValueError as error:
        raise ContractError(
            f"Item {item.get('id')} has a time that is not RFC 3339: {error}. Repair it in its catalog."
        ) from error
    if when:
        return when, None, None
    if start is None or end is None:
        raise ContractError(
            f"Item {item.get('id')} has neither a datetime nor a start_datetime and an end_datetime; "
            "expected one of both. Repair it in its catalog."
        )
    return None, start, end


def read_epsg(properties: Mapping[str, Any], assets: Iterable[Mapping[str, Any]]) -> int | None:
    """EPSG code of the item, else the one that all those assets share."""
    codes = {_epsg_of(asset) for asset in assets}
    return _epsg_of(properties) or (codes.pop() if len(codes) == 1 else None)


def read_baseline(properties: Mapping[str, Any]) -> str | None:
    """Processing baseline, such as `05.11`; from the product's name where no field states it."""
    stated = first_text(properties, "processing:version", "s2:processing_baseline")
    return stated or in_product_name(properties, r"_N(\d\d)(\d\d)_", ".")


def read_relative_orbit(properties: Mapping[str, Any]) -> int | None:
    """Relative orbit; from the product's name where no field states it."""
    stated = to_number(properties.get("sat:relative_orbit")) or to_number(
        in_product_name(properties, r"_MSIL\d\w_.*_R(\d{3})_")
    )
    return None if stated is None else int(stated)


def read_sun_elevation(properties: Mapping[str, Any]) -> float | None:
    """Elevation of the sun, degrees; from its zenith angle where only that is stated."""
    elevation = first_number(properties, "view:sun_elevation", "eo:sun_elevation")
    zenith = to_number(properties.get("s2:mean_solar_zenith"))
    return 90 - zenith if elevation is None and zenith is not None else elevation


def in_product_name(properties: Mapping[str, Any], pattern: str, joint: str = "") -> str | None:
    """The groups of a pattern in the name that the producer gave the product."""
    matches = (re.search(pattern, str(properties.get(name, ""))) for name in PRODUCT_NAMES)
    return next((joint.join(found.groups()) for found in matches if found), None)


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    when = datetime.fromisoformat(text)
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def _epsg_of(stated: Mapping[str, Any]) -> int | None:
    code = re.match(r"(?:EPSG:)?(\d+)$", str(stated.get("proj:code") or stated.get("proj:epsg") or ""), re.IGNORECASE)
    return int(code[1]) if code else None
