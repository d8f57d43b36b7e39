import numpy as np
import pytest

from curate.simulation.ground import Cells
from curate.simulation.landscape import landscape_of
from curate.simulation.mixture import BLUR, blur_weights, blurred, mixture_of
from curate.simulation.phenology import attire_of
from curate.simulation.spectra import mixed

CELLS = Cells(32631, 5.0, 447_000, 5_410_680, 120, 144)


def test_materials_are_shares_that_leave_room_for_shade():
    landscape = landscape_of(CELLS, 0)
    for day in (8415.0, 8570.0):
        mixture = mixture_of(landscape, attire_of(landscape.parcels, day), 2)
        assert mixture.shape == (10, 60, 72)
        assert mixture.min() > -0.03
        assert 0.3 < np.median(mixture.sum(axis=0)) < 1.3


def test_cells_are_the_means_of_their_points():
    landscape = landscape_of(CELLS, 0)
    attire = attire_of(landscape.parcels, 8570.0)
    fine, coarse = (mixture_of(landscape, attire, fold) for fold in (1, 3))
    expected = fine.reshape(10, 40, 3, 48, 3).mean(axis=(2, 4))
    assert np.allclose(coarse, expected, atol=1e-6)


@pytest.mark.parametrize("factor", [1, 2, 6])
def test_blur_is_a_plain_weighted_sum(factor):
    values = np.random.default_rng(0).random((2, 8 * factor, 7 * factor)).astype(np.float32)
    margin = factor * 2
    found = blurred(values, factor, margin)
    assert found.shape == (2, 4, 3)
    for row, column in ((0, 0), (3, 2), (1, 1)):
        expected = sum(
            first * second * values[1, margin + row * factor + down, margin + column * factor + right]
            for down, first in blur_weights(factor)
            for right, second in blur_weights(factor)
        )
        assert found[1, row, column] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("factor", [1, 2, 6])
def test_blur_keeps_the_light_and_leans_to_no_side(factor):
    weights = dict(blur_weights(factor))
    assert sum(weights.values()) == pytest.approx(1)
    assert all(weights[offset] == pytest.approx(weights[factor - 1 - offset]) for offset in weights)


def test_blur_has_the_contrast_that_its_docstring_states():
    fine = 60
    weights = blur_weights(fine)
    places = np.array([offset + 0.5 - fine / 2 for offset, _ in weights]) / fine
    contrast = sum(weight * np.cos(np.pi * place) for place, (_, weight) in zip(places, weights, strict=True))
    assert contrast == pytest.approx(0.637 * np.exp(-((np.pi * BLUR) ** 2) / 2), abs=0.02)
    assert 0.35 < contrast < 0.45


def test_a_mixture_reflects_the_weighted_sum_of_its_materials():
    rng = np.random.default_rng(0)
    weights, mixture = rng.random(10).astype(np.float32), rng.random((10, 4, 5)).astype(np.float32)
    assert np.allclose(mixed(weights, mixture), np.tensordot(weights, mixture, 1), atol=1e-5)
