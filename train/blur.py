"""Gaussian blur: separable, mirrored at the border (`reflect`, the edge pixel not repeated), cut at four standard deviations.

As with resampling there are two ways to the same numbers: `blur` multiplies a batch by a matrix of weights for each sample,
which suits a GPU; `blur_one` adds the few lines that weigh anything, which is several times faster on a CPU.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from train.resampling import add_lines, exact_products

TRUNCATE = 4.0
"""Radius in standard deviations; what lies beyond weighs 6e-5."""


def blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Blur each image by its own width.

    Args:
        images: (batch, bands, height, width).
        sigma: (batch,), standard deviation in pixels, above 0.
    """
    height, width = images.shape[-2:]
    with exact_products(images.device):
        return _line_weights(sigma, height)[:, None] @ images @ _line_weights(sigma, width)[:, None].transpose(-1, -2)


def blur_one(image: Tensor, sigma: float) -> Tensor:
    """Blur one image, (bands, height, width), on a CPU."""
    bands, height, width = image.shape
    image = add_lines(image, *_taps(sigma, bands, height))
    return add_lines(image.transpose(1, 2), *_taps(sigma, bands, width)).transpose(1, 2).contiguous()


def _taps(sigma: float, bands: int, pixels: int) -> tuple[Tensor, Tensor]:
    """For each line of each band the lines around it and their weights, (bands * pixels, count) each."""
    radius = min(math.ceil(TRUNCATE * sigma), pixels - 1)
    side = [math.exp(-0.5 * (distance / sigma) ** 2) for distance in range(radius, 0, -1)]
    weights = torch.tensor([*side, 1.0, *reversed(side)])
    return _lines_around(radius, bands, pixels), (weights / weights.sum()).repeat(bands * pixels, 1)


@lru_cache(maxsize=64)
def _lines_around(radius: int, bands: int, pixels: int) -> Tensor:
    """Numbers of lines, counted through all bands, mirrored where a band ends."""
    last = pixels - 1
    lines = last - (last - (torch.arange(pixels)[:, None] + torch.arange(-radius, radius + 1)).abs()).abs()
    return (torch.arange(bands)[:, None, None] * pixels + lines).flatten(0, 1)


def _line_weights(sigma: Tensor, pixels: int) -> Tensor:
    """(batch, pixels, pixels): what each pixel of a line weighs in each blurred one."""
    sigma = sigma[:, None, None]
    radius = (TRUNCATE * sigma).ceil().clamp(max=pixels - 1)
    here = torch.arange(pixels, device=sigma.device, dtype=sigma.dtype)
    there = here[:, None]

    def weigh(distance: Tensor) -> Tensor:
        return torch.exp(-0.5 * (distance / sigma) ** 2) * (distance <= radius)

    weights = weigh((here - there).abs())
    weights[:, :, 1:] += weigh((here + there)[:, 1:])
    last = 2 * (pixels - 1)
    weights[:, :, :-1] += weigh((last - here - there)[:, :-1])
    return weights / weights.sum(-1, keepdim=True)
