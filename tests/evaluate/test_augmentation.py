"""Images that teach: what is drawn hangs on the seed, the epoch and the item alone."""

import numpy as np
import pytest
import torch

from evaluate.augmentation import TeachingImages
from evaluate.reading import read_blocks
from tests.evaluate.stacks import make_stack
from tests.evaluate.textures import BANDS, SPEC, make_textures
from train.config import InputSpec
from train.views import whole_view


def images(stack, numbers, *, epoch=0, seed=0, augment=True, spec=SPEC):
    """Images of some items, made together."""
    numbers = np.asarray(numbers)
    ((_, pixels),) = read_blocks(stack, numbers, batch_size=len(numbers))
    return TeachingImages(stack, spec, seed=seed, augment=augment).make(numbers, pixels, epoch=epoch)


@pytest.fixture(scope="module")
def stack():
    return make_textures(24)[0]


def test_an_image_hangs_on_nothing_else_in_the_batch(stack):
    together = images(stack, range(24))
    assert together.shape == (24, len(BANDS), SPEC.size_px, SPEC.size_px)
    for number in (0, 7, 23):
        torch.testing.assert_close(images(stack, [number])[0], together[number], rtol=0, atol=0)
    backwards = images(stack, range(23, -1, -1))
    torch.testing.assert_close(backwards.flip(0), together, rtol=0, atol=0)


@pytest.mark.parametrize("other", [{"epoch": 1}, {"seed": 1}])
def test_another_epoch_or_seed_draws_others(stack, other):
    changed = (images(stack, range(24)) != images(stack, range(24), **other)).flatten(1).any(1)
    assert changed.all()


def test_whole_images_are_those_that_features_are_computed_from(stack):
    numbers = np.arange(24)
    ((_, pixels),) = read_blocks(stack, numbers, batch_size=24)
    scale, offset = torch.from_numpy(stack.scale), torch.from_numpy(stack.offset)
    expected = whole_view(pixels, scale, offset, spec=SPEC, layers=stack.layers, all_valid=True)
    torch.testing.assert_close(images(stack, numbers, augment=False), expected, rtol=0, atol=0)
    torch.testing.assert_close(images(stack, numbers, augment=False, epoch=3), expected, rtol=0, atol=0)


def test_images_are_flipped_both_ways_each_half_the_time():
    ramp = (1000 + 10 * np.arange(32)[:, None] + 300 * np.arange(32)[None, :] / 32).astype(np.uint16)
    stack = make_stack({("B04",): np.broadcast_to(ramp, (400, 1, 32, 32)).copy()}, ("B04",), scale=1e-4)
    made = images(stack, range(400), spec=InputSpec("sentinel-2-l2a", ("B04",), (0.0,), (0.3,), (0.5,), (0.1,), 32))[:, 0]
    upside_down = made[:, 0].mean(1) > made[:, -1].mean(1)
    mirrored = made[:, :, 0].mean(1) > made[:, :, -1].mean(1)
    for share in (upside_down, mirrored, upside_down == mirrored):
        assert 0.4 < share.float().mean() < 0.6
    assert made.flatten(1).std(1).unique().numel() > 100, "images are cut differently"


def test_missing_pixels_are_the_mean():
    pixels = np.full((4, 1, 16, 16), 1500, np.uint16)
    pixels[:, :, :8] = 0
    stack = make_stack({("B04",): pixels}, ("B04",), nodata=0, scale=1e-4, valid_percent=50.0)
    spec = InputSpec("sentinel-2-l2a", ("B04",), (0.0,), (0.2,), (0.5,), (0.1,), 16)
    made = images(stack, range(4), spec=spec)
    assert set(made.unique().round(decimals=3).tolist()) == {0.0, 2.5}
