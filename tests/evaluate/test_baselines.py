"""Band statistics against a plain loop."""

import numpy as np
import pytest
import torch

from evaluate import baselines
from evaluate.baselines import band_statistics
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


def test_a_band_without_any_measurement_is_nan_and_only_that(stack):
    found = band_statistics(stack, np.arange(19))
    assert np.argwhere(np.isnan(found)).tolist() == [[7, 2], [7, 5]]


def test_blocks_and_workers_change_nothing(stack, monkeypatch):
    whole = band_statistics(stack, np.arange(19))
    np.testing.assert_array_equal(band_statistics(stack, np.arange(19), workers=2), whole)
    monkeypatch.setattr(baselines, "BATCH_SIZE", 3)
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
