"""Squares that a file names: around points, at centroids, over polygons."""

import numpy as np
import pytest
import shapely

from curate.errors import RegionError
from curate.named_squares import centre_of, named_squares
from curate.vectors import read_geometries


def named(*shapes, side_m=600, tile=False):
    return named_squares(np.array(shapes, object), side_m, tile=tile)


def test_a_point_is_the_centre_of_a_square(shared_data):
    shapes = read_geometries(shared_data / "archive" / "flanders_centre.geojson")
    squares = named_squares(shapes, 600, tile=False)
    left, bottom, right, top = squares.bounds[0]
    assert squares.epsg.tolist() == [32631]
    assert 501_360 <= left < right <= 502_000
    assert 5_629_040 <= bottom < top <= 5_629_680


def test_points_polygons_and_several_points_keep_the_order_of_the_file():
    squares = named(shapely.box(9, 47, 9.2, 47.2), shapely.Point(3, 50), shapely.MultiPoint([(4, 50), (5, 50)]))
    lon, lat = squares.centres()
    assert lon == pytest.approx([9.1, 3, 4, 5], abs=1e-3)
    assert lat == pytest.approx([47.1, 50, 50, 50], abs=1e-3)


def test_the_snapped_centre_is_at_most_half_a_diagonal_of_the_lattice_away():
    squares = named(shapely.Point(3.0123, 50.0456))
    lon, lat = squares.centres()
    apart = np.hypot((lon - 3.0123) * 111_320 * np.cos(np.radians(50)), (lat - 50.0456) * 111_200)
    assert apart[0] <= 30 * np.sqrt(2) + 0.1


def test_a_polygon_across_180_degrees_has_its_centroid_there():
    fiji = shapely.MultiPolygon([shapely.box(179.8, -17, 180, -16), shapely.box(-180, -17, -179.8, -16)])
    lon, lat = centre_of(fiji)
    assert abs(lon) == pytest.approx(180)
    assert lat == pytest.approx(-16.5)
    assert centre_of(shapely.Point(-179.5, 3)) == (-179.5, 3)


def test_a_polygon_is_covered_where_that_is_asked_for_and_a_point_still_has_one_square():
    field = shapely.box(9.0, 47.0, 9.02, 47.02)
    squares = named(field, shapely.Point(3, 50), tile=True)
    assert len(squares) > 10
    assert (squares.epsg == 32631).sum() == 1
    assert shapely.covers(shapely.union_all(squares.polygons()).buffer(1e-6), field)


def test_a_line_is_refused():
    with pytest.raises(RegionError, match="Feature 2 of the file is a LineString; expected points and polygons"):
        named(shapely.Point(0, 0), shapely.LineString([(0, 0), (1, 1)]))


@pytest.mark.parametrize("shape", [shapely.Point(0, 84.5), shapely.Point(0, -81), shapely.box(0, 83, 1, 85)])
def test_a_place_beyond_utm_is_refused(shape):
    with pytest.raises(RegionError, match=r"Feature 1 of the file spans latitudes .* UTM ends at 80 S and 84 N"):
        named(shape)
