"""What a Web Map Service says of itself: its layers with their extents and finest pixels, its formats and its limits.

References:
    OGC 06-042, "Web Map Server Implementation Specification" 1.3.0, sections 7.2.4 and Annex D (0.28 mm per pixel).
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from curate.errors import SourceUnavailableError
from curate.sources.protocol import LonLatBox

STANDARD_PIXEL_M = 0.00028
"""Size of a pixel on the screen to which a scale denominator of 1 belongs, metres."""
WEB_MERCATOR = "EPSG:3857"
NO_XML = (ET.ParseError, LookupError, ValueError)
"""What the parser raises: of a fault, of an encoding that it does not know, of one of several bytes."""
_NAMESPACE = "{http://www.opengis.net/wms}"


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that can be asked for."""

    name: str
    """As it is asked for."""
    title: str
    """For people."""
    box: LonLatBox | None
    """Its extent, which it need not fill; none where it is not stated."""
    finest_m: float | None
    """Pixel size below which it has nothing more to show, metres on the ground in the middle of its extent; none where it is
    not stated."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a service offers."""

    layers: Mapping[str, Layer]
    """By name."""
    formats: frozenset[str]
    """Of GetMap, media types."""
    systems: frozenset[str]
    """Coordinate systems of all layers: those that the outermost layer states, such as `EPSG:2154`."""
    most_px: tuple[int, int]
    """Greatest width and height of an answer; as good as none where nothing is stated."""


def read_capabilities(document: bytes, address: str) -> Capabilities:
    """Read an answer to GetCapabilities of WMS 1.3.0.

    Args:
        document: XML.
        address: Whose answer it is, for words.

    Raises:
        SourceUnavailableError: It is no such document.
    """
    try:
        root = ET.fromstring(document)  # noqa: S314 # expat refuses entities that grow; the answer comes from a named service
    except NO_XML as error:
        raise SourceUnavailableError(_no_capabilities(address, f"XML with a fault ({error})")) from None
    outermost = root.find(f"{_NAMESPACE}Capability/{_NAMESPACE}Layer")
    if root.tag != f"{_NAMESPACE}WMS_Capabilities" or outermost is None:
        raise SourceUnavailableError(_no_capabilities(address, f"XML that begins with {root.tag.rpartition('}')[2]}"))
    formats = root.iterfind(f"{_NAMESPACE}Capability/{_NAMESPACE}Request/{_NAMESPACE}GetMap/{_NAMESPACE}Format")
    layers = list(_layers(outermost))
    return Capabilities(
        layers={layer.name: layer for layer in layers},
        formats=frozenset(text for each in formats if (text := _clean(each))),
        systems=frozenset(text for each in outermost.iterfind(f"{_NAMESPACE}CRS") if (text := _clean(each))),
        most_px=(_most(root, "MaxWidth"), _most(root, "MaxHeight")),
    )


def _layers(outermost: ET.Element) -> Iterator[Layer]:
    for element in outermost.iter(f"{_NAMESPACE}Layer"):
        name = _text(element, "Name")
        if name:
            box = _box(element)
            yield Layer(name, _text(element, "Title") or name, box, _finest_m(element, box))


def _box(element: ET.Element) -> LonLatBox | None:
    names = ("westBoundLongitude", "southBoundLatitude", "eastBoundLongitude", "northBoundLatitude")
    west, south, east, north = (_number(element, f"EX_GeographicBoundingBox/{_NAMESPACE}{name}") for name in names)
    if west is None or south is None or east is None or north is None:
        return None
    return west, south, east, north


def _finest_m(element: ET.Element, box: LonLatBox | None) -> float | None:
    """From the scale denominator, whose metres are those of the layer's own projection."""
    scale = _number(element, "MinScaleDenominator")
    if scale is None:
        return None
    own = element.find(f"{_NAMESPACE}BoundingBox")
    is_mercator = own is not None and own.get("CRS") == WEB_MERCATOR
    stretch = math.cos(math.radians((box[1] + box[3]) / 2)) if is_mercator and box else 1.0
    return scale * STANDARD_PIXEL_M * stretch


def _most(root: ET.Element, name: str) -> int:
    return int(_number(root, f"Service/{_NAMESPACE}{name}") or 1 << 30)


def _number(element: ET.Element, path: str) -> float | None:
    text = _text(element, path)
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _text(element: ET.Element, path: str) -> str | None:
    found = element.find(f"{_NAMESPACE}{path}")
    return None if found is None else _clean(found)


def _clean(element: ET.Element) -> str | None:
    return (element.text or "").strip() or None


def _no_capabilities(address: str, got: str) -> str:
    return (
        f"{address} answers GetCapabilities with {got}. Expected the WMS_Capabilities of a Web Map Service 1.3.0: check the "
        "address and whether something stands between this machine and it, then run the same command again."
    )
