"""Zones, squares and footprints, against the mgrs library, recorded items and plain arithmetic."""

import json
import math

import mgrs
import numpy as np
import pytest
from shapely import from_geojson

from catalogs.errors import ContractError
from catalogs.lattice import (
    bounds_in_lattice,
    footprint,
    grid_square,
    mgrs_square,
    snap,
    squares_around,
    to_lonlat,
    to_utm,
    utm_epsg,
)  # fmt: skip
from catalogs.records import Location


def points(count=4000, seed=3):
    rng = np.random.default_rng(seed)
    lon, lat = rng.uniform(-180, 180, count), rng.uniform(-79.9, 83.9, count)
    north = rng.uniform(54, 83.9, count // 2)
    return np.append(lon, rng.uniform(-2, 44, count // 2)), np.append(lat, north)


def test_zones_agree_with_the_mgrs_library_everywhere_exceptions_included():
    lon, lat = points()
    library = mgrs.MGRS()
    for x, y, epsg in zip(lon, lat, utm_epsg(lon, lat), strict=True):
        assert int(library.toMGRS(y, x, MGRSPrecision=0)[:-3]) == epsg % 100, (x, y)
        assert (epsg > 32700) == (y < 0)


def test_squares_agree_with_the_mgrs_library():
    lon, lat = points(1500, seed=4)
    epsg = utm_epsg(lon, lat)
    x, y = to_utm(lon, lat, epsg)
    library = mgrs.MGRS()
    for i in range(len(lon)):
        assert mgrs_square(int(epsg[i]), x[i], y[i], lat[i]) == library.toMGRS(lat[i], lon[i], MGRSPrecision=0).rjust(5, "0")


@pytest.mark.parametrize(
    ("lon", "lat", "epsg"),
    [(3.0, 60.0, 32632), (2.99, 60.0, 32631), (3.0, 55.99, 32631), (3.0, 64.0, 32631), (8.9, 78.0, 32631), (9.0, 78.0, 32633),
     (20.9, 78.0, 32633), (21.0, 78.0, 32635), (33.0, 78.0, 32637), (42.0, 78.0, 32638), (180.0, 10.0, 32601),
     (-180.0, 10.0, 32601),
     (179.99, -10.0, 32760), (6.0, 0.0, 32632), (5.99, -0.001, 32731)],
)  # fmt: skip
def test_zone_borders_and_exceptions(lon, lat, epsg):
    assert utm_epsg(lon, lat) == epsg


def test_latitudes_beyond_utm_are_refused():
    with pytest.raises(ContractError, match=r"Latitude 84\.500 is outside UTM, which spans 80 S to 84 N"):
        utm_epsg([2.0, 3.0], [50.0, 84.5])


def test_snap_finds_the_nearest_lattice_point_as_a_search_does():
    rng = np.random.default_rng(0)
    for epsg in (32631, 32731):
        corners = rng.uniform(-500, 500, (200, 2)) + 8_000_000
        left, bottom = snap(corners[:, 0], corners[:, 1], epsg)
        south = 40 if epsg > 32700 else 0
        for i, (x, y) in enumerate(corners):
            near = [k * 60 for k in range(math.floor(x / 60) - 1, math.ceil(x / 60) + 2)]
            nears = [k * 60 + south for k in range(math.floor(y / 60) - 2, math.ceil(y / 60) + 2)]
            assert left[i] == min(near, key=lambda value: abs(value - x))
            assert bottom[i] == min(nears, key=lambda value: abs(value - y))
            assert bounds_in_lattice((left[i], bottom[i], 0, 0), epsg)


def test_the_lattice_is_that_of_recorded_sentinel_2_tiles(shared_data):
    seen = 0
    for path in (shared_data / "stac_recorded").rglob("*.json"):
        for item in json.loads(path.read_text()).get("response", {}).get("json", {}).get("features", []):
            epsg = item["properties"].get("proj:epsg")
            for asset in item["assets"].values():
                if item["collection"] == "sentinel-2-c1-l2a" and asset.get("gsd") == 10 and "proj:transform" in asset:
                    size, _, left, _, _, top = asset["proj:transform"][:6]
                    assert bounds_in_lattice((left, top - asset["proj:shape"][0] * size, 0, 0), epsg)
                    seen += 1
    assert seen > 10


def test_squares_are_around_the_wished_centre():
    epsg, bounds = squares_around([2.35, -70.0, 179.999], [48.86, -33.0, -17.0], 2640)
    lon, lat = to_lonlat((bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2, epsg)
    assert np.allclose(lat, [48.86, -33.0, -17.0], atol=5e-4)
    assert np.allclose(lon, [2.35, -70.0, 179.999], atol=5e-4)
    assert (bounds[:, 2] - bounds[:, 0] == 2640).all()


def test_a_footprint_is_an_anticlockwise_ring_in_its_box():
    location = Location("a-000000", 32631, (447000, 5408040, 449640, 5410680))
    geometry, box = footprint(location)
    shape = from_geojson(json.dumps(geometry))
    assert shape.exterior.is_ccw
    assert shape.bounds == tuple(box)
    assert grid_square(location) == "31UDQ"


@pytest.mark.parametrize(("lon", "lat"), [(179.9999, -17.0), (-179.9999, 65.0), (180.0, 0.001)])
def test_a_footprint_across_the_antimeridian_is_split(lon, lat):
    epsg, bounds = squares_around([lon], [lat], 2640)
    location = Location("a-000000", int(epsg[0]), tuple(int(edge) for edge in bounds[0]))
    geometry, (west, south, east, north) = footprint(location)
    assert geometry["type"] == "MultiPolygon"
    assert west > 179.9 > -179.9 > east
    assert south < lat < north
    parts = from_geojson(json.dumps(geometry))
    assert all(part.exterior.is_ccw and part.is_valid for part in parts.geoms)
    assert [part.bounds[2] == 180 or part.bounds[0] == -180 for part in parts.geoms] == [True, True]
    metres = sum(part.area for part in parts.geoms) * 111_320**2 * math.cos(math.radians(lat))
    assert metres == pytest.approx(2640**2, rel=0.02)
