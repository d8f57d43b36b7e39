"""Scenes as other people's catalogs describe them, under our band names.

Reads STAC 1.0 and 1.1, `eo:bands`/`raster:bands` and `bands`, `proj:epsg` and `proj:code`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class SourceBand:
    """One band of a source scene: where its pixels are and how its numbers become values."""

    href: str
    """Absolute address or path of the file; may be signed, so it never enters a catalog as it is."""
    index: int = 1
    """Band of the file, from 1."""
    scale: float | None = None
    """As the source's item states it; none where it is silent or the band is a mask."""
    offset: float | None = None
    """See `scale`."""
    nodata: float | None = None
    """As the source's item states it."""
    checksum: str | None = None
    """`file:checksum` of the source asset, if stated."""


@dataclass(frozen=True, slots=True)
class SourceScene:
    """One acquisition in a source: what is needed to choose and to fetch it."""

    id: str
    """Id of the source's item."""
    sensor: str
    """Our id of the sensor."""
    footprint: Mapping[str, Any]
    """GeoJSON geometry, lon/lat."""
    bands: Mapping[str, SourceBand]
    """By our band names, in the sensor's order; the mask, where there is one, last."""
    datetime: datetime | None = None
    """Acquisition, UTC."""
    start_datetime: datetime | None = None
    """First instant of a vintage interval, UTC."""
    end_datetime: datetime | None = None
    """Last instant of a vintage interval, UTC."""
    epsg: int | None = None
    """Of the scene's own grid, where its item states it."""
    cloud_percent: float | None = None
    """Cloud cover of the whole scene."""
    href: str | None = None
    """Address of the source's item."""
    platform: str | None = None
    """Such as `sentinel-2b`."""
    sun_elevation: float | None = None
    """Degrees."""
    sun_azimuth: float | None = None
    """Degrees."""
    relative_orbit: int | None = None
    """`sat:relative_orbit`."""
    orbit_state: str | None = None
    """`ascending` or `descending`."""
    baseline: str | None = None
    """Processing version, such as `05.11`."""
    created: str | None = None
    """When the provider made this version: the newer of two reprocessings wins."""
