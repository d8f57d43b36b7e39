"""The rasters that scenes come in: Sentinel-2's tiles of 109.8 km, and Landsat's frames along a track.

References:
    Sentinel-2 tiling grid: one tile to a square of 100 km of MGRS, upper left corner on the zone's 60 m lattice (31UDQ at
    399960 E 5500020 N; in the south at 40 m modulo 60), 9.8 km more to the east and to the south.
    Landsat Collection 2: UTM of the northern hemisphere everywhere, pixel edges at 15 m modulo 30.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.lattice import (
    COLUMN_LETTERS,
    LATITUDE_BANDS,
    ROW_LETTERS,
    SOUTHERN_OFFSET_M,
    mgrs_square,
    to_utm,
    transformer,
    utm_epsg,
)
from catalogs.records import LATTICE_M, Grid
from curate.simulation.ground import lonlat_of, unwrap
from curate.simulation.orbits import LANDSAT, beside_track, point_beside

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.simulation.orbits import Pass
    from curate.sources.protocol import LonLatBox

SQUARE_M, TILE_M = 100_000, 109_800
FRAME_M = 270_000
"""Side of a Landsat raster: holds a frame of 192 by 185 km however its track leans."""
FRAMES, FRAME_HALF_M = 248, 92_500
"""Frames around the globe, and half of one's length along the track."""
MOST_NORTHERN = 84.0
_NAME = re.compile(r"^(\d{2})([C-HJ-NP-X])([A-HJ-NP-Z])([A-HJ-NP-V])$")


