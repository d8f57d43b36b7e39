"""Which squares share ground, against every pair looked at by itself."""

import numpy as np
import pytest
from shapely import Polygon

from catalogs.lattice import squares_around, to_lonlat, to_utm
from evaluate import leakage_squares
from evaluate.leakage_squares import Squares, find_overlaps


def overlaps(asked, held, buffer_m=0.0):
    """Pairs as a set, each found once."""
    found = list(find_overlaps(Squares.of(*asked), Squares.of(*held), buffer_m=buffer_m))
    pairs = [pair for rows, others, _ in found for pair in zip(rows.tolist(), others.tolist(), strict=True)]
    assert len(pairs) == len(set(pairs))
    return set(pairs)


def every_pair(asked, held, buffer_m=0.0):
    """The plain twin: the outlines of each pair in the zone of the asked square, by pyproj and shapely."""
    found = set()
    for row, (epsg, bounds) in enumerate(zip(*asked, strict=True)):
        left, bottom, right, top = bounds + buffer_m * np.array([-1, -1, 1, 1])
        box = Polygon([(left, bottom), (right, bottom), (right, top), (left, top)])
        for other, (other_epsg, other_bounds) in enumerate(zip(*held, strict=True)):
            if outline(other_bounds, other_epsg, epsg).intersection(box).area > 1:
                found.add((row, other))
    return found


def outline(bounds, epsg, target):
    """A square in another zone, its edges bent, ten points to each."""
    left, bottom, right, top = bounds.tolist()
    along = np.linspace(0, 1, 10, endpoint=False)
    x = np.concatenate([left + along * (right - left), np.full(10, right), right - along * (right - left), np.full(10, left)])
    y = np.concatenate([np.full(10, bottom), bottom + along * (top - bottom), np.full(10, top), top - along * (top - bottom)])
    if epsg != target:
        x, y = to_utm(*to_lonlat(x, y, epsg), target)
    return Polygon(np.column_stack([x, y]))


def around(lon, lat, count, *, side_m=2640, spread=0.3, seed=0):
    """Squares whose centres are drawn about a point."""
    rng = np.random.default_rng(seed)
    lons = (lon + rng.uniform(-spread, spread, count) + 180) % 360 - 180
    return squares_around(lons, lat + rng.uniform(-spread, spread, count), side_m)


def square(epsg, left, bottom, side=600):
    return np.array([epsg]), np.array([[left, bottom, left + side, bottom + side]])


@pytest.mark.parametrize("buffer_m", [0, 500])
@pytest.mark.parametrize(
    ("lon", "lat"),
    [(1.4, 43.6), (6, 48.8), (180, -17), (0, 0), (6, 0), (12, 63.9), (9, 72), (-179.9, 71), (30, -79.5), (21, 83.5)],
)
def test_the_pairs_are_those_of_every_pair_looked_at(lon, lat, buffer_m):
    asked, held = around(lon, lat, 30, seed=1), around(lon, lat, 60, seed=2, side_m=3600)
    expected = every_pair(asked, held, buffer_m)
    assert overlaps(asked, held, buffer_m) == expected
    assert expected


def test_pairs_of_two_zones_are_among_them():
    asked, held = around(6, 48.8, 200, seed=1), around(6, 48.8, 200, seed=2)
    assert any(asked[0][row] != held[0][other] for row, other in overlaps(asked, held))


def test_pairs_across_180_degrees_are_among_them():
    asked, held = around(180, -17, 200, seed=1), around(180, -17, 200, seed=2)
    assert any({asked[0][row], held[0][other]} == {32701, 32760} for row, other in overlaps(asked, held))


@pytest.mark.parametrize(("gap", "buffer_m", "shares"), [(-1, 0, True), (0, 0, False), (60, 60, False), (60, 61, True)])
@pytest.mark.parametrize(("right", "up"), [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1)])
def test_squares_that_touch_share_nothing(gap, buffer_m, shares, right, up):
    other = square(32631, 450_000 + right * (600 + gap), 4_800_000 + up * (600 + gap))
    assert bool(overlaps(square(32631, 450_000, 4_800_000), other, buffer_m)) == shares


def test_squares_of_north_and_south_meet_at_the_equator():
    north, south = square(32631, 450_000, -60), square(32731, 450_000, 10_000_000 - 600)
    assert overlaps(north, south) == {(0, 0)}
    assert overlaps(square(32631, 450_000, 0), south) == set()


def test_squares_of_any_size_find_each_other():
    held = [square(32631, 450_000, 4_800_000, side) for side in (10, 600, 9_000, 100_020)]
    held = tuple(np.concatenate(parts) for parts in zip(*held, strict=True))
    assert overlaps(square(32631, 450_000, 4_800_000), held) == {(0, 0), (0, 1), (0, 2), (0, 3)}
    assert overlaps(held, square(32631, 540_000, 4_890_000)) == {(3, 0)}


def test_pairs_come_in_blocks_of_any_size(monkeypatch):
    asked, held = around(6, 48.8, 60, seed=1), around(6, 48.8, 60, seed=2)
    whole = overlaps(asked, held, 2_000)
    monkeypatch.setattr(leakage_squares, "BLOCK", 7)
    assert overlaps(asked, held, 2_000) == whole


def test_the_distance_is_that_of_the_centres_in_either_zone():
    held = around(6, 48.8, 40, seed=2)
    for rows, others, distance in find_overlaps(Squares.of(*held), Squares.of(*held)):
        centres = np.stack([(held[1][:, 0] + held[1][:, 2]) / 2, (held[1][:, 1] + held[1][:, 3]) / 2])
        for row, other, metres in zip(rows, others, distance, strict=True):
            x, y = to_utm(*to_lonlat(*centres[:, [other]], held[0][other]), held[0][row])
            assert metres == pytest.approx(np.hypot(x - centres[0, row], y - centres[1, row])[0], abs=1)


def test_nothing_meets_nothing():
    nothing = np.empty(0, np.int64), np.empty((0, 4), np.int64)
    assert overlaps(nothing, square(32631, 450_000, 4_800_000)) == set()
    assert overlaps(square(32631, 450_000, 4_800_000), nothing) == set()
