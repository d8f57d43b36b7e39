"""Numbers to sigma nought to decibels, against plain loops."""

import math

import numpy as np
import pytest

from curate.sources.sentinel1.annotation import Calibration, read_calibration
from curate.sources.sentinel1.backscatter import decibels, divisors, sample, sigma_nought
from tests.curate.sources.sentinel1.products import calibration_xml, divisor


def made_up_calibration(seed=0):
    """Vectors with pixels of their own."""
    rng = np.random.default_rng(seed)
    lines = np.array([-1.0, 40, 95, 180])
    pixels = [np.array([0.0, 30, 70, 149]), np.array([0.0, 50, 149]), np.array([0.0, 20, 21, 149]), np.array([0.0, 149])]
    return Calibration(lines, pixels, [rng.uniform(300, 700, len(points)) for points in pixels])


def line_through(points, values, place):
    """A value between two points, written out; at the ends that of the end."""
    if place <= points[0]:
        return values[0]
    if place >= points[-1]:
        return values[-1]
    after = next(n for n, point in enumerate(points) if point > place)
    share = (place - points[after - 1]) / (points[after] - points[after - 1])
    return values[after - 1] * (1 - share) + values[after] * share


def divisor_plainly(calibration, line, pixel):
    across = [line_through(*each, pixel) for each in zip(calibration.pixels, calibration.values, strict=True)]
    return line_through(calibration.lines, across, line)


@pytest.mark.parametrize("window", [(0, 0, 150, 200), (13, 30, 60, 80), (100, 90, 7, 4), (140, 170, 20, 40)])
def test_divisors_are_bilinear_between_vectors_of_unlike_pixels(window):
    calibration = made_up_calibration()
    column, row, width, height = window
    expected = [
        [divisor_plainly(calibration, line, pixel) for pixel in range(column, column + width)]
        for line in range(row, row + height)
    ]
    np.testing.assert_allclose(divisors(calibration, window), expected, rtol=1e-12)


def test_a_calibration_as_esa_writes_it_gives_its_function_back():
    calibration = read_calibration(calibration_xml(height=900, width=700).encode(), "c.xml")
    line, pixel = np.meshgrid(np.arange(500, 560), np.arange(100, 180), indexing="ij")
    np.testing.assert_allclose(divisors(calibration, (100, 500, 80, 60)), divisor(line, pixel), rtol=1e-8)


def test_sigma_nought_is_the_square_of_the_number_over_the_divisor_and_nothing_where_the_number_is_0():
    calibration = made_up_calibration()
    numbers = np.random.default_rng(1).integers(0, 3, (4, 5)).astype("uint16") * 300
    numbers[0, 0], numbers[1, 1] = 65_535, 0
    found = sigma_nought(numbers, calibration, (20, 60, 5, 4))
    for (row, column), number in np.ndenumerate(numbers):
        expected = number**2.0 / divisor_plainly(calibration, 60 + row, 20 + column) ** 2 if number else math.nan
        assert found[row, column] == pytest.approx(expected, nan_ok=True)


def sample_plainly(power, row, column):
    """The mean of four neighbours by what each weighs; none of those that weigh nothing counts."""
    if not (0 <= row <= power.shape[0] - 1 and 0 <= column <= power.shape[1] - 1):
        return math.nan
    total = 0.0
    for below in (0, 1):
        for right in (0, 1):
            at = math.floor(row) + below, math.floor(column) + right
            weight = (1 - abs(row - at[0])) * (1 - abs(column - at[1]))
            if weight > 0:
                total += weight * power[at]
    return total


def test_values_between_pixels_are_weighed_means_of_power():
    rng = np.random.default_rng(2)
    power = rng.uniform(0.001, 1, (20, 30))
    power[5, 5] = power[12, 20:] = np.nan
    rows, columns = rng.uniform(-1, 20, (40, 40)), rng.uniform(-1, 30, (40, 40))
    rows[0, :4], columns[0, :4] = (5, 5.0, 19, 0), (5, 4, 29, 0)
    expected = [
        [sample_plainly(power, *place) for place in zip(*each, strict=True)] for each in zip(rows, columns, strict=True)
    ]
    found = sample(power, rows, columns)
    np.testing.assert_allclose(found, expected)
    assert np.isnan(found[0, 0])
    assert found[0, 1] == power[5, 4], "a neighbour that weighs nothing spoils nothing"
    assert found[0, 2] == power[19, 29], "the last pixel has no neighbours beyond"


def test_places_that_are_not_known_have_no_value():
    assert np.isnan(sample(np.ones((3, 3)), np.array([np.nan]), np.array([1.0]))).all()


def test_the_mean_of_a_field_stays_what_it_is_as_it_would_not_in_decibels():
    rng = np.random.default_rng(4)
    power = 0.05 * rng.exponential(1, (400, 400))
    rows, columns = rng.uniform(1, 398, 100_000), rng.uniform(1, 398, 100_000)
    of_power = sample(power, rows, columns).mean()
    of_decibels = 10 ** (sample(10 * np.log10(power), rows, columns) / 10)
    assert of_power == pytest.approx(power.mean(), rel=0.02)
    assert of_decibels.mean() < 0.8 * power.mean()


def test_decibels_have_the_number_for_nothing_where_there_is_nothing():
    found = decibels(np.array([[1.0, 0.1], [np.nan, 2.0]]), -32768.0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0, -10], [-32768, 3.0103]], atol=1e-4)
