"""One box on the ground for every sensor: token i of each shows the same ground, whatever its pixels.

Boxes are in metres and are never rounded to pixels, whose edges differ between sensors: rounded, tokens of 30 m and of 1.5 m
pixels lie 11 to 13 m apart, where half a pixel of the finer one is 0.75 m. The kernel sees the pixels around a box, as far as
the patch has them: cut off at the box, it would shift what lies at its edge.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.draws import uniforms
from train.errors import ConfigError
from train.resampling import EDGE, LEAST_VALID, SUPPORT, exact_products, resample, share_out

SIZE_PX = 224
"""Side of a view that is aligned."""
TOKENS = 14
"""Tokens along its side."""


@dataclass(frozen=True, slots=True)
class PatchGround:
    """Where the pixels of a sensor's patch lie."""

    gsd_m: float
    """Side of a pixel."""
    top_m: float = 0.0
    """Of the patch, southwards from the square's upper edge; negative where the patch begins outside."""
    left_m: float = 0.0
    """Of the patch, eastwards from the square's left edge; negative where the patch begins outside."""


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

    def in_pixels(self, ground: PatchGround) -> NDArray[np.float64]:
        """Boxes as top, left, height and width in pixels of a patch, (locations, 4), on any fraction of one."""
        sides = np.full_like(self.corner_m, self.side_m)
        return np.concatenate((self.corner_m - (ground.top_m, ground.left_m), sides), axis=1) / ground.gsd_m


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
    side_m = square_m if crop_m is None else crop_m
    if not 0 < side_m <= square_m:
        raise ConfigError(f"A box of {side_m:g} m does not fit squares of {square_m:g} m. Choose --crop-m up to {square_m:g}.")
    draws = uniforms(seed, "ground box", epoch=epoch, locations=locations, view=0, count=3)
    free_m = square_m - side_m
    kept_m = min(margin_m, free_m / 2)
    return GroundBoxes(kept_m + draws[:, :2] * (free_m - 2 * kept_m), side_m, (draws[:, 2] < flip).astype(np.float64))


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


def cut_ground(
    pixels: Tensor,
    valid: Tensor | None,
    boxes: GroundBoxes,
    ground: PatchGround,
    *,
    size_px: int = SIZE_PX,
    interpolation: str = "bilinear",
) -> tuple[Tensor, Tensor | None]:
    """Cut the same ground out of each patch, flip and resize it.

    Args:
        pixels: Of one sensor, (locations, bands, height, width), float32.
        valid: Where they are measurements, of the same shape, boolean; None where everywhere.
        boxes: What is shown of each.
        ground: Where the pixels lie.
        size_px: Side of the output.
        interpolation: `bilinear` or `bicubic`, antialiased.

    Returns:
        (locations, bands, size_px, size_px), 0 where too little of the kernel saw valid pixels; and where it is valid, of the
        same shape, None where `valid` is.

    Raises:
        ValueError: A box is not within its patch.
    """
    reach = SUPPORT[interpolation] * max(boxes.side_m / ground.gsd_m / size_px, 1.0)
    weights = None if valid is None else valid.to(pixels.dtype)
    cuts, shares = [], []
    for sample, (rows, columns, box, flip) in enumerate(_windows(pixels, boxes, ground, reach)):
        window = (slice(sample, sample + 1), slice(None), rows, columns)
        inside, weight = pixels[window], None if weights is None else weights[window]
        if weight is not None:
            inside = torch.where(weight > 0, inside, 0.0)
            shares.append(resample(weight, box, size_px=size_px, interpolation=interpolation, flip=flip, beyond=True))
        cuts.append(resample(inside, box, size_px=size_px, interpolation=interpolation, flip=flip, beyond=True))
    return (torch.cat(cuts), None) if valid is None else share_out(torch.cat(cuts), torch.cat(shares))


def valid_shares(valid: Tensor, boxes: GroundBoxes, ground: PatchGround, *, tokens: int = TOKENS) -> Tensor:
    """How much of each token's ground is valid.

    Args:
        valid: Where every band of one sensor has a measurement, (locations, height, width), boolean.
        boxes: What is shown of each.
        ground: Where the pixels lie.
        tokens: Along the side of a view.

    Returns:
        Shares from 0 to 1, (locations, tokens * tokens), row by row as a ViT has them: exact areas, in which ground beyond the
        patch is not valid.
    """
    box = torch.from_numpy(boxes.in_pixels(ground)).to(valid.device)
    flip = torch.from_numpy(boxes.flip).to(valid.device)
    down = _overlaps(box[:, 0], box[:, 2], pixels=valid.shape[1], cells=tokens)
    across = _overlaps(box[:, 1], box[:, 3], pixels=valid.shape[2], cells=tokens)
    across = torch.where(flip[:, None, None] > 0, across.flip(1), across)
    with exact_products(valid.device):
        return (down @ (valid.float() @ across.mT)).flatten(1)


def token_validity(valid: Tensor, boxes: GroundBoxes, ground: PatchGround, *, tokens: int = TOKENS) -> Tensor:
    """Whether at least half of each token's ground is valid, (locations, tokens * tokens); arguments as of `valid_shares`."""
    return valid_shares(valid, boxes, ground, tokens=tokens) >= LEAST_VALID - 1e-5


def _windows(
    pixels: Tensor, boxes: GroundBoxes, ground: PatchGround, reach: float
) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
    """Rows and columns that the kernel sees of each patch, the box counted from there, the flip; the device is never asked."""
    size = (int(pixels.shape[-2]), int(pixels.shape[-1]))
    for (top, left, height, width), flip in zip(boxes.in_pixels(ground).tolist(), boxes.flip.tolist(), strict=True):
        if min(top, left) < -EDGE or top + height > size[0] + EDGE or left + width > size[1] + EDGE:
            raise ValueError(
                f"A box of {boxes.side_m:g} m begins {top:.2f} px below and {left:.2f} px right of the corner of a patch of "
                f"{size[0]} x {size[1]} px of {ground.gsd_m:g} m, and is not within it. Draw boxes for the patch's square."
            )
        rows, columns = _seen(top, height, reach, size[0]), _seen(left, width, reach, size[1])
        box = torch.tensor([[top - rows.start, left - columns.start, height, width]], dtype=pixels.dtype)
        yield rows, columns, box.to(pixels.device), torch.tensor([flip], device=pixels.device)


def _seen(start: float, length: float, reach: float, pixels: int) -> slice:
    """Lines of a patch within reach of a box."""
    return slice(max(math.floor(start - reach), 0), min(math.ceil(start + length + reach), pixels))


def _overlaps(start: Tensor, length: Tensor, *, pixels: int, cells: int) -> Tensor:
    """Share of each cell of a box that each line of pixels covers, (locations, cells, pixels), float32."""
    step = (length / cells)[:, None, None]
    lines = torch.arange(pixels, device=start.device, dtype=start.dtype)
    begins = start[:, None, None] + step * torch.arange(cells, device=start.device, dtype=start.dtype)[:, None]
    covered = torch.minimum(lines + 1, begins + step) - torch.maximum(lines, begins)
    return (covered.clamp(min=0) / step).float()
