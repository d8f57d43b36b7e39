"""Earth Search v1 of Element 84: Sentinel-2 Collection 1 as cloud-optimised GeoTIFFs, free, unsigned, no account.

Of its two collections of Level-2A only `sentinel-2-c1-l2a` is used: its numbers all carry the offset that its items state
(-0.1), while `sentinel-2-l2a` mixes shifted and unshifted scenes and is wrong about some of both.

References:
    https://github.com/Element84/earth-search, issues 9, 66 and 71; odc-stac issue 146.
"""

from __future__ import annotations

from curate.sources.about import Product, Provider
from curate.sources.stac_api import StacApiSource

NAME = "earth-search"
ADDRESS = "https://earth-search.aws.element84.com/v1"
COLLECTIONS = {"sentinel-2-l2a": "sentinel-2-c1-l2a"}
"""Its other collections are JPEG 2000, in buckets whose requester pays, or of sensors that are not ours."""


def earth_search(*, max_scene_cloud: float = 100, address: str = ADDRESS) -> StacApiSource:
    """The source behind `--source earth-search`.

    Args:
        max_scene_cloud: Percent of a whole scene above which it is not offered.
        address: Of the API; another one is a mirror or a recording.
    """
    return StacApiSource(address, name=NAME, collections=COLLECTIONS, max_scene_cloud=max_scene_cloud)


ABOUT = Provider(
    name=NAME,
    title="Earth Search by Element 84",
    url="https://earth-search.aws.element84.com/v1",
    products=(Product("sentinel-2-l2a", "sentinel-2-c1-l2a", "2015-"),),
    account="none",
    setup="",
    limits="best effort; no quota is stated",
    terms="Copernicus Sentinel data: free, with attribution",
)


def open_source(detail: str, *, max_scene_cloud: float) -> StacApiSource:  # noqa: ARG001
    """The source behind `--source earth-search`; see `earth_search`."""
    return earth_search(max_scene_cloud=max_scene_cloud)


def check() -> str:
    """Ask the API for its sensors' collections.

    Raises:
        SourceUnavailableError: It does not answer.
    """
    return f"answers; {', '.join(earth_search().sensors())}"
