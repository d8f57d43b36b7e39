"""Which of our sensors somebody else's item or collection holds. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from catalogs.bands import SENSORS, Sensor
from catalogs.fields import CONTRACT
from catalogs.foreign_fields import in_product_name, stated_words

COLLECTION_ALIASES: Mapping[str, str] = {
    "sentinel-2-c1-l2a": "sentinel-2-l2a",
    "sentinel-2-pre-c1-l2a": "sentinel-2-l2a",
    "sentinel-s2-l2a-cogs": "sentinel-2-l2a",
    "sentinel-s2-l2a": "sentinel-2-l2a",
    "sentinel-s2-l1c": "sentinel-2-l1c",
    "landsat-c2l2-sr": "landsat-c2-l2",
    "landsat-8-c2-l2": "landsat-c2-l2",
    "landsat-9-c2-l2": "landsat-c2-l2",
}
"""Collections of providers and the sensor of ours that they hold, best first; one of a sensor's own id needs no entry."""
_OURS_ALONE = ("sentinel-1-grd",)
"""Sensors of ours whose id providers use for another product: theirs are counts in the radar's own geometry, ours decibels on a
map grid. Only what a catalog of ours says of itself counts."""
_LEVEL_FIELDS = ("processing:level", "s2:product_type", "product:type", "landsat:correction", "sar:product_type")
_OLD_LANDSAT = re.compile(r"landsat-[1-7]$")
_SENTINEL_2_LEVELS = {"l2a": "sentinel-2-l2a", "2a": "sentinel-2-l2a", "l1c": "sentinel-2-l1c", "1c": "sentinel-2-l1c"}


def match_sensor(described: Mapping[str, Any]) -> str | None:
    """Which of our sensors an item or a collection holds: by its collection's id, else by what it says of itself.

    Args:
        described: A STAC item or collection as a dictionary.

    Returns:
        Id of the sensor; none where it is another product, such as a Landsat 7 item within `landsat-c2-l2`, whose bands
        are others.
    """
    platforms = stated_words(described, "platform", "eo:platform")
    if platforms and all(_OLD_LANDSAT.match(platform) for platform in platforms):
        return None
    collection = described.get("collection") if "properties" in described else described.get("id")
    named = str(collection or "").lower()
    sensor = COLLECTION_ALIASES.get(named, named)
    if sensor in _OURS_ALONE and CONTRACT not in described.get("properties", described):
        return None
    return sensor if sensor in SENSORS else _match_fields(described, platforms)


def is_sensor(described: Mapping[str, Any], sensor: Sensor) -> bool:
    """Whether an item or a collection is of that sensor."""
    return match_sensor(described) == sensor.id


def _match_fields(described: Mapping[str, Any], platforms: list[str]) -> str | None:
    missions = [*stated_words(described, "constellation"), *platforms]
    levels = stated_words(described, *_LEVEL_FIELDS)
    generation = set(stated_words(described, "landsat:collection_number"))
    if any(mission.startswith("sentinel-2") for mission in missions):
        written = [*levels, str(in_product_name(described.get("properties", {}), r"_MSI(L\d\w)_")).lower()]
        return next((sensor for end, sensor in _SENTINEL_2_LEVELS.items() if any(text.endswith(end) for text in written)), None)
    if {"landsat-8", "landsat-9"}.intersection(missions) and {"l2sp", "l2sr"}.intersection(levels) and generation <= {"02"}:
        return "landsat-c2-l2"
    if any(mission.startswith("sentinel-1") for mission in missions) and "rtc" in levels:
        return "sentinel-1-rtc"
    return None
