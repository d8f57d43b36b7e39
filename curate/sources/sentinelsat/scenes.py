"""What a DHuS hub's search tells of products, as scenes whose files nobody has yet.

A band's href, `sentinelsat://HUB/ID/PRODUCT/BAND`, names a file that is to be; whoever reads it downloads the whole product.
Which bands a product has, and which offset its numbers carry, follow from its level and its processing baseline.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from catalogs.bands import find_sensor
from catalogs.errors import ContractError
from catalogs.foreign import SourceBand, SourceScene
from catalogs.foreign_footprints import read_footprint
from catalogs.radiometry import adds_offset
from catalogs.records import Band
from curate.errors import SourceUnavailableError
from curate.sources.safe.names import ProductName, read_name

_HREF = re.compile(r"sentinelsat://(?P<host>[^/]+)/(?P<uuid>[0-9A-Za-z-]+)/(?P<title>[^/]+)/(?P<band>\w+)")
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_SIZE = re.compile(r"([\d.]+) ?([KMGT]?)i?B", re.IGNORECASE)
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
SOURCE = "sentinelsat"


@dataclass(frozen=True, slots=True)
class ProductBand:
    """A band of a product at a hub."""

    uuid: str
    """The product's id there."""
    title: str
    """Its name."""
    band: str
    """Our name of the band."""


def read_href(href: str) -> ProductBand:
    """What a band's href names.

    Raises:
        SourceUnavailableError: It is none of a hub.
    """
    match = _HREF.fullmatch(href)
    if match is None or read_name(match["title"]) is None:
        raise SourceUnavailableError(f"{href} names no band of a product at a DHuS hub. Search again with the same --source.")
    return ProductBand(match["uuid"], match["title"], match["band"])


def read_entry(uuid: str, entry: Mapping[str, Any], *, address: str, host: str) -> SourceScene | str:
    """A product that a search has found, or why it is of no use.

    Args:
        uuid: Its id at the hub.
        entry: What the search tells of it, by sentinelsat's names.
        address: Of the hub.
        host: Its name.
    """
    name = read_name(str(entry.get("title", "")))
    if name is None or not _ID.fullmatch(uuid):
        return "its name is none of a Sentinel-2 product of one tile: it was made before December 2016, and anew since"
    try:
        footprint = _footprint(str(entry.get("footprint", "")))
    except (ContractError, ValueError) as error:
        return f"its footprint cannot be read ({error})"
    sensor = find_sensor(name.sensor)
    bands = (*sensor.bands, *((sensor.mask,) if sensor.mask else ()))
    began, cloud, ingested = entry.get("beginposition"), entry.get("cloudcoverpercentage"), entry.get("ingestiondate")
    return SourceScene(
        id=name.title,
        sensor=name.sensor,
        footprint=footprint,
        bands={band.name: _band(f"{SOURCE}://{host}/{uuid}/{name.title}/{band.name}", band, name) for band in bands},
        datetime=began.replace(tzinfo=UTC) if isinstance(began, datetime) else name.datetime,
        epsg=name.epsg,
        cloud_percent=None if cloud is None else float(cloud),
        href=f"{address}/odata/v1/Products('{uuid}')",
        platform=name.platform,
        relative_orbit=name.relative_orbit,
        orbit_state=str(entry.get("orbitdirection") or "").lower() or None,
        baseline=name.baseline,
        created=f"{ingested.isoformat()}Z" if isinstance(ingested, datetime) else None,
        radiometry="baseline",
        source=SOURCE,
    )


def entry_bytes(entry: Mapping[str, Any]) -> float | None:
    """Size of a product's file, as a search tells it.

    Examples:
        >>> entry_bytes({"size": "1.5 GB"})
        1610612736.0
    """
    match = _SIZE.fullmatch(str(entry.get("size", "")).strip())
    return float(match[1]) * UNITS[match[2].upper()] if match else None


def _band(href: str, band: Band, name: ProductName) -> SourceBand:
    if band.scale is None:
        return SourceBand(href, nodata=band.nodata)
    offset = band.offset if adds_offset(name.baseline) else 0.0
    return SourceBand(href, scale=band.scale, offset=offset, nodata=band.nodata)


def _footprint(text: str) -> Mapping[str, Any]:
    from shapely import from_wkt
    from shapely.errors import GEOSException
    from shapely.geometry import mapping

    try:
        shape = from_wkt(text)
    except GEOSException:
        raise ValueError(f"{text[:40]!r} is no WKT") from None
    return read_footprint({"geometry": dict(mapping(shape))})
