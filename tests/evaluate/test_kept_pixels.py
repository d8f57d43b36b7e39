"""Pixels kept in memory are those that were read."""

from dataclasses import replace

import numpy as np
import pytest

from evaluate.kept_pixels import keep_pixels
from evaluate.reading import read_blocks
from tests.evaluate.stacks import make_stack


@pytest.fixture
def stack():
    """12 items in layers of two sizes."""
    rng = np.random.default_rng(3)
    fine, coarse = rng.integers(0, 9000, (12, 2, 8, 8), np.uint16), rng.integers(0, 9000, (12, 1, 4, 4), np.int16)
    return make_stack({("B04", "B08"): fine, ("B11",): coarse}, ("B08", "B11", "B04"))


@pytest.mark.parametrize("workers", [0, 2])
def test_kept_pixels_are_those_of_the_stack(stack, workers):
    items = np.array([7, 2, 11])
    seen = []
    kept = keep_pixels(stack, items, workers=workers, advance=seen.append)
    assert sum(seen) == 3
    asked = np.array([2, 11, 7, 2])
    for one, other in zip(read_blocks(kept, asked, batch_size=3), read_blocks(stack, asked, batch_size=3), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        for mine, theirs in zip(one[1], other[1], strict=True):
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs)


def test_the_stack_is_not_read_again(stack):
    kept = keep_pixels(stack, np.arange(12))
    before = stack.pixels.layers[0].copy()
    stack.pixels.layers[0][:] = 0
    np.testing.assert_array_equal(next(read_blocks(kept, np.arange(12), batch_size=12))[1][0], before)


def test_more_than_fits_is_read_where_it_is(stack):
    seen = []
    size = 12 * (2 * 8 * 8 + 4 * 4) * 2
    assert keep_pixels(stack, np.arange(12), limit=size - 1, advance=seen.append) is stack
    assert seen == [12]
    assert keep_pixels(stack, np.arange(12), limit=size) is not stack


def test_a_pack_is_read_where_it_is(stack):
    packed = replace(stack, is_packed=True)
    assert keep_pixels(packed, np.arange(12)) is packed


def test_an_item_that_was_not_kept_is_not_made_up(stack):
    kept = keep_pixels(stack, np.array([1, 2]))
    with pytest.raises(AssertionError, match="item 5 was not kept"):
        kept.read_into(5, kept.empty())
