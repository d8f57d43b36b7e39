"""Grids and coverings: against plain loops over the lattice."""

import math

import numpy as np
import pytest
import shapely
from pyproj import Transformer

from catalogs.lattice import to_utm, transformer, utm_epsg
from catalogs.records import Location
from curate.areas import BoxRegion, PolygonRegion
from curate.refusal import Refusal
from curate.regions import find_region
from curate.squares import Squares
from curate.tiling import covering_squares, grid_squares, in_zone, zone_areas


def polygon_region(shape):
    return PolygonRegion("test", "test.geojson", "0" * 64, shape)


def plane(lon, lat):
    return Transformer.from_crs(4326, f"+proj=laea +lat_0={lat} +lon_0={lon} +datum=WGS84", always_xy=True)


def flat(squares, where, pieces=8):
    """True polygons in a plane around a place, metres."""
    steps, low, high = np.arange(pieces) / pieces, np.zeros(pieces), np.ones(pieces)
    lonlats = squares.lonlats(np.concatenate([steps, high, 1 - steps, low]), np.concatenate([low, steps, high, 1 - steps]))
    return shapely.polygons(np.stack(plane(*where).transform(*lonlats), axis=-1))


def flat_shape(shape, where):
    """A lon/lat polygon, edges straight in degrees, in the same plane."""
    to_plane = plane(*where)
    return shapely.transform(
        shapely.segmentize(shape, 0.001), lambda xy: np.stack(to_plane.transform(xy[:, 0], xy[:, 1]), axis=-1)
    )


def in_metres(shape, epsg):
    """A lon/lat polygon, edges straight in degrees, in a UTM zone."""
    convert = transformer(4326, epsg)
    fine = shapely.segmentize(shape, 0.002)
    return shapely.transform(fine, lambda xy: np.stack(convert.transform(xy[:, 0], xy[:, 1]), axis=-1))


def grid_twin(shape, side_m):
    """The grid by plain loops: one zone after another, one square after another, all polygons in UTM."""
    kept = []
    for epsg, area in zone_areas().items():
        part = shape.intersection(area)
        if part.area == 0:
            continue
        west, south, east, north = in_metres(part, epsg).bounds
        offset = 40 if epsg > 32700 else 0
        left, bottom = math.ceil(round(west, 3) / 60) * 60, math.ceil((round(south, 3) - offset) / 60) * 60 + offset
        whole = in_metres(shape, epsg)
        mine = []
        for y in range(bottom, math.ceil(north), side_m):
            for x in range(left, math.ceil(east), side_m):
                square = shapely.box(x, y, x + side_m, y + side_m)
                lon, lat = transformer(4326, epsg).transform(x + side_m / 2, y + side_m / 2, direction="INVERSE")
                if utm_epsg([lon], [lat])[0] == epsg and whole.contains(square) and not overlaps(kept, square, epsg):
                    mine.append((epsg, x, y))
        kept += mine
    return [(epsg, x, y, x + side_m, y + side_m) for epsg, x, y in kept]


def overlaps(kept, square, epsg):
    """Whether a square overlaps one of a lower zone, in its own zone's plane."""
    side_m = square.bounds[2] - square.bounds[0]
    for other_epsg, x, y in kept:
        corners = np.array([(x, y), (x + side_m, y), (x + side_m, y + side_m), (x, y + side_m)], float)
        lonlat = transformer(4326, other_epsg).transform(*corners.T, direction="INVERSE")
        if square.distance(shapely.Polygon(np.stack(to_utm(*lonlat, epsg), axis=-1))) < 1:
            return True
    return False


SHAPES = {
    "one zone": shapely.Polygon([(9.1, 47.0), (9.5, 47.05), (9.45, 47.3), (9.2, 47.2)]),
    "two zones": shapely.Polygon([(5.8, 45.0), (6.2, 44.95), (6.25, 45.2), (5.9, 45.25)]),
    "two hemispheres": shapely.box(6.1, -0.1, 6.3, 0.08),
    "Norway": shapely.box(2.9, 59.9, 3.2, 60.05),
    "two parts": shapely.MultiPolygon([shapely.box(5.85, 50, 5.95, 50.1), shapely.box(6.1, 50.02, 6.2, 50.12)]),
}


@pytest.mark.parametrize("where", SHAPES)
@pytest.mark.parametrize("side_m", [1200, 2640])
def test_the_grid_of_a_polygon_is_that_of_plain_loops(where, side_m):
    squares = grid_squares(polygon_region(SHAPES[where]), side_m)
    found = [(epsg, *edges) for epsg, edges in zip(squares.epsg.tolist(), squares.bounds.tolist(), strict=True)]
    assert found == grid_twin(SHAPES[where], side_m)
    assert len(found) > 5


