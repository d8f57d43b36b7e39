"""What a method of several sensors sees: one ground in metres on the pixels of each, and crops of each as of one sensor."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch

from tests.train.grounds import (
    GSD_M,
    LANDSAT,
    PAIRS,
    SENTINEL,
    SPOT,
    align_config,
    denormalise,
    make_ground_catalog,
    positions,
    round_boxes,
    token_means,
)  # fmt: skip
from train.config import Alignment
from train.dataset import Share
from train.feeding import feed_training
from train.prepare import prepare_training
from train.sensor_batches import SensorBatches
from train.sensor_views import SensorViewMaker
from train.steps import make_views
from train.views import ViewMaker

SIDE_M = 1320
TOKENS = 14


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    """Images whose value is their pixel centre's northing, and in the other band its easting, in sides of the square."""
    return str(make_ground_catalog(tmp_path_factory.mktemp("catalog") / "positions", positions, count=2, side_m=SIDE_M))


def prepare(catalog, **alignment):
    return prepare_training(align_config(alignment=Alignment(**alignment)), str(catalog))


def token_centers(batch, gsd_m):
    """Where the tokens of a batch lie, from boxes and flips alone, (batch, 2, 14, 14) metres."""
    box = batch.ground[0].column("box").double().numpy() * gsd_m
    flip = batch.ground[0].column("flip").numpy()
    along = box[:, :2, None] + (np.arange(TOKENS) + 0.5) * box[:, 2:, None] / TOKENS
    down, across = along[:, 0], np.where(flip > 0, along[:, 1, ::-1], along[:, 1])
    shape = (len(box), TOKENS, TOKENS)
    return torch.from_numpy(np.stack((np.broadcast_to(down[:, :, None], shape), np.broadcast_to(across[:, None], shape)), 1))


def farthest(training, *, side_m=SIDE_M, batched=None, change=None):
    """How far apart the ground of a token of two sensors lies at most, and of a token and its box's, metres."""
    batches = SensorBatches(training.inputs, training.config, Share())
    make = SensorViewMaker(training.inputs, training.config, tokens=TOKENS, batched=batched)
    apart, away, flips = dict.fromkeys(PAIRS, 0.0), 0.0, set()
    for step in range(len(batches)):
        (batch,) = batches[step]
        make, batch = (make, batch) if change is None else change(make, batch)
        shown = token_means(training, make(batch).ground, side_m)
        centers = token_centers(batch, GSD_M[training.record.spec.sensor])
        for pair in PAIRS:
            apart[pair] = max(apart[pair], (shown[pair[0]] - shown[pair[1]]).abs().max().item())
        away = max(away, *((each - centers).abs().max().item() for each in shown.values()))
        flips |= set(batch.ground[0].column("flip")[:, 0].tolist())
    assert flips == {0.0, 1.0}
    return apart, away


@pytest.mark.parametrize(("crop_m", "batched"), [(1270.7, True), (840.0, False), (301.3, True)])
def test_one_crop_in_metres_shown_on_pixels_of_30_and_10_and_1_5_metres_is_the_same_ground(catalog, crop_m, batched):
    """From the catalog's files through crop, flip and resize; token means agree to half a pixel of the finer sensor."""
    apart, away = farthest(prepare(catalog, crop_m=crop_m), batched=batched)
    for (_, fine), metres in apart.items():
        assert metres < GSD_M[fine] / 2
    assert max(*apart.values(), away) < 0.05, "with pixels beyond the box"


@pytest.mark.slow
def test_whole_squares_of_the_paper_show_the_same_ground_to_half_a_pixel_though_there_is_none_beyond(tmp_path):
    training = prepare(make_ground_catalog(tmp_path / "wide", positions, count=2, side_m=2640))
    apart, away = farthest(training, side_m=2640)
    for (_, fine), metres in apart.items():
        assert metres < GSD_M[fine] / 2
    assert away < 0.75


def clip(make, batch):
    make.target = replace(make.target, beyond=False)
    return make, batch


def on_whole_pixels(make, batch):
    return clip(make, replace(batch, ground=tuple(map(round_boxes, batch.ground))))


@pytest.mark.parametrize(("change", "least"), [(clip, 1.0), (on_whole_pixels, 5.0)])
def test_clipped_kernels_and_rounded_boxes_would_show_other_ground(catalog, change, least):
    training = prepare(catalog, crop_m=840.0)
    given, _ = farthest(training, change=change)
    assert given[LANDSAT, SPOT] > least


def test_crops_are_those_of_each_sensor_alone(catalog):
    training = prepare(catalog, crop_m=840.0)
    feed = feed_training(training, training.config, Share())
    (batch,) = feed.batches[1]
    views = feed.make(batch)
    assert len(views.crops) == len(views.ground) == len(views.valid) == 3
    for each, part, crops in zip(training.inputs, batch.parts, views.crops, strict=True):
        alone = make_views(part, maker=ViewMaker(each.spec, each.stack.layers), config=training.config)
        assert [tuple(crop.shape) for crop in crops] == [(2, 2, 32, 32)] * 2 + [(2, 2, 16, 16)] * 2
        for ours, theirs in zip(crops, alone, strict=True):
            assert torch.equal(ours, theirs)
    for first, second in combinations(views.crops, 2):
        assert not torch.allclose(first[0], second[0], atol=0.05)


