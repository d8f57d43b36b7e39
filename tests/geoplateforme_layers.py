"""What a service such as the Geoplateforme says of itself: WMS 1.3.0 capabilities, written here in the form of the standard.

Layers bear the names that IGN documents; their boxes are rough, and their finest scale is that of a level of the tile pyramid
in Web Mercator which the documented pixel size calls for.

References:
    OGC 06-042, Web Map Service 1.3.0, annex E.1. OGC 07-057r7, WMTS 1.0.0, annex E.4: scales of GoogleMapsCompatible.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

COARSEST_SCALE = 559_082_264.0287178
"""Denominator of level 0; each level has half of the one before."""
EARTH_RADIUS_M = 6_378_137.0


@dataclass(frozen=True)
class Announced:
    """A layer of the service."""

    name: str
    """As `LAYERS` has it."""
    title: str
    """For people."""
    box: tuple[float, float, float, float]
    """(west, south, east, north), degrees."""
    level: int
    """Of the pyramid, the finest."""


SPOT, AERIAL = "ORTHOIMAGERY.ORTHO-SAT.SPOT", "ORTHOIMAGERY.ORTHOPHOTOS"
METROPOLIS, PART = (-5.6, 41.3, 10.7, 51.1), (-2.7, 42.9, 7.7, 49.5)
LAYERS = (
    Announced(f"{SPOT}.2013", "SPOT 6, 2013", (0.6, 44.9, 4.3, 50.4), 17),
    Announced(f"{SPOT}.2014", "SPOT 6, 2014, of an extent that is not told", (-179.5, -75.0, 179.5, 75.0), 17),
    Announced(f"{SPOT}.2022", "SPOT 6 and 7, 2022", METROPOLIS, 17),
    Announced(f"{SPOT}.2023", "SPOT 6 and 7, 2023", METROPOLIS, 17),
    Announced("ORTHOIMAGERY.ORTHO-SAT.PLEIADES.2022", "Pleiades, 2022", (-61.7, -21.4, 55.7, 51.1), 18),
    Announced(AERIAL, "Aerial photographs, the newest of each place", (-180.0, -89.0, 180.0, 89.0), 21),
    Announced(f"{AERIAL}.IRC", "Near infrared, the newest of each place", (-63.0, -21.4, 55.8, 51.1), 19),
    Announced(f"{AERIAL}.IRC.2019", "Near infrared, 2019", (-3.7, 41.3, 9.7, 50.2), 19),
    Announced(f"{AERIAL}.IRC.2020", "Near infrared, 2020", PART, 19),
    Announced(f"{AERIAL}.ORTHO-EXPRESS.2023", "Quick mosaic, 2023", (-179.5, -75.0, 179.5, 75.0), 19),
    Announced(f"{AERIAL}2006-2010", "Aerial photographs, 2006 to 2010", (-178.2, -21.4, 55.9, 51.1), 18),
    Announced(f"{AERIAL}2019", "Aerial photographs, 2019", (-3.7, 41.3, 9.7, 50.2), 18),
    Announced(f"{AERIAL}2020", "Aerial photographs, 2020", PART, 19),
)
FORMATS = ("image/jpeg", "image/png", "image/tiff", "image/geotiff", "image/x-bil;bits=32")
SYSTEMS = ("CRS:84", "EPSG:2154", "EPSG:3857", "EPSG:4326", "EPSG:32631")


def capabilities() -> bytes:
    """The document."""
    formats = "".join(f"<Format>{name}</Format>" for name in FORMATS)
    systems = "".join(f"<CRS>{name}</CRS>" for name in SYSTEMS)
    layers = "".join(map(_layer, LAYERS))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<WMS_Capabilities version="1.3.0" xmlns="http://www.opengis.net/wms">'
        "<Service><Name>WMS</Name><Title>Images</Title><MaxWidth>10000</MaxWidth><MaxHeight>10000</MaxHeight></Service>"
        f"<Capability><Request><GetMap>{formats}</GetMap><GetFeatureInfo><Format>text/html</Format></GetFeatureInfo></Request>"
        f"<Layer><Title>Layers</Title>{systems}{layers}</Layer></Capability></WMS_Capabilities>"
    ).encode()


def _layer(layer: Announced) -> str:
    west, south, east, north = layer.box
    corners = {"minx": _easting(west), "miny": _northing(south), "maxx": _easting(east), "maxy": _northing(north)}
    told = " ".join(f'{name}="{value:.3f}"' for name, value in corners.items())
    return (
        f"<Layer><Name>{layer.name}</Name><Title>{layer.title}</Title><EX_GeographicBoundingBox>"
        f"<westBoundLongitude>{west}</westBoundLongitude><eastBoundLongitude>{east}</eastBoundLongitude>"
        f"<southBoundLatitude>{south}</southBoundLatitude><northBoundLatitude>{north}</northBoundLatitude>"
        f'</EX_GeographicBoundingBox><BoundingBox CRS="EPSG:3857" {told}/>'
        f"<MinScaleDenominator>{COARSEST_SCALE / 2**layer.level:.9f}</MinScaleDenominator>"
        f"<MaxScaleDenominator>{COARSEST_SCALE:.9f}</MaxScaleDenominator></Layer>"
    )


def _easting(lon: float) -> float:
    return EARTH_RADIUS_M * math.radians(lon)


def _northing(lat: float) -> float:
    return EARTH_RADIUS_M * math.asinh(math.tan(math.radians(lat)))
