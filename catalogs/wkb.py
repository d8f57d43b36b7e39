"""Footprints as well-known binary, so that an index needs no geometry library.

References:
    OGC 06-103r4 (Simple Feature Access), section 8.2: byte order, geometry types 3 (Polygon) and 6 (MultiPolygon).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from catalogs.errors import ContractError

LITTLE_ENDIAN, POLYGON, MULTI_POLYGON = 1, 3, 6
_HEAD = struct.Struct("<BII")
_COUNT = struct.Struct("<I")
_NOWHERE = _HEAD.pack(LITTLE_ENDIAN, POLYGON, 0)
"""The empty polygon: the footprint of what nobody knows the ground of."""


def to_wkb(geometry: Mapping[str, Any] | None) -> bytes:
    """A GeoJSON Polygon or MultiPolygon as little-endian WKB; none as an empty polygon, which more readers take than a null.

    Raises:
        ContractError: It is of another type.
    """
    if geometry is None:
        return _NOWHERE
    kind, coordinates = geometry["type"], geometry["coordinates"]
    if kind == "Polygon":
        return _polygon(coordinates)
    if kind == "MultiPolygon":
        return _HEAD.pack(LITTLE_ENDIAN, MULTI_POLYGON, len(coordinates)) + b"".join(map(_polygon, coordinates))
    raise ContractError(f"A footprint is a {kind}; expected a Polygon, or a MultiPolygon across 180 degrees.")


def from_wkb(content: bytes) -> dict[str, Any] | None:
    """The GeoJSON geometry of little-endian WKB; none of an empty polygon.

    Raises:
        ContractError: It is neither a Polygon nor a MultiPolygon, or big-endian.
    """
    order, kind, count = _HEAD.unpack_from(content)
    if order != LITTLE_ENDIAN or kind not in (POLYGON, MULTI_POLYGON):
        raise ContractError(f"A footprint is WKB of type {kind}, byte order {order}; expected type 3 or 6, byte order 1.")
    if content == _NOWHERE:
        return None
    if kind == POLYGON:
        return {"type": "Polygon", "coordinates": _rings(content, 0)[0]}
    polygons, at = [], _HEAD.size
    for _ in range(count):
        rings, at = _rings(content, at)
        polygons.append(rings)
    return {"type": "MultiPolygon", "coordinates": polygons}


def _polygon(rings: Sequence[Sequence[Sequence[float]]]) -> bytes:
    parts = [_HEAD.pack(LITTLE_ENDIAN, POLYGON, len(rings))]
    for ring in rings:
        flat = [number for point in ring for number in point[:2]]
        parts.append(struct.pack(f"<I{len(flat)}d", len(ring), *flat))
    return b"".join(parts)


def _rings(content: bytes, at: int) -> tuple[list[list[list[float]]], int]:
    """Rings of the polygon that starts at a byte, and the byte after it."""
    _, _, count = _HEAD.unpack_from(content, at)
    at += _HEAD.size
    rings = []
    for _ in range(count):
        points = _COUNT.unpack_from(content, at)[0]
        flat = struct.unpack_from(f"<{2 * points}d", content, at + _COUNT.size)
        rings.append([[x, y] for x, y in zip(flat[::2], flat[1::2], strict=True)])
        at += _COUNT.size + 16 * points
    return rings, at
