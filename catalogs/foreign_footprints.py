"""Footprints of other people's items, across 180 degrees in two parts as RFC 7946 asks, whatever they wrote.

Three ways to write one are met: two parts; longitudes beyond 180 degrees; one ring that seems to span the globe. A ring
wider than half the globe is taken for the last, unless it spans all of it.

References:
    RFC 7946, sections 3.1.9 (antimeridian cutting) and 5.2 (bounding boxes).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from catalogs.errors import ContractError

WORLD_DEGREES = 360.0
HALF_WORLD_DEGREES = 180.0


def read_footprint(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """GeoJSON geometry of an item, longitudes within -180..180; that of its bounding box where it has no geometry.

    Raises:
        ContractError: It has neither, or one that is no polygon.
    """
    geometry = item.get("geometry") or _box_geometry(item)
    try:
        rings = _outer_rings(geometry)
        return _cut(list(_laid_out(rings))) if any(map(_crosses, rings)) else geometry
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ContractError(
            f"Item {item.get('id')} has a geometry that is no GeoJSON polygon ({error!r}). Repair it in its catalog."
        ) from error


def _outer_rings(geometry: Mapping[str, Any]) -> list[np.ndarray[Any, Any]]:
    if geometry["type"] not in {"Polygon", "MultiPolygon"}:
        raise ValueError(f"its type is {geometry['type']}")
    parts = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    rings = [np.array([point[:2] for point in part[0]], float) for part in parts]
    if any(ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < 4 for ring in rings):
        raise ValueError("a ring needs four points or more, each of two numbers")
    return rings


def _box_geometry(item: Mapping[str, Any]) -> dict[str, Any]:
    box: list[float] = item.get("bbox") or []
    if len(box) not in {4, 6}:
        raise ContractError(f"Item {item.get('id')} has neither a geometry nor a bbox; expected one. Repair it in its catalog.")
    half = len(box) // 2
    west, south, east, north = box[0], box[1], box[half], box[half + 1]
    east += WORLD_DEGREES if east < west else 0
    return box_polygon((west, south, east, north))


def box_polygon(box: tuple[float, float, float, float]) -> dict[str, Any]:
    """A box as a GeoJSON polygon.

    Args:
        box: (west, south, east, north), degrees.

    Examples:
        >>> box_polygon((0, 1, 2, 3))["coordinates"]
        [[[0, 1], [2, 1], [2, 3], [0, 3], [0, 1]]]
    """
    west, south, east, north = box
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def _crosses(ring: np.ndarray[Any, Any]) -> bool:
    west, east = float(ring[:, 0].min()), float(ring[:, 0].max())
    return HALF_WORLD_DEGREES < east - west < WORLD_DEGREES or west < -HALF_WORLD_DEGREES or east > HALF_WORLD_DEGREES


def _laid_out(rings: list[np.ndarray[Any, Any]]) -> Iterator[np.ndarray[Any, Any]]:
    """Rings without a jump: of one that seems to span the globe, longitudes from 0 to 360."""
    for ring in rings:
        x, y = ring.T
        wide = HALF_WORLD_DEGREES < np.ptp(x) < WORLD_DEGREES
        yield np.column_stack([np.where(wide & (x < 0), x + WORLD_DEGREES, x), y])


def _cut(rings: list[np.ndarray[Any, Any]]) -> dict[str, Any]:
    """Polygons of the rings, cut at 180 degrees and brought within -180..180."""
    from shapely import MultiPolygon, Polygon, box, get_parts
    from shapely.affinity import translate
    from shapely.geometry import mapping

    pieces = []
    for ring in rings:
        for shift in (-WORLD_DEGREES, 0.0, WORLD_DEGREES):
            piece = translate(Polygon(ring), shift).intersection(box(-180, -90, 180, 90))
            pieces += [part for part in get_parts(piece) if part.geom_type == "Polygon" and not part.is_empty]
    return dict(mapping(MultiPolygon(pieces)))