@dataclass(frozen=True, slots=True)
class Tile:
    """The outline of a source's rasters."""

    name: str
    """`31UDQ`; of Landsat path and row, `199026`."""
    epsg: int
    """UTM zone."""
    left: float
    """Easting, metres."""
    top: float
    """Northing, metres."""
    side: float
    """Metres."""

    def grid(self, gsd: float) -> Grid:
        """Its raster of some pixel size."""
        count = round(self.side / gsd)
        return Grid(self.epsg, (float(gsd), 0.0, float(self.left), 0.0, -float(gsd), float(self.top)), count, count)

    @property
    def centre(self) -> tuple[float, float]:
        """Longitude (unwrapped around the zone) and latitude, degrees."""
        return _centre_of(self)

    def spread(self, count: int, margin: float = 0.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitudes and latitudes of `count` x `count` points, edges included, the tile grown by `margin` metres."""
        x = np.linspace(self.left - margin, self.left + self.side + margin, count)
        y = np.linspace(self.top + margin, self.top - self.side - margin, count)
        return lonlat_of(self.epsg, *np.meshgrid(x, y))


@lru_cache(maxsize=4096)
def _centre_of(tile: Tile) -> tuple[float, float]:
    lon, lat = lonlat_of(tile.epsg, np.array(tile.left + tile.side / 2), np.array(tile.top - tile.side / 2))
    return float(lon), float(lat)


def tiles_in(box: LonLatBox) -> list[Tile]:
    """Tiles that touch a box of longitudes and latitudes, sorted by name."""
    west, south, east, north = box[0], max(box[1], -80.0), box[2], min(box[3], MOST_NORTHERN)
    found = {}
    for zone in range(1, 61):
        meridian = zone * 6 - 183
        shift = (west - meridian + 180) // 360 * 360
        for turn in (shift, shift + 360):
            low, high = max(west - turn, meridian - 12.0), min(east - turn, meridian + 12.0)
            if low <= high and south <= north:
                found.update({tile.name: tile for tile in _in_zone(zone, (low, south, high, north))})
    return [found[name] for name in sorted(found)]


def _in_zone(zone: int, box: LonLatBox) -> list[Tile]:
    tiles = []
    for epsg, south, north in ((32600 + zone, max(box[1], -0.1), box[3]), (32700 + zone, box[1], min(box[3], 0.0))):
        if south > north:
            continue
        x, y = to_utm(*_outline((box[0], south, box[2], north)), epsg)
        for column in range(max(1, int((x.min() - TILE_M) // SQUARE_M)), min(8, int(x.max() // SQUARE_M)) + 1):
            for row in range(int((y.min() - SQUARE_M) // SQUARE_M), int((y.max() + TILE_M - SQUARE_M) // SQUARE_M) + 1):
                tile = tile_at(epsg, column, row)
                if tile is not None and _touches(tile, x, y):
                    tiles.append(tile)
    return tiles


def _outline(box: LonLatBox) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    west, south, east, north = box
    step = np.linspace(0, 1, 17)
    lon, lat = west + (east - west) * step, south + (north - south) * step
    return (np.concatenate([lon, np.full(17, east), lon[::-1], np.full(17, west)]),
            np.concatenate([np.full(17, south), lat, np.full(17, north), lat[::-1]]))  # fmt: skip


def _touches(tile: Tile, x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    from shapely import Polygon, box

    outline = Polygon(np.column_stack([x, y])).buffer(0.01)
    return bool(outline.intersects(box(tile.left, tile.top - tile.side, tile.left + tile.side, tile.top)))


@lru_cache(maxsize=65536)
def tile_at(epsg: int, column: int, row: int) -> Tile | None:
    """The tile of a square of 100 km, counted from the zone's origin; none where the zone has no ground near it."""
    south = epsg > 32700
    if not 1 <= column <= 8 or (row > 99 if south else row < 0):
        return None
    offset = SOUTHERN_OFFSET_M if south else 0
    left = column * SQUARE_M // LATTICE_M * LATTICE_M
    top = -(-((row + 1) * SQUARE_M - offset) // LATTICE_M) * LATTICE_M + offset
    tile = Tile("", epsg, left, top, TILE_M)
    lon, lat = tile.spread(13, 10_000)
    inside = (lat > -80) & (lat < MOST_NORTHERN) & np.isfinite(lat)
    if not inside.any() or not (utm_epsg(lon[inside], lat[inside]) == epsg).any():
        return None
    centre_x, centre_y = (column + 0.5) * SQUARE_M, (row + 0.5) * SQUARE_M
    middle = float(lonlat_of(epsg, np.array(centre_x), np.array(centre_y))[1])
    return Tile(mgrs_square(epsg, centre_x, centre_y, middle), epsg, left, top, TILE_M)


@lru_cache(maxsize=4096)
def tile_named(name: str) -> Tile | None:
    """The tile of that name; none where there is no such."""
    match = _NAME.match(name)
    if match is None or not 1 <= int(match[1]) <= 60 or match[3] not in COLUMN_LETTERS[int(match[1]) % 3]:
        return None
    zone, band = int(match[1]), LATITUDE_BANDS.index(match[2])
    column = COLUMN_LETTERS[zone % 3].index(match[3]) + 1
    epsg = (32600 if band >= 10 else 32700) + zone
    first = (ROW_LETTERS.index(match[4]) - (5 if zone % 2 == 0 else 0)) % 20
    tiles = (tile_at(epsg, column, row) for row in range(first, 100, 20))
    return next((tile for tile in tiles if tile is not None and tile.name == name), None)


def frames_in(box: LonLatBox) -> list[Tile]:
    """Landsat frames whose ground touches a box, sorted by path and row."""
    west, south, east, north = box
    count = [int(np.ceil(span / 0.4)) + 1 for span in (east - west, north - south)]
    lon, lat = (part.ravel() for part in np.meshgrid(np.linspace(west, east, count[0]), np.linspace(south, north, count[1])))
    seen = set()
    for path in range(LANDSAT.orbits):
        across, along = beside_track(LANDSAT, path, lon, lat)
        near = np.abs(across) < LANDSAT.half_swath_m + 45_000
        position = along[near] / _frame_step()
        for row in (np.floor(position), np.ceil(position)):
            seen |= {(path, int(each)) for each in np.unique(row)}
    frames = [frame for frame in (frame_at(*each) for each in sorted(seen)) if frame is not None]
    return [frame for frame in frames if _meets(frame_footprint(frame), box)]


def _frame_step() -> float:
    return 2 * np.pi * 6_371_000 / FRAMES


@lru_cache(maxsize=65536)
def frame_at(path: int, row: int) -> Tile | None:
    """The raster of a frame, `row` counted from the equator to the south; none beyond 80 degrees."""
    lon, lat = point_beside(LANDSAT, path, np.zeros(1), np.full(1, row * _frame_step()))[0]
    if abs(lat) > 80:
        return None
    epsg = 32600 + int(utm_epsg(lon, lat)) % 100
    x, y = transformer(4326, epsg).transform(lon, lat)
    left, top = (int((part - 15) // 30) * 30 + 15 for part in (x - FRAME_M / 2, y + FRAME_M / 2))
    return Tile(f"{path + 1:03d}{row + 60:03d}", epsg, left, top, FRAME_M)


def frame_named(name: str) -> Tile | None:
    """The frame of a path and row such as `199026`; none where there is no such."""
    if not re.fullmatch(r"\d{6}", name) or not 1 <= int(name[:3]) <= LANDSAT.orbits:
        return None
    return frame_at(*frame_numbers(name))


def frame_numbers(name: str) -> tuple[int, int]:
    """Track from 0 and row from the equator of a frame's name."""
    return int(name[:3]) - 1, int(name[3:]) - 60


def frame_middle(frame: Tile) -> float:
    """Where a frame's middle lies along its track, metres from the equator to the south."""
    return frame_numbers(frame.name)[1] * _frame_step()


def frame_footprint(frame: Tile) -> NDArray[np.float64]:
    """Corners of what a frame sees, (4, 2) as lon, lat, anticlockwise, longitudes unwrapped around the first."""
    across = np.array([-1, 1, 1, -1]) * LANDSAT.half_swath_m
    along = frame_middle(frame) + np.array([1, 1, -1, -1]) * FRAME_HALF_M
    corners = point_beside(LANDSAT, frame_numbers(frame.name)[0], across, along)
    corners[:, 0] = unwrap(corners[:, 0], corners[0, 0])
    return corners


def tile_footprint(tile: Tile, flight: Pass | None) -> NDArray[np.float64]:
    """Corners of what a pass sees of a tile, (corners, 2) as lon, lat, anticlockwise; all of it without a pass."""
    lon, lat = tile.spread(2)
    corners = np.array([(lon[1, 0], lat[1, 0]), (lon[1, 1], lat[1, 1]), (lon[0, 1], lat[0, 1]), (lon[0, 0], lat[0, 0])])
    if flight is None:
        return corners
    across = flight.beside(corners[:, 0], corners[:, 1])[0]
    for sign in (1.0, -1.0):
        corners, across = _clip(corners, across, flight.constellation.half_swath_m - sign * across)
    return corners


def _clip(corners: NDArray[Any], across: NDArray[Any], inside: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The part of a polygon where `inside` is not negative, by Sutherland and Hodgman."""
    kept, values = [], []
    for here in range(len(corners)):
        after = (here + 1) % len(corners)
        if inside[here] >= 0:
            kept.append(corners[here])
            values.append(across[here])
        if (inside[here] >= 0) != (inside[after] >= 0):
            part = inside[here] / (inside[here] - inside[after])
            kept.append(corners[here] + part * (corners[after] - corners[here]))
            values.append(across[here] + part * (across[after] - across[here]))
    return np.array(kept).reshape(-1, 2), np.array(values)


def _meets(corners: NDArray[np.float64], box: LonLatBox) -> bool:
    from shapely import Polygon
    from shapely import box as rectangle

    outline = Polygon(corners)
    return any(outline.intersects(rectangle(box[0] + turn, box[1], box[2] + turn, box[3])) for turn in (-360, 0, 360))
