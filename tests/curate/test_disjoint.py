"""Keeping squares apart: against a plain loop over all pairs, with true polygons in a plane of their own."""

from itertools import combinations

import numpy as np
import pytest
import shapely
from pyproj import Geod, Transformer

from curate.disjoint import KeptSquares, centres_in_space, overlap_across_zones
from curate.refusal import Refusal
from curate.squares import Squares

PLACES = {
    "one zone": (3.0, 45.0),
    "the border of two zones": (6.0, 45.0),
    "the equator": (6.0, 0.0),
    "180 degrees": (180.0, -17.0),
    "Norway's exception": (3.0, 60.0),
    "the corner of Svalbard's zones": (9.0, 72.0),
    "far south": (12.0, -78.0),
}


def crowd(where, count=250, side_m=2640, spread_m=15_000, seed=0):
    """Squares around a point, all in each other's way."""
    lon, lat = PLACES[where]
    rng = np.random.default_rng(seed)
    points = Geod(ellps="WGS84").fwd(
        np.full(count, lon), np.full(count, lat), rng.uniform(0, 360, count), rng.uniform(0, spread_m, count)
    )
    return Squares.around(*map(np.asarray, points[:2]), side_m)


def flat_polygons(squares, where):
    """True polygons in an azimuthal plane around the place, metres."""
    lon, lat = PLACES[where]
    plane = Transformer.from_crs(4326, f"+proj=laea +lat_0={lat} +lon_0={lon} +datum=WGS84", always_xy=True)
    steps, flat, full = np.arange(8) / 8, np.zeros(8), np.ones(8)
    points = squares.lonlats(np.concatenate([steps, full, 1 - steps, flat]), np.concatenate([flat, steps, full, 1 - steps]))
    x, y = plane.transform(*points)
    return shapely.polygons(np.stack([x, y], axis=-1))


def keep(squares, **conditions):
    return KeptSquares(squares.side_m, **conditions).judge(squares)


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("side_m", [600, 9780])
def test_what_is_kept_is_disjoint_and_nothing_else_would_have_been(where, side_m):
    squares = crowd(where, side_m=side_m, spread_m=5 * side_m)
    verdicts = keep(squares, no_overlap=True)
    polygons = flat_polygons(squares, where)
    kept: list[int] = []
    for row, verdict in enumerate(verdicts):
        near = shapely.distance(polygons[row], polygons[kept]) if kept else np.array([np.inf])
        if verdict == Refusal.NONE:
            assert near.min() > 0
            kept.append(row)
        else:
            assert near.min() < 1.5, "squares of two zones count as overlapping within a metre"
    assert 10 < len(kept) < len(squares) / 2
    assert len(set(squares.epsg[kept])) > 1 or where in ("one zone", "far south")


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("least_m", [700, 4000])
def test_a_minimum_distance_is_that_of_geodesics(where, least_m):
    squares = crowd(where)
    verdicts = keep(squares, min_distance_m=least_m)
    geod, kept = Geod(ellps="WGS84"), []
    lon, lat = squares.centres()
    for row, verdict in enumerate(verdicts):
        near = min((geod.inv(lon[row], lat[row], lon[other], lat[other])[2] for other in kept), default=np.inf)
        if verdict == Refusal.NONE:
            assert near >= least_m
            kept.append(row)
        else:
            assert verdict in (Refusal.TOO_NEAR, Refusal.REPEATED)
            assert near < least_m * 1.00001
    assert len(kept) > 5


def test_a_distance_of_hundreds_of_kilometres_is_exact_to_one_part_in_100_000():
    geod = Geod(ellps="WGS84")
    for azimuth in (0, 37, 90):
        lon, lat, _ = geod.fwd(10.0, 45.0, azimuth, 800_000)
        squares = Squares.around(np.array([10.0, lon]), np.array([45.0, lat]), 600)
        lons, lats = squares.centres()
        apart = geod.inv(lons[0], lats[0], lons[1], lats[1])[2]
        assert keep(squares, min_distance_m=apart * 1.00001)[1] == Refusal.TOO_NEAR
        assert keep(squares, min_distance_m=apart * 0.99999)[1] == Refusal.NONE


def test_the_very_same_square_is_never_kept_twice():
    squares = crowd("one zone", count=3)
    twice = Squares.joined([squares, squares])
    assert keep(twice).tolist() == [0, 0, 0] + [Refusal.REPEATED] * 3


def test_squares_may_overlap_where_nothing_forbids_it():
    assert (keep(crowd("the border of two zones")) == Refusal.NONE).all()


def test_squares_that_share_an_edge_overlap_unless_they_may_touch():
    edges = np.array([[0, 0, 600, 600], [600, 0, 1200, 600], [600, 600, 1200, 1200], [1140, 540, 1740, 1140]]) + np.array(
        [500_040, 0] * 2
    )
    squares = Squares(np.full(4, 32631), edges)
    assert keep(squares, no_overlap=True).tolist() == [0, Refusal.OVERLAP, Refusal.OVERLAP, 0]
    assert keep(squares, no_overlap=True, may_touch=True).tolist() == [0, 0, 0, Refusal.OVERLAP]


def test_judging_stops_when_enough_are_kept():
    squares = crowd("one zone")
    assert len(KeptSquares(2640).judge(squares, most=5)) == 5


def test_judging_in_pieces_is_judging_at_once():
    squares = crowd("the border of two zones")
    kept = KeptSquares(squares.side_m, no_overlap=True, min_distance_m=3000)
    pieces = np.concatenate([kept.judge(squares[start : start + 13]) for start in range(0, len(squares), 13)])
    assert (pieces == keep(squares, no_overlap=True, min_distance_m=3000)).all()
    assert len(kept) == (pieces == Refusal.NONE).sum()


def test_overlap_across_zones_is_the_same_from_both_sides():
    squares = crowd("the border of two zones", count=120)
    rows = list(zip(squares.epsg.tolist(), *squares.bounds[:, :2].T.tolist(), strict=True))
    polygons = flat_polygons(squares, "the border of two zones")
    pairs = [(a, b) for a, b in combinations(range(120), 2) if rows[a][0] != rows[b][0]]
    for a, b in pairs:
        overlap = overlap_across_zones(rows[a], rows[b], 2640)
        assert overlap == overlap_across_zones(rows[b], rows[a], 2640)
        assert overlap == (polygons[a].distance(polygons[b]) < 1)
    assert len(pairs) > 1000


def test_centres_in_space_are_those_of_proj():
    squares = crowd("Norway's exception")
    space = Transformer.from_crs(4979, 4978, always_xy=True)
    lon, lat = squares.centres()
    assert centres_in_space(squares) == pytest.approx(
        np.stack(space.transform(lon, lat, np.zeros(len(lon))), axis=-1), abs=1e-6
    )
