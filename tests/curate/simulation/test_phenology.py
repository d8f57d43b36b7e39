import numpy as np
import pytest

from curate.simulation import covers
from curate.simulation.noise import hash_of
from curate.simulation.parcels import Parcels
from curate.simulation.phenology import attire_of
from curate.simulation.spectra import BACKSCATTER, MATERIALS, REFLECTANCE, WAVELENGTHS_UM, at_wavelengths

JUNE, JANUARY = 8570.0, 8415.0
"""Of 2023, days since 2000-01-01T12:00."""


def some_parcels(cover=None, lat=47.0, count=400):
    key = hash_of(np.arange(count))
    chosen = np.arange(count) % len(covers.COVER_NAMES) if cover is None else np.full(count, cover)
    size = np.full(count, 100, np.float32)
    return Parcels(key, hash_of(np.arange(count) // 8, 5), chosen, np.full(count, lat), size, size)


def greenness(parcels, day):
    attire = attire_of(parcels, day)
    return float(attire.ground[0].mean() + attire.trees[0].mean())


@pytest.mark.parametrize("lat", [-75.0, -34.0, -2.0, 0.0, 15.0, 47.0, 70.0])
def test_what_parcels_wear_are_shares_on_every_day_of_the_year(lat):
    parcels = some_parcels(lat=lat)
    for day in np.arange(8000, 8400, 17):
        attire = attire_of(parcels, float(day))
        assert attire.ground.min() >= 0
        assert attire.ground.sum(axis=0).max() <= 1 + 1e-6
        assert np.abs(attire.swing.sum(axis=0)).max() < 1e-6
        assert (attire.ground - np.abs(attire.swing)).min() > -0.16
        assert attire.trees.min() >= 0
        assert attire.sediment.max() < 0.5


@pytest.mark.parametrize("cover", [covers.PASTURE, covers.VINEYARD, covers.ORCHARD, covers.BROADLEAF, covers.HEATH])
def test_plants_are_greener_in_june_than_in_january_and_the_other_way_round_in_the_south(cover):
    assert greenness(some_parcels(cover, 47.0), JUNE) > 1.25 * greenness(some_parcels(cover, 47.0), JANUARY)
    assert greenness(some_parcels(cover, -37.0), JUNE) < 0.85 * greenness(some_parcels(cover, -37.0), JANUARY)


def test_conifers_keep_their_needles():
    parcels = some_parcels(covers.CONIFER)
    assert np.array_equal(attire_of(parcels, JUNE).trees[2], attire_of(parcels, JANUARY).trees[2])
    assert attire_of(parcels, JUNE).trees[2].mean() > 0.8


def test_seasons_fade_towards_the_equator():
    swings = []
    for lat in (2.0, 47.0):
        values = [greenness(some_parcels(covers.PASTURE, lat), 8400.0 + day) for day in range(0, 365, 15)]
        swings.append(max(values) - min(values))
    assert swings[0] < 0.6 * swings[1]


def test_grass_changes_slowly_from_day_to_day():
    parcels = some_parcels(covers.PASTURE)
    green = np.array([attire_of(parcels, 8450.0 + day).ground[0] for day in range(120)])
    assert np.median(np.abs(np.diff(green, axis=0))) < 0.01
    assert np.abs(np.diff(green.mean(axis=1))).max() < 0.03


def test_fields_change_their_crop_from_year_to_year():
    parcels = some_parcels(covers.ARABLE)
    first, second = (attire_of(parcels, JUNE + 365.25 * year).ground[0] for year in (0, 1))
    assert np.corrcoef(first, second)[0, 1] < 0.5
    assert first.std() > 0.15


def test_spectra_are_reflectances_of_every_material():
    assert REFLECTANCE.shape == (len(MATERIALS), len(WAVELENGTHS_UM))
    assert REFLECTANCE.min() > 0
    assert REFLECTANCE.max() < 0.5
    assert all(len(row) == len(MATERIALS) for row in BACKSCATTER.values())
    assert np.allclose(at_wavelengths(REFLECTANCE, list(WAVELENGTHS_UM)), REFLECTANCE)
    assert at_wavelengths(np.array([REFLECTANCE[0]]), [(0.665 + 0.705) / 2])[0, 0] == pytest.approx((0.038 + 0.112) / 2)
