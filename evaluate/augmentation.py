"""Images that teach: whole, or cut and flipped anew in each epoch, by (seed, epoch, item) and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from catalogs.stack import Stack
from train.config import Crop, View
from train.views import ViewMaker, draw_parameters, whole_view

if TYPE_CHECKING:
    from train.config import InputSpec

SCALE = (0.5, 1.0)
"""Least and greatest share of the patch's area that is cut out."""
FLIP = 0.5
"""Probability of a flip, of each of the two."""


def draw_key(text: str) -> int:
    """64 bits that stand for a text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


class TeachingImages:
    """Makes images of a stack's items as weights read them, for training."""

    def __init__(self, stack: Stack, spec: InputSpec, *, seed: int, augment: bool) -> None:
        """Say what comes in and what goes out.

        Args:
            stack: Pixels, opened with the bands of `spec`.
            spec: What the weights expect.
            seed: Of cuts and flips.
            augment: Cut a random box, by the law of torchvision's `RandomResizedCrop`, and flip it, left to right and top to
                bottom; otherwise images are what features are computed from.
        """
        self._stack = stack
        self._spec = spec
        self._seed = seed
        self._augment = augment
        self._maker = ViewMaker(spec, stack.layers)
        crop = Crop(spec.size_px, SCALE, interpolation=spec.interpolation, flip=FLIP)
        self._views = (View("image", 0, crop), View("upside down", 0, crop))
        self._ids = stack.items["id"].to_pylist()
        self._valid = stack.items["valid_percent"].to_numpy(zero_copy_only=False)

    def make(self, numbers: NDArray[np.int64], pixels: Sequence[Tensor], *, epoch: int) -> Tensor:
        """Images of some items.

        Args:
            numbers: Of the items, (count,).
            pixels: Of each layer, (count, bands, height, width), native type, where the images are wanted.
            epoch: From 0.

        Returns:
            (count, bands, size, size), float32.
        """
        stack, device = self._stack, pixels[0].device
        scale, offset = (torch.from_numpy(each[numbers]).to(device) for each in (stack.scale, stack.offset))
        all_valid = bool((self._valid[numbers] >= 100).all())  # unknown is NaN, and NaN is not
        if not self._augment:
            return whole_view(pixels, scale, offset, spec=self._spec, layers=stack.layers, all_valid=all_valid)
        keys = np.asarray([draw_key(self._ids[number]) for number in numbers.tolist()], np.uint64)
        drawn, turned = draw_parameters(
            self._views, seed=self._seed, epoch=epoch, locations=keys,
            size_px=stack.layers[0].height, bands=len(self._spec.bands),
        )  # fmt: skip
        images, _ = self._maker(pixels, scale, offset, self._views[0], drawn.to(device), all_valid=all_valid)
        upside_down = turned.column("flip").to(device) > 0
        return torch.where(upside_down[..., None, None], images.flip(2), images)
