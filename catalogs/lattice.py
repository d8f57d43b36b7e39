"""Where a square may lie: UTM zones by the rules of MGRS, the 60 m lattice of Sentinel-2 tiles, footprints on the globe.

Works on arrays, since a sampler draws hundreds of thousands of squares. pyproj and shapely are imported where needed.

References:
    NGA.SIG.0012 (UTM, MGRS): zones, their exceptions at Norway and Svalbard, letters of the 100 km squares.
    RFC 7946, sections 3.1.9 and 5.2: geometries and bounding boxes across the antimeridian.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.errors import ContractError
from catalogs.records import LATTICE_M, Bounds, Location

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from pyproj import Transformer

LATITUDE_BANDS = "CDEFGHJKLMNPQRSTUVWX"
COLUMN_LETTERS = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")
ROW_LETTERS = "ABCDEFGHJKLMNPQRSTUV"
SOUTHERN_OFFSET_M = 40
"""10,000,000 modulo 60: the lattice passes through the equator, whose northing in the south is 10,000,000 m."""


def utm_epsg(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.int64]:
    """EPSG code of the UTM zone of each point, with the exceptions of MGRS.

    Args:
        lon: Longitudes, degrees, any shape; wrapped into -180..180.
        lat: Latitudes, degrees, same shape.

    Raises:
        ContractError: A latitude is outside 80 S to 84 N, where UTM ends.

    Examples:
        >>> utm_epsg([2.35, 5.32, 15.6, 177.4], [48.86, 60.39, 78.2, -17.8]).tolist()
        [32631, 32632, 32633, 32760]
    """
    lon, lat = np.asarray(lon, float), np.asarray(lat, float)
    outside = ~((lat >= -80) & (lat <= 84))
    if outside.any():
        raise ContractError(
            f"Latitude {lat[outside].flat[0]:.3f} is outside UTM, which spans 80 S to 84 N. Restrict the region."
        )
    lon = (lon + 180) % 360 - 180
    zone = np.minimum((lon + 180) // 6 + 1, 60).astype(np.int64)
    zone = np.where((lat >= 56) & (lat < 64) & (lon >= 3) & (lon < 12), 32, zone)
    for west, east, number in ((0, 9, 31), (9, 21, 33), (21, 33, 35), (33, 42, 37)):
        zone = np.where((lat >= 72) & (lon >= west) & (lon < east), number, zone)
    return np.where(lat >= 0, 32600, 32700) + zone


@lru_cache(maxsize=128)
def transformer(source_epsg: int, target_epsg: int) -> Transformer:
    """A cached pyproj transformer with x before y on both sides."""
    from pyproj import Transformer

    return Transformer.from_crs(source_epsg, target_epsg, always_xy=True)


def to_utm(lon: ArrayLike, lat: ArrayLike, epsg: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eastings and northings of points, each in its own zone (1-d arrays, metres)."""
    return _by_zone(np.atleast_1d(np.asarray(lon, float)), np.atleast_1d(np.asarray(lat, float)), epsg, forward=True)


