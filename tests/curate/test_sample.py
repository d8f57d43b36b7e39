"""Sampling as a whole: what was promised of France, borders, seeds and stretches, and the words when it cannot be done."""

import geopandas
import numpy as np
import pytest
import shapely

import curate.sample
from catalogs.errors import ContractError
from catalogs.lattice import footprint, utm_epsg
from curate.areas import PolygonRegion
from curate.errors import CurateError, RegionError
from curate.land import is_land
from curate.places import load_places
from curate.regions import find_region
from curate.sample import Sample, sample_locations
from curate.sample_request import SampleRequest
from curate.split import assign_splits
from curate.squares import Squares


def sample(text="france", *, longest_stretch=65_536, **flags):
    region = find_region(text) if isinstance(text, str) else text
    request = SampleRequest(slug=region.slug, region=region, **{"count": 300, "seed": 7, **flags})
    return sample_locations(request, longest_stretch=longest_stretch)


def squares_of(locations):
    return Squares(np.array([one.epsg for one in locations]), np.array([one.bounds for one in locations]))


def polygon_region(shape):
    return PolygonRegion("test", "test.geojson", "0" * 64, shape)


def squares_in_file(*points, side_m=600, **flags):
    shapes = np.array([shapely.Point(point) for point in points], object)
    return sample_locations(SampleRequest(slug="points", strategy="file", shapes=shapes, side_m=side_m, **flags))


@pytest.fixture(scope="module")
def thousand():
    return sample(count=1000)


def test_a_thousand_french_locations_lie_in_france(thousand, shared_data):
    countries = geopandas.read_file(shared_data / "vectors" / "ne_50m_admin_0_countries")
    outline = countries[countries.ADM0_A3 == "FRA"].geometry.iloc[0].intersection(shapely.box(-6, 41, 10, 52))
    buffered = geopandas.GeoSeries([outline], crs=4326).to_crs(3035).buffer(3000).iloc[0]
    centres = geopandas.GeoSeries(shapely.points(np.stack(squares_of(thousand.locations).centres(), axis=-1)), crs=4326).to_crs(
        3035
    )
    assert shapely.contains(buffered, centres.to_numpy()).mean() >= 0.995


def test_ids_count_up_and_splits_come_as_asked(thousand):
    assert [one.id for one in thousand.locations[:2]] == ["france-000000", "france-000001"]
    assert thousand.locations[-1].id == "france-000999"
    assert thousand.splits["train"] + thousand.splits["val"] + thousand.splits["test"] == 1000
    assert thousand.shares["train"] == pytest.approx(0.9, abs=0.03)
    assert thousand.warnings() == []
    assert thousand.candidates == 1000 + sum(thousand.refused.values())


def test_every_location_is_by_a_place_on_land_and_in_the_zone_of_its_centre(thousand):
    lon, lat = squares_of(thousand.locations).centres()
    nearest, distance = load_places().nearest(lon, lat)
    assert set(load_places().country[nearest]) == {"FR"}
    assert distance.max() <= 15_000
    assert is_land(lon, lat).all()
    assert (utm_epsg(lon, lat) == [one.epsg for one in thousand.locations]).all()


@pytest.mark.parametrize("strategy", ["cities", "population", "uniform"])
def test_the_first_of_many_are_the_same_locations(strategy):
    flags = {"strategy": strategy, "no_overlap": True, "min_distance_m": 3000}
    assert sample(count=400, **flags).locations[:150] == sample(count=150, **flags).locations


@pytest.mark.parametrize("strategy", ["cities", "population", "uniform"])
def test_the_length_of_stretches_changes_nothing(strategy):
    flags = {"count": 40, "strategy": strategy, "no_overlap": True, "std_m": 5000, "cities": 2}
    assert sample("LU", longest_stretch=7, **flags) == sample("LU", longest_stretch=1000, **flags)


def test_the_length_of_stretches_does_not_change_when_to_give_up(monkeypatch):
    monkeypatch.setattr(curate.sample, "MAX_REFUSED", 150)
    words = set()
    for stretch in (1, 40, 149, 150, 151, 4000):
        with pytest.raises(RegionError, match=r"Only \d+ of 500 locations fit") as caught:
            sample("5.9,49.5,6.0,49.6", longest_stretch=stretch, strategy="uniform", no_overlap=True, count=500)
        words.add(str(caught.value).split(" after")[0])
    assert len(words) == 1


def test_another_seed_gives_other_locations():
    assert set(squares_of(sample(seed=1).locations).bounds[:, 0]) != set(squares_of(sample(seed=2).locations).bounds[:, 0])


@pytest.mark.parametrize("strategy", ["cities", "uniform"])
def test_squares_do_not_overlap_by_their_true_polygons(strategy):
    found = sample("5.0,46.8,7.0,47.8", count=350, strategy=strategy, no_overlap=True)
    polygons = squares_of(found.locations).polygons()
    assert {one.epsg for one in found.locations} == {32631, 32632}
    plane = geopandas.GeoSeries(polygons, crs=4326).to_crs("+proj=laea +lat_0=47.3 +lon_0=6 +datum=WGS84").to_numpy()
    one, other = shapely.STRtree(plane).query(plane, predicate="intersects")
    assert (one == other).all()
    assert found.refused["overlapping another"] > 10


