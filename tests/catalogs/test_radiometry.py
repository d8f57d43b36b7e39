"""The dark-pixel check, on made-up ground in both conventions."""

from datetime import UTC, datetime

import numpy as np
import pytest

from catalogs.bands import find_sensor
from catalogs.radiometry import (
    adds_offset,
    at_size,
    check_offset,
    check_scene,
    dark_reflectance,
    may_carry_offset,
    other_offset,
    plants_reflectance,
    word_harmonized,
)
from catalogs.records import Band
from tests.catalogs.radiometry_scenes import S2, as_planes, ground

L1C, LANDSAT = find_sensor("sentinel-2-l1c"), find_sensor("landsat-c2-l2")
NEW = "05.11"


@pytest.mark.parametrize("has_mask", [True, False])
@pytest.mark.parametrize(
    ("convention", "verdict"),
    [("not needed", "consistent"), ("applied", "consistent"), ("one too many", "conflict"), ("missing", "conflict")],
)
def test_a_wrong_offset_is_told_by_green_fields(convention, verdict, has_mask):
    bands, scl = ground()
    if not has_mask and convention == "missing":
        verdict = "unchecked"  # Plants as bright as 0.1 may be plants under haze.
    assert check_scene(S2, as_planes(bands, convention), scl if has_mask else None, NEW) == verdict


@pytest.mark.parametrize("convention", ["not needed", "applied", "missing"])
def test_a_desert_tells_nothing_of_an_offset(convention):
    bands, scl = ground("desert")
    assert check_scene(S2, as_planes(bands, convention), scl, NEW) == "unchecked"


def test_a_desert_that_looks_dark_with_an_offset_too_many_is_no_proof():
    bands, scl = ground("desert")
    planes = as_planes(bands, "one too many")
    assert dark_reflectance(planes) < 0.1
    assert check_scene(S2, planes, scl, NEW) == "unchecked"


def test_no_offset_is_missed_before_there_was_one():
    bands, scl = ground()
    bright = as_planes({name: values + 0.1 for name, values in bands.items()})
    assert check_scene(S2, bright, scl, NEW) == "conflict"
    assert check_scene(S2, bright, scl, "02.14") == "unchecked"
    assert check_scene(S2, bright, scl, None, when=datetime(2019, 5, 1, tzinfo=UTC)) == "unchecked"
    assert check_scene(S2, bright, scl, None, when=datetime(2023, 5, 1, tzinfo=UTC)) == "conflict"


def test_clouds_that_are_taken_for_plants_are_no_missing_offset():
    scl = np.full((64, 64), 4, "uint8")
    cloud = {name: np.full((64, 64), 0.45) for name in ("B02", "B03", "B04", "B08")}
    assert check_scene(S2, as_planes(cloud), scl, NEW) == "unchecked"


def test_nodata_and_cloud_count_for_nothing():
    bands, scl = ground()
    for values in bands.values():
        values[40:50] = np.nan
        values[50:] = -0.09
    scl[50:] = 9
    assert check_scene(S2, as_planes(bands, "applied"), scl, NEW) == "consistent"


def test_a_square_without_a_valid_pixel_tells_nothing():
    bands = {"B04": np.full((4, 4), np.nan)}
    assert dark_reflectance(as_planes(bands)) is None
    assert check_offset(None, -0.1) == "unchecked"
    assert check_scene(S2, as_planes(bands, "applied"), np.zeros((4, 4), "uint8"), NEW) == "unchecked"


def test_the_darkest_band_decides():
    bright, dark = (Band(name, 10, None, None, 1e-4, 0.0, 0) for name in ("B08", "B04"))
    assert dark_reflectance([(bright, np.full(9, 4000)), (dark, np.full(9, 300))]) == pytest.approx(0.03)


def test_numbers_below_the_offset_are_dark_and_never_wrap_around():
    planes = as_planes({"B04": np.full((9, 9), -0.05)}, "applied")
    assert planes[0][1].dtype == np.uint16
    assert dark_reflectance(planes) == pytest.approx(-0.05)


def test_plants_are_found_by_their_class_at_its_pixel_size_or_by_numbers_that_carry_an_offset():
    bands, scl = ground(side=64)
    planes = as_planes(bands, "missing")
    by_class = plants_reflectance(planes, at_size(scl, (32, 32)))
    assert by_class == pytest.approx(0.1 + 0.8 * 0.02, abs=0.002)
    assert plants_reflectance(planes) == pytest.approx(by_class, abs=0.002)
    assert plants_reflectance(planes[:3]) is None
    assert plants_reflectance(planes, np.full((32, 32), 5, "uint8")) is None


@pytest.mark.parametrize(
    ("convention", "verdict"),
    [("not needed", "consistent"), ("applied", "consistent"), ("one too many", "conflict"), ("missing", "conflict")],
)
def test_level_1c_is_told_by_its_cirrus_band_even_over_desert(convention, verdict):
    bands, _ = ground("desert")
    bands["B10"] = np.full((8, 8), 0.002)
    assert check_scene(L1C, as_planes(bands, convention, sensor=L1C), None, NEW) == verdict


def test_thick_cirrus_is_no_missing_offset():
    cloud = {name: np.full((64, 64), 0.5) for name in ("B02", "B04", "B08")} | {"B10": np.full((64, 64), 0.11)}
    assert check_scene(L1C, as_planes(cloud, sensor=L1C), None, NEW) == "unchecked"


def test_landsat_is_held_against_its_own_offset():
    numbers = np.full((9, 9), round((0.03 + 0.2) / 2.75e-5), "uint16")
    assert check_scene(LANDSAT, [(LANDSAT.band("B04"), numbers)], None, None) == "consistent"
    assert check_scene(LANDSAT, [(LANDSAT.band("B04"), numbers // 4)], None, None) == "conflict"


def test_sensors_without_reflectance_are_not_checked():
    radar = find_sensor("sentinel-1-rtc")
    assert check_scene(radar, [(radar.bands[0], np.ones((4, 4), "float32"))], None, None) is None


def test_baselines_from_four_on_add_an_offset():
    told = [adds_offset(b) for b in ("05.11", "04.00", "4.0", "03.01", "02.14", None, "my own")]
    assert told == [True, True, True, False, False, False, False]
    assert [may_carry_offset(b, None) for b in ("05.11", "04.00", "03.01", "my own", None)] == [True, True, False, True, True]


def test_what_pixels_call_for_is_the_other_offset_and_only_of_sensors_that_have_two():
    assert [other_offset(S2, offset) for offset in (-0.1, 0.0, None)] == [0.0, -0.1, -0.1]
    assert other_offset(LANDSAT, -0.2) is None
    words = [word_harmonized(S2, *told) for told in ((-0.1, "unchecked"), (0.0, "consistent"), (-0.1, "conflict"))]
    assert words == ["applied", "not_needed", "conflict"]
    assert word_harmonized(LANDSAT, -0.2, "consistent") is None


def test_a_mask_of_another_pixel_size_is_read_at_its_nearest_pixel():
    assert at_size(np.array([[1, 2], [3, 4]]), (4, 4)).tolist() == np.kron([[1, 2], [3, 4]], np.ones((2, 2), int)).tolist()
    assert at_size(np.arange(9).reshape(3, 3), (1, 1)).tolist() == [[4]]
