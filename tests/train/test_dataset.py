"""Batches: the pixels of the very items that were drawn, the same whoever reads them, in whatever parts."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from catalogs import open_catalog
from catalogs.stack import open_stack
from catalogs.testing import make_catalog, make_locations
from tests.train.places import make_places
from train.config import TrainConfig
from train.dataset import Batch, Batches, Share, load_batches
from train.errors import ConfigError
from train.recipes import RECIPES, with_view_size
from train.samples import find_samples
from train.views import draw_parameters

SEED, COUNT, BATCH = 11, 26, 6
DAYS = {f"place-{number:03d}": tuple(90 * day for day in range(3 + number % 3)) for number in range(COUNT)}
"""Locations of three, four and five dates in turn; two are left over in each epoch of batches of six."""
BANDS = {"sentinel-2-l2a": ("B04", "B11", "B02", "B01"), "eurosat-rgb": ("B04", "B03", "B02")}


def make_config(recipe="seco", **changes) -> TrainConfig:
    config = with_view_size(RECIPES[recipe](), 16)
    return replace(config, **({"batch_size": BATCH, "epochs": 3, "seed": SEED} | changes))


def make_batches(stack, config=None, share=None):
    config = config or make_config()
    return Batches(stack, find_samples(stack, dates=config.scenes), config, share or Share())


@pytest.fixture(scope="module")
def stack():
    return make_places(DAYS)


@pytest.fixture(scope="module", params=sorted(BANDS))
def real(request, tmp_path_factory):
    """A catalog of eight locations of four dates, and its stack."""
    locations = [replace(location, split="train") for location in make_locations(8, side_m=240)]
    folder = make_catalog(tmp_path_factory.mktemp("cat"), locations=locations, sensors=(request.param,), seasons=4)
    catalog = open_catalog(str(folder))
    return catalog, open_stack(catalog, catalog.items(sensor=request.param), BANDS[request.param])


def assert_same(one: Batch, other: Batch):
    """Everything equal, bit for bit."""
    assert len(one.pixels) == len(other.pixels)
    for ours, theirs in zip(one.pixels, other.pixels, strict=True):
        assert ours.dtype == theirs.dtype
        assert torch.equal(ours, theirs)
    for name in ("scale", "offset", "locations", "scenes"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name
    for ours, theirs in zip(one.parameters, other.parameters, strict=True):
        assert np.array_equal(ours.host, theirs.host)
        assert torch.equal(ours.numbers, theirs.numbers)
        assert torch.equal(ours.rows, theirs.rows)
        assert ours.counts == theirs.counts
    assert one.all_valid == other.all_valid


def joined(parts):
    """Parts of a batch as plain arrays, one behind the other."""
    views = zip(*(part.parameters for part in parts), strict=True)
    return {
        "pixels": [torch.cat(layers) for layers in zip(*(part.pixels for part in parts), strict=True)],
        "parameters": [np.concatenate([each.host for each in view]) for view in views],
        **{name: torch.cat([getattr(part, name) for part in parts]) for name in ("scale", "offset", "locations", "scenes")},
    }


def assert_joined_equal(parts, whole):
    ours, theirs = joined(parts), joined(whole)
    for name in ("scale", "offset", "locations", "scenes"):
        assert torch.equal(ours[name], theirs[name]), name
    for one, other in zip(ours["pixels"], theirs["pixels"], strict=True):
        assert torch.equal(one, other)
    for one, other in zip(ours["parameters"], theirs["parameters"], strict=True):
        assert np.array_equal(one, other)


def test_a_batch_is_what_the_catalog_reads_of_the_items_drawn(real):
    """By location and day, through `Catalog.read`: no number of an item, no stack takes part."""
    catalog, stack = real
    batches = make_batches(stack, make_config(batch_size=4))
    compared = 0
    for (batch,) in load_batches(batches, range(2), workers=0):
        assert [tensor.shape[:2] for tensor in batch.pixels] == [(4, 3)] * len(stack.layers)
        for row, scene in np.ndindex(4, 3):
            location = batches.samples.locations[batch.locations[row]]
            day = np.datetime64(int(batch.scenes[row, scene]), "D")
            (item,) = catalog.items(sensor=stack.sensor, location=location, start=str(day), end=str(day + 1))
            for layer, pixels in zip(stack.layers, batch.pixels, strict=True):
                expected = catalog.read(item, list(layer.bands))
                assert pixels[row, scene].numpy().dtype == expected.dtype
                assert np.array_equal(pixels[row, scene].numpy(), expected)
                compared += 1
            numbers = {band.name: band for raster in item.rasters for band in raster.bands}
            for place, band in enumerate(stack.bands):
                assert batch.scale[row, scene, place] == np.float32(numbers[band].scale)
                assert batch.offset[row, scene, place] == np.float32(numbers[band].offset)
    assert compared == 2 * 4 * 3 * len(stack.layers)


def test_numbers_and_pixels_are_the_items_own_where_others_stand_between_them():
    """Items of other splits are not trained on, every item has a scale and an offset of its own."""
    names = list(DAYS)
    stack = make_places(DAYS, split={name: ("val", "train", "train")[number % 3] for number, name in enumerate(names)})
    batches = make_batches(stack)
    rows = [(row["location"], row["datetime"].date()) for row in stack.items.select(["location", "datetime"]).to_pylist()]
    fine, coarse = stack.pixels.layers
    (batch,) = batches[1]
    for row, scene in np.ndindex(BATCH, 3):
        day = np.datetime64(int(batch.scenes[row, scene]), "D").astype(object)
        item = rows.index((batches.samples.locations[batch.locations[row]], day))
        assert np.array_equal(batch.scale[row, scene].numpy(), stack.scale[item])
        assert np.array_equal(batch.offset[row, scene].numpy(), stack.offset[item])
        assert np.array_equal(batch.pixels[0][row, scene].numpy(), fine[item])
        assert np.array_equal(batch.pixels[1][row, scene].numpy(), coarse[item])


def test_pixels_stay_in_their_native_type(real):
    _, stack = real
    (batch,) = make_batches(stack, make_config(batch_size=4))[0]
    kind = {"sentinel-2-l2a": torch.uint16, "eurosat-rgb": torch.uint8}[stack.sensor]
    assert {pixels.dtype for pixels in batch.pixels} == {kind}
    assert (batch.scale.dtype, batch.offset.dtype) == (torch.float32, torch.float32)
    assert (batch.locations.dtype, batch.scenes.dtype) == (torch.int64, torch.int64)


@pytest.mark.parametrize("recipe", ["seco", "seco_2021", "moco_tp", "moco"])
def test_every_method_gets_as_many_scenes_and_parameters_as_its_views_show(stack, recipe):
    config = make_config(recipe, bands=())
    (batch,) = make_batches(stack, config)[0]
    assert batch.scenes.shape == (BATCH, config.scenes)
    assert batch.pixels[0].shape == (BATCH, config.scenes, 2, 8, 8)
    assert batch.pixels[1].shape == (BATCH, config.scenes, 1, 4, 4)
    assert batch.scale.shape == batch.offset.shape == (BATCH, config.scenes, 3)
    assert [len(each) for each in batch.parameters] == [BATCH] * len(config.views)
    if config.contrast.distinct_dates:
        assert all(len(set(row)) == config.scenes for row in batch.scenes.tolist())


def test_dates_repeat_where_the_recipe_draws_with_replacement(stack):
    loaded = load_batches(make_batches(stack, make_config("seco_2021", bands=())), range(12), workers=0)
    rows = [row for (batch,) in loaded for row in batch.scenes.tolist()]
    assert 0.3 < np.mean([len(set(row)) < 3 for row in rows]) < 0.9


def test_parameters_are_those_drawn_for_the_locations_of_the_batch(stack):
    batches = make_batches(stack)
    (batch,) = batches[5]
    keys = batches.samples.keys[batch.locations.numpy()]
    drawn = draw_parameters(batches.config.views, seed=SEED, epoch=1, locations=keys, size_px=8, bands=3)
    for ours, theirs in zip(batch.parameters, drawn, strict=True):
        assert np.array_equal(ours.host, theirs.host)


def test_an_epoch_shows_every_location_once_in_its_order_but_for_what_is_left_over(stack):
    batches = make_batches(stack)
    assert (batches.steps_per_epoch, len(batches)) == (4, 12)
    for epoch in range(3):
        seen = torch.cat([batches[4 * epoch + step][0].locations for step in range(4)]).tolist()
        assert seen == batches.samples.order(SEED, epoch)[:24].tolist()
        assert len(set(seen)) == 24


def test_steps_may_be_read_in_any_order(stack):
    forward = make_batches(stack)
    expected = {step: forward[step][0] for step in range(9)}
    other = make_batches(stack)
    for step in (8, 0, 5, 1, 8):
        assert_same(other[step][0], expected[step])


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_are_the_same_for_any_number_of_workers(stack, workers):
    batches = make_batches(stack)
    alone = list(load_batches(batches, range(9), workers=0))
    for ours, theirs in zip(load_batches(batches, range(9), workers=workers), alone, strict=True):
        assert_same(ours[0], theirs[0])


def test_workers_read_a_catalog_as_this_process_does(real):
    _, stack = real
    batches = make_batches(stack, make_config(batch_size=4))
    (alone,), (other,) = (list(load_batches(batches, [3], workers=workers)) for workers in (0, 1))
    assert_same(alone[0], other[0])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_start_in_the_middle_of_an_epoch_gives_the_batches_that_would_have_come(stack, workers):
    whole = list(load_batches(make_batches(stack), range(10), workers=0))
    for ours, theirs in zip(load_batches(make_batches(stack), range(6, 10), workers=workers), whole[6:], strict=True):
        assert_same(ours[0], theirs[0])


@pytest.mark.parametrize("accumulate", [2, 3, 6])
def test_a_batch_in_parts_is_the_whole_batch(stack, accumulate):
    for step in (0, 5):
        whole = make_batches(stack)[step]
        parts = make_batches(stack, share=Share(accumulate=accumulate))[step]
        assert [len(part) for part in parts] == [BATCH // accumulate] * accumulate
        assert_joined_equal(parts, whole)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_processes_share_each_part_of_a_batch_in_the_order_of_their_ranks(stack, accumulate):
    expected = make_batches(stack, share=Share(accumulate=accumulate))[7]
    shares = [make_batches(stack, share=Share(rank, 2, accumulate))[7] for rank in range(2)]
    assert [len(parts) for parts in shares] == [accumulate] * 2
    for whole, parts in zip(expected, zip(*shares, strict=True), strict=True):
        assert_joined_equal(parts, [whole])


def test_a_location_is_drawn_the_same_beside_any_other(stack):
    """Those of five dates do not change what those of three draw."""
    batches = make_batches(stack)
    chosen = np.arange(COUNT)
    whole = batches.read(chosen, 2)
    order = np.random.default_rng(0).permutation(COUNT)
    other = batches.read(chosen[order], 2)
    assert torch.equal(other.scenes, whole.scenes[order])
    assert torch.equal(other.pixels[0], whole.pixels[0][order])
    for ours, theirs in zip(other.parameters, whole.parameters, strict=True):
        assert np.array_equal(ours.host, theirs.host[order])


def test_each_epoch_and_each_seed_draws_anew(stack):
    chosen = np.arange(COUNT)
    batches = make_batches(stack)
    one = batches.read(chosen, 0)
    for other in (batches.read(chosen, 1), make_batches(stack, make_config(seed=12)).read(chosen, 0)):
        assert not torch.equal(one.scenes, other.scenes)
        assert not np.array_equal(one.parameters[0].host, other.parameters[0].host)


@pytest.mark.parametrize(("percent", "expected"), [(100.0, True), (99.99, False), (0.0, False), (np.nan, False)])
def test_a_batch_is_known_to_be_valid_where_all_its_items_are(percent, expected):
    valid = np.full(sum(len(days) for days in DAYS.values()), 100.0)
    valid[7] = percent
    stack = make_places(DAYS, valid_percent=valid)
    batches = make_batches(stack, make_config("moco"))
    samples = batches.samples
    location = int(np.searchsorted(samples.starts, np.flatnonzero(samples.items == 7)[0], side="right")) - 1
    others = np.setdiff1d(np.arange(COUNT), [location])
    assert batches.read(others, 0).all_valid
    shown = {bool(batches.read(np.array([location]), epoch).all_valid) for epoch in range(20)}
    assert shown == ({True} if expected else {True, False}), "by the item drawn, not by the location"


def test_a_batch_larger_than_the_data_is_refused(stack):
    words = "A batch of 32 locations is larger than the data: 26 to train on. Choose --batch-size 8 or less, or sample more"
    with pytest.raises(ConfigError, match=words):
        make_batches(stack, make_config(batch_size=32))


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (Share(0, 4), "A batch of 6 does not divide among 4 processes in 1 parts each. Choose --batch-size 4 or 8."),
        (Share(0, 2, 2), "A batch of 6 does not divide among 2 processes in 2 parts each. Choose --batch-size 4 or 8."),
        (Share(0, 8), "A batch of 6 does not divide among 8 processes in 1 parts each. Choose --batch-size 8."),
    ],
)
def test_a_batch_that_does_not_divide_is_refused_with_what_would(stack, share, words):
    with pytest.raises(ConfigError, match=words):
        make_batches(stack, share=share)


def test_a_batch_moves_to_a_device_whole(stack):
    (batch,) = make_batches(stack)[0]
    moved = batch.to(torch.device("meta"))
    assert {tensor.device.type for tensor in moved.pixels} == {"meta"}
    for each in fields(Batch):
        value = getattr(moved, each.name)
        if isinstance(value, torch.Tensor):
            assert value.device.type == "meta", each.name
    assert all(each.numbers.device.type == "meta" for each in moved.parameters)
    assert (len(moved), moved.all_valid) == (BATCH, True)
    assert_same(batch.to(torch.device("cpu")), batch)


@pytest.mark.gpu
def test_a_batch_in_page_locked_memory_is_the_same(stack):
    batches = make_batches(stack)
    for pinned, plain in zip(
        load_batches(batches, range(2), workers=1, pin_memory=True), load_batches(batches, range(2), workers=0), strict=True
    ):
        assert all(tensor.is_pinned() for tensor in pinned[0].pixels)
        assert_same(pinned[0], plain[0])
        back = pinned[0].to(torch.device("cuda")).to(torch.device("cpu"))
        torch.cuda.synchronize()
        assert_same(back, plain[0])
