"""Cutting, resizing and mirroring in one antialiased, separable step.

The kernel is torchvision's and Pillow's: a triangle (`bilinear`) or Keys' cubic with a = -1/2 (`bicubic`), widened by the
reduction, its weights over the pixels that it may see summing to 1. There are two ways to the same numbers. `resample`
multiplies a batch by a matrix of weights for each sample, which suits a GPU. `resample_one` adds, for each line of the output,
the few lines that weigh anything, which on a CPU takes about 60 % of the time of torch's own antialiased `interpolate`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

SUPPORT = {"bilinear": 1.0, "bicubic": 2.0}
"""Half the kernel's width in output pixels."""
LEAST_VALID = 0.5
"""Share of the kernel's weight that must lie on valid pixels."""
EDGE = 1e-3
"""A box that ends this close to a pixel's edge, in pixels, ends there: float32 cannot tell."""


@dataclass(frozen=True, slots=True)
class Taps:
    """For each line of an output, the few lines of the input that it is made of."""

    touched: slice
    """Lines of the input that the box touches, or that lie within the kernel's reach of it."""
    lines: Tensor
    """(bands * size, count), int64, counted from the first that is touched, through all bands."""
    weights: Tensor
    """(bands * size, count), float32; they sum to 1 over the last dimension."""


def resample(
    pixels: Tensor, boxes: Tensor, *, size_px: int, interpolation: str, flip: Tensor | None = None, beyond: bool = False
) -> Tensor:
    """Cut a box out of each sample of a batch and resize it.

    Args:
        pixels: (batch, bands, height, width), float32.
        boxes: (batch, 4) or (1, 4) for all: top, left, height and width in pixels, on any fraction of one.
        size_px: Side of the output.
        interpolation: `bilinear` or `bicubic`.
        flip: (batch,), 1 where left and right change places; None where nowhere.
        beyond: Let the kernel see the pixels around the box; otherwise only those that the box touches, as if it had been
            cut out first.

    Returns:
        (batch, bands, size_px, size_px). Bicubic values may overshoot the input's range.
    """
    height, width = pixels.shape[-2:]
    weigh = partial(axis_weights, size_px=size_px, interpolation=interpolation, beyond=beyond)
    down = weigh(boxes[:, 0], boxes[:, 2], pixels=height)
    across = weigh(boxes[:, 1], boxes[:, 3], pixels=width)
    if flip is not None:
        across = torch.where(flip[:, None, None] > 0, across.flip(1), across)
    with exact_products(pixels.device):
        return down[:, None] @ (pixels @ across[:, None].transpose(-1, -2))


def axis_weights(
    start: Tensor, length: Tensor, *, pixels: int, size_px: int, interpolation: str, beyond: bool = False
) -> Tensor:
    """What each line of the input weighs in each line of the output.

    Args:
        start: (batch,), where the box begins, pixels.
        length: (batch,), its length, pixels.
        pixels: Lines of the input.
        size_px: Lines of the output.
        interpolation: `bilinear` or `bicubic`.
        beyond: See `resample`.

    Returns:
        (batch, size_px, pixels); each row sums to 1.
    """
    lines = torch.arange(pixels, device=start.device, dtype=start.dtype)
    there = torch.ones_like(lines, dtype=torch.bool) if beyond else None
    return _weigh(lines - start[:, None, None], length, size_px=size_px, interpolation=interpolation, seen=there)


def axis_taps(
    start: Tensor,
    length: Tensor,
    *,
    pixels: int,
    bands: int,
    size_px: int,
    interpolation: str,
    flip: Tensor | None = None,
    beyond: bool = False,
) -> list[Taps]:
    """The lines of the input that weigh anything in each line of the output, of each sample, on a CPU.

    Args:
        start: (batch,), where the box begins, pixels.
        length: (batch,), its length, pixels.
        pixels: Lines of the input.
        bands: Of the input.
        size_px: Lines of the output.
        interpolation: `bilinear` or `bicubic`.
        flip: (batch,), 1 where first and last line change places.
        beyond: See `resample`; touched are then all lines within the kernel's reach of the box, as far as there are some.
    """
    reach = SUPPORT[interpolation] * (length / size_px).clamp(min=1.0)
    first, end = (each[:, None, None] for each in _touched(start, length, beyond=reach if beyond else None, pixels=pixels))
    centers = _centers(length, size_px) + start[:, None, None]
    lines = (centers - reach[:, None, None] + 0.5).floor() + torch.arange(math.ceil(2 * float(reach.max())))
    there = (lines >= 0) & (lines < pixels) if beyond else None
    weights = _weigh(lines - start[:, None, None], length, size_px=size_px, interpolation=interpolation, seen=there)
    if flip is not None:
        lines, weights = (torch.where(flip[:, None, None] > 0, each.flip(1), each) for each in (lines, weights))
    within = torch.minimum(torch.maximum(lines, first), end - 1) - first
    through = torch.cat([within + band * (end - first) for band in range(bands)], dim=1).to(torch.int64)
    touched = [slice(int(low), int(high)) for low, high in zip(first.flatten().tolist(), end.flatten().tolist(), strict=True)]
    return [Taps(*each) for each in zip(touched, through, weights.repeat(1, bands, 1), strict=True)]


