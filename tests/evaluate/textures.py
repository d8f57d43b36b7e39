"""Textures that a network has to learn: stripes on one diagonal or the other, under noise."""

import numpy as np
import torch

from evaluate.task import Part
from tests.evaluate.stacks import make_stack
from train.backbones import make_backbone
from train.config import InputSpec

SIZE_PX = 16
BANDS = ("B04", "B08")
SPEC = InputSpec("sentinel-2-l2a", BANDS, (0.0, 0.0), (0.2, 0.2), (0.5, 0.5), (0.1, 0.1), SIZE_PX)


def make_textures(count, *, seed=0, noise=2.0):
    """A stack of images of two classes in turn, and the classes; a flip makes the one class of the other."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    rows, columns = np.mgrid[:SIZE_PX, :SIZE_PX]
    along = rows + np.where(labels, 1, -1)[:, None, None] * columns
    waves = np.sin(2 * np.pi * along / 5 + rng.uniform(0, 2 * np.pi, (count, 1, 1)))
    numbers = 1000 + 100 * (waves + noise * rng.normal(size=waves.shape))
    pixels = np.repeat(numbers[:, None], len(BANDS), axis=1).clip(0).astype(np.uint16)
    return make_stack({BANDS: pixels}, BANDS, scale=1e-4), labels


def make_part(labels, start=0, *, split="train"):
    """Items from a number on, each of a location of its own."""
    items = np.arange(start, start + len(labels))
    names = np.asarray([f"item-{item}" for item in items])
    return Part(split, items, np.asarray(labels), names, names)


def make_start(name="test_resnet"):
    """A backbone with random weights, always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make_backbone(name, bands=len(BANDS), size_px=SIZE_PX).eval()
