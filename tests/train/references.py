"""Plain and foreign ways to the same views: what ours are compared with."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as tv

from train.config import Crop
from train.parameters import COLUMNS, NEUTRAL, OPERATIONS

TORCHVISION = {name: getattr(tv, f"adjust_{name}") for name in OPERATIONS}


def torchvision_view(image: Tensor, row: np.ndarray, crop: Crop) -> Tensor:
    """A view of (3, height, width) in [0, 1] by torchvision's functions on floats, before normalising.

    Args:
        image: Red, green, blue.
        row: Of `ViewParameters.host`.
        crop: Its size and interpolation.
    """

    def number(name: str) -> float:
        return float(row[COLUMNS[name].start])

    top, left, height, width = (int(side) for side in row[COLUMNS["box"]])
    size = [crop.size_px, crop.size_px]
    mode = InterpolationMode(crop.interpolation)
    image = tv.resized_crop(image, top, left, height, width, size, interpolation=mode, antialias=True)
    for turn in row[COLUMNS["order"]]:
        name = OPERATIONS[int(turn)]
        if number(name) != NEUTRAL.get(name, 0.0):
            image = TORCHVISION[name](image, number(name))
    if number("grayscale"):
        image = tv.rgb_to_grayscale(image, num_output_channels=3)
    if number("sigma"):
        image = tv.gaussian_blur(image, 2 * math.ceil(4 * number("sigma")) + 1, number("sigma"))
    if number("solarize"):
        image = tv.solarize(image, 0.5)
    return tv.hflip(image) if number("flip") else image


def slow_resample(
    image: np.ndarray, box: tuple[float, ...], size_px: int, interpolation: str, *, beyond: bool = False
) -> np.ndarray:
    """`train.resampling.resample` of one (height, width) image, as its definition says: pixel by pixel, in double precision."""
    rows = [_slow_line(image.shape[0], box[0], box[2], size_px, out, interpolation, beyond) for out in range(size_px)]
    columns = [_slow_line(image.shape[1], box[1], box[3], size_px, out, interpolation, beyond) for out in range(size_px)]
    made = np.zeros((size_px, size_px))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            made[i, j] = sum(a * b * image[y, x] for y, a in row.items() for x, b in column.items())
    return made


def _slow_line(
    pixels: int, start: float, length: float, size_px: int, out: int, interpolation: str, beyond: bool
) -> dict[int, float]:
    """What each pixel of a line weighs in output pixel `out`; those that weigh nothing are left out."""
    reduction = max(length / size_px, 1.0)
    center = start + length * (out + 0.5) / size_px
    seen = range(pixels) if beyond else range(math.floor(start + 1e-3), math.ceil(start + length - 1e-3))
    weights = {pixel: _slow_kernel(abs(pixel + 0.5 - center) / reduction, interpolation) for pixel in seen}
    total = sum(weights.values())
    return {pixel: weight / total for pixel, weight in weights.items() if weight}


def _slow_kernel(x: float, interpolation: str) -> float:
    if interpolation == "bilinear":
        return max(1 - x, 0.0)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0
