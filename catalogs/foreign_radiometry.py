"""What turns the numbers of somebody else's item into reflectance, and who says so. Pure.

The item's own words come first, band by band. Where it is silent, Sentinel-2 follows its processing baseline and other
sensors their product's definition. Earth Search shifts some scenes of `sentinel-2-l2a` back and says so in
`earthsearch:boa_offset_applied` while its bands still state the offset: the flag wins.

References:
    ESA, Sentinel-2 products, processing baseline 04.00 (2022-01-25): reflectance = (DN - 1000) / 10000.
    USGS, Landsat Collection 2 Level-2 Science Product Guide: reflectance = 0.0000275 DN - 0.2.
    Earth Search issues 9, 66 and 71, on items whose stated offset disagrees with their pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from catalogs.bands import Sensor
from catalogs.foreign_fields import first_number, read_baseline

OFFSET_BASELINE = 4.0
"""Sentinel-2 processing baseline from which numbers carry an offset of 1000."""
OFFSET_SINCE = datetime(2022, 1, 25, tzinfo=UTC)
"""First day of that baseline: what is left to go by where an item tells no baseline."""
DECISIONS = ("metadata", "baseline", "default")
"""Who decided scale and offset, surest first."""
SHIFTED_FLAGS = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a band's numbers become values."""

    scale: float | None
    """`value = scale * DN + offset`; none for a mask."""
    offset: float | None
    """See `scale`."""
    decision: str
    """One of `DECISIONS`."""


def calibrate(
    fields: Mapping[str, Any], name: str, *, sensor: Sensor, properties: Mapping[str, Any], when: datetime | None
) -> Calibration:
    """Decide scale and offset of one band.

    Args:
        fields: What the item says of the band.
        name: Our name of it.
        sensor: The sensor.
        properties: Those of the item.
        when: Acquisition, UTC.
    """
    ours = sensor.band(name)
    if ours.scale is None:
        return Calibration(None, None, "metadata")
    scale, offset = first_number(fields, "raster:scale", "scale"), first_number(fields, "raster:offset", "offset")
    decided = {"metadata"}
    if sensor.id == "sentinel-2-l2a" and any(properties.get(flag) is True for flag in SHIFTED_FLAGS):
        offset = 0.0
    if offset is None:
        offset, by = _offset_by_baseline(ours.offset, sensor, read_baseline(properties), when)
        decided.add(by)
    if scale is None:
        scale = ours.scale
        decided.add("default" if sensor.constellation != "sentinel-2" else "baseline")
    return Calibration(scale, offset, weakest(decided))


def weakest(decisions: Iterable[str]) -> str:
    """The least sure of several decisions."""
    return max(decisions, key=DECISIONS.index, default="default")


def _offset_by_baseline(
    offset: float | None, sensor: Sensor, baseline: str | None, when: datetime | None
) -> tuple[float | None, str]:
    if sensor.constellation != "sentinel-2":
        return offset, "default"
    try:
        return (offset if float(baseline or "") >= OFFSET_BASELINE else 0.0), "baseline"
    except ValueError:
        return (offset if when is None or when >= OFFSET_SINCE else 0.0), "default"
