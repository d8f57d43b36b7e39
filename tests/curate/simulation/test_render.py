import numpy as np
import pytest

from catalogs.bands import SENSORS
from curate.simulation.atmosphere import Sky
from curate.simulation.ground import Cells
from curate.simulation.noise import hash_of
from curate.simulation.render import _displayed, _gain, _noise, _quantised, _speckle, _through_air

CELLS = Cells(32631, 10.0, 447_000, 5_410_680, 300, 300)
SURFACE = np.array([[0.05, 0.3]], np.float32)


def one_sky(cloud=-1.0, shade=-1.0, cirrus=0.0, haze=0.0, light=1.0):
    return Sky(*(np.full((1, 2), value, np.float32) for value in (cloud, shade, cirrus, haze, light, 100.0)))


def test_noise_has_mean_0_and_standard_deviation_1_and_is_new_in_each_scene():
    first, second = _noise(CELLS, hash_of(1)), _noise(CELLS, hash_of(2))
    assert abs(first.mean()) < 0.01
    assert first.std() == pytest.approx(1, abs=0.01)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.015
    assert abs(np.corrcoef(first[:, 1:].ravel(), first[:, :-1].ravel())[0, 1]) < 0.015
    assert abs(np.corrcoef(first[1:].ravel(), first[:-1].ravel())[0, 1]) < 0.015


def test_speckle_is_gamma_distributed_with_four_looks():
    speckle = _speckle(CELLS, hash_of(1))
    assert speckle.mean() == pytest.approx(1, abs=0.01)
    assert speckle.var() == pytest.approx(1 / 4, abs=0.01)
    assert speckle.min() > 0


def test_clear_air_shows_the_ground_and_slopes_scale_it():
    assert np.allclose(_through_air(SURFACE, one_sky(), 0.56), SURFACE)
    assert np.allclose(_through_air(SURFACE, one_sky(light=1.3), 0.56), 1.3 * SURFACE)


def test_a_thick_cloud_hides_the_ground():
    seen = _through_air(SURFACE, one_sky(cloud=1.0), 0.49)
    assert seen[0, 0] == pytest.approx(seen[0, 1])
    assert seen[0, 0] > 0.5
    assert _through_air(SURFACE, one_sky(cloud=1.0), 2.19)[0, 0] < seen[0, 0]


def test_shadow_takes_more_of_the_infrared_than_of_the_blue():
    blue, nir = (_through_air(SURFACE, one_sky(shade=1.0), wavelength) / SURFACE for wavelength in (0.49, 0.84))
    assert nir.max() < blue.min() < 0.8


def test_haze_is_blue_and_brightens_dark_ground():
    blue, swir = (_through_air(SURFACE, one_sky(haze=0.02), wavelength) - SURFACE for wavelength in (0.49, 2.19))
    assert blue[0, 0] > 5 * swir[0, 0] > 0


@pytest.mark.parametrize(("sensor", "name"), [("sentinel-2-l2a", "B04"), ("landsat-c2-l2", "B04")])
def test_numbers_become_the_reflectance_again(sensor, name):
    band = SENSORS[sensor].band(name)
    seen = np.linspace(-0.05, 1.1, 500).astype(np.float32)
    assert np.abs(_quantised(seen, band) * band.scale + band.offset - seen).max() <= band.scale
    assert _quantised(np.array([-5.0, 50.0], np.float32), band).tolist() == [1, 65535]


def test_an_orthophoto_is_stretched_to_8_bits_and_never_0():
    band = SENSORS["spot-ortho"].band("red")
    numbers = _displayed(np.linspace(0, 0.5, 200).astype(np.float32), band, hash_of(3))
    assert np.all(np.diff(numbers) >= 0)
    assert (numbers[0], numbers[-1]) == (1, 255)


def test_calibration_errs_by_a_few_percent_and_alike_in_neighbouring_bands():
    gains = np.array(
        [[_gain(hash_of(k), hash_of(k, band), um) for band, um in enumerate((0.49, 0.56, 2.19))] for k in range(500)]
    )
    assert gains.min() > 0.86
    assert gains.max() < 1.14
    assert gains.std() > 0.03
    assert np.corrcoef(gains[:, 0], gains[:, 1])[0, 1] > np.corrcoef(gains[:, 0], gains[:, 2])[0, 1] + 0.3
