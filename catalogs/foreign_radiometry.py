"""What turns the numbers of somebody else's item into reflectance, and who says so. Pure.

The item's own words come first, band by band. Where it is silent, Sentinel-2 follows its processing baseline and other
sensors their product's definition. Two collections are known better than their items: Earth Engine's `*_HARMONIZED` are
shifted back, whatever their images state; of Earth Search's `sentinel-2-l2a` some scenes are, and neither the flag
`earthsearch:boa_offset_applied` nor the stated offset is true of all, so that its scenes are disputed: the flag is believed
first, and the pixels have to confirm it (`catalogs.radiometry`).

References:
    ESA, Sentinel-2 products, processing baseline 04.00 (2022-01-25): reflectance = (DN - 1000) / 10000, the offset per band
    in `BOA_ADD_OFFSET` (Level-2A) and `RADIO_ADD_OFFSET` (Level-1C).
    USGS, Landsat Collection 2 Level-2 Science Product Guide: reflectance = 0.0000275 DN - 0.2.
    Earth Search issues 9, 66 and 71, on items whose stated offset disagrees with their pixels.
    Google, Earth Engine catalog: COPERNICUS/S2_SR_HARMONIZED and S2_HARMONIZED.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any

from catalogs.bands import Sensor
from catalogs.foreign_fields import first_number, read_baseline, to_number
from catalogs.radiometry import OFFSET_SENSORS, may_carry_offset

DECISIONS = ("metadata", "collection", "baseline", "default")
"""Who decided scale and offset, surest first."""
SHIFTED_FLAGS = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
COGS = "sentinel-s2-l2a-cogs"
"""Earth Search's first collection; nobody else has one of that name."""
DISPUTED = ("sentinel-2-l2a", COGS)
"""Collections of Earth Search whose items are wrong both ways now and then; those of its Collection 1 are right."""
HARMONIZED = ("copernicus/s2_sr_harmonized", "copernicus/s2_harmonized")
"""Collections all of whose numbers are shifted to what they were before processing baseline 04.00."""
ADDED = ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET")
"""ESA's own fields, in DN: what is to be added to a number before it is divided; one of a product, or one of each band."""
QUANTIFICATION = 10_000
"""What it is divided by."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a band's numbers become values."""

    scale: float | None
    """`value = scale * DN + offset`; none for a mask."""
    offset: float | None
    """See `scale`."""
    decision: str
    """One of `DECISIONS`."""
    disputed: bool = False
    """Whether such words are known to be wrong now and then."""


def calibrate(
    fields: Mapping[str, Any],
    name: str,
    *,
    sensor: Sensor,
    properties: Mapping[str, Any],
    when: datetime | None,
    collection: str | None = None,
) -> Calibration:
    """Decide scale and offset of one band.

    Args:
        fields: What the item says of the band.
        name: Our name of it.
        sensor: The sensor.
        properties: Those of the item.
        when: Acquisition, UTC.
        collection: Id of the item's collection, in its provider's spelling.

    Examples:
        >>> from catalogs.bands import find_sensor
        >>> stated = {"s2:processing_baseline": "05.11"}
        >>> calibrate({}, "B04", sensor=find_sensor("sentinel-2-l2a"), properties=stated, when=None)
        Calibration(scale=0.0001, offset=-0.1, decision='baseline', disputed=False)
    """
    ours = sensor.band(name)
    if ours.scale is None:
        return Calibration(None, None, "metadata")
    scale, offset = _stated(fields, "raster:scale", "scale"), _stated(fields, "raster:offset", "offset")
    if sensor.id not in OFFSET_SENSORS:
        silent = scale is None or offset is None
        return Calibration(_or(scale, ours.scale), _or(offset, ours.offset), "default" if silent else "metadata")
    if str(collection).lower() in HARMONIZED:
        return Calibration(_or(scale, ours.scale), 0.0, "collection")
    added = stated_addition(properties, name)
    if offset is None and added is not None:
        return Calibration(_or(scale, 1 / QUANTIFICATION), added / QUANTIFICATION, "metadata")
    carries = may_carry_offset(read_baseline(properties), when)
    usual, decision = ours.offset if carries else 0.0, "metadata"
    is_theirs = sensor.id == "sentinel-2-l2a" and _is_disputed(properties, collection)
    if is_theirs:
        offset, decision = _earth_search_offset(properties, offset, usual, carries=carries)
    if offset is None:
        offset, decision = usual, "baseline" if _is_number(read_baseline(properties)) else "default"
    elif scale is None and offset == usual:
        decision = "baseline"
    return Calibration(_or(scale, ours.scale), offset, decision, disputed=is_theirs and carries)


def weakest(decisions: Iterable[str]) -> str:
    """The least sure of several decisions."""
    return max(decisions, key=DECISIONS.index, default="default")


def stated_addition(properties: Mapping[str, Any], name: str) -> float | None:
    """ESA's offset of a band where an item's properties hold it, DN: for all bands, by band, or as Earth Engine names it.

    Args:
        properties: Of the item.
        name: Our name of the band.

    Examples:
        >>> stated_addition({"BOA_ADD_OFFSET": -1000}, "B04"), stated_addition({"s2:radio_add_offset": {"B4": -1000}}, "B04")
        (-1000.0, -1000.0)
        >>> stated_addition({"BOA_ADD_OFFSET_B4": -1000, "BOA_ADD_OFFSET_B8A": 0}, "B8A"), stated_addition({}, "B04")
        (0.0, None)
    """
    short = name.replace("B0", "B")
    for field in ADDED:
        stated = properties.get(field, properties.get(f"s2:{field.lower()}"))
        if isinstance(stated, Mapping):
            stated = stated.get(name, stated.get(short))
        number = to_number(properties.get(f"{field}_{short}", stated))
        if number is not None:
            return number
    return None


def _is_disputed(properties: Mapping[str, Any], collection: str | None) -> bool:
    """Whether an item is of those collections of Earth Search; other providers call theirs `sentinel-2-l2a` too."""
    if collection is not None and collection.lower() not in DISPUTED:
        return False
    is_theirs = any(name.startswith("earthsearch:") or name in SHIFTED_FLAGS for name in properties)
    return is_theirs or str(collection).lower() == COGS


def _earth_search_offset(
    properties: Mapping[str, Any], stated: float | None, usual: float | None, *, carries: bool
) -> tuple[float | None, str]:
    """The offset of a disputed item, and who decided it: none before there was one, then its flag, else as it is stated."""
    flags = [properties[flag] for flag in SHIFTED_FLAGS if isinstance(properties.get(flag), bool)]
    if not carries:
        return usual, "baseline" if stated else "metadata"
    if not flags:
        return stated, "metadata"
    return (0.0 if any(flags) else stated or usual), "metadata"


def _stated(fields: Mapping[str, Any], *names: str) -> float | None:
    """The first of those fields that is a number to reckon with; raster 1 writes `nan` as a word."""
    number = first_number(fields, *names)
    return number if number is not None and isfinite(number) else None


def _is_number(text: str | None) -> bool:
    return to_number(text) is not None


def _or(stated: float | None, own: float | None) -> float | None:
    return own if stated is None else stated
