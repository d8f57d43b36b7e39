"""Earth Search v1 of Element 84: Sentinel-2 Level-2A, and heights, as cloud-optimised GeoTIFFs, free, unsigned, no account.

Of its two collections of Level-2A `sentinel-2-c1-l2a` is preferred: its numbers all carry the offset that its items state
(-0.1). `sentinel-2-l2a` fills what it lacks; that one mixes shifted and unshifted scenes and is wrong about some of both, so
its offsets are believed after a look at the pixels only (`catalogs.foreign_radiometry`). Its Landsat, NAIP and Sentinel-2
Level-1C are in buckets whose requester pays.

`cop-dem-glo-30` is a static layer (`curate.static_layers`): heights in squares of a degree, none where there is only sea;
what its items state as their date is a day of publication. `cop-dem-glo-90`, the same in coarser pixels, is not read.
`sentinel-1-grd` is amplitudes in the radar's own geometry, which are calibrated and geocoded here as `sentinel-1-gec`
(`curate.sources.sentinel1`), in mode IW and VV and VH alone. They are not corrected for terrain.

`SEASTARS_EARTH_SEARCH_URL` leads to another API, such as a mirror or a recording.

References:
    https://github.com/Element84/earth-search, README and issues 9, 66 and 71; odc-stac issue 146.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from curate.errors import CurateError
from curate.reading.buckets import how_to_pay, is_signing
from curate.sources.about import PAID, Product, Provider
from curate.sources.archives.mosaics import with_mosaics
from curate.sources.protocol import Source
from curate.sources.sentinel1 import GeocodingSource
from curate.sources.sentinel1.addresses import mark_item
from curate.sources.stac_api import StacApiSource
from curate.sources.trial import try_out

NAME = "earth-search"
ADDRESS = "https://earth-search.aws.element84.com/v1"
ADDRESS_VARIABLE = "SEASTARS_EARTH_SEARCH_URL"
COLLECTIONS = {
    "sentinel-2-l2a": ("sentinel-2-c1-l2a", "sentinel-2-l2a"),
    "sentinel-2-l1c": ("sentinel-2-l1c",),
    "landsat-c2-l2": ("landsat-c2-l2",),
    "naip": ("naip",),
    "sentinel-1-gec": ("sentinel-1-grd",),
    "cop-dem-glo-30": ("cop-dem-glo-30",),
}
"""By sensor, the preferred first."""
QUERIES: Mapping[str, Mapping[str, Any]] = {
    "landsat-c2-l2": {"platform": {"in": ["landsat-8", "landsat-9"]}},
    "sentinel-1-gec": {"sar:instrument_mode": {"eq": "IW"}},
}
"""Landsat 4 to 7 have other bands, and are half of its collection; other modes of Sentinel-1 have other pixels."""
FREE_ELSEWHERE = {
    "sentinel-2-l1c": "cdse has it free, with an account",
    "landsat-c2-l2": "planetary-computer has it free",
    "naip": "planetary-computer has it free",
    "sentinel-1-gec": "planetary-computer has sentinel-1-rtc free, which is corrected for terrain",
}
"""Of the sensors whose files are in buckets whose requester pays: served to those alone who have an account that can."""
RADAR = (
    "Its collection sentinel-1-grd is not corrected for terrain: it is read as sentinel-1-gec, whose requester pays AWS; "
    "planetary-computer has sentinel-1-rtc."
)
COSTS = "costs money: AWS bills your account"

ABOUT = Provider(
    name=NAME,
    title="Earth Search by Element 84",
    url="https://earth-search.aws.element84.com/v1",
    products=(
        Product("sentinel-2-l2a", "sentinel-2-c1-l2a, sentinel-2-l2a", "2015-", "the first preferred, the second in its gaps"),
        Product("sentinel-2-l1c", "sentinel-2-l1c", "2015-", f"JPEG 2000; no cloud mask; {COSTS}", access=PAID),
        Product("landsat-c2-l2", "landsat-c2-l2", "2013-", f"Landsat 8 and 9; {COSTS}", access=PAID),
        Product("naip", "naip", "2010-2022", f"United States; 0.6 m since 2018, read at 1 m; {COSTS}", access=PAID),
        Product(
            "sentinel-1-gec",
            "sentinel-1-grd",
            "2014-",
            f"mode IW; sigma nought in dB, no terrain correction; {COSTS}",
            access=PAID,
        ),
        Product("cop-dem-glo-30", "cop-dem-glo-30", "2010-2015", "heights, once per location; free; not over open sea"),
    ),
    account="none; an AWS account that pays for all but Sentinel-2 Level-2A and heights",
    setup="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, where the requester pays",
    limits="no limit of requests is stated; of its sentinel-1-grd mode IW in VV and VH alone is read",
    terms="the producers' own: Copernicus and its DEM (free, with attribution), USGS and USDA (public domain)",
)


def earth_search(*, max_scene_cloud: float = 100, address: str | None = None) -> StacApiSource:
    """The source behind `--source earth-search`.

    Args:
        max_scene_cloud: Percent of a whole scene above which it is not offered.
        address: Of the API; the environment's, else the public one, if not given.
    """
    root = address or os.environ.get(ADDRESS_VARIABLE) or ADDRESS
    lacking = {"sentinel-1-rtc": RADAR, "sentinel-1-grd": RADAR}
    if not is_signing():
        paid = f"Its files are in a bucket whose requester pays: {how_to_pay()}"
        lacking |= {sensor: f"{paid}; {free}." for sensor, free in FREE_ELSEWHERE.items()}
    served = {sensor: ids for sensor, ids in COLLECTIONS.items() if sensor not in lacking}
    return StacApiSource(
        root,
        name=NAME,
        collections=served,
        max_scene_cloud=max_scene_cloud,
        prepare=mark_item,
        lacking=lacking,
        queries=QUERIES,
    )


def open_source(detail: str, *, max_scene_cloud: float) -> Source:
    """The source behind `--source earth-search`; see `earth_search`. Its orthophotos and heights are mosaics of their files.

    Args:
        detail: Nothing: it has no projects and no hubs.
        max_scene_cloud: Percent of a whole scene above which it is not offered.

    Raises:
        CurateError: There is a detail.
    """
    if detail:
        raise CurateError(f"Unknown source '{NAME}:{detail}'. Nothing follows its name; say {NAME!r}.")
    return GeocodingSource(with_mosaics(earth_search(max_scene_cloud=max_scene_cloud), COLLECTIONS))


def check() -> str:
    """Ask for the scenes of two weeks over Nantes, and for the beginning of a file of one.

    Raises:
        SourceUnavailableError: The API or the file's host does not answer.
    """
    return try_out(earth_search(), "sentinel-2-l2a", (-1.56, 47.21, -1.55, 47.22), "2023-07-01")
