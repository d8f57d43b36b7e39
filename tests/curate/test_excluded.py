"""Ground that no square may touch."""

import numpy as np
import shapely

from catalogs.locations import write_locations
from catalogs.records import Location
from curate.excluded import Excluded
from curate.squares import Squares
from curate.vectors import read_geometries


def some_squares(lon, lat, spread, count=400, side_m=2640):
    rng = np.random.default_rng(1)
    return Squares.around((lon + rng.normal(0, spread, count) + 180) % 360 - 180, lat + rng.normal(0, spread, count), side_m)


def test_touched_squares_are_those_of_a_plain_loop():
    squares = some_squares(6.0, 45.0, 0.2)
    shapes = np.array(
        [shapely.box(5.9, 44.9, 5.95, 45.0), shapely.Point(6.1, 45.1), shapely.LineString([(6, 45), (6.2, 45)])], object
    )
    touched = Excluded(shapes).touched_by(squares)
    for square, found in zip(squares.polygons(), touched, strict=True):
        assert found == any(square.intersects(shape) for shape in shapes)
    assert 10 < touched.sum() < 300


def test_squares_that_just_touch_are_touched():
    squares = some_squares(6.0, 60.0, 0.1, count=5, side_m=9780)
    north = squares.polygons()[0].bounds[3]
    assert Excluded(np.array([shapely.box(5, north, 7, north + 1)], object)).touched_by(squares)[0]
    assert not Excluded(np.array([shapely.box(5, north + 2e-4, 7, north + 1)], object)).touched_by(squares[:0]).any()


def test_ground_across_180_degrees_is_excluded():
    squares = some_squares(180.0, -17.0, 0.2)
    shapes = np.array(
        [shapely.MultiPolygon([shapely.box(179.95, -17.1, 180, -17), shapely.box(-180, -17.1, -179.95, -17)])], object
    )
    touched = Excluded(shapes).touched_by(squares)
    lon, lat = squares.centres()
    inside = ((lon > 179.95) | (lon < -179.95)) & (lat > -17.1) & (lat < -17)
    assert touched[inside].all()
    assert touched.sum() < 3 * inside.sum() + 40
    assert inside.sum() > 5


def test_another_catalogs_locations_can_be_excluded(tmp_path):
    squares = some_squares(6.0, 45.0, 0.5, count=30)
    rows = enumerate(zip(squares.epsg.tolist(), squares.bounds.tolist(), strict=True))
    write_locations(tmp_path / "locations.parquet", [Location(f"a-{n:06d}", code, tuple(edges)) for n, (code, edges) in rows])
    assert Excluded(read_geometries(tmp_path / "locations.parquet")).touched_by(squares).all()
    assert not Excluded(read_geometries(tmp_path / "locations.parquet")).touched_by(some_squares(16.0, 45.0, 0.5)).any()