def test_squares_overlap_unless_that_is_forbidden():
    polygons = squares_of(sample("5.0,46.8,7.0,47.8", count=350).locations).polygons()
    one, other = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    assert (one != other).any()


@pytest.mark.parametrize(
    ("text", "south", "north"), [("brazil", True, True), ("kenya", True, True), ("NZ", True, False), ("NO", False, True)]
)
def test_both_hemispheres_have_their_lattice(text, south, north):
    locations = sample(text, strategy="uniform").locations
    for one in locations:
        left, bottom, _, _ = one.bounds
        assert left % 60 == 0
        assert bottom % 60 == (40 if one.epsg > 32700 else 0)
    assert {one.epsg > 32700 for one in locations} == {flag for flag, there in ((True, south), (False, north)) if there}


def test_a_country_across_180_degrees_has_locations_on_both_sides():
    locations = sample("fiji", strategy="uniform", count=400).locations
    lon, _ = squares_of(locations).centres()
    assert (lon > 177).any()
    assert (lon < -178).any()
    assert {one.epsg for one in locations} >= {32701, 32760}
    across = [one for one in locations if footprint(one)[0]["type"] == "MultiPolygon"]
    assert all(footprint(one)[1][0] > footprint(one)[1][2] for one in across)


@pytest.mark.parametrize(("text", "expected"), [("4.5,60,7.5,61.5", {32632}), ("14,77.5,24,79.5", {32633, 32635})])
def test_exceptions_of_the_zones_hold(text, expected):
    assert {one.epsg for one in sample(text, strategy="uniform", count=100).locations} == expected


def test_the_world_is_sampled_from_pole_to_pole():
    lon, lat = squares_of(sample("world", strategy="uniform", count=2000).locations).centres()
    assert is_land(lon, lat).all()
    assert lat.min() < -75
    assert lat.max() > 75
    share_of_tropics = np.mean(np.abs(lat) < 23.5)
    assert share_of_tropics == pytest.approx(0.37, abs=0.05), "of the land to 80 S; 37 % of it lies between the tropics"


def test_cities_and_population_keep_to_places_and_uniform_does_not():
    far = {}
    for strategy in ("cities", "population", "uniform"):
        _, distance = load_places().nearest(*squares_of(sample("australia", strategy=strategy).locations).centres())
        far[strategy] = distance.max()
    assert far["cities"] <= 15_000
    assert far["population"] <= 15_000
    assert far["uniform"] > 100_000


def test_the_splits_are_those_of_the_blocks_and_none_is_left_between():
    found = sample("LU", count=200, shares=(0.5, 0.3, 0.2))
    splits = assign_splits(squares_of(found.locations), seed=7, shares=(0.5, 0.3, 0.2))
    assert [one.split for one in found.locations] == [("train", "val", "test")[split] for split in splits]
    assert found.refused["between two splits"] > 0


def test_shares_that_are_far_off_are_warned_about_unless_the_locations_are_few(monkeypatch):
    found = sample("5.9,49.5,6.0,49.6", count=5, shares=(0.4, 0.3, 0.3))
    assert found.warnings() == []
    monkeypatch.setattr("curate.sample.WARN_FROM", 5)
    assert len(found.warnings()) >= 1
    assert "of the locations, not 30.0%: whole blocks of 20 km share a split. Another --seed" in "".join(found.warnings())
    assert Sample(found.locations, 5, {}, tuple(found.shares.values())).warnings() == []


def test_excluded_ground_is_left_alone():
    excluded = np.array([shapely.box(2.0, 48.0, 3.0, 49.5)], object)
    found = sample(count=500, cities=5, excluded=excluded)
    assert not shapely.intersects(squares_of(found.locations).polygons(), excluded[0]).any()
    assert found.refused["touching an excluded footprint"] > 20


def test_a_minimum_distance_is_kept():
    found = sample("LU", count=40, min_distance_m=5000)
    squares = squares_of(found.locations)
    lon, lat = squares.centres()
    flat = np.stack([lon * 111_320 * np.cos(np.radians(49.7)), lat * 111_220], axis=-1)
    apart = np.hypot(*(flat[:, None] - flat[None]).transpose(2, 0, 1))
    assert apart[~np.eye(40, dtype=bool)].min() >= 4970
    assert found.refused["closer to another than the minimum distance"] > 0


def test_a_grid_has_all_its_squares_in_order_and_some_of_them_shuffled():
    region = polygon_region(shapely.box(9.0, 47.0, 9.3, 47.2))
    every, some, fewer = (sample(region, strategy="grid", count=count, side_m=600) for count in (None, 100, 40))
    corners = [one.bounds[:2][::-1] for one in every.locations]
    assert corners == sorted(corners)
    assert {one.bounds for one in some.locations} < {one.bounds for one in every.locations}
    assert some.locations[:40] == fewer.locations
    assert sample(region, strategy="grid", count=40, side_m=600, seed=8).locations != fewer.locations