def to_lonlat(x: ArrayLike, y: ArrayLike, epsg: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitudes and latitudes of points, each given in its own zone (1-d arrays, degrees)."""
    return _by_zone(np.atleast_1d(np.asarray(x, float)), np.atleast_1d(np.asarray(y, float)), epsg, forward=False)


def _by_zone(
    first: NDArray[np.float64], second: NDArray[np.float64], epsg: ArrayLike, *, forward: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    codes = np.broadcast_to(np.asarray(epsg), first.shape)
    out = np.empty((2, *first.shape))
    for code in np.unique(codes):
        mine = codes == code
        convert = transformer(4326, int(code)) if forward else transformer(int(code), 4326)
        out[:, mine] = convert.transform(first[mine], second[mine])
    return out[0], out[1]


def snap(left: ArrayLike, bottom: ArrayLike, epsg: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The lattice point nearest to each lower-left corner.

    Examples:
        >>> snap([500009, 500031], [31, 9_999_999], [32631, 32731])
        (array([499980, 500040]), array([      60, 10000000]))
    """
    left, bottom = np.asarray(left, float), np.asarray(bottom, float)
    south = np.where(np.asarray(epsg) > 32700, SOUTHERN_OFFSET_M, 0)
    x = np.floor(left / LATTICE_M + 0.5) * LATTICE_M
    y = np.floor((bottom - south) / LATTICE_M + 0.5) * LATTICE_M + south
    return x.astype(np.int64), y.astype(np.int64)


def squares_around(lon: ArrayLike, lat: ArrayLike, side_m: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Snap a square around each centre.

    Args:
        lon: Longitudes of the wished centres, degrees, (count,).
        lat: Latitudes, (count,).
        side_m: Side of the squares, metres.

    Returns:
        EPSG codes, (count,), and bounds (left, bottom, right, top) in metres, (count, 4). The zone is that of the wished
        centre; the real centre is at most 43 m away.
    """
    epsg = np.atleast_1d(utm_epsg(lon, lat))
    x, y = to_utm(lon, lat, epsg)
    left, bottom = snap(x - side_m / 2, y - side_m / 2, epsg)
    return epsg, np.stack([left, bottom, left + side_m, bottom + side_m], axis=-1)


def corner_lonlats(epsg: ArrayLike, bounds: ArrayLike) -> NDArray[np.float64]:
    """Corners of squares on the globe: (count, 4, 2) as (lon, lat), anticlockwise from the lower left, degrees."""
    left, bottom, right, top = np.atleast_2d(np.asarray(bounds, float)).T
    x, y = np.stack([left, right, right, left], axis=-1), np.stack([bottom, bottom, top, top], axis=-1)
    codes = np.broadcast_to(np.atleast_1d(np.asarray(epsg))[:, None], x.shape)
    lon, lat = to_lonlat(x.ravel(), y.ravel(), codes.ravel())
    return np.stack([lon, lat], axis=-1).reshape(-1, 4, 2)


def footprint(location: Location) -> tuple[dict[str, Any], list[float]]:
    """GeoJSON geometry and bounding box of a square, to 1e-7 degrees (a centimetre).

    Returns:
        A Polygon and (west, south, east, north); across 180 degrees a MultiPolygon and a box with west > east.

    Raises:
        ContractError: The square's ground is not known.
    """
    return footprint_of_corners(corner_lonlats(location.zone, [location.bounds])[0])


def footprint_of_corners(corners: NDArray[np.float64]) -> tuple[dict[str, Any], list[float]]:
    """As `footprint`, from four corners (4, 2)."""
    corners = np.round(corners, 7)
    lon, lat = corners[:, 0], corners[:, 1]
    south, north = float(lat.min()), float(lat.max())
    if np.ptp(lon) <= 180:
        ring = [[float(a), float(b)] for a, b in (*corners, corners[0])]
        return {"type": "Polygon", "coordinates": [ring]}, [float(lon.min()), south, float(lon.max()), north]
    return _split_at_antimeridian(corners), [float(lon[lon > 0].min()), south, float(lon[lon < 0].max()), north]


def _split_at_antimeridian(corners: NDArray[np.float64]) -> dict[str, Any]:
    from shapely import Polygon, box
    from shapely.affinity import translate
    from shapely.geometry.polygon import orient

    east = Polygon(np.column_stack([corners[:, 0] % 360, corners[:, 1]]))
    parts = (east.intersection(box(0, -90, 180, 90)), translate(east.intersection(box(180, -90, 360, 90)), -360))
    pieces = [orient(part) for part in parts if isinstance(part, Polygon) and not part.is_empty]
    rings = [[[[round(a, 7), round(b, 7)] for a, b in piece.exterior.coords]] for piece in pieces]
    return {"type": "MultiPolygon", "coordinates": rings}


def bounds_in_lattice(bounds: Bounds, epsg: int) -> bool:
    """Whether the lower-left corner of `bounds` lies on the zone's lattice."""
    x, y = snap([bounds[0]], [bounds[1]], [epsg])
    return (x[0], y[0]) == (bounds[0], bounds[1])


def grid_square(location: Location) -> str:
    """Name of the MGRS 100 km square that holds the location's centre.

    Examples:
        >>> grid_square(Location("a-000000", 32631, (447000, 5408040, 449640, 5410680)))
        '31UDQ'
    """
    x, y = location.centre_xy
    _, lat = to_lonlat(x, y, location.zone)
    return mgrs_square(location.zone, x, y, float(lat[0]))


def mgrs_square(epsg: int, x: float, y: float, lat: float) -> str:
    """Name of the MGRS 100 km square at an easting and northing (metres) whose latitude is `lat`."""
    zone = epsg % 100
    column = int(x // 100_000)
    row = int(y // 100_000) + (5 if zone % 2 == 0 else 0)
    band = LATITUDE_BANDS[min(int((lat + 80) // 8), len(LATITUDE_BANDS) - 1)]
    return f"{zone:02d}{band}{COLUMN_LETTERS[zone % 3][column - 1]}{ROW_LETTERS[row % 20]}"
