"""Splits by blocks of 20 km: against a plain loop, and that neighbours never part."""

import math

import numpy as np
import pytest
import shapely

from curate.errors import CurateError
from curate.places import EARTH_RADIUS_M
from curate.split import BLOCK_DEGREES, NO_SPLIT, assign_splits, block_numbers, block_shares, columns_of, parse_shares
from curate.squares import Squares

SHARES = (0.6, 0.25, 0.15)


def some_squares(count=400, side_m=2640, seed=1):
    rng = np.random.default_rng(seed)
    lon, lat = (
        rng.uniform(-180, 180, count),
        np.degrees(np.arcsin(rng.uniform(np.sin(np.radians(-79)), np.sin(np.radians(83)), count))),
    )
    lon[:20] = np.linspace(179.95, 180.05, 20)
    lat[20:40] = rng.uniform(80, 83.5, 20)
    return Squares.around((lon + 180) % 360 - 180, lat, side_m)


def block_split(row, column, seed, side_m):
    number = block_numbers(seed, np.array([row]), np.array([column]))[0]
    return int(np.searchsorted(np.cumsum(block_shares(SHARES, side_m))[:2], number, side="right"))


def twin(squares, row, seed):
    """The split of one square, from the true polygon of the grown square and one polygon per block."""
    square, side = squares[row : row + 1], squares.side_m
    grown = Squares(square.epsg, square.bounds + np.array([-side, -side, side, side]))
    rim = np.linspace(0, 1, 33)
    ends = (np.zeros(33), np.ones(33))
    lon, lat = grown.lonlats(
        np.concatenate([rim, ends[1], rim[::-1], ends[0]]), np.concatenate([ends[0], rim, ends[1], rim[::-1]])
    )
    lon, lat = lon[0], lat[0]
    if np.ptp(lon) > 180:
        lon = np.where(lon < 0, lon + 360, lon)
    shape = shapely.Polygon(np.stack([lon, lat], axis=-1))
    splits = set()
    for block_row in range(math.floor((lat.min() + 90) / BLOCK_DEGREES), math.floor((lat.max() + 90) / BLOCK_DEGREES) + 1):
        count = int(columns_of(np.array([block_row]))[0])
        width = 360 / count
        for column in range(math.floor((lon.min() + 180) / width), math.floor((lon.max() + 180) / width) + 1):
            south = block_row * BLOCK_DEGREES - 90
            block = shapely.box(column * width - 180, south, (column + 1) * width - 180, south + BLOCK_DEGREES)
            if shape.intersects(block):
                splits.add(block_split(block_row, column % count, seed, side))
    return splits


@pytest.mark.parametrize("side_m", [600, 2640, 9780])
def test_the_split_of_a_square_is_that_of_all_blocks_that_it_touches_when_grown_by_one_side(side_m):
    squares = some_squares(side_m=side_m)
    splits = assign_splits(squares, seed=3, shares=SHARES)
    more = 0
    for row in range(len(squares)):
        touched = twin(squares, row, 3)
        if splits[row] != NO_SPLIT:
            assert touched == {splits[row]}
        more += splits[row] == NO_SPLIT and len(touched) == 1
    assert more <= 0.02 * len(squares), "boxes in degrees may refuse a little more than polygons, but hardly"
    assert set(np.unique(splits)) == {0, 1, 2, NO_SPLIT} or side_m == 9780


def test_neighbours_never_part():
    rng = np.random.default_rng(9)
    squares = Squares.around(rng.uniform(5.6, 6.4, 3000), rng.uniform(46, 46.6, 3000), 2640)
    splits = assign_splits(squares, seed=0, shares=(0.5, 0.3, 0.2))
    kept = splits != NO_SPLIT
    polygons = squares[kept].polygons()
    flat = shapely.transform(polygons, lambda lonlat: lonlat * np.array([math.cos(math.radians(46.3)), 1]) * 111_195)
    tree = shapely.STRtree(flat)
    one, other = tree.query(flat, predicate="dwithin", distance=1.95 * 2640)
    assert len(one) > 50_000
    assert (splits[kept][one] == splits[kept][other]).all()
    assert len(set(splits[kept])) == 3


def test_blocks_are_about_20_km_wide_and_high_from_pole_to_pole():
    rows = np.arange(round(180 / BLOCK_DEGREES))
    assert BLOCK_DEGREES * math.pi / 180 * EARTH_RADIUS_M == pytest.approx(20_000)
    middle = np.radians((rows + 0.5) * BLOCK_DEGREES - 90)
    width = 2 * math.pi * EARTH_RADIUS_M * np.cos(middle) / columns_of(rows)
    assert np.abs(width[50:-50] - 20_000).max() < 300
    assert (columns_of(rows) >= 1).all()


def test_the_seed_changes_the_blocks():
    rows, columns = np.repeat(np.arange(100), 100), np.tile(np.arange(100), 100)
    first, second = (block_numbers(seed, rows, columns) for seed in (0, 1))
    assert np.abs(np.corrcoef(first, second)[0, 1]) < 0.05
    for drawn in (first, second):
        assert drawn.mean() == pytest.approx(0.5, abs=0.015)
        assert len(np.unique(drawn)) == 10_000
        assert np.abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.05


@pytest.mark.parametrize(("side_m", "shares"), [(600, (0.9, 0.05, 0.05)), (2640, (0.9, 0.05, 0.05)), (2640, (0.5, 0.3, 0.2)),
                                                (7200, (0.8, 0.1, 0.1))])  # fmt: skip
def test_squares_come_in_the_shares_that_were_asked_for(side_m, shares):
    rng = np.random.default_rng(0)
    lat = np.degrees(np.arcsin(rng.uniform(np.sin(np.radians(-60)), np.sin(np.radians(70)), 60_000)))
    splits = assign_splits(Squares.around(rng.uniform(-180, 180, 60_000), lat, side_m), seed=5, shares=shares)
    found = np.bincount(splits[splits != NO_SPLIT], minlength=3) / (splits != NO_SPLIT).sum()
    assert found == pytest.approx(shares, abs=0.012)


def test_one_split_alone_is_every_square():
    assert (assign_splits(some_squares(), seed=0, shares=(1.0, 0.0, 0.0)) == 0).all()
    assert block_shares((0.0, 1.0, 0.0), 2640) == pytest.approx([0, 1, 0])


def test_no_squares_have_no_splits():
    assert len(assign_splits(some_squares()[:0], seed=0, shares=SHARES)) == 0


def test_shares_are_read_from_text():
    assert parse_shares("0.8, 0.1,0.1") == (0.8, 0.1, 0.1)
    assert parse_shares("1,0,0") == (1, 0, 0)


@pytest.mark.parametrize("text", ["0.9,0.1", "0.9,0.05,0.06", "1.2,-0.1,-0.1", "a,b,c", "", "0.25,0.25,0.25,0.25"])
def test_wrong_shares_are_refused(text):
    with pytest.raises(CurateError, match=f'Splits "{text}" are not three shares that sum to 1'):
        parse_shares(text)
