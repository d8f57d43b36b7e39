"""Landsat 8 and 9 Collection 2 Level-2 from the U.S. Geological Survey itself: its STAC API, its bucket at the reader's cost.

The API is free and anonymous. The addresses that its items give first want a login in a browser (`landsatlook.usgs.gov/data`);
the same files are in the bucket `usgs-landsat` (us-west-2), which the items name as their alternate, and whose requester pays.
The free way to the same numbers is `--source planetary-computer`.

`SEASTARS_USGS_URL` leads to another API, such as a mirror or a recording.

References:
    https://www.usgs.gov/landsat-missions/landsat-commercial-cloud-data-access; STAC extension `alternate-assets`.
"""

from __future__ import annotations

import os
from typing import Any

from curate.errors import CurateError
from curate.sources.about import PAID, Product, Provider
from curate.sources.stac_api import StacApiSource
from curate.sources.trial import try_out

NAME = "usgs"
ADDRESS = "https://landsatlook.usgs.gov/stac-server"
ADDRESS_VARIABLE = "SEASTARS_USGS_URL"
COLLECTIONS = {"landsat-c2-l2": ("landsat-c2l2-sr",)}
QUERIES = {"landsat-c2-l2": {"platform": {"in": ["LANDSAT_8", "LANDSAT_9"]}}}
"""Landsat 4 to 7 have other bands, and are half of its collection."""

ABOUT = Provider(
    name=NAME,
    title="U.S. Geological Survey, LandsatLook",
    url="https://www.usgs.gov/landsat-missions/landsat-commercial-cloud-data-access",
    products=(
        Product(
            "landsat-c2-l2", "landsat-c2l2-sr", "2013-", "Landsat 8 and 9; costs money: AWS bills your account", access=PAID
        ),
    ),
    account="an AWS account, which pays",
    setup="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    limits="AWS bills each request and each byte that leaves us-west-2; planetary-computer has the same free",
    terms="public domain; attribution is asked for",
)


def usgs(*, max_scene_cloud: float = 100, address: str | None = None) -> StacApiSource:
    """The source behind `--source usgs`.

    Args:
        max_scene_cloud: Percent of a whole scene above which it is not offered.
        address: Of the API; the environment's, else the public one, if not given.
    """
    root = address or os.environ.get(ADDRESS_VARIABLE) or ADDRESS
    return StacApiSource(
        root, name=NAME, collections=COLLECTIONS, max_scene_cloud=max_scene_cloud, prepare=from_bucket, queries=QUERIES
    )


def from_bucket(item: dict[str, Any]) -> dict[str, Any]:
    """An item whose assets are read from the bucket that it names as their alternate.

    Args:
        item: A STAC item as a dictionary; it is left as it is.
    """
    assets = {key: _from_bucket(asset) for key, asset in (item.get("assets") or {}).items()}
    return item | {"assets": assets}


def open_source(detail: str, *, max_scene_cloud: float) -> StacApiSource:
    """The source behind `--source usgs`; see `usgs`.

    Args:
        detail: Nothing: it has no projects and no hubs.
        max_scene_cloud: Percent of a whole scene above which it is not offered.

    Raises:
        CurateError: There is a detail.
    """
    if detail:
        raise CurateError(f"Unknown source '{NAME}:{detail}'. Nothing follows its name; say {NAME!r}.")
    return usgs(max_scene_cloud=max_scene_cloud)


def check() -> str:
    """Ask for the scenes of two weeks over Nantes, and for the beginning of a file of one.

    Raises:
        SourceUnavailableError: The API or the bucket does not answer, or refuses the credentials.
        CurateError: There are no credentials to pay with.
    """
    return try_out(usgs(), "landsat-c2-l2", (-1.56, 47.21, -1.55, 47.22), "2023-07-01")


def _from_bucket(asset: dict[str, Any]) -> dict[str, Any]:
    stored = (asset.get("alternate") or {}).get("s3") or {}
    return asset | {"href": stored["href"]} if stored.get("href") else asset
