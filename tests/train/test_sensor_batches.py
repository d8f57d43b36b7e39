"""Batches of several sensors: the same locations for each, dates and crops of its own, one box for all; by the step alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.train.grounds import COMMON, GSD_M, LANDSAT, SENTINEL, SPOT, align_config, make_ground_catalog, positions
from tests.train.test_dataset import assert_same
from train.config import Alignment
from train.dataset import Batches, Share, load_batches
from train.errors import ConfigError
from train.ground_boxes import kernel_margin_m
from train.parameters import COLUMNS
from train.prefetch import on_device
from train.prepare import prepare_training
from train.sensor_batches import SensorBatches

SIDE_M, CROP_M = 240, 150.0
COUNT = 7


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    folder = tmp_path_factory.mktemp("catalog") / "ground"
    make_ground_catalog(folder, positions, count=COUNT, side_m=SIDE_M, dates=3)
    return prepare_training(align_config(alignment=Alignment(crop_m=CROP_M, size_px=32)), str(folder))


def batches_of(training, share=None, **changes):
    return SensorBatches(training.inputs, replace(training.config, **changes), share or Share())


def assert_same_batch(ours, theirs):
    for part, other in zip(ours.parts, theirs.parts, strict=True):
        assert_same(part, other)
    for each, other in zip(ours.ground, theirs.ground, strict=True):
        assert torch.equal(each.numbers, other.numbers)


def test_every_sensor_has_the_same_locations_and_every_location_comes_once_an_epoch(training):
    batches = batches_of(training)
    assert (len(batches), batches.steps_per_epoch) == (12, 3)
    seen = []
    for step in range(3):
        (batch,) = batches[step]
        assert [part.locations.tolist() for part in batch.parts] == [batch.locations.tolist()] * 3
        assert (len(batch), batch.scenes.shape) == (2, (2, 1))
        seen += batch.locations.tolist()
    assert len(set(seen)) == 6
    plain = Batches(training.stack, training.samples, training.config, Share())
    assert seen == [number for step in range(3) for number in plain[step][0].locations.tolist()], "the order of one sensor"


def test_dates_and_crops_of_each_sensor_are_drawn_apart(training):
    batches = batches_of(training)
    dates, crops = [], []
    for step in range(12):
        (batch,) = batches[step]
        dates += np.stack([part.scenes[:, 0].numpy() for part in batch.parts], 1).tolist()
        sides = [SIDE_M / GSD_M[spec.sensor] for spec in training.record.specs]
        boxes = [part.parameters[0].host[:, COLUMNS["box"]] / side for part, side in zip(batch.parts, sides, strict=True)]
        crops += np.stack(boxes, 1).tolist()
    assert len({tuple(each) for each in dates}) > 12, "of 27 triples of dates"
    assert np.abs(np.diff(np.array(crops), axis=1)).max(axis=(1, 2)).min() > 0.01


def test_one_sensor_keeps_its_draws_whatever_others_are_there(training):
    both = SensorBatches(training.inputs[::-1][:2], training.config, Share())
    for step in (0, 5):
        assert_same(both[step][0].parts[1], batches_of(training)[step][0].parts[1])


def test_all_sensors_show_one_box_of_ground_and_one_flip(training):
    batches = batches_of(training)
    for step in (0, 4, 11):
        (batch,) = batches[step]
        boxes = batches.draw_boxes(batch.locations.numpy(), step // 3)
        for each, spec in zip(batch.ground, training.record.specs, strict=True):
            in_metres = each.host[:, COLUMNS["box"]] * GSD_M[spec.sensor]
            np.testing.assert_allclose(in_metres[:, :2], boxes.corner_m, atol=1e-3)
            np.testing.assert_allclose(in_metres[:, 2:], CROP_M, rtol=1e-6)
            assert each.column("flip")[:, 0].tolist() == boxes.flip.tolist()


def test_boxes_lie_anywhere_but_for_the_margin_that_the_coarsest_kernel_needs(training):
    batches, margin = batches_of(training), kernel_margin_m(30, crop_m=CROP_M, size_px=32)
    drawn = [batches.draw_boxes(np.arange(COUNT), epoch) for epoch in range(40)]
    corners = np.concatenate([boxes.corner_m for boxes in drawn])
    assert corners.min() >= margin
    assert corners.max() <= SIDE_M - CROP_M - margin
    assert np.ptp(corners, axis=0).min() > 0.9 * (SIDE_M - CROP_M - 2 * margin)
    assert 0.4 < np.mean([boxes.flip for boxes in drawn]) < 0.6


def test_a_batch_hangs_on_its_step_alone(training):
    batches, again = batches_of(training), batches_of(training)
    backwards = [again[step] for step in reversed(range(12))][::-1]
    for step in range(12):
        assert_same_batch(batches[step][0], backwards[step][0])
    (other,) = batches_of(training, seed=4)[0]
    assert not torch.equal(other.ground[0].numbers, batches[0][0].ground[0].numbers)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_alike_from_workers_and_after_a_restart(training, workers):
    batches = batches_of(training)
    for step, (batch,) in zip(range(7, 10), load_batches(batches, range(7, 10), workers=workers), strict=True):
        assert_same_batch(batch, batches[step][0])


def test_two_processes_and_two_parts_compute_one_batch(training):
    config = {"batch_size": 4, "accumulate": 2}
    (whole,) = batches_of(training, batch_size=4)[1]
    shares = [batches_of(training, Share(rank, 2, 2), **config)[1] for rank in range(2)]
    parts = [part for both in zip(*shares, strict=True) for part in both]
    assert [len(part) for part in parts] == [1] * 4
    assert torch.cat([part.locations for part in parts]).equal(whole.locations)
    for number in range(3):
        assert torch.cat([part.ground[number].numbers for part in parts]).equal(whole.ground[number].numbers)
        assert torch.cat([part.parts[number].pixels[0] for part in parts]).equal(whole.parts[number].pixels[0])


def test_a_batch_moves_as_a_whole(training):
    loaded = [batches_of(training)[step] for step in range(2)]
    for parts, others in zip(on_device(iter(loaded), torch.device("cpu")), loaded, strict=True):
        assert parts is others
    moved = loaded[0][0].to(torch.device("meta"))
    assert (
        {part.pixels[0].device.type for part in moved.parts} == {each.numbers.device.type for each in moved.ground} == {"meta"}
    )
    assert_same_batch(loaded[0][0].to(torch.device("cpu")), loaded[0][0])


@pytest.mark.gpu
def test_a_batch_comes_to_the_gpu_whole(training):
    batches = batches_of(training)
    upcoming = on_device(load_batches(batches, range(4), workers=2, pin_memory=True), torch.device("cuda"))
    for step, (part,) in enumerate(upcoming):
        assert part.locations.device.type == "cuda"
        assert_same_batch(part.to(torch.device("cpu")), batches[step][0])


def test_a_box_larger_than_the_squares_is_refused(training):
    with pytest.raises(ConfigError, match=r"A box of 300 m does not fit squares of 240 m\. Choose --crop-m up to 240"):
        batches_of(training, alignment=Alignment(crop_m=300))


def test_bands_and_sensors_come_as_asked(training):
    assert [spec.sensor for spec in training.record.specs] == list(training.config.sensors)
    assert set(training.config.sensors) == {LANDSAT, SENTINEL, SPOT}
    assert training.config.bands == COMMON
