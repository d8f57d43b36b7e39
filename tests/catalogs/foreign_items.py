"""Recorded items of other people's catalogs, and a small one to spoil."""

import copy
import json
from typing import Any

SENTINEL_2 = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")


def recorded_items(shared_data, name) -> list[dict[str, Any]]:
    """Items of a recorded item, item collection or answer of an API."""
    document = json.loads((shared_data / "stac_recorded" / name).read_text())
    document = document["response"]["json"] if "cassette" in document else document
    return document.get("features", [document])


def recorded_item(shared_data, name, item_id=None) -> dict[str, Any]:
    """One of them, the first where no id is given."""
    return next(item for item in recorded_items(shared_data, name) if item_id in {None, item["id"]})


def small_item(**properties) -> dict[str, Any]:
    """A Sentinel-2 item in the manner of STAC 1.1, as other people write it, without assets."""
    stated = {"datetime": "2023-07-14T10:50:31.024Z", "platform": "sentinel-2b", "proj:code": "EPSG:32631"}
    return copy.deepcopy(
        {
            "type": "Feature", "stac_version": "1.1.0", "id": "a", "collection": "sentinel-2-l2a",
            "bbox": [2.0, 48.0, 3.0, 49.0],
            "geometry": {"type": "Polygon", "coordinates": [[[2, 48], [3, 48], [3, 49], [2, 49], [2, 48]]]},
            "properties": {**stated, **properties}, "links": [], "assets": {},
        }
    )  # fmt: skip


def asset(href, **fields) -> dict[str, Any]:
    """A GeoTIFF asset."""
    return {"href": href, "type": "image/tiff; application=geotiff; profile=cloud-optimized", "roles": ["data"], **fields}