@pytest.mark.parametrize("where", ["two zones", "two hemispheres", "Norway"])
def test_the_grid_is_disjoint_inside_and_on_the_lattice_across_zones(where):
    shape = SHAPES[where]
    centre = (shape.centroid.x, shape.centroid.y)
    squares = grid_squares(polygon_region(shape), 600)
    assert len(set(squares.epsg)) == 2
    assert in_zone(squares).all()
    polygons = flat(squares, centre)
    assert shapely.area(shapely.union_all(polygons)) == pytest.approx(shapely.area(polygons).sum(), rel=1e-5)
    assert shapely.contains(flat_shape(shape, centre).buffer(0.5), polygons).all()
    assert shapely.area(polygons).sum() > 0.85 * flat_shape(shape, centre).area
    for epsg, bounds in zip(squares.epsg.tolist(), squares.bounds.tolist(), strict=True):
        Location("a-000000", epsg, tuple(bounds))


def test_the_grid_over_the_scene_of_south_tyrol_has_165_squares(shared_data):
    region = find_region(str(shared_data / "archive" / "tyrol_region.geojson"))
    squares = grid_squares(region, 600)
    assert len(squares) == 165
    assert set(squares.epsg) == {32632}
    assert len(np.unique(squares.bounds[:, 0])) == 15
    assert len(np.unique(squares.bounds[:, 1])) == 11


def test_the_grid_goes_from_south_to_north_then_from_west_to_east():
    squares = grid_squares(polygon_region(SHAPES["two zones"]), 600)
    keys = list(zip(squares.epsg, squares.bounds[:, 1], squares.bounds[:, 0], strict=True))
    assert keys == sorted(keys)


def test_the_grid_crosses_180_degrees():
    shape = shapely.MultiPolygon([shapely.box(179.9, -17.2, 180, -17), shapely.box(-180, -17.2, -179.9, -17)])
    squares = grid_squares(polygon_region(shape), 600)
    assert set(squares.epsg) == {32701, 32760}
    polygons = flat(squares, (180, -17.1))
    assert shapely.area(shapely.union_all(polygons)) == pytest.approx(shapely.area(polygons).sum(), rel=1e-5)
    assert shapely.area(polygons).sum() > 0.85 * (0.2 * 111_320 * math.cos(math.radians(17.1)) * 0.2 * 110_600)


def test_the_grid_of_a_country_is_on_its_land_at_every_corner():
    region = find_region("LU")
    squares = grid_squares(region, 2640)
    assert 250 < len(squares) < 2586e6 / 2640**2
    for across, up in ((0, 0), (0, 1), (1, 0), (1, 1), (0.5, 0.5)):
        lon, lat = squares.lonlats(np.array([across]), np.array([up]))
        assert (region.refuse(lon[:, 0], lat[:, 0], near_place=False) == Refusal.NONE).all()


def test_the_grid_of_a_box_is_the_grid_of_its_polygon_on_land():
    west, south, east, north = 8.9, 47.3, 9.1, 47.5
    box = grid_squares(BoxRegion("bbox", "box", (west, south, east, north)), 600)
    polygon = grid_squares(polygon_region(shapely.box(west, south, east, north)), 600)
    assert np.array_equal(box.bounds, polygon.bounds)


def test_a_region_smaller_than_a_square_has_no_grid():
    assert len(grid_squares(polygon_region(shapely.box(9, 47, 9.005, 47.005)), 2640)) == 0


@pytest.mark.parametrize("where", SHAPES)
@pytest.mark.parametrize("side_m", [600, 9780])
def test_covering_squares_leave_no_gap(where, side_m):
    shape = SHAPES[where]
    centre = (shape.centroid.x, shape.centroid.y)
    squares = covering_squares(shape, side_m)
    polygons = flat(squares, centre)
    missing = flat_shape(shape, centre).difference(shapely.union_all(polygons).buffer(0.5))
    assert missing.area == 0
    assert shapely.intersects(polygons, flat_shape(shape, centre)).all()
    assert in_zone(squares).mean() > 0.98, "a wished centre may be snapped across a border"


def test_covering_squares_are_disjoint_within_a_zone():
    squares = covering_squares(SHAPES["one zone"], 600)
    polygons = flat(squares, (9.3, 47.1))
    assert shapely.area(shapely.union_all(polygons)) == pytest.approx(shapely.area(polygons).sum(), rel=1e-6)


def test_a_polygon_smaller_than_a_square_is_covered_by_few():
    assert 1 <= len(covering_squares(shapely.box(9.001, 47.001, 9.002, 47.002), 2640)) <= 4


def test_zone_areas_are_the_zones_of_mgrs():
    rng = np.random.default_rng(0)
    lon, lat = rng.uniform(-180, 180, 5000), rng.uniform(-80, 84, 5000)
    codes = utm_epsg(lon, lat)
    for epsg, area in zone_areas().items():
        assert (shapely.contains_xy(area, lon, lat) == (codes == epsg)).all()
    assert sum(area.area for area in zone_areas().values()) == pytest.approx(360 * 164)


def test_wholly_inside_and_squares_of_nothing():
    nothing = Squares.joined([])
    assert len(nothing) == 0
    assert nothing.side_m == 0
    assert len(nothing.polygons()) == 0
