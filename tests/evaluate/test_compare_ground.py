"""What maps show: which ground, which dots, and at which steps its lines run."""

import numpy as np
import pytest

from evaluate.compare_ground import CELLS, dots_of, frame_of, nice_step
from tests.evaluate.test_compare_map import PLACES


def test_a_map_holds_all_places_with_a_margin():
    frame = frame_of(PLACES)
    assert frame.south < 43
    assert frame.south + frame.height > 45
    assert frame.west < 1
    assert frame.west + frame.width > 3
    assert frame.aspect == pytest.approx(2 * np.cos(np.radians(44)) / 2, rel=1e-6)


@pytest.mark.parametrize(
    ("lonlat", "aspect"), [([[5, 10]], 1), ([[5, 10], [5, 60]], 0.6), ([[0, 1], [100, 1]], 2.2), ([[3, 89.9]], 1)]
)
def test_a_map_is_neither_a_dot_nor_a_line(lonlat, aspect):
    frame = frame_of(np.array(lonlat, float))
    assert frame.aspect == pytest.approx(aspect, rel=0.03)
    assert min(frame.width, frame.height) > 0.01


def test_places_on_both_sides_of_the_date_line_are_neighbours():
    frame = frame_of(np.array([[179.0, 0.0], [-179.0, 1.0]]))
    assert frame.width == pytest.approx(2.3)
    assert frame.west == pytest.approx(178.85)
    dots = dots_of(frame, np.array([[179.0, 0.0], [-179.0, 1.0]]), np.array(["a", "b"]), np.zeros(2))
    assert [round(dot.lon, 2) for dot in dots] == [2.15, 0.15]


def test_dots_are_as_many_as_there_is_room_for_and_count_what_they_pool():
    rng = np.random.default_rng(3)
    lonlat, right = rng.uniform([0, 40], [10, 48], (20_000, 2)), rng.random(20_000)
    locations = np.array([f"l{number // 2}" for number in range(20_000)])
    lonlat = lonlat[::2].repeat(2, axis=0)
    dots = dots_of(frame_of(lonlat), lonlat, locations, right)
    assert len(dots) <= CELLS * 110
    assert sum(dot.locations for dot in dots) == 10_000
    assert np.average([dot.right for dot in dots], weights=[dot.locations for dot in dots]) == pytest.approx(right.mean())


@pytest.mark.parametrize(("span", "step"), [(7.3, 2), (6, 1), (0.05, 0.01), (350, 100), (2.9, 0.5)])
def test_steps_are_round(span, step):
    assert nice_step(span, lines=6) == pytest.approx(step)
