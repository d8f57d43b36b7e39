"""Statistics and histograms of bands against plain loops."""

import numpy as np
import pytest
import torch

from evaluate import band_values
from evaluate.band_values import band_histograms, band_statistics, measure_range
from evaluate.reading import read_blocks
from tests.evaluate.stacks import make_stack

BANDS = ("B04", "B11", "B02")


@pytest.fixture(scope="module")
def numbers():
    """19 items of two layers, with holes in one of them."""
    rng = np.random.default_rng(0)
    fine = rng.integers(1, 4000, (19, 2, 8, 8)).astype(np.uint16)
    coarse = rng.integers(1, 4000, (19, 1, 4, 4)).astype(np.uint16)
    fine[3, 0, :5] = 0
    fine[7, 1] = 0
    return fine, coarse


@pytest.fixture(scope="module")
def stack(numbers):
    fine, coarse = numbers
    scale = np.linspace(1e-4, 2e-4, 57).reshape(19, 3)
    offset = np.linspace(-0.1, 0, 57).reshape(19, 3)
    return make_stack({("B04", "B02"): fine, ("B11",): coarse}, BANDS, nodata=0, scale=scale, offset=offset)


def plain_statistics(stack, numbers, item):
    """One pixel at a time."""
    fine, coarse = numbers
    planes = {"B04": fine[item, 0], "B02": fine[item, 1], "B11": coarse[item, 0]}
    means, stds = [], []
    for place, band in enumerate(stack.bands):
        values = [
            float(stack.scale[item, place]) * float(number) + float(stack.offset[item, place])
            for number in planes[band].ravel()
            if number != 0
        ]
        mean = sum(values) / len(values) if values else float("nan")
        means.append(mean)
        stds.append((sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5 if values else float("nan"))
    return means + stds


def test_statistics_equal_a_plain_loop(stack, numbers):
    items = np.array([18, 3, 7, 0])
    found = band_statistics(stack, items)
    np.testing.assert_allclose(found, [plain_statistics(stack, numbers, item) for item in items], rtol=1e-9)


def plain_reflectance(stack, numbers, item, place):
    """The measurements of one band, one pixel at a time."""
    fine, coarse = numbers
    plane = {"B04": fine[item, 0], "B02": fine[item, 1], "B11": coarse[item, 0]}[stack.bands[place]]
    scale, offset = float(stack.scale[item, place]), float(stack.offset[item, place])
    return sorted(scale * float(number) + offset for number in plane.ravel() if number != 0)


def plain_histogram(values, low, high):
    """Percentiles by interpolation between neighbours in rank, and the share of the pixels of each bin."""
    percentiles = []
    for percent in (5, 25, 50, 75, 95):
        rank = percent / 100 * (len(values) - 1)
        below = int(rank)
        above = min(below + 1, len(values) - 1)
        percentiles.append(values[below] + (rank - below) * (values[above] - values[below]))
    edges = [low + bin_ * (high - low) / 16 for bin_ in range(17)]
    shares = [sum(edges[bin_] <= value < edges[bin_ + 1] for value in values) / len(values) for bin_ in range(15)]
    return [*percentiles, *shares, sum(value >= edges[15] for value in values) / len(values)]


def test_histograms_equal_a_plain_loop(stack, numbers):
    items, train = np.array([18, 3, 0]), np.array([1, 2, 3, 18])
    found = band_histograms(stack, items, train=train).reshape(3, 23, 3)
    np.testing.assert_array_equal(found[:, :2].reshape(3, 6), band_statistics(stack, items))
    for band in range(3):
        taught = [value for item in train for value in plain_reflectance(stack, numbers, item, band)]
        for row, item in enumerate(items):
            values = [min(max(each, min(taught)), max(taught)) for each in plain_reflectance(stack, numbers, item, band)]
            expected = plain_histogram(values, min(taught), max(taught))
            np.testing.assert_allclose(found[row, 7:, band], expected[5:], atol=1e-12)
            unclipped = plain_histogram(plain_reflectance(stack, numbers, item, band), min(taught), max(taught))
            np.testing.assert_allclose(found[row, 2:7, band], unclipped[:5], rtol=1e-9)


def test_what_lies_beyond_the_training_items_counts_into_the_outer_bins():
    values = np.stack([np.linspace(1, 2, 64), np.full(64, 9.0), np.full(64, -9.0)]).reshape(3, 1, 8, 8).astype(np.float32)
    shares = band_histograms(make_stack({("B04",): values}, ["B04"]), np.arange(3), train=np.arange(1))[:, 7:]
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert shares[1:].argmax(axis=1).tolist() == [15, 0]
    np.testing.assert_allclose(shares[0], 1 / 16, atol=1e-6)


def test_the_range_is_of_the_training_items_and_not_of_those_tested(stack):
    one = measure_range(stack, np.arange(5), seed=0)
    assert not np.array_equal(one.low, measure_range(stack, np.arange(5, 19), seed=0).low)
    np.testing.assert_array_equal(one.low, measure_range(stack, np.arange(5)[::-1].copy(), seed=3).low)


def test_of_many_training_items_some_are_looked_at_by_seed(stack, monkeypatch):
    monkeypatch.setattr(band_values, "SAMPLE", 2)
    ranges = [measure_range(stack, np.arange(19), seed=seed).high.tolist() for seed in (0, 0, 1, 2, 3)]
    assert ranges[0] == ranges[1]
    assert len({tuple(each) for each in ranges}) > 1


@pytest.mark.filterwarnings("error")
def test_a_band_of_one_value_or_none_has_a_histogram_all_the_same():
    values = np.stack([np.full((2, 4, 4), 5.0), np.full((2, 4, 4), 5.0)]).astype(np.float32)
    values[:, 1] = np.nan
    found = band_histograms(make_stack({("B04", "B03"): values}, ["B04", "B03"]), np.arange(2), train=np.arange(1))
    assert found.reshape(2, 23, 2)[0, :, 0].tolist() == [5.0, 0.0, 5.0, 5.0, 5.0, 5.0, 5.0, 1.0] + [0.0] * 15
    assert np.isnan(found.reshape(2, 23, 2)[:, :, 1]).all()


def test_a_band_without_any_measurement_is_nan_and_only_that(stack):
    found = band_statistics(stack, np.arange(19))
    assert np.argwhere(np.isnan(found)).tolist() == [[7, 2], [7, 5]]


def test_blocks_and_workers_change_nothing(stack, monkeypatch):
    whole = band_statistics(stack, np.arange(19))
    np.testing.assert_array_equal(band_statistics(stack, np.arange(19), workers=2), whole)
    monkeypatch.setattr(band_values, "BATCH_SIZE", 3)
    np.testing.assert_array_equal(band_statistics(stack, np.arange(19)), whole)


def test_floats_that_are_nan_are_no_measurements():
    values = np.array([[[[1.0, np.nan], [3.0, np.nan]]]], np.float32)
    np.testing.assert_array_equal(band_statistics(make_stack({("B04",): values}, ["B04"]), np.arange(1)), [[2.0, 1.0]])


def test_progress_counts_every_item(stack):
    told = []
    band_statistics(stack, np.arange(19), advance=told.append)
    assert told == [16, 3]


def test_reading_draws_nothing_from_the_global_generators(stack):
    state, other = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    for workers in (0, 2):
        list(read_blocks(stack, np.arange(19), batch_size=5, workers=workers))
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], other)  # noqa: NPY002


@pytest.mark.parametrize(("batch_size", "workers"), [(0, 0), (4, -1)])
def test_impossible_reading_is_told(stack, batch_size, workers):
    with pytest.raises(ValueError, match=rf"batch_size is {batch_size} and workers {workers}; expected 1 or more"):
        list(read_blocks(stack, np.arange(3), batch_size=batch_size, workers=workers))
