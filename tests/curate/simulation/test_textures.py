from dataclasses import replace

import numpy as np
import pytest

from curate.simulation import covers
from curate.simulation.noise import hash_of
from curate.simulation.parcels import Parcels, Places
from curate.simulation.textures import FLAT, PAINTERS, PAVED, POND, TILED, TONE, TREE, VIGOUR, Plot, paint

SIDE, SIZE = 400, 2.0


def one_parcel(cover, side=SIDE, size=SIZE, seed=0):
    """A square parcel of `side` x `side` cells, painted: (7, side, side)."""
    extent = np.full(1, side * size, np.float32)
    key = hash_of([seed])
    parcels = Parcels(key, hash_of(key, 1), np.array([cover]), np.array([47.0]), extent, extent)
    v, u = (part.astype(np.float32).ravel() for part in np.mgrid[:side, :side] * size + size / 2)
    places = Places(np.zeros(side**2, np.int64), u + 5000, v + 5000, u, v, np.ones(side**2, bool))
    return paint(parcels, places, size).reshape(7, side, side)


@pytest.mark.parametrize("cover", range(len(covers.COVER_NAMES)))
def test_every_cover_is_painted_in_shares_with_a_texture(cover):
    assert cover in PAINTERS
    surface = np.concatenate([one_parcel(cover, seed=seed) for seed in range(3)], axis=2)
    assert surface[:TONE].min() >= 0
    assert surface[:TONE].sum(axis=0).max() <= 1 + 1e-5
    assert surface[TONE].std() > 0.005
    assert np.abs(surface[VIGOUR]).max() <= 1
    assert np.isfinite(surface).all()


def test_covers_are_made_of_what_they_are_called():
    def mean(cover, *kinds):
        return np.mean([one_parcel(cover, seed=seed)[list(kinds)].sum(axis=0).mean() for seed in range(8)])

    assert mean(covers.BROADLEAF, TREE) > 0.6
    assert mean(covers.CONIFER, TREE) > 0.6
    assert mean(covers.ARABLE, TREE) == 0
    assert 0.1 < mean(covers.ORCHARD, TREE) < 0.6
    assert mean(covers.RESIDENTIAL, TILED, FLAT, PAVED) > 0.15
    assert mean(covers.INDUSTRIAL, FLAT, PAVED) > 0.4
    assert mean(covers.WATER, POND) == 1


def likeness(field, lag):
    """Autocorrelation along both axes."""
    part = (field - field.mean()) / field.std()
    return float(np.mean(part[:, lag:] * part[:, :-lag])), float(np.mean(part[lag:] * part[:-lag]))


def test_an_orchard_repeats_itself_every_few_tens_of_metres():
    crowns = one_parcel(covers.ORCHARD, seed=3)[TREE]
    across = [likeness(crowns, lag)[0] for lag in range(1, 25)]
    period = 2 * (int(np.argmax(across[7:])) + 8)
    assert 21 <= period <= 36
    assert max(across[7:]) > min(across) + 0.3


def test_vineyards_and_fields_have_a_direction_and_forests_have_none():
    def leaning(cover, kind):
        ratios = []
        for seed in range(8):
            slopes = [np.mean(part**2) for part in np.gradient(one_parcel(cover, seed=seed)[kind])]
            ratios.append(abs(np.log(slopes[0] / slopes[1])))
        return np.median(ratios)

    assert leaning(covers.VINEYARD, VIGOUR) > 1
    assert leaning(covers.ARABLE, VIGOUR) > 1
    assert leaning(covers.BROADLEAF, TONE) < 0.3
    assert leaning(covers.HEATH, VIGOUR) < 0.4


def test_patterns_narrower_than_two_cells_are_left_out():
    size = np.full(1, 100, np.float32)
    parcels = Parcels(hash_of([1]), hash_of([2]), np.zeros(1, np.int64), np.zeros(1), size, size)
    u = np.arange(50, dtype=np.float32)
    plot = Plot(u, u, u, u, np.zeros(50, bool), np.zeros(50, np.int64), parcels, 10.0)
    assert plot.noise(19, "fine") == 0
    assert np.std(plot.noise(21, "coarse")) > 0
    assert np.std(replace(plot, size=1.5).noise(4, "finer")) > 0


def test_a_line_covers_as_much_of_coarse_cells_as_of_fine_ones():
    fine, coarse = (one_parcel(covers.PASTURE, side=side, size=size)[PAVED].mean() for side, size in ((800, 1.0), (80, 10.0)))
    assert fine == pytest.approx(coarse, rel=0.35)
