"""What published weights are fed with: as their released code does it, in its own arithmetic."""

import numpy as np
import pytest

from catalogs.bands import find_sensor
from train.errors import CheckpointError
from train.published_inputs import (
    COLORS,
    DINO_INPUT,
    DINO_MC_INPUT,
    SECO_INPUT,
    SSL4EO_INPUT,
    SSL4EO_RGB_INPUT,
    dino_input,
    ssl4eo_input,
)

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def fed(spec, reflectance):
    """What an input makes of reflectance, of every band the same."""
    columns = (np.array(each) for each in (spec.low, spec.high, spec.mean, spec.std))
    low, high, mean, std = columns
    return (np.clip((reflectance - low) / (high - low), 0, 1) - mean) / std


def test_seco_s_input_is_that_of_its_quantiles():
    """Quantiles of 8-bit numbers, reflectance times 255: B4 0 to 129, B3 2 to 103, B2 3 to 88; then ImageNet's."""
    assert (SECO_INPUT.bands, SECO_INPUT.sensor, SECO_INPUT.size_px) == (("B04", "B03", "B02"), "sentinel-2-l2a", 224)
    expected = [
        (np.clip((50 - low) / (high - low), 0, 1) - mean) / std
        for (low, high), mean, std in zip([(0, 129), (2, 103), (3, 88)], MEAN, STD, strict=True)
    ]
    np.testing.assert_allclose(fed(SECO_INPUT, 50 / 255), expected)


def test_dino_s_input_is_a_picture_in_0_to_1_normalised_as_imagenet():
    np.testing.assert_allclose(fed(DINO_INPUT, 51 / 255), (0.2 - np.array(MEAN)) / STD)
    assert (DINO_INPUT.interpolation, DINO_INPUT.bands) == ("bicubic", ("red", "green", "blue"))


def test_dino_mc_s_input_is_a_preview_of_reflectance_up_to_03():
    np.testing.assert_allclose(fed(DINO_MC_INPUT, np.float64(0.15)), (0.5 - np.array(MEAN)) / STD)
    np.testing.assert_allclose(fed(DINO_MC_INPUT, np.float64(0.7)), (1 - np.array(MEAN)) / STD)


def test_ssl4eo_s_input_is_reflectance_clipped_and_nothing_more():
    for digital in (0, 2500, 10000, 14000):
        np.testing.assert_allclose(fed(SSL4EO_INPUT, digital / 10000), min(digital / 10000, 1))
    assert SSL4EO_INPUT.bands.index("B8A") == 8
    assert SSL4EO_INPUT.bands.index("B10") == 10
    assert SSL4EO_RGB_INPUT.bands == ("B04", "B03", "B02")


@pytest.mark.parametrize("spec", [SECO_INPUT, DINO_INPUT, DINO_MC_INPUT, SSL4EO_INPUT, SSL4EO_RGB_INPUT])
def test_every_input_reads_bands_that_its_sensor_has(spec):
    assert set(spec.bands) <= {band.name for band in find_sensor(spec.sensor).bands}


def test_colors_are_the_sensor_s_own_common_names():
    common = {band.name: band.common_name for band in find_sensor("sentinel-2-l2a").bands}
    assert {band: common[band] for band in COLORS} == COLORS


@pytest.mark.parametrize("channels", [1, 2, 12])
def test_channels_that_nobody_explains_are_refused(channels):
    words = rf"here reads {channels} channels, and does not say which\. Expected the 13 bands of Sentinel-2 Level-1C, or red"
    with pytest.raises(CheckpointError, match=words):
        ssl4eo_input(channels, "here")
    with pytest.raises(CheckpointError, match=words):
        dino_input({}, channels, "here")


@pytest.mark.parametrize("mean", [None, 0.3, [0.1, 0.2], ["a", "b", "c"]])
def test_x_stars_without_its_mean_is_refused(mean):
    with pytest.raises(CheckpointError, match=r"here: X-STARS's --mean is .*; expected a number for red, green and blue each"):
        dino_input({"sensors": ["SPOT"], "mean": mean, "std": [0.1, 0.1, 0.1]}, 3, "here")
