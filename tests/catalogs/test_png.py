"""Pictures that others open: read back with GDAL's decoder, which shares no code with ours."""

import warnings

import numpy as np
import pytest
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from catalogs.png import encode_png, stretch


def decode(content):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile(content) as file, file.open(driver="PNG") as source:
            return source.read()


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 7, 3), (64, 33, 3)])
def test_colours_come_back_as_they_were(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    np.testing.assert_array_equal(decode(encode_png(image)), image.transpose(2, 0, 1))


def test_greys_come_back_as_they_were():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(decode(encode_png(image)), image[None])


def test_an_image_that_is_a_view_of_another_is_written_as_it_looks():
    image = np.random.default_rng(0).integers(0, 256, (3, 6, 8), np.uint8).transpose(1, 2, 0)[::2]
    np.testing.assert_array_equal(decode(encode_png(image)), image.transpose(2, 0, 1))


@pytest.mark.parametrize(
    "image", [np.zeros((2, 2)), np.zeros((2, 2, 4), np.uint8), np.zeros((0, 2), np.uint8), np.zeros(3, np.uint8)]
)
def test_what_is_no_picture_is_refused(image):
    with pytest.raises(ValueError, match=r"is no picture\. Give uint8 of \(height, width\)"):
        encode_png(image)


def test_numbers_are_stretched_and_clipped():
    assert stretch(np.array([-1.0, 0.0, 0.5, 1.0, 9.0]), 0.0, 1.0).tolist() == [0, 0, 128, 255, 255]
    assert stretch(np.array([3.0, 3.0]), 3.0, 3.0).tolist() == [0, 0]
    assert stretch(np.array([np.nan, 1.0]), 0.0, 1.0).tolist() == [0, 255]
