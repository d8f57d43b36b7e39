"""Raw pixels: the image made small, in the order that is said."""

import numpy as np
import pytest

from evaluate.raw_pixels import raw_pixels
from tests.evaluate.stacks import make_stack


def test_blocks_of_a_large_image_become_its_pixels_band_by_band_and_row_by_row():
    rng = np.random.default_rng(0)
    small = rng.uniform(0.1, 0.3, (3, 2, 16, 16)).astype(np.float32)
    stack = make_stack({("B04", "B08"): small}, ["B04", "B08"])
    found = raw_pixels(stack, np.array([2, 0]), train=np.arange(3))
    assert found.shape == (2, 512)
    for row, item in enumerate((2, 0)):
        for band in range(2):
            expected = small[item, band].ravel()
            inside = (expected > 0.12) & (expected < 0.28)
            correlation = np.corrcoef(found[row].reshape(2, 256)[band][inside], expected[inside])[0, 1]
            assert correlation == pytest.approx(1, abs=1e-6)


def test_an_image_is_averaged_down_to_sixteen_pixels():
    values = np.zeros((2, 1, 64, 64), np.float32)
    values[0, 0, :32] = 1.0
    found = raw_pixels(make_stack({("B04",): values}, ["B04"]), np.arange(2), train=np.arange(2)).reshape(2, 16, 16)
    assert (np.ptp(found[0], axis=1) < 1e-6).all()
    assert (found[0, :7] > found[0, 9:]).all()
    np.testing.assert_allclose(found[1], found[0, 15, 0], rtol=1e-6)


def test_a_pixel_that_was_not_measured_is_zero():
    values = np.random.default_rng(1).integers(1, 200, (4, 1, 16, 16)).astype(np.uint16)
    values[0, 0, 8:, :] = 0
    stack = make_stack({("B04",): values}, ["B04"], nodata=0, valid_percent=np.array([50.0, 100.0, 100.0, 100.0]))
    found = raw_pixels(stack, np.arange(1), train=np.arange(4)).reshape(16, 16)
    assert (found[9:] == 0).all()
    assert (found[:7] != 0).any()
