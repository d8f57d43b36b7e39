"""Samples for dense tasks in memory: bright squares on dark noise, no catalog."""

import numpy as np
import torch

from evaluate.dense_features import MapSource, PixelValues, Pyramid
from evaluate.dense_task import DensePart, DenseTask
from evaluate.dense_training import Samples
from tests.evaluate.stacks import make_stack
from train.backbones import make_backbone
from train.config import InputSpec

BANDS = ("B04", "B03", "B02")
SIDE = 32


def make_spec(size_px=SIDE, bands=BANDS):
    """Reflectance as it is."""
    zeros, ones = (0.0,) * len(bands), (1.0,) * len(bands)
    return InputSpec("sentinel-2-l2a", bands, low=zeros, high=ones, mean=zeros, std=ones, size_px=size_px)


def make_squares(count, *, dates=1, seed=0):
    """Images of a bright square somewhere, (items, bands, side, side), and masks of it; of two dates the later one has it."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((count, SIDE, SIDE), np.uint8)
    for mask, (top, left) in zip(masks, rng.integers(0, 16, size=(count, 2)), strict=True):
        mask[top : top + 16, left : left + 16] = 1
    ground = 0.2 + 0.02 * rng.normal(size=(count, dates, len(BANDS), SIDE, SIDE))
    ground[:, -1] += 0.3 * masks[:, None]
    inputs = np.arange(count * dates).reshape(count, dates)
    return ground.reshape(-1, len(BANDS), SIDE, SIDE).astype(np.float32).clip(0, 1), inputs, masks


def make_random_backbone(name="resnet10t", *, size_px=SIDE, bands=3):
    """A backbone that was never trained, always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make_backbone(name, bands=bands, size_px=size_px).eval()


def make_samples(count, *, dates=1, backbone=None, stem=False, keep_gb=1.0, **reading):
    """Samples of bright squares, seen by a backbone or as they are, and the task with the last half tested."""
    pixels, inputs, masks = make_squares(count, dates=dates)
    masks[:, 0] = 255
    stack = make_stack({BANDS: pixels}, BANDS)
    if backbone is None:
        pyramid = PixelValues(bands=len(BANDS), size_px=SIDE)
    else:
        pyramid = Pyramid(backbone, bands=len(BANDS), size_px=SIDE, stem=stem)
    source = MapSource(stack, pyramid, make_spec(), inputs, keep_gb=keep_gb, **reading)
    names = np.asarray([f"place-{number // 2}" for number in range(count)])
    ids = np.asarray([f"item-{number}" for number in range(count)])

    def part(split, places):
        return DensePart(split, inputs[places], masks[places], names[places], ids[places])

    train, test = np.arange(count // 2), np.arange(count // 2, count)
    task = DenseTask(("dark", "bright"), part("train", train), part("test", test), None, 0, "0" * 64)
    return Samples(source, masks, torch.device("cpu")), task
