"""The dark-pixel check, on made-up ground in both conventions."""

import numpy as np
import pytest

from catalogs.records import Band

radiometry = pytest.importorskip("catalogs.radiometry")


def ground(seed=0):
    """Reflectance of dark water, vegetation and soil."""
    return np.random.default_rng(seed).gamma(2.0, 0.04, (50, 50)) + 0.01


@pytest.mark.parametrize(
    ("written_offset", "stated_offset", "verdict"),
    [(-0.1, -0.1, "consistent"), (0.0, 0.0, "consistent"), (0.0, -0.1, "conflict"), (-0.1, 0.0, "conflict")],
)
def test_a_wrong_offset_is_told_by_dark_ground(written_offset, stated_offset, verdict):
    numbers = np.round((ground() - written_offset) / 1e-4).astype("uint16")
    numbers[0] = 0
    band = Band("B04", 10, "red", 0.665, 1e-4, stated_offset, 0)
    dark = radiometry.dark_reflectance([(band, numbers)])
    assert radiometry.check_offset(dark, stated_offset, may_lack=radiometry.adds_offset("05.10")) == verdict


def test_bright_ground_tells_nothing():
    band = Band("B04", 10, "red", 0.665, 1e-4, -0.1, 0)
    numbers = np.full((10, 10), 5000, "uint16")
    assert radiometry.check_offset(radiometry.dark_reflectance([(band, numbers)]), -0.1) == "unchecked"


def test_a_square_without_a_valid_pixel_tells_nothing():
    band = Band("B04", 10, "red", 0.665, 1e-4, -0.1, 0)
    assert radiometry.dark_reflectance([(band, np.zeros((4, 4), "uint16"))]) is None
    assert radiometry.check_offset(None, -0.1) == "unchecked"


def test_the_darkest_band_decides():
    bright, dark = (Band(name, 10, None, None, 1e-4, 0.0, 0) for name in ("B08", "B04"))
    assert radiometry.dark_reflectance([(bright, np.full(9, 4000)), (dark, np.full(9, 300))]) == pytest.approx(0.03)


def test_baselines_from_four_on_add_an_offset():
    assert [radiometry.adds_offset(b) for b in ("05.11", "04.00", "03.01", "02.14", None)] == [True, True, False, False, False]
