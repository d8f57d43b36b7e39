"""Candidates: pure functions of seed, region, strategy and number; the distributions that they promise."""

import numpy as np
import pytest
from pyproj import Geod, Transformer

from curate.cells import areas
from curate.draw import AroundPlaces, EqualArea, draw_key, make_strategy, numbers, pick, seeded_order, shares
from curate.errors import RegionError
from curate.places import Places, load_places
from curate.regions import find_region

KEY = draw_key(7, "here", "cities")


def one_place(lon, lat, population=1000):
    return Places(np.array([lon]), np.array([lat]), np.array([population]), np.array(["XX"]), np.array(["a"]))


@pytest.mark.parametrize("strategy", ["cities", "population", "uniform"])
def test_a_candidate_does_not_hang_on_the_stretch_it_is_drawn_in(strategy):
    make = make_strategy(strategy, find_region("france"), seed=3, cities=100, std_m=50_000)
    whole = np.stack(make.points(0, 500))
    pieces = np.concatenate([np.stack(make.points(start, 7)) for start in range(0, 497, 7)], axis=1)
    assert (whole[:, :497] == pieces).all()
    assert (np.stack(make.points(432, 1)) == whole[:, 432:433]).all()


def test_candidates_differ_by_seed_region_and_strategy():
    france, spain = find_region("france"), find_region("spain")
    keys = {
        tuple(draw_key(seed, region.identity, name)) for seed in (0, 1) for region in (france, spain) for name in ("a", "b")
    }
    assert len(keys) == 8
    a, b = (make_strategy("uniform", france, seed=seed, cities=1, std_m=1).points(0, 50)[0] for seed in (0, 1))
    assert (a != b).all()


def test_a_key_does_not_mistake_one_part_for_two():
    assert tuple(draw_key(1, "23")) != tuple(draw_key(12, "3"))


def test_numbers_are_uniform_and_independent():
    drawn = numbers(KEY, 0, 200_000)
    assert drawn.shape == (200_000, 4)
    assert (drawn >= 0).all()
    assert (drawn < 1).all()
    assert np.abs(drawn.mean(axis=0) - 0.5).max() < 4 * np.sqrt(1 / 12 / 200_000)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(4)).max() < 0.01
    assert (numbers(KEY, 10**12, 2) != drawn[:2]).all()


@pytest.mark.parametrize("lat", [43.0, 51.0, -33.0, 0.0, 78.0])
def test_the_gaussian_has_its_standard_deviation_in_metres_in_both_directions(lat):
    lon, place_lat = 3.0, lat
    points = AroundPlaces(KEY, one_place(lon, place_lat), 50_000).points(0, 100_000)
    local = Transformer.from_crs(4326, f"+proj=aeqd +lat_0={lat} +lon_0={lon} +datum=WGS84", always_xy=True)
    east, north = local.transform(*points)
    for metres in (east, north):
        assert np.std(metres) == pytest.approx(50_000, rel=0.01)
        assert np.mean(metres) == pytest.approx(0, abs=600)
        assert np.mean(np.abs(metres) < 50_000) == pytest.approx(0.6827, abs=0.006)
        assert np.mean(np.abs(metres) < 100_000) == pytest.approx(0.9545, abs=0.003)
    assert np.corrcoef(east, north)[0, 1] == pytest.approx(0, abs=0.012)


@pytest.mark.parametrize("lat", [43.0, 51.0])
def test_the_standard_deviation_is_that_of_degrees_turned_to_metres_at_the_citys_latitude(lat):
    lon, place_lat = AroundPlaces(KEY, one_place(3.0, lat), 50_000).points(0, 100_000)
    geod = Geod(ellps="WGS84")
    metres_east = geod.inv(3.0, lat, 3.01, lat)[2] / 0.01
    metres_north = geod.inv(3.0, lat - 0.005, 3.0, lat + 0.005)[2] / 0.01
    assert np.std(lon - 3.0) * metres_east == pytest.approx(50_000, rel=0.01)
    assert np.std(place_lat - lat) * metres_north == pytest.approx(50_000, rel=0.01)


def test_a_gaussian_crosses_180_degrees():
    lon, _ = AroundPlaces(KEY, one_place(179.9, -17.0), 50_000).points(0, 1000)
    assert (np.abs(lon) <= 180).all()
    assert 0.3 < np.mean(lon < 0) < 0.6


def test_cities_are_the_largest_and_each_is_drawn_equally_often():
    strategy = make_strategy("cities", find_region("france"), seed=1, cities=20, std_m=1.0)
    assert len(strategy.places) == 20
    assert strategy.places.name[0] == "Paris"
    index, distance = strategy.places.nearest(*strategy.points(0, 20_000))
    assert distance.max() < 10
    assert np.abs(np.bincount(index, minlength=20) - 1000).max() < 150


def test_population_draws_a_place_as_often_as_it_has_inhabitants():
    places = Places(np.array([0.0, 50.0]), np.zeros(2), np.array([900, 8100]), np.array(["A", "B"]), np.array(["a", "b"]))
    lon, _ = AroundPlaces(KEY, places, 1.0, by_population=True).points(0, 10_000)
    assert np.mean(lon > 25) == pytest.approx(0.9, abs=0.01)


def test_all_places_are_drawn_from_where_there_are_fewer_than_asked_for():
    monaco = find_region("MC")
    strategy = make_strategy("cities", monaco, seed=1, cities=10_000, std_m=1.0)
    assert len(strategy.places) == monaco.is_home(load_places()).sum() < 100


def test_uniform_draws_the_same_number_on_every_square_kilometre():
    cells = np.array([[-180.0, -80.0, 0.0, 0.0], [0.0, -80.0, 180.0, 84.0], [-180.0, 0.0, 0.0, 84.0]])
    lon, lat = EqualArea(KEY, cells).points(0, 200_000)
    low, high = np.sin(np.radians([-80, 84]))
    counts, _, _ = np.histogram2d(np.sin(np.radians(lat)), lon, bins=[np.linspace(low, high, 11), np.linspace(-180, 180, 11)])
    assert np.abs(counts - 2000).max() < 5 * np.sqrt(2000)


def test_areas_are_those_of_a_sphere():
    assert areas(np.array([[-180.0, -90, 180, 90], [0, 0, 90, 90]])) == pytest.approx([4 * np.pi, np.pi / 2])


def test_an_order_is_a_permutation_and_depends_on_its_key():
    order = seeded_order(KEY, 1000)
    assert sorted(order) == list(range(1000))
    assert (seeded_order(KEY, 1000) == order).all()
    assert (seeded_order(draw_key(8), 1000) != order).any()


def test_a_stretch_without_weight_is_never_picked():
    assert pick(shares(np.array([0, 1, 0, 3])), np.array([0.0, 0.24, 0.26, 0.9999999999999999])).tolist() == [1, 1, 3, 3]


def test_a_region_without_places_is_empty_for_cities():
    with pytest.raises(
        RegionError, match=r'"antarctica" is empty for --strategy cities: it holds no place.*--strategy uniform'
    ):
        make_strategy("cities", find_region("antarctica"), seed=0, cities=10, std_m=1)


def test_a_region_without_land_is_empty_for_uniform():
    with pytest.raises(RegionError, match=r'Region "[-\d.,]+" \(west,south,east,north\) is empty: it holds no land'):
        make_strategy("uniform", find_region("-31,39,-30,40"), seed=0, cities=10, std_m=1)
