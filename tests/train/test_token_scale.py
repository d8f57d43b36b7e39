import pytest

from train.errors import ConfigError
from train.token_scale import count_tokens, describe_tokens, metres_per_token, token_warnings

SENSORS = {"landsat-c2-l2": 30, "sentinel-2-l2a": 10, "spot-ortho": 1.5}


def test_a_token_of_the_paper_is_189_m():
    assert metres_per_token(2640, 14) == pytest.approx(188.57, abs=0.01)
    expected = "A token is 189 m: 6.3 px of landsat-c2-l2, 18.9 px of sentinel-2-l2a, 125.7 px of spot-ortho."
    assert describe_tokens(SENSORS, crop_m=2640, tokens=14) == expected


def test_tokens_are_as_many_as_patches_fit():
    assert count_tokens(224, "test_vit") == 14
    with pytest.raises(
        ConfigError, match=r"views of 100 px do not divide into the 16 px patches of test_vit\. Choose --size-px 96\."
    ):
        count_tokens(100, "test_vit")
    with pytest.raises(ConfigError, match=r"views of 10 px .* Choose --size-px 16\."):
        count_tokens(10, "test_vit")


def test_many_pixels_in_a_token_are_told_with_the_crop_that_keeps_their_detail():
    (warning,) = token_warnings(SENSORS, crop_m=2640, tokens=14)
    assert warning == (
        "A token of 189 m is 125.7 px of spot-ortho, whose fine detail is averaged away over 64. Choose --crop-m 1344 or less."
    )
    assert not token_warnings(SENSORS, crop_m=1344, tokens=14)


def test_few_pixels_in_a_token_are_told_with_the_crop_that_has_enough():
    (warning,) = token_warnings(SENSORS, crop_m=300, tokens=14)
    assert (
        warning
        == "A token of 21.4 m is 0.71 px of landsat-c2-l2, which has no detail in it under 2. Choose --crop-m 840 or more."
    )
    assert not token_warnings(SENSORS, crop_m=840, tokens=14)
