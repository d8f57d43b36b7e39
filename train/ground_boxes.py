"""One box on the ground for every sensor: token i of each shows the same ground, whatever its pixels.

Boxes are in metres and are never rounded to pixels, whose edges differ between sensors: rounded, tokens of 30 m and of 1.5 m
pixels lie 11 to 17 m apart, where half a pixel of the finer one is 0.75 m. The kernel sees the pixels around a box, as far as
the patch has them: cut off at the box, it would shift what lies at its edge. A box as large as its square has none beyond it:
the mean position of a token at its edge is then off by the square of a pixel's side over eight times the token's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.draws import uniforms
from train.errors import ConfigError
from train.parameters import ViewParameters, cut_parameters
from train.resampling import SUPPORT, exact_products

SIZE_PX = 224
"""Side of a view that is aligned."""
TOKENS = 14
"""Tokens along its side."""


@dataclass(frozen=True, slots=True, eq=False)
class GroundBoxes:
    """What is shown of each location, by every sensor."""

    corner_m: NDArray[np.float64]
    """Top and left of each box from the upper-left corner of its square, southwards and eastwards, (locations, 2)."""
    side_m: float
    """Of every box."""
    flip: NDArray[np.float64]
    """1 where left and right change places, (locations,)."""

    def __len__(self) -> int:
        return len(self.corner_m)

    def in_pixels(self, gsd_m: float) -> NDArray[np.float64]:
        """Top, left, height and width in pixels of so many metres, (locations, 4), on any fraction of one."""
        sides = np.full_like(self.corner_m, self.side_m)
        return np.concatenate((self.corner_m, sides), axis=1) / gsd_m

    def parameters(self, gsd_m: float, *, bands: int) -> ViewParameters:
        """What a view of the boxes is made with, where nothing else is done to it.

        Args:
            gsd_m: Side of a pixel of the finest layer.
            bands: Channels of the view.
        """
        return cut_parameters(self.in_pixels(gsd_m), self.flip, bands=bands)


def draw_ground_boxes(
    seed: int,
    *,
    epoch: int,
    locations: NDArray[np.uint64],
    square_m: float,
    crop_m: float | None = None,
    margin_m: float = 0.0,
    flip: float = 0.5,
) -> GroundBoxes:
    """Draw a box anywhere in each square, and whether it is flipped.

    Args:
        seed: Of the training.
        epoch: From 0.
        locations: (locations,), keys as `train.draws.location_key` makes them.
        square_m: Side of a square.
        crop_m: Side of a box; the square's where None, as in the paper.
        margin_m: What is to lie between a box and the edge of its square, as far as there is room; see `kernel_margin_m`.
        flip: Probability of a horizontal flip.

    Returns:
        A location's box and flip hang on the seed, the epoch and the location alone: all its sensors and dates have the same.

    Raises:
        ConfigError: The box has no area, or is larger than the square.
    """
    side_m = box_side_m(square_m, crop_m)
    draws = uniforms(seed, "ground box", epoch=epoch, locations=locations, view=0, count=3)
    free_m = square_m - side_m
    kept_m = min(margin_m, free_m / 2)
    return GroundBoxes(kept_m + draws[:, :2] * (free_m - 2 * kept_m), side_m, (draws[:, 2] < flip).astype(np.float64))


def box_side_m(square_m: float, crop_m: float | None) -> float:
    """Side of every box.

    Args:
        square_m: Side of a square.
        crop_m: What is asked for; the square's where None.

    Raises:
        ConfigError: The box has no area, or is larger than the square.
    """
    side_m = square_m if crop_m is None else crop_m
    if not 0 < side_m <= square_m:
        raise ConfigError(f"A box of {side_m:g} m does not fit squares of {square_m:g} m. Choose --crop-m up to {square_m:g}.")
    return side_m


def kernel_margin_m(gsd_m: float, *, crop_m: float, size_px: int = SIZE_PX, interpolation: str = "bilinear") -> float:
    """How far beyond a box a patch has to reach, so that no kernel misses a pixel.

    Args:
        gsd_m: Side of a pixel of the patch.
        crop_m: Side of the box.
        size_px: Side of the output.
        interpolation: `bilinear` or `bicubic`.

    Examples:
        >>> round(kernel_margin_m(30, crop_m=2640), 1)
        9.1
    """
    step_m = crop_m / size_px
    return max(SUPPORT[interpolation] * max(step_m, gsd_m) - (step_m + gsd_m) / 2, 0.0)


def valid_shares(valid: Tensor, box: Tensor, flip: Tensor, *, tokens: int = TOKENS) -> Tensor:
    """How much of each token's ground is valid.

    Args:
        valid: Where every band of one layer has a measurement, (locations, height, width), boolean.
        box: What is shown of each: top, left, height and width in its pixels, (locations, 4).
        flip: 1 where left and right change places, (locations,).
        tokens: Along the side of a view.

    Returns:
        Shares from 0 to 1, (locations, tokens * tokens), row by row as a ViT has them: exact areas, in which ground beyond the
        patch is not valid.
    """
    down = _overlaps(box[:, 0], box[:, 2], pixels=valid.shape[1], cells=tokens)
    across = _overlaps(box[:, 1], box[:, 3], pixels=valid.shape[2], cells=tokens)
    across = torch.where(flip[:, None, None] > 0, across.flip(1), across)
    with exact_products(valid.device):
        return (down @ (valid.float() @ across.mT)).flatten(1)


def _overlaps(start: Tensor, length: Tensor, *, pixels: int, cells: int) -> Tensor:
    """Share of each cell of a box that each line of pixels covers, (locations, cells, pixels), float32."""
    start, step = start.double()[:, None, None], (length.double() / cells)[:, None, None]
    lines = torch.arange(pixels, device=start.device, dtype=start.dtype)
    begins = start + step * torch.arange(cells, device=start.device, dtype=start.dtype)[:, None]
    covered = torch.minimum(lines + 1, begins + step) - torch.maximum(lines, begins)
    return (covered.clamp(min=0) / step).float()
