"""The band that may be meant: by number, colour or a slip of the hand."""

import pytest

from catalogs.band_guess import guess_band, guess_name
from catalogs.bands import SENSORS


@pytest.mark.parametrize(
    ("typed", "meant"),
    [(f"{lead}{number}", f"B0{number}") for lead in ("B", "b", "", "band ", "SR_B", "B00") for number in range(1, 10)]
    + [("b8a", "B8A"), ("8A", "B8A"), ("b12", "B12"), ("11", "B11")]
    + [("red", "B04"), ("NIR", "B08"), ("blue", "B02"), ("swir", "B11"), ("SCL", "scl"), ("sc1", "scl")],
)
def test_a_band_of_sentinel_2_is_known_by_its_number_its_colour_or_nearly_its_name(typed, meant):
    sensor = SENSORS["sentinel-2-l2a"]
    assert guess_band(typed, (*sensor.bands, sensor.mask)) == meant


@pytest.mark.parametrize("typed", ["B13", "B99", "0", "B10", "8b", "", "x", "temperature"])
def test_a_number_that_no_band_has_is_none_that_only_looks_like_it(typed):
    assert guess_band(typed, SENSORS["sentinel-2-l2a"].bands) is None


@pytest.mark.parametrize(
    ("sensor", "typed", "meant"),
    [("landsat-c2-l2", "B5", "B05"), ("landsat-c2-l2", "nir", "B05"), ("sentinel-1-rtc", "VV", "vv"), ("naip", "Reed", "red")],
)
def test_other_sensors_bands_are_guessed_by_the_same_rule(sensor, typed, meant):
    assert guess_band(typed, SENSORS[sensor].bands) == meant


def test_of_several_sensors_the_first_that_has_it_gives_its_name():
    both = [*SENSORS["landsat-c2-l2"].bands, *SENSORS["sentinel-2-l2a"].bands]
    assert guess_band("nir", both) == "B08"  # whose colour is this exactly
    assert guess_band("b8a", both) == "B8A"
    assert guess_band("5", both) == "B05"


def test_names_alone_are_enough():
    assert guess_name("B2", ["B12", "B02"]) == "B02"
    assert guess_name("vhh", ["vv", "vh"]) == "vh"
    assert guess_name("B2", []) is None
