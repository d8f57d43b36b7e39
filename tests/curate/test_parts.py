"""Parts of a build: whole squares, balanced, the same everywhere, and remembered."""

from collections import Counter

import pytest

from catalogs.lattice import grid_square
from catalogs.testing import make_locations
from curate.errors import CurateError, RecipeError
from curate.parts import Part, divide, read_part, remember_part, settle_part


@pytest.fixture(scope="module")
def wide():
    """Locations in about ten grid squares from west to east, uneven ones."""
    return make_locations(130, lon=1.0)


def test_every_location_is_in_one_part(wide):
    parts = [Part(4, number).of(wide) for number in range(1, 5)]
    assert sorted(location.id for part in parts for location in part) == [location.id for location in wide]
    assert all(part == sorted(part, key=lambda location: location.id) for part in parts)


def test_a_grid_square_stays_whole(wide):
    squares = [{grid_square(location) for location in Part(4, number).of(wide)} for number in range(1, 5)]
    assert sum(map(len, squares)) == len(set.union(*squares)) > 4


def test_parts_differ_by_no_more_than_the_fullest_square(wide):
    counts = [len(Part(3, number).of(wide)) for number in range(1, 4)]
    fullest = max(Counter(map(grid_square, wide)).values())
    assert max(counts) - min(counts) <= fullest
    assert min(counts) > 0


def test_the_order_of_the_locations_does_not_matter(wide):
    assert divide(wide, 5) == divide(wide[::-1], 5)


def test_one_part_of_one_is_everything(wide):
    assert Part(1, 1).of(wide) == wide


def test_more_parts_than_squares_are_refused(wide):
    count = len(set(map(grid_square, wide)))
    assert len(divide(wide, count)) == count
    with pytest.raises(
        CurateError, match=rf"--part divides into {count + 1}, and the 130 locations lie in {count} grid squares"
    ):
        divide(wide, count + 1)


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", "1/2/3", ""])
def test_what_is_no_part_is_refused(text):
    with pytest.raises(CurateError, match=r"--part is .*; expected a number and how many parts there are, from 1/20 to 20/20"):
        Part.parse(text)


def test_a_folder_remembers_its_part_and_refuses_another(tmp_path):
    assert settle_part(tmp_path, None) is None
    assert settle_part(tmp_path, Part(3, 2)) == Part(3, 2)
    remember_part(tmp_path, Part(3, 2))
    assert read_part(tmp_path) == Part.parse(" 2/3 ") == settle_part(tmp_path, None) == settle_part(tmp_path, Part(3, 2))
    with pytest.raises(RecipeError, match=r"builds part 2/3, and --part is 1/3\. Build each part in a copy"):
        settle_part(tmp_path, Part(3, 1))
