"""What the loop gets to feed a method, of one sensor and of several."""

import numpy as np
import pytest
import torch

from tests.train.grounds import SENTINEL, align_config, make_ground_catalog, positions
from tests.train.trainings import tiny_config
from train.config import Alignment
from train.dataset import Batches, Share
from train.errors import ConfigError
from train.feeding import feed_training
from train.prepare import prepare_training
from train.sensor_batches import SensorBatches
from train.sensor_views import SensorViews
from train.steps import make_views
from train.views import ViewMaker


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return str(make_ground_catalog(tmp_path_factory.mktemp("catalog") / "ground", positions, count=4, side_m=240))


def test_one_sensor_is_fed_with_batches_and_views(catalog):
    config = tiny_config("dino", sensor=SENTINEL, bands=("B04", "B03"), backbone="test_vit", batch_size=2, scaling="native")
    training = prepare_training(config, catalog)
    feed = feed_training(training, training.config, Share())
    (batch,) = feed.batches[1]
    plain = Batches(training.stack, training.samples, training.config, Share())
    expected = make_views(plain[1][0], maker=ViewMaker(training.record.spec, training.stack.layers), config=training.config)
    made = feed.make(batch)
    assert len(made) == len(training.config.views)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(made, expected, strict=True))


def test_several_sensors_are_fed_with_batches_and_views_of_each(catalog):
    training = prepare_training(align_config(alignment=Alignment(size_px=48)), catalog)
    feed = feed_training(training, training.config, Share(1, 2))
    assert isinstance(feed.batches, SensorBatches)
    (batch,) = feed.batches[3]
    views = feed.make(batch)
    assert isinstance(views, SensorViews)
    assert {tuple(each.shape) for each in views.valid} == {(1, 9)}, "one location of two, tokens of 16 px"
    np.testing.assert_array_equal(
        batch.ground[0].numbers, SensorBatches(training.inputs, training.config, Share())[3][0].ground[0].numbers[1:]
    )


@pytest.mark.parametrize("several", [True, False])
def test_a_batch_that_does_not_divide_is_refused(catalog, several):
    one = tiny_config("dino", sensor=SENTINEL, bands=("B04", "B03"), backbone="test_vit", batch_size=2, scaling="native")
    training = prepare_training(align_config() if several else one, catalog)
    with pytest.raises(ConfigError, match="A batch of 2 does not divide among 3 processes"):
        feed_training(training, training.config, Share(0, 3))
