"""Scenes as other people's catalogs describe them, under our band names.

Reads STAC 1.0 and 1.1, `eo:bands`/`raster:bands` and `bands`, `proj:epsg` and `proj:code`. The questions are answered one
by one: `foreign_sensors` (which sensor), `foreign_bands` (which asset is which band), `foreign_radiometry` (scale and
offset), `foreign_fields` (times, grid, sun).
"""

from __future__ import annotations

import datetime as dt
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from catalogs import fields
from catalogs.bands import Sensor
from catalogs.foreign_bands import ForeignBand, map_bands
from catalogs.foreign_fields import (
    first_number,
    first_text,
    read_baseline,
    read_epsg,
    read_relative_orbit,
    read_sun_elevation,
    read_times,
    stated_words,
    to_number,
)
from catalogs.foreign_footprints import read_footprint
from catalogs.foreign_radiometry import Calibration, calibrate, weakest
from catalogs.foreign_sensors import COLLECTION_ALIASES, is_sensor, match_sensor
from catalogs.secrets import without_secrets

__all__ = [
    "COLLECTION_ALIASES",
    "BandPart",
    "SourceBand",
    "SourceScene",
    "from_item",
    "is_sensor",
    "match_sensor",
    "resolve_href",
]


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
    parts: tuple[BandPart, ...] = ()
    """Of a band that is put together from files, these, sorted by id."""


@dataclass(frozen=True, slots=True)
class BandPart:
    """One of the files that a band is put together from."""

    id: str
    """Of the source's item; where parts overlap, the first by it wins."""
    band: SourceBand
    """In that file."""
    footprint: bytes
    """What the file holds of the ground, lon/lat, as WKB."""


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
    datetime: dt.datetime | None = None
    """Acquisition, UTC."""
    start_datetime: dt.datetime | None = None
    """First instant of a vintage interval, UTC."""
    end_datetime: dt.datetime | None = None
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
    radiometry: str = "default"
    """Who decided scale and offset: see `catalogs.records.Radiometry.decision`."""
    simulated: bool = False
    """Rendered, not measured: true of scenes of a simulated catalog of ours."""
    source: str | None = None
    """Name of the provider that it came from, such as `earth-search`, without any secret; set by the source that found it."""
    rank: int = 0
    """Place of that among the sources that a user named, the preferred one's 0."""
    disputed: bool = False
    """Whether its collection is known to state wrong offsets now and then: other scenes are read where its own dark pixels do
    not tell."""


def from_item(item: Mapping[str, Any], sensor: Sensor, *, base_href: str | None = None) -> SourceScene:
    """Read an item of another catalog.

    Args:
        item: A STAC item of version 1.0.0-beta.1 or later, as a dictionary.
        sensor: What it is taken for.
        base_href: Path or address of the item, from which its relative hrefs start; its `self` link where none.

    Returns:
        The scene; bands that the item lacks, or that cannot be told apart, are absent. That of a static layer has its sensor's
        interval, whatever the item states.

    Raises:
        ContractError: The item has no time, or neither geometry nor bounding box.
    """
    properties = item.get("properties", {})
    address = base_href or _self_href(item)
    when, start, end = (None, *sensor.interval) if sensor.interval else read_times(item)
    found = map_bands(item, sensor)
    values = {
        name: calibrate(
            band.fields, name, sensor=sensor, properties=properties, when=when or start, collection=item.get("collection")
        )
        for name, band in found.items()
    }
    return SourceScene(
        id=str(item.get("id")),
        sensor=sensor.id,
        footprint=read_footprint(item),
        bands={name: _source_band(band, values[name], address) for name, band in found.items()},
        datetime=when,
        start_datetime=start,
        end_datetime=end,
        epsg=read_epsg(properties, [band.asset for band in found.values()]),
        cloud_percent=to_number(properties.get("eo:cloud_cover")),
        href=without_secrets(address) if address else None,
        platform=next(iter(stated_words(item, "platform", "eo:platform")), None),
        sun_elevation=read_sun_elevation(properties),
        sun_azimuth=first_number(properties, "view:sun_azimuth", "eo:sun_azimuth", "s2:mean_solar_azimuth"),
        relative_orbit=read_relative_orbit(properties),
        orbit_state=properties.get("sat:orbit_state"),
        baseline=read_baseline(properties),
        created=first_text(properties, "s2:generation_time", "processing:datetime", "created", "updated"),
        radiometry=weakest(value.decision for value in values.values() if value.scale is not None),
        disputed=any(value.disputed for value in values.values()),
        simulated=properties.get(fields.SIMULATED) is True,
    )


def resolve_href(href: str, base_href: str | None) -> str:
    """An href as an address or path that can be opened, given that of the document it stands in.

    Examples:
        >>> resolve_href("./B04.tif", "https://host/a/item.json"), resolve_href("../B04.tif", "/data/a/item.json")
        ('https://host/a/B04.tif', '/data/B04.tif')
    """
    if href.startswith("/vsi") or "://" in href.partition("?")[0] or base_href is None:
        return href
    if re.match(r"https?://", base_href):
        return urljoin(base_href, href)
    scheme, mark, path = base_href.rpartition("://")  # s3:// and paths; urljoin knows neither
    return scheme + mark + posixpath.normpath(posixpath.join(posixpath.dirname(path), href))


def _source_band(band: ForeignBand, value: Calibration, address: str | None) -> SourceBand:
    return SourceBand(
        href=resolve_href(str(band.asset["href"]), address),
        index=band.index,
        scale=value.scale,
        offset=value.offset,
        nodata=to_number(band.fields.get("nodata")),
        checksum=band.asset.get("file:checksum"),
    )


def _self_href(item: Mapping[str, Any]) -> str | None:
    hrefs = [str(link.get("href", "")) for link in item.get("links") or [] if link.get("rel") == "self"]
    return next((href for href in hrefs if "://" in href or href.startswith("/")), None)
