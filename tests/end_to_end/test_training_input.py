"""What SeCo reads of the real Flanders series: its dates and its tensors. One location: no figure is claimed of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import torch

from catalogs import open_catalog
from tests.end_to_end.commands import curate
from train.dataset import Batches, Share, load_batches
from train.prepare import prepare_training
from train.recipes import RECIPES
from train.steps import make_views
from train.views import ViewMaker

YEAR = ("--seasons", 5, "--start", "2017-09-01", "--end", "2018-09-01")
BANDS = ("B04", "B03", "B02", "B8A", "B11")
EPOCHS = 12


@pytest.fixture(scope="module")
def flanders(shared_data, tmp_path_factory):
    """One square of 600 m, five dates of a year."""
    archive, out = shared_data / "archive", tmp_path_factory.mktemp("flanders") / "cat"
    words = ("--strategy", "file", "--from", archive / "flanders_centre.geojson", "--patch-m", 600, "--out", out)
    assert curate("sample", *words, "--quiet") == 0
    assert curate("build", out, "--source", archive, *YEAR, "--quiet") == 0
    return str(out)


@pytest.fixture(scope="module")
def training(flanders):
    """SeCo on one location; the queue is forced, for half of one location is none."""
    config = RECIPES["seco"]()
    contrast = replace(config.contrast, queue=1, force_queue=True)
    return prepare_training(replace(config, bands=BANDS, batch_size=1, epochs=EPOCHS, contrast=contrast), flanders)


@pytest.fixture(scope="module")
def batches(training):
    everything = Batches(training.stack, training.samples, training.config, Share())
    return [parts[0] for parts in load_batches(everything, range(EPOCHS), workers=2)]


def test_every_epoch_shows_three_different_dates_of_the_five(training, batches):
    assert len(set(training.samples.days.tolist())) == 5
    triples = [tuple(batch.scenes[0].tolist()) for batch in batches]
    assert all(len(set(triple)) == 3 for triple in triples)
    assert len(set(triples)) > EPOCHS // 2, "each epoch draws anew"
    assert {day for triple in triples for day in triple} == set(training.samples.days.tolist())


def test_tensors_are_what_the_catalog_reads_at_those_dates(flanders, training, batches):
    catalog = open_catalog(flanders)
    for batch in batches:
        assert [pixels.shape[1:] for pixels in batch.pixels] == [(3, 3, 60, 60), (3, 2, 30, 30)]
        assert {pixels.dtype for pixels in batch.pixels} == {torch.uint16}
        for scene, day in enumerate(batch.scenes[0].tolist()):
            start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
            (item,) = catalog.items(sensor="sentinel-2-l2a", start=start, end=start + timedelta(days=1))
            for layer, pixels in zip(training.stack.layers, batch.pixels, strict=True):
                assert np.array_equal(pixels[0, scene].numpy(), catalog.read(item, list(layer.bands)))
                reflectance = catalog.read(item, list(layer.bands), reflectance=True)
                places = [BANDS.index(band) for band in layer.bands]
                scale, offset = (each[0, scene, places].numpy()[:, None, None] for each in (batch.scale, batch.offset))
                assert np.allclose(scale * pixels[0, scene].numpy() + offset, reflectance, atol=1e-6)


def test_views_of_it_are_finite_and_of_the_size_that_the_network_takes(training, batches):
    maker = ViewMaker(training.record.spec, training.stack.layers)
    views = make_views(batches[0], maker=maker, config=training.config)
    assert [view.shape for view in views] == [(1, 5, 224, 224)] * 4
    assert all(view.isfinite().all() for view in views)
    assert not torch.equal(views[0], views[2]), "the query and key 1 are of different dates"
