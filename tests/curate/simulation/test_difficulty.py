"""Band statistics alone must not tell the cover of a square; texture must help."""

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import minimize

from catalogs.bands import SENSORS
from catalogs.lattice import squares_around
from catalogs.records import Location
from curate.simulation import COVER_NAMES, truth
from curate.simulation.acquisitions import acquisitions_of
from curate.simulation.ground import cells_of
from curate.simulation.render import render
from curate.simulation.tiles import tiles_in
from curate.simulation.world import World

BANDS = SENSORS["sentinel-2-l2a"].bands
LAGS = (1, 2, 3, 4, 6, 9)
RINGS = (0.01, 0.04, 0.08, 0.14, 0.2, 0.27, 0.34, 0.42, 0.5)


def random_squares(count: int, side: int, seed: int):
    """Locations around France, equal in area, each with a clear Sentinel-2 image of a random date, all twelve bands."""
    rng, world, found = np.random.default_rng(seed), World(0), []
    while len(found) < count:
        lon = rng.uniform(-1, 7)
        lat = np.degrees(np.arcsin(rng.uniform(np.sin(np.radians(43)), np.sin(np.radians(50)))))
        (epsg,), (bounds,) = squares_around([lon], [lat], side)
        location = Location("test-000000", int(epsg), tuple(int(edge) for edge in bounds))
        tile = next(tile for tile in tiles_in((lon, lat, lon, lat)) if tile.epsg == epsg)
        year = int(rng.integers(2018, 2024))
        span = (datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC))
        acquisitions = acquisitions_of("sentinel-2-l2a", tile, *span, seed=0)
        for index in rng.permutation(len(acquisitions))[:40]:
            sky = world.sky(acquisitions[index], cells_of(location.grid(10)))
            if sky.edge.min() > 0 and not (sky.is_cloud() | sky.is_shadow()).any():
                cells = {gsd: cells_of(location.grid(gsd)) for gsd in (10, 20, 60)}
                image = [render(world, acquisitions[index], band.name, cells[band.gsd]).astype(float) for band in BANDS]
                found.append((COVER_NAMES.index(truth(location).dominant), image))
                break
    return np.array([cover for cover, _ in found]), [image for _, image in found]


def band_statistics(image):
    return np.array([value for band in image for value in (band.mean(), band.std())])


def texture(image):
    """Autocorrelation, spectrum and direction at several scales of standardised bands: no colour, no contrast."""
    red, nir = image[3] - 1000, image[7] - 1000
    return np.concatenate([_texture((part - part.mean()) / part.std()) for part in (nir, red, (nir - red) / (nir + red + 100))])


def _texture(part):
    power = np.abs(np.fft.fft2(part)) ** 2
    likeness = np.fft.ifft2(power).real / part.size
    values = []
    for lag in LAGS:
        slant = round(0.7 * lag)
        around = (likeness[0, lag], likeness[lag, 0], likeness[slant, slant], likeness[slant, -slant])
        values += [np.mean(around), np.max(around), np.min(around)]
    across, down = np.meshgrid(np.fft.fftfreq(part.shape[1]), np.fft.fftfreq(part.shape[0]))
    radius = np.hypot(across, down)
    for inner, outer in pairwise(RINGS):
        ring = power[(radius >= inner) & (radius < outer)]
        values += [np.log(ring.sum() / power.sum() + 1e-6), np.log(ring.max() / ring.mean())]
    slope = np.gradient(part)
    tensor = np.array([[np.mean(a * b) for a in slope] for b in slope])
    low, high = np.linalg.eigvalsh(tensor)
    return np.array([*values, (high - low) / (high + low), np.mean(part**3), np.log(np.mean(part**4))])


def standardised(train, test):
    return (train - train.mean(axis=0)) / train.std(axis=0), (test - train.mean(axis=0)) / train.std(axis=0)


def knn_accuracy(train, train_cover, test, test_cover, k=10):
    train, test = standardised(train, test)
    nearest = np.argsort(((test[:, None] - train[None]) ** 2).sum(axis=-1), axis=1)[:, :k]
    votes = np.array([np.bincount(train_cover[row], minlength=len(COVER_NAMES)).argmax() for row in nearest])
    return float(np.mean(votes == test_cover))


def logistic_accuracy(train, train_cover, test, test_cover, strength=0.01):
    train, test = (np.column_stack([part, np.ones(len(part))]) for part in standardised(train, test))
    wanted = np.eye(len(COVER_NAMES))[train_cover]

    def loss(flat):
        weights = flat.reshape(train.shape[1], -1)
        scores = train @ weights
        scores -= scores.max(axis=1, keepdims=True)
        log_shares = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        slope = train.T @ (np.exp(log_shares) - wanted) / len(train) + strength * weights
        return -(wanted * log_shares).sum() / len(train) + strength / 2 * (weights**2).sum(), slope.ravel()

    found = minimize(loss, np.zeros(train.shape[1] * wanted.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 400})
    return float(np.mean((test @ found.x.reshape(train.shape[1], -1)).argmax(axis=1) == test_cover))


def test_the_classifiers_of_this_test_learn_what_can_be_learnt():
    rng = np.random.default_rng(0)
    cover = rng.integers(0, 4, 400)
    features = np.eye(10)[cover] * 5 + rng.normal(0, 1, (400, 10))
    for accuracy in (knn_accuracy, logistic_accuracy):
        assert accuracy(features[:200], cover[:200], features[200:], cover[200:]) > 0.95
        assert accuracy(features[:200], cover[:200], rng.normal(0, 1, (200, 10)), cover[200:]) < 0.4


@pytest.mark.slow
@pytest.mark.parametrize(("side", "count"), [(600, 500), (2640, 200)])
def test_band_statistics_of_one_date_do_not_tell_the_cover_but_texture_helps(side, count):
    cover, images = random_squares(count, side, seed=1)
    split = count * 2 // 3
    shares = np.bincount(cover, minlength=len(COVER_NAMES)) / count
    assert shares.max() < 0.3
    features = {"statistics": np.array([band_statistics(image) for image in images])}
    features["texture"] = np.array([texture(image) for image in images])
    features["both"] = np.column_stack([features["statistics"], features["texture"]])
    accuracy = {
        (name, method.__name__): method(part[:split], cover[:split], part[split:], cover[split:])
        for name, part in features.items()
        for method in (knn_accuracy, logistic_accuracy)
    }
    print(side, dict(zip(COVER_NAMES, shares.round(3).tolist(), strict=True)), accuracy)
    best = {name: max(value for (part, _), value in accuracy.items() if part == name) for name in features}
    assert best["statistics"] < 0.6
    assert best["both"] > best["statistics"] + 0.1
    assert best["both"] > 1.8 * shares.max()
