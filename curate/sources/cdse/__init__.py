"""Copernicus Data Space (CDSE): all of Sentinel-2 as ESA delivers it, Level-2A and Level-1C, as JPEG 2000.

It is complete, and has Level-1C for free; but an account may have four connections, and its files are whole granules in JPEG
2000, which GDAL reads piece by piece. It is for what other sources lack, and for dense regions, rather than for many small
places. Searching needs no account, opening files does (`cdse_access`), which is said before anything is searched.

`SEASTARS_CDSE_URL` leads to another API, such as a mirror or a recording.

References:
    https://documentation.dataspace.copernicus.eu/APIs/STAC.html and Quotas.html.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from curate.errors import CurateError
from curate.sources.about import ACCOUNT, Product, Provider
from curate.sources.cdse.access import BUCKETS, has_account, has_keys, require_credentials
from curate.sources.stac_api import StacApiSource
from curate.sources.trial import try_out

NAME = "cdse"
ADDRESS = "https://stac.dataspace.copernicus.eu/v1"
ADDRESS_VARIABLE = "SEASTARS_CDSE_URL"
COLLECTIONS = {"sentinel-2-l2a": "sentinel-2-l2a", "sentinel-2-l1c": "sentinel-2-l1c"}
LACKING = {
    "sentinel-1-rtc": "Its Sentinel-1 is in the radar's own geometry; planetary-computer has sentinel-1-rtc.",
    "landsat-c2-l2": "Landsat is free at planetary-computer.",
}
"""What people look for here in vain, and where it is."""
CHECKED = ((-8.21, 52.69, -8.19, 52.71), "2023-06-16")
"""Where and when `check` looks for scenes."""
SLOW = "slow: JPEG 2000, each patch costs whole blocks of 10 km"

ABOUT = Provider(
    name=NAME,
    title="Copernicus Data Space Ecosystem",
    url="https://dataspace.copernicus.eu",
    products=(
        Product("sentinel-2-l2a", "sentinel-2-l2a", "2015-", SLOW, access=ACCOUNT),
        Product("sentinel-2-l1c", "sentinel-2-l1c", "2015-", f"{SLOW}; no cloud mask", access=ACCOUNT),
    ),
    account="free account",
    setup=(
        "CDSE_S3_ACCESS_KEY and CDSE_S3_SECRET_KEY (made at https://eodata-s3keysmanager.dataspace.copernicus.eu), "
        "or CDSE_USERNAME and CDSE_PASSWORD"
    ),
    limits=(
        "per user 4 connections of 20 MB/s, 2,000 requests a minute, 12 TB a month; a build keeps to the connections, and runs "
        "in one process"
    ),
    terms="Copernicus Sentinel data: free, with attribution",
)


def open_source(detail: str, *, max_scene_cloud: float) -> StacApiSource:
    """The source behind `--source cdse`.

    Args:
        detail: Nothing: it has no projects and no hubs.
        max_scene_cloud: Percent of a whole scene above which it is not offered.

    Raises:
        CurateError: There is a detail, or nothing in the environment that opens the files.
    """
    if detail:
        raise CurateError(f"Unknown source '{NAME}:{detail}'. Nothing follows its name; say {NAME!r}.")
    require_credentials()
    return StacApiSource(
        address(),
        name=NAME,
        collections=COLLECTIONS,
        max_scene_cloud=max_scene_cloud,
        prepare=with_openable_files,
        lacking=LACKING,
        one_process="CDSE grants a user four connections in all, and each process takes four by itself.",
    )


def address() -> str:
    """Root of its API."""
    return os.environ.get(ADDRESS_VARIABLE) or ADDRESS


def with_openable_files(item: dict[str, Any]) -> dict[str, Any]:
    """An item whose assets are where this user can open them: in the store, or as downloads where there is an account only.

    Args:
        item: As the API gives it, with `s3://eodata/...` and, as an alternate, the download.
    """
    if has_keys() or not has_account():
        return item
    return item | {"assets": {key: _as_download(asset) for key, asset in item.get("assets", {}).items()}}


def check() -> str:
    """Search without an account, and fetch the beginning of a file with the user's own.

    Raises:
        CurateError: There are no credentials, or the login refuses them.
        SourceUnavailableError: The API or the file's host does not answer, or refuses the file.
    """
    return try_out(open_source("", max_scene_cloud=100), "sentinel-2-l2a", *CHECKED)


def _as_download(asset: Mapping[str, Any]) -> dict[str, Any]:
    alternates = asset.get("alternate")
    other = alternates.get("https") if isinstance(alternates, Mapping) else None
    if str(asset.get("href", "")).startswith(BUCKETS) and isinstance(other, Mapping) and other.get("href"):
        return {**asset, "href": other["href"]}
    return dict(asset)
