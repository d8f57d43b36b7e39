"""From the metres of a zone to the globe and back, against pyproj."""

import numpy as np
import pytest

from catalogs.lattice import to_lonlat, to_utm
from evaluate.leakage_zones import central_meridian, from_globe, to_globe, wrap

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("zone", [1, 31, 60])
def test_points_within_twenty_degrees_are_where_pyproj_has_them(zone):
    lon, lat = wrap(6 * zone - 183 + RNG.uniform(-20, 20, 500)), RNG.uniform(-80, 84, 500)
    mine, theirs = from_globe(lon, lat, zone), to_utm(lon, lat, 32600 + zone)
    np.testing.assert_allclose(mine, theirs, atol=5e-4, rtol=0)


def test_points_of_all_zones_come_back_to_the_globe_where_pyproj_has_them():
    zone = RNG.integers(1, 61, 500)
    x, y = RNG.uniform(100_000, 900_000, 500), RNG.uniform(0, 9_300_000, 500)
    lon, lat = to_lonlat(x, y, 32600 + zone)
    mine = to_globe(x, y, zone)
    np.testing.assert_allclose(wrap(mine[0] - lon), 0, atol=1e-8)
    np.testing.assert_allclose(mine[1], lat, atol=1e-8)


def test_the_south_mirrors_the_north():
    x, y, zone = np.array([333_000.0]), np.array([4_000_000.0]), np.array([17])
    (lon, lat), (south_lon, south_lat) = to_globe(x, y, zone), to_globe(x, -y, zone)
    assert south_lon == lon
    assert south_lat == pytest.approx(-lat, abs=1e-12)


def test_the_middle_of_a_zone_has_an_easting_of_500_km():
    assert central_meridian(np.array([1, 31, 60])).tolist() == [-177, 3, 177]
    assert from_globe(np.array([3.0]), np.array([0.0]), 31) == (500_000.0, 0.0)


def test_both_sides_of_180_degrees_lie_side_by_side():
    x, _ = from_globe(np.array([179.99, -179.99]), np.array([10.0, 10.0]), 60)
    assert 0 < x[1] - x[0] < 2_300
