"""The range of how many seasons find their scenes, against draws of the weather."""

import numpy as np
import pytest

from curate.likely_range import SeasonsFound


def likely(*seasons, has_scenes=True):
    found = SeasonsFound()
    for square, season, chance in seasons:
        found.add(square, season, chance, has_scenes=has_scenes)
    return found.likely()


def test_what_is_sure_has_no_range():
    assert likely(*[("31UDQ", season, 1.0) for season in range(4)]) == (4, 4)
    assert likely(*[("31UDQ", season, 1 + 1e-12) for season in range(4)]) == (4, 4)  # a sum of chances
    assert likely(("31UDQ", 0, 0.0), has_scenes=False) == (0, 0)
    assert likely() == (0, 0)


def test_an_even_chance_is_both():
    assert likely(("31UDQ", 0, 0.5)) == (0, 1)


def test_there_are_no_more_than_seasons_with_a_scene():
    assert likely(*[("31UDQ", 0, 0.9)] * 10) == (3, 10)
    assert likely(*[("31UDQ", 0, 0.9)] * 10, has_scenes=False)[1] == 0


@pytest.mark.parametrize("squares", [1, 4, 100])
def test_of_squares_with_one_weather_nearly_all_outcomes_lie_within(squares):
    """Ten locations each, all clear or none, two thousand times: 95 of 100 are in the range, which narrows with them."""
    rng = np.random.default_rng(squares)
    low, high = likely(*[(f"{number}", 0, 0.7) for number in range(squares) for _ in range(10)])
    outcomes = 10 * (rng.random((2_000, squares)) < 0.7).sum(axis=1)
    assert ((low <= outcomes) & (outcomes <= high)).mean() > 0.94
    assert (high - low) / (10 * squares) <= 1.85 / np.sqrt(squares) + 1e-9
