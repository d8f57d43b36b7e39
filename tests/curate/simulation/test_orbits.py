from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from curate.simulation.orbits import LANDSAT, SENTINEL_1, SENTINEL_2, Pass, beside_track, passes_of, point_beside
from curate.simulation.sun import EPOCH, day_of, sun_angles


@pytest.mark.parametrize(
    ("when", "lon", "lat", "elevation", "azimuth"),
    [
        (datetime(2023, 6, 21, 12, 0, tzinfo=UTC), 2.35, 48.85, 64.5, 184.1),
        (datetime(2023, 12, 22, 12, 0, tzinfo=UTC), 0.0, 0.0, 66.6, 180.8),
        (datetime(2024, 3, 20, 12, 7, tzinfo=UTC), 0.0, 0.0, 89.8, None),
        (datetime(2023, 6, 21, 2, 0, tzinfo=UTC), 151.2, -33.9, 32.7, 359.2),
    ],
)
def test_the_sun_stands_where_the_almanac_has_it(when, lon, lat, elevation, azimuth):
    found = sun_angles(lon, lat, day_of(when))
    assert found[0] == pytest.approx(elevation, abs=0.3)
    if azimuth is not None:
        assert found[1] == pytest.approx(azimuth, abs=0.6)


@pytest.mark.parametrize("fleet", [SENTINEL_2, LANDSAT, SENTINEL_1])
@pytest.mark.parametrize("lat", [-60.0, 0.0, 30.0, 65.0])
def test_the_local_hour_is_the_same_around_the_globe(fleet, lat):
    for number in (0, 17, 5000):
        flight = Pass(fleet, 0, number)
        lon = point_beside(fleet, flight.track, np.zeros(1), np.array([-np.radians(lat) * 6.37e6]))[0, 0]
        hour = (flight.day_at(0.0) * 24 + 12 + lon / 15) % 24
        node = point_beside(fleet, flight.track, np.zeros(1), np.zeros(1))[0, 0]
        assert (flight.node_day * 24 + 12 + node / 15) % 24 == pytest.approx(fleet.local_hour, abs=1e-6)
        assert hour == pytest.approx(fleet.local_hour, abs=1.6)


@pytest.mark.parametrize("fleet", [SENTINEL_2, LANDSAT, SENTINEL_1])
def test_a_point_beside_a_track_is_found_again(fleet):
    across, along = np.array([-9e4, 9e4, 0.0, 5e4]), np.array([-6.3e6, -6.1e6, 1e6, 4e6])
    points = point_beside(fleet, 31, across, along)
    found = beside_track(fleet, 31, points[:, 0], points[:, 1])
    assert np.allclose(found, [across, along], atol=0.5)


def test_every_place_from_80_south_to_80_north_is_seen_by_both_optical_fleets():
    rng = np.random.default_rng(0)
    lon, lat = rng.uniform(-180, 180, 2000), rng.uniform(-80, 80, 2000)
    for fleet in (SENTINEL_2, LANDSAT):
        across = beside_track(fleet, np.arange(fleet.orbits)[:, None], lon, lat)[0]
        assert (np.abs(across) <= fleet.half_swath_m).any(axis=0).all()


def test_sentinel_2_comes_back_to_a_track_every_five_days():
    start = datetime(2023, 1, 1, tzinfo=UTC)
    flights = sorted(passes_of(SENTINEL_2, [50], start, start + timedelta(days=60)), key=lambda flight: flight.node_day)
    assert np.allclose(np.diff([flight.node_day for flight in flights]), 5)
    assert {flight.satellite for flight in flights} == {0, 1}
    assert all(start - timedelta(hours=1) <= EPOCH + timedelta(days=flight.node_day) for flight in flights)


def test_tiles_further_south_are_seen_later_by_seconds():
    flight = Pass(SENTINEL_2, 0, 77)
    seconds = np.diff(flight.day_at(np.array([49.0, 48.1, 47.2]))) * 86_400
    assert np.all((seconds > 10) & (seconds < 20))


def test_tracks_lean_to_the_west_as_they_go_south():
    points = point_beside(SENTINEL_2, 3, np.zeros(2), np.array([-5.5e6, -5.0e6]))
    assert points[1, 1] < points[0, 1]
    assert points[1, 0] < points[0, 0]
