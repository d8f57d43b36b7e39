"""Squares side by side: a grid over a region, and squares that cover a polygon.

Each UTM zone has a grid of its own, since squares are squares of their zone. A square belongs to the zone of its centre; at the
border of two zones, one that overlaps a kept square of the lower zone (by EPSG code) is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.lattice import SOUTHERN_OFFSET_M, transformer, utm_epsg
from catalogs.records import LATTICE_M
from curate.areas import UTM_LATITUDES
from curate.disjoint import KeptSquares
from curate.refusal import Refusal
from curate.squares import Squares, wholly_inside

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.areas import Region

LATITUDE_STEPS = (UTM_LATITUDES[0], 0.0, 56.0, 64.0, 72.0, UTM_LATITUDES[1])
"""Where the zones change with latitude: the equator, and the exceptions of MGRS."""
ZONE_EDGES_EVERY = 3
"""All zones begin and end at multiples of this many degrees."""
AT_ONCE = 65_536
SLIVER_DEGREES = 1e-7


def grid_squares(region: Region, side_m: int) -> Squares:
    """The grid over a region: squares wholly inside, disjoint.

    In each zone it starts from the south-west corner of the region's bounds there, snapped up to the lattice. Sorted by zone,
    then from south to north, then from west to east. The bounds of a country are those of the boxes that cover it.

    Args:
        region: To cover.
        side_m: Side of the squares, metres.
    """
    found: list[Squares] = []
    border = KeptSquares(side_m, no_overlap=True, may_touch=True)
    for code, part in parts_by_zone(region.outline()):
        for block in _lattice(code, _project(part, code).bounds, side_m, cover=False):
            mine = block[in_zone(block)]
            inside = mine[wholly_inside(region, mine)]
            near = near_zone_border(inside)
            free = np.ones(len(inside), bool)
            free[near] = border.judge(inside[near]) == Refusal.NONE
            found.append(inside[free])
    return Squares.joined(found)


def covering_squares(geometry: Any, side_m: int) -> Squares:
    """Squares that cover a polygon without a gap; they overlap along borders of zones alone.

    In each zone they start from the south-west corner of its bounds there, snapped down to the lattice. What two zones
    leave open between them gets squares of its own.

    Args:
        geometry: Polygon or MultiPolygon, lon/lat.
        side_m: Side of the squares, metres.
    """
    import shapely

    found: list[Squares] = []
    shapely.prepare(geometry)
    for code, part in parts_by_zone(geometry):
        for block in _lattice(code, _project(part, code).bounds, side_m, cover=True):
            mine = block[in_zone(block)]
            found.append(mine[shapely.area(shapely.intersection(geometry, mine.polygons())) > 0])
    return Squares.joined([*found, *_fill(geometry, Squares.joined(found), side_m)])


def _fill(geometry: Any, squares: Squares, side_m: int) -> Iterator[Squares]:
    """Squares for what is still open, each around a point of it."""
    import shapely

    left = geometry.difference(shapely.union_all(squares.polygons())).buffer(-SLIVER_DEGREES)
    while not left.is_empty:
        point = left.representative_point()
        square = Squares.around(np.array([point.x]), np.array([point.y]), side_m)
        yield square
        left = left.difference(square.polygons()[0].buffer(SLIVER_DEGREES))


def parts_by_zone(geometry: Any) -> Iterator[tuple[int, Any]]:
    """A lon/lat geometry cut at the borders of UTM zones: (EPSG code, part), in the order of the codes."""
    import shapely

    shapely.prepare(geometry)
    for code, area in zone_areas().items():
        if shapely.intersects(geometry, area):
            part = shapely.intersection(geometry, area)
            if part.area > 0:
                yield code, part


@cache
def zone_areas() -> dict[int, Any]:
    """The ground of each UTM zone, lon/lat, by EPSG code."""
    import shapely

    west = np.arange(-180, 180, ZONE_EDGES_EVERY)
    boxes: dict[int, list[Any]] = {}
    for south, north in pairwise(LATITUDE_STEPS):
        codes = utm_epsg(west + ZONE_EDGES_EVERY / 2, np.full(len(west), (south + north) / 2))
        for code, edge in zip(codes.tolist(), west.tolist(), strict=True):
            boxes.setdefault(code, []).append(shapely.box(edge, south, edge + ZONE_EDGES_EVERY, north))
    return {code: shapely.union_all(boxes[code]) for code in sorted(boxes)}


def _project(geometry: Any, epsg: int) -> Any:
    """A lon/lat geometry in a UTM zone, its edges cut into pieces of 0.01 degree first."""
    import shapely

    convert = transformer(4326, epsg)
    fine = shapely.segmentize(geometry, 0.01)
    return shapely.transform(fine, lambda xy: np.column_stack(convert.transform(xy[:, 0], xy[:, 1])))


def _lattice(code: int, extent: tuple[float, float, float, float], side_m: int, *, cover: bool) -> Iterator[Squares]:
    """All squares of a zone's grid that may have their centre in an extent (metres), some rows at a time.

    They start from its south-west corner snapped up to the lattice, or down where they are to cover it.
    """
    west, south, east, north = np.round(extent, 6)
    rounded = np.floor if cover else np.ceil
    offset = SOUTHERN_OFFSET_M if code > 32700 else 0
    left = int(rounded(west / LATTICE_M)) * LATTICE_M
    bottom = int(rounded((south - offset) / LATTICE_M)) * LATTICE_M + offset
    columns, rows = (max(int(np.ceil(length / side_m)), 0) for length in (east - left, north - bottom))
    step = max(AT_ONCE // max(columns, 1), 1)
    for first in range(0, rows, step):
        row, column = np.divmod(np.arange(columns * min(step, rows - first)), max(columns, 1))
        x, y = left + column * side_m, bottom + (first + row) * side_m
        yield Squares(np.full(len(x), code, np.int64), np.stack([x, y, x + side_m, y + side_m], axis=-1))


def in_zone(squares: Squares) -> NDArray[np.bool_]:
    """Which squares have their centre in their own zone."""
    lon, lat = squares.centres()
    possible = (lat >= UTM_LATITUDES[0]) & (lat <= UTM_LATITUDES[1])
    return np.asarray(possible & (utm_epsg(lon, np.clip(lat, *UTM_LATITUDES)) == squares.epsg))


def near_zone_border(squares: Squares) -> NDArray[np.bool_]:
    """Which squares come within one side of another zone."""
    near = np.zeros(len(squares), bool)
    for across, up in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        step = np.rint(1.5 * squares.side_m * np.array([across, up, across, up])).astype(np.int64)
        near |= ~in_zone(Squares(squares.epsg, squares.bounds + step))
    return near
