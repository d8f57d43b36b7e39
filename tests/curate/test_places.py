"""Places and their nearest: against a plain loop over great circles."""

import math

import numpy as np
import pytest

from curate.places import EARTH_RADIUS_M, MIN_POPULATION, Places, load_places, unit_vectors


def haversine_m(lon, lat, other_lon, other_lat):
    a, b = math.radians(lat), math.radians(other_lat)
    inner = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(math.radians(other_lon - lon) / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(inner))


def some_places():
    return Places(
        lon=np.array([179.9, -179.0, 0.0, 0.0]),
        lat=np.array([0.0, 0.0, 89.0, 10.0]),
        population=np.array([500, 700, 700, 900]),
        country=np.array(["FJ", "FJ", "NO", "GH"]),
        name=np.array(["a", "b", "c", "d"]),
    )


def test_every_place_has_500_inhabitants_or_more():
    places = load_places()
    assert len(places) > 150_000
    assert places.population.min() >= MIN_POPULATION


def test_places_are_loaded_once():
    assert load_places() is load_places()


def test_the_nearest_place_agrees_with_a_plain_loop():
    places = load_places().subset(np.arange(0, 195_000, 400))
    rng = np.random.default_rng(2)
    lon, lat = rng.uniform(-180, 180, 40), np.degrees(np.arcsin(rng.uniform(-1, 1, 40)))
    index, distance = places.nearest(lon, lat)
    for i in range(40):
        apart = [haversine_m(lon[i], lat[i], *place) for place in zip(places.lon, places.lat, strict=True)]
        assert index[i] == np.argmin(apart)
        assert distance[i] == pytest.approx(min(apart), rel=1e-6)


def test_the_nearest_place_may_lie_across_180_degrees_or_the_pole():
    index, distance = some_places().nearest([-179.95, 170.0], [0.0, 88.0])
    assert index.tolist() == [0, 2]
    assert distance[0] == pytest.approx(haversine_m(-179.95, 0, 179.9, 0))
    assert some_places().nearest([180.0], [89.9])[0] == [2]


def test_the_largest_come_first_and_ties_keep_their_order():
    assert some_places().largest(3).name.tolist() == ["d", "b", "c"]
    assert len(some_places().largest(100)) == 4


def test_unit_vectors_point_where_they_should():
    assert unit_vectors([0, 90, 0], [0, 0, 90]) == pytest.approx(np.eye(3), abs=1e-15)


def test_paris_is_in_france_and_cayenne_is_not():
    places = load_places()
    index, distance = places.nearest([2.35, -52.33], [48.86, 4.94])
    assert places.country[index].tolist() == ["FR", "GF"]
    assert (distance < 5000).all()