def resample_one(image: Tensor, rows: Taps, columns: Taps) -> Tensor:
    """Resample what a box touches of one image, on a CPU.

    Args:
        image: (bands, height, width), float32: the rows and columns that are touched.
        rows: Taps down the image.
        columns: Taps across it.

    Returns:
        (bands, size, size).
    """
    made = add_lines(image, rows.lines, rows.weights)
    return add_lines(made.transpose(1, 2), columns.lines, columns.weights).transpose(1, 2).contiguous()


def add_lines(image: Tensor, lines: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums of the rows of an image.

    Args:
        image: (bands, height, width).
        lines: (bands * size, count), numbers of rows, counted through all bands.
        weights: (bands * size, count).

    Returns:
        (bands, size, width).
    """
    bands, _, width = image.shape
    made = functional.embedding_bag(lines, image.reshape(-1, width), mode="sum", per_sample_weights=weights)
    return made.view(bands, -1, width)


def share_out(values: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Normalised convolution, its last step: what was resampled with zeros at invalid pixels, per weight on valid ones.

    Args:
        values: Resampled pixels, 0 where they were invalid.
        weight: Resampled validity (1 valid, 0 not), of the same shape.

    Returns:
        Values, 0 where too little of the kernel saw valid pixels; and where they are valid, bool.

    References:
        Knutsson and Westin, Normalized and differential convolution, CVPR 1993
    """
    valid = weight >= LEAST_VALID - 1e-5
    return torch.where(valid, values / weight.clamp(min=LEAST_VALID / 2), 0.0), valid


@contextmanager
def exact_products(device: torch.device) -> Iterator[None]:
    """Matrix products in full float32, whatever the training allows itself (TF32, autocast)."""
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    plain = torch.autocast(device.type, enabled=False) if torch.amp.is_autocast_available(device.type) else nullcontext()
    try:
        with plain:
            yield
    finally:
        torch.set_float32_matmul_precision(precision)


def _touched(start: Tensor, length: Tensor, *, beyond: Tensor | None, pixels: int) -> tuple[Tensor, Tensor]:
    """First line of the input that is looked at and the one after the last, (batch,) each; `beyond` lines around the box."""
    if beyond is None:
        return (start + EDGE).floor(), (start + length - EDGE).ceil()
    return (start - beyond).floor().clamp(min=0), (start + length + beyond).ceil().clamp(max=pixels)


def _weigh(lines: Tensor, length: Tensor, *, size_px: int, interpolation: str, seen: Tensor | None) -> Tensor:
    """Weights of lines given by where they begin, in pixels from the start of the box, (batch, 1 or size, count).

    In this order of operations they are torch's own to the last bits. `seen` says which lines may weigh anything; those that
    the box touches where None.
    """
    length = length[:, None, None]
    distance = (lines + 0.5 - _centers(length[:, 0, 0], size_px)) * (1 / (length / size_px).clamp(min=1.0))
    seen = (lines > EDGE - 1) & (lines < length - EDGE) if seen is None else seen
    weights = _kernel(distance, interpolation) * seen
    return weights / weights.sum(-1, keepdim=True)


def _centers(length: Tensor, size_px: int) -> Tensor:
    """Middle of each line of the output, in pixels from the start of the box, (batch, size, 1)."""
    return (length / size_px)[:, None, None] * (torch.arange(size_px, device=length.device, dtype=length.dtype) + 0.5)[:, None]


def _kernel(distance: Tensor, interpolation: str) -> Tensor:
    x = distance.abs()
    if interpolation == "bilinear":
        return (1 - x).clamp(min=0)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < SUPPORT[interpolation], far, 0.0))
