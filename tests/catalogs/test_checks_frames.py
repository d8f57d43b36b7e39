"""What the pixels of one band tell: blank, constant, saturated."""

import numpy as np
import pytest

from catalogs.checks.frames import frame_digest, frame_fault, valid_pixels
from catalogs.records import Band

B02 = Band("B02", 10, "blue", 0.49, 1e-4, -0.1, 0)
RED = Band("red", 1.5, "red", 0.65, 1 / 255, 0.0)
VV = Band("vv", 10, scale=1.0, offset=0.0, nodata=-32768)


def ground(type_="uint16", low=500, high=6000):
    return np.random.default_rng(0).integers(low, high, (20, 20)).astype(type_)


def with_share(pixels, share, value):
    flat = pixels.ravel().copy()
    flat[: round(share * flat.size)] = value
    return flat.reshape(pixels.shape)


def kind(pixels, band=B02, **options):
    fault = frame_fault(pixels, band, **options)
    return fault and fault[0]


@pytest.mark.parametrize(
    ("pixels", "band", "expected"),
    [
        (ground(), B02, None),
        (np.zeros((20, 20), "uint16"), B02, "blank"),
        (np.full((20, 20), np.nan, "float32"), VV, "blank"),
        (np.full((20, 20), -32768, "float32"), VV, "blank"),
        (np.full((20, 20), 777, "uint16"), B02, "constant"),
        (with_share(np.full((20, 20), 777, "uint16"), 0.5, 0), B02, "constant"),
        (np.full((20, 20), 0.0, "float32"), VV, "constant"),
        (np.full((20, 20), 65535, "uint16"), B02, "saturated"),
        (np.full((20, 20), 255, "uint8"), RED, "saturated"),
        (with_share(ground(), 0.09, 65535), B02, None),
        (with_share(ground(), 0.11, 65535), B02, "saturated"),
        (with_share(ground(), 0.11, 10000), B02, "saturated"),
        (with_share(ground(), 0.11, 9900), B02, None),
        (with_share(ground("uint8", 20, 200), 0.11, 255), RED, "saturated"),
        (with_share(ground("uint8", 20, 200), 0.11, 210), RED, None),
        (with_share(ground("float32"), 0.2, 9000), VV, None),
        (with_share(ground("float32"), 0.2, np.inf), VV, "saturated"),
    ],
)
def test_a_frame_is_judged_by_its_valid_pixels(pixels, band, expected):
    assert kind(pixels, band) == expected


def test_display_values_may_be_clipped_but_no_picture_of_one_value():
    assert kind(with_share(ground("uint8", 20, 200), 0.5, 255), RED, may_clip=True) is None
    assert kind(np.full((20, 20), 255, "uint8"), RED, may_clip=True) == "constant"


def test_a_mask_may_be_one_class_everywhere_but_not_nodata():
    scl = Band("scl", 20, nodata=0)
    assert kind(np.full((5, 5), 4, "uint8"), scl, is_mask=True) is None
    assert kind(np.zeros((5, 5), "uint8"), scl, is_mask=True) == "blank"


def test_a_handful_of_pixels_may_be_equal():
    assert kind(np.full((3, 5), 777, "uint16")) is None
    assert kind(np.full((4, 4), 777, "uint16")) == "constant"


def test_valid_pixels_are_neither_nodata_nor_nan():
    assert valid_pixels(np.array([[0, 5], [7, 0]], "uint16"), B02).tolist() == [5, 7]
    assert valid_pixels(np.array([[np.nan, -32768], [1, 2]], "float32"), VV).tolist() == [1, 2]


def test_a_digest_tells_pixels_apart_whatever_their_memory():
    pixels = ground()
    assert frame_digest(pixels) == frame_digest(np.asfortranarray(pixels))
    assert frame_digest(pixels) != frame_digest(pixels + 1)
