"""Addresses of measurements in the radar's own geometry, and of the documents that belong to them.

The address of such a band is that of its file with `#sentinel-1-gec` behind, which says how its pixels come to the ground:
whoever reads it as a file of a map grid is told what it is, and the reader of `curate.sources.sentinel1` knows its own.

Where the documents are follows from the product's folder, as AWS lays it out: `measurement/iw-vv.tiff`, `annotation/iw-vv.xml`,
`annotation/calibration/calibration-iw-vv.xml`. The items' own addresses do not serve: what Earth Search names the product's
annotation (`schema-product-vv`) is that of radio interference, `annotation/rfi/rfi-iw-vv.xml`, in products since 2022.

References:
    A recorded item of Earth Search (2025-07-31); `filenameMap` in the bucket's announcements of 2022;
    https://github.com/microsoft/PlanetaryComputer/issues/313, of items made by the same library.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalogs.foreign import SourceBand
from catalogs.secrets import without_secrets
from curate.errors import SourceUnavailableError

SENSOR = "sentinel-1-gec"
COLLECTION = "sentinel-1-grd"
"""Of Earth Search, as of others: what is geocoded here."""
MARK = f"#{SENSOR}"
POLARISATIONS = ("vv", "vh")
_MEASUREMENT = re.compile(r"(?P<product>.+)/measurement/iw-(?P<polarisation>vv|vh)\.tiff")


@dataclass(frozen=True, slots=True)
class Documents:
    """Where a measurement is, and what belongs to it."""

    measurement: str
    """The image."""
    polarisation: str
    """`VV` or `VH`."""
    annotation: str
    """Its size and geolocation grid."""
    calibration: str
    """What its numbers are divided by."""


def is_radar(band: SourceBand) -> bool:
    """Whether a band's pixels are in the radar's own geometry, by its address."""
    return band.href.endswith(MARK)


def documents_of(band: SourceBand) -> Documents:
    """The files of a band.

    Raises:
        SourceUnavailableError: Its address is none of a product as AWS lays it out.

    Examples:
        >>> documents_of(SourceBand("s3://bucket/GRD/S1A/measurement/iw-vv.tiff#sentinel-1-gec")).calibration
        's3://bucket/GRD/S1A/annotation/calibration/calibration-iw-vv.xml'
    """
    found = _MEASUREMENT.fullmatch(band.href.removesuffix(MARK)) if is_radar(band) else None
    if found is None:
        raise SourceUnavailableError(
            f"{without_secrets(band.href)} is no measurement of Sentinel-1 that can be geocoded. Expected "
            f".../measurement/iw-vv.tiff{MARK} or iw-vh.tiff, as its search gives it. Search anew, in a new folder."
        )
    annotation, name = f"{found['product']}/annotation", f"iw-{found['polarisation']}"
    return Documents(
        measurement=found[0],
        polarisation=found["polarisation"].upper(),
        annotation=f"{annotation}/{name}.xml",
        calibration=f"{annotation}/calibration/calibration-{name}.xml",
    )


def mark_item(item: dict[str, Any]) -> dict[str, Any]:
    """An item of ground range detected products as one of ours, others as they are.

    What is of another mode or polarisation loses its assets, and so is no scene.

    Args:
        item: As its API gives it.
    """
    if item.get("collection") != COLLECTION:
        return item
    assets = {name: _marked(item.get("assets", {}).get(name)) for name in POLARISATIONS}
    return item | {"collection": SENSOR, "assets": {name: asset for name, asset in assets.items() if asset}}


def _marked(asset: Mapping[str, Any] | None) -> dict[str, Any] | None:
    href = str((asset or {}).get("href", ""))
    return {**asset, "href": f"{href}{MARK}"} if asset and _MEASUREMENT.fullmatch(href) else None
