"""Planetary Computer of Microsoft: Sentinels, Landsat, NAIP and heights as cloud-optimised GeoTIFFs, free, no account.

Searching is anonymous; the files are opened with tokens that anybody gets (`planetary_computer_tokens`). Sentinel-2 numbers are
as ESA delivers them: from processing baseline 04.00 on they carry the offset of 1000, of which its items say nothing.

`cop-dem-glo-30` is a static layer (`curate.static_layers`): heights in squares of a degree, none where there is only sea.

`SEASTARS_PLANETARY_COMPUTER_URL` leads to another API, such as a mirror or a recording; the package's own `PC_SDK_SAS_URL` to
another token server.

References:
    https://planetarycomputer.microsoft.com/docs/concepts/sas/; PlanetaryComputer issues 134, 418, 438 and 457.
"""

from __future__ import annotations

import os

from curate.errors import CurateError
from curate.sources.about import Product, Provider
from curate.sources.archives.mosaics import with_mosaics
from curate.sources.planetary_computer.tokens import require_package
from curate.sources.protocol import Source
from curate.sources.stac_api import StacApiSource
from curate.sources.trial import try_out

NAME = "planetary-computer"
ADDRESS = "https://planetarycomputer.microsoft.com/api/stac/v1"
ADDRESS_VARIABLE = "SEASTARS_PLANETARY_COMPUTER_URL"
COLLECTIONS = {
    "sentinel-2-l2a": "sentinel-2-l2a",
    "landsat-c2-l2": "landsat-c2-l2",
    "sentinel-1-rtc": "sentinel-1-rtc",
    "naip": "naip",
    "cop-dem-glo-30": "cop-dem-glo-30",
}
QUERIES = {"landsat-c2-l2": {"platform": {"in": ["landsat-8", "landsat-9"]}}}
"""Landsat 4 to 7 have other bands, and are half of its collection."""
LACKING = {"sentinel-2-l1c": "It keeps Level-2A only: choose --source cdse for Level-1C."}
CHECKED = ((-149.81, 60.79, -149.79, 60.81), "2019-06-16")
"""Where and when `check` looks for scenes."""

ABOUT = Provider(
    name=NAME,
    title="Microsoft Planetary Computer",
    url="https://planetarycomputer.microsoft.com",
    products=(
        Product("sentinel-2-l2a", "sentinel-2-l2a", "2015-", "not reprocessed to Collection 1; some scenes missing; no L1C"),
        Product("landsat-c2-l2", "landsat-c2-l2", "2013-", "the free way to Landsat"),
        Product("sentinel-1-rtc", "sentinel-1-rtc", "2014-", "gamma0, terrain corrected"),
        Product("naip", "naip", "2010-", "United States; 0.6 m since 2018, 0.3 m in parts, read at 1 m"),
        Product("cop-dem-glo-30", "cop-dem-glo-30", "2010-2015", "heights, once per location; not over open sea"),
    ),
    account="none",
    setup="pip install 'seastars[planetary-computer]'",
    limits="tokens last some 45 min and are renewed; too many requests for them are answered 429",
    terms="the producers' own: Copernicus and its DEM (attribution), USGS and USDA (public domain)",
    extra="planetary-computer",
)


def open_source(detail: str, *, max_scene_cloud: float) -> Source:
    """The source behind `--source planetary-computer`; its orthophotos and heights are mosaics of their files.

    Args:
        detail: Nothing: it has no projects and no hubs.
        max_scene_cloud: Percent of a whole scene above which it is not offered.

    Raises:
        CurateError: There is a detail, or the package that signs is not installed.
    """
    if detail:
        raise CurateError(f"Unknown source '{NAME}:{detail}'. Nothing follows its name; say {NAME!r}.")
    require_package()
    files = StacApiSource(
        address(), name=NAME, collections=COLLECTIONS, max_scene_cloud=max_scene_cloud, lacking=LACKING, queries=QUERIES
    )
    return with_mosaics(files, COLLECTIONS)


def address() -> str:
    """Root of its API."""
    return os.environ.get(ADDRESS_VARIABLE) or ADDRESS


def check() -> str:
    """Search, get a token, and fetch the beginning of a file with it.

    Raises:
        CurateError: The package that signs is not installed, or a subscription key is refused.
        SourceUnavailableError: The API, the token server or the file's host does not answer.
    """
    return try_out(open_source("", max_scene_cloud=100), "sentinel-2-l2a", *CHECKED)