def test_a_square_of_a_grid_between_splits_has_none():
    found = sample(polygon_region(shapely.box(8.0, 47.0, 10.0, 48.0)), strategy="grid", count=None)
    assert 0.1 < found.splits["none"] / len(found.locations) < 0.4
    assert sum(found.shares.values()) == pytest.approx(1)


def test_points_of_a_file_are_centres_in_its_order():
    found = squares_in_file((3.0, 50.0), (-70.0, -30.0), (4.0, 51.0))
    assert [one.epsg for one in found.locations] == [32631, 32719, 32631]
    assert [one.id for one in found.locations] == ["points-000000", "points-000001", "points-000002"]


def test_points_of_a_file_outside_the_region_twice_named_or_too_near_are_counted():
    places = [(2.35, 48.86), (4.35, 50.85), (2.35, 48.86), (2.36, 48.86)]
    found = squares_in_file(*places, region=find_region("france"), min_distance_m=2000)
    assert len(found.locations) == 1
    too_near = "closer to another than the minimum distance"
    assert found.refused == {"outside the region": 1, "on the very square of another": 1, too_near: 1}


def test_too_many_locations_are_refused_with_how_many_fit():
    with pytest.raises(RegionError) as caught:
        sample("5.9,49.5,6.1,49.7", strategy="uniform", no_overlap=True, count=5000)
    words = str(caught.value)
    fit = int(words.split()[1])
    assert 10 < fit < 14.4 * 22.2 / 2.64**2
    assert f"Only {fit} of 5,000 locations fit into bbox after 100,000 refused candidates in a row" in words
    assert "overlapping another" in words
    assert f"Pass --count {fit} or fewer" in words
    assert len(sample("5.9,49.5,6.1,49.7", strategy="uniform", no_overlap=True, count=fit).locations) == fit


def test_a_grid_that_is_too_small_says_how_many_squares_it_has():
    with pytest.raises(RegionError, match=r"Only \d+ of 9,000 locations fit into test \("):
        sample(polygon_region(shapely.box(9.0, 47.0, 9.3, 47.2)), strategy="grid", count=9000)


def test_a_region_without_room_says_so():
    with pytest.raises(RegionError, match=r"No square of 2640 m fits into test with --strategy grid: there is no square in it"):
        sample(polygon_region(shapely.box(9.0, 47.0, 9.01, 47.01)), strategy="grid", count=None)
    with pytest.raises(RegionError, match=r"No square .* fits into points .*: 1 outside the region"):
        squares_in_file((4.35, 50.85), region=find_region("france"))


def test_a_grid_of_more_squares_than_ids_is_refused(monkeypatch):
    monkeypatch.setattr(curate.sample, "MAX_COUNT", 50)
    with pytest.raises(RegionError, match=r"The grid has \d+ squares; ids have six digits. Pass --count 50 or fewer"):
        sample(polygon_region(shapely.box(9.0, 47.0, 9.3, 47.2)), strategy="grid", count=None)


@pytest.mark.parametrize(
    ("flags", "words"),
    [({"count": None}, "Strategy cities draws without end. Pass --count"),
     ({"count": 0}, "--count is 0; expected 1 to 1,000,000"),
     ({"count": 1_000_001}, "--count is 1000001"),
     ({"strategy": "random"}, "Unknown strategy 'random'. Expected one of cities, population, uniform, grid, file"),
     ({"strategy": "grid", "region": None}, "Strategy grid needs a region. Pass --region"),
     ({"strategy": "file"}, "Strategy file needs a file of points or polygons. Pass --from FILE"),
     ({"cities": 0}, "--cities is 0; expected a number above 0"),
     ({"std_m": -50.0}, r"--std-km is -0\.05; expected a number above 0"),
     ({"std_m": float("nan")}, "--std-km is nan; expected a number above 0"),
     ({"min_distance_m": -5.0}, r"--min-distance-m is -5\.0; expected 0 or more")],
)  # fmt: skip
def test_a_wrong_request_is_refused_before_any_work(flags, words):
    with pytest.raises(CurateError, match=words):
        SampleRequest(**{"slug": "a", "region": find_region("france"), "count": 5, **flags})


@pytest.mark.parametrize("side_m", [1000, 0, 9840, 2650])
def test_a_side_that_does_not_divide_is_refused(side_m):
    with pytest.raises(ContractError, match=f"A patch of {side_m} m does not divide"):
        SampleRequest(slug="a", region=find_region("france"), count=5, side_m=side_m)


def test_progress_is_told_in_rising_numbers():
    told = []
    region = find_region("LU")
    sample_locations(SampleRequest(slug="a", region=region, count=50), longest_stretch=20, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 50