def test_the_ground_is_of_the_size_asked_for_and_not_augmented(catalog):
    training = prepare(catalog, size_px=64)
    feed = feed_training(training, training.config, Share())
    (batch,) = feed.batches[0]
    views = feed.make(batch)
    assert {tuple(each.shape) for each in views.ground} == {(2, 2, 64, 64)}
    assert {tuple(each.shape) for each in views.valid} == {(2, 16)}
    flip = batch.ground[0].column("flip")[:, 0]
    ramp = (torch.arange(64) + 0.5) / 64
    for each, spec in zip(views.ground, training.record.specs, strict=True):
        shown = denormalise(each, spec)
        for sample in range(2):
            expected = ramp.flip(0) if flip[sample] else ramp
            inner = slice(2, 62)  # at the edge of the square a kernel sees one side alone
            assert (shown[sample, 0] - ramp[:, None])[inner, inner].abs().max() < 0.005
            assert (shown[sample, 1] - expected[None])[inner, inner].abs().max() < 0.005


def test_a_sensor_that_is_not_trained_on_has_ground_and_no_crops(catalog):
    config = align_config(sensors=(SPOT, SENTINEL), epochs=2, alignment=Alignment(adapt_sensor=SPOT, crop_m=600.0))
    training = prepare_training(config, catalog, init="random:test_vit")
    feed = feed_training(training, training.config, Share())
    views = feed.make(feed.batches[0][0])
    assert [len(crops) for crops in views.crops] == [4, 0]
    assert [len(each) for each in views.ground] == [2, 2]


def holes(sensor, place, _date, pixels):
    """Paint: nothing is measured in the northern half of the first place, in the west of the second by one band of SPOT."""
    values = positions(sensor, place, _date, pixels)
    half = pixels // 2
    if place == 0 and sensor == SENTINEL:
        values[:, :half] = np.nan
    if place == 1 and sensor == SPOT:
        values[1, :, :half] = np.nan
    return values


def test_tokens_are_valid_where_half_of_their_ground_is_in_every_band(tmp_path):
    catalog = make_ground_catalog(tmp_path / "holes", holes, count=3, side_m=240)
    training = prepare(catalog, size_px=64)
    batches = SensorBatches(training.inputs, training.config, Share())
    make = SensorViewMaker(training.inputs, training.config, tokens=4)
    chosen = np.arange(3)
    batch = batches.read(chosen, batches.draw_boxes(chosen, 0), 0)
    views = make(batch)
    valid = {spec.sensor: each.view(3, 4, 4) for spec, each in zip(training.record.specs, views.valid, strict=True)}
    flip = batch.ground[0].column("flip")[:, 0].tolist()
    north, west = torch.zeros(4, 4, dtype=torch.bool), torch.zeros(4, 4, dtype=torch.bool)
    north[:2], west[:, :2] = True, True
    assert torch.equal(valid[SENTINEL][0], ~north)
    assert torch.equal(valid[SPOT][1], west if flip[1] else ~west)
    assert valid[LANDSAT].all()
    assert valid[SENTINEL][1:].all()
    assert valid[SPOT][[0, 2]].all()
    sentinel = views.ground[[spec.sensor for spec in training.record.specs].index(SENTINEL)]
    assert not sentinel[0, :, :31].any(), "the mean"


def test_views_are_a_function_of_the_step_alone(catalog):
    training = prepare(catalog, crop_m=840.0)
    feeds = [feed_training(training, training.config, Share()) for _ in range(2)]
    for step in (5, 0):
        first, again = (feed.make(feed.batches[step][0]) for feed in feeds)
        for ours, theirs in zip(first.ground + first.valid, again.ground + again.valid, strict=True):
            assert torch.equal(ours, theirs)
        for ours, theirs in zip(sum(first.crops, ()), sum(again.crops, ()), strict=True):
            assert torch.equal(ours, theirs)


@pytest.mark.gpu
def test_views_on_a_gpu_are_those_of_the_cpu(catalog):
    training = prepare(catalog, crop_m=840.0)
    feed = feed_training(training, training.config, Share())
    (batch,) = feed.batches[0]
    here, there = feed.make(batch), feed.make(batch.to(torch.device("cuda")))
    for ours, theirs in zip((*here.ground, *sum(here.crops, ())), (*there.ground, *sum(there.crops, ())), strict=True):
        assert (ours - theirs.cpu()).abs().max() < 1e-3
    assert all(torch.equal(ours, theirs.cpu()) for ours, theirs in zip(here.valid, there.valid, strict=True))
