"""What published weights expect of their input, each as its released code feeds them; told by how they were made and shaped.

The first layer's channels and the arguments that were saved with the weights tell whose they are. Names of files tell nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from train.config import InputSpec
from train.errors import CheckpointError
from train.scaling import IMAGENET, SECO_RANGES

RGB = ("B04", "B03", "B02")
"""Red, green and blue of Sentinel-2: the order of the channels of all weights of three."""
PICTURE = ("red", "green", "blue")
"""The same of a picture, of values in 0..1."""
COLORS = dict(zip(RGB, PICTURE, strict=True))
"""What the bands of a sensor are called in a picture."""
L1C = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""The thirteen bands as SSL4EO-S12 stacks them: B8A after B08, and B10 is there."""
PREVIEW = 0.3
"""Reflectance that the previews of SeCo's data show as white."""
_MEAN = tuple(IMAGENET[band][0] for band in RGB)
_STD = tuple(IMAGENET[band][1] for band in RGB)
SECO_INPUT = InputSpec(
    sensor="sentinel-2-l2a",
    bands=RGB,
    low=tuple(SECO_RANGES[band][0] for band in RGB),
    high=tuple(SECO_RANGES[band][1] for band in RGB),
    mean=_MEAN,
    std=_STD,
    size_px=224,
)
"""SeCo's: the quantiles of its released code, as reflectance, then ImageNet's normalisation."""
DINO_INPUT = InputSpec("rgb-image", PICTURE, (0.0,) * 3, (1.0,) * 3, _MEAN, _STD, size_px=224, interpolation="bicubic")
"""DINO's: pictures in 0..1, then ImageNet's normalisation."""
DINO_MC_INPUT = InputSpec("sentinel-2-l2a", RGB, (0.0,) * 3, (PREVIEW,) * 3, _MEAN, _STD, size_px=224, interpolation="bicubic")
"""DINO-MC's: previews of SeCo's data, reflectance 0 to 0.3 as 8-bit numbers, then ImageNet's normalisation."""
SSL4EO_INPUT = InputSpec("sentinel-2-l1c", L1C, (0.0,) * 13, (1.0,) * 13, (0.0,) * 13, (1.0,) * 13, size_px=224)
"""SSL4EO-S12's: reflectance clipped to 0..1, and nothing more."""
SSL4EO_RGB_INPUT = InputSpec("sentinel-2-l1c", RGB, (0.0,) * 3, (1.0,) * 3, (0.0,) * 3, (1.0,) * 3, size_px=224)
"""The same of its weights of three channels."""


def ssl4eo_input(channels: int, where: str) -> InputSpec:
    """Input of weights that SSL4EO-S12's code made.

    Three channels are taken for SSL4EO-S12's: the checkpoints of MoCo's own authors, trained on ImageNet, look the same.

    Args:
        channels: Of the first layer.
        where: What to call the weights in an error.

    Raises:
        CheckpointError: They read neither 13 nor 3 channels.

    References:
        https://github.com/zhu-xlab/SSL4EO-S12, README: "input clip to [0,1] by dividing 10000"
    """
    found = {13: SSL4EO_INPUT, 3: SSL4EO_RGB_INPUT}.get(channels)
    if found is None:
        raise CheckpointError(
            f"{where} reads {channels} channels, and does not say which. Expected the 13 bands of Sentinel-2 Level-1C, or red, "
            "green and blue."
        )
    return found


def dino_input(arguments: Mapping[str, Any], channels: int, where: str) -> InputSpec:
    """Input of weights that DINO's code made, or code that was made from it.

    Args:
        arguments: What the command was started with; none where it was not kept. Those of X-STARS have `sensors`, `mean` and
            `std`, those of DINO-MC and DINO-TP `size_crops`.
        channels: Of the first layer.
        where: What to call the weights in an error.

    Raises:
        CheckpointError: They read neither 13 nor 3 channels, or X-STARS's mean and deviation are not three numbers each.

    References:
        https://github.com/facebookresearch/dino, https://github.com/WennyXY/DINO-MC, https://github.com/VMarsocci/X-STARS
    """
    if channels != 3:
        return ssl4eo_input(channels, where)
    if {"sensors", "mean", "std"} <= set(arguments):
        return _x_stars(arguments, where)
    return DINO_MC_INPUT if "size_crops" in arguments else DINO_INPUT


def _x_stars(arguments: Mapping[str, Any], where: str) -> InputSpec:
    """Pictures of 8 bits in 0..1, whatever the sensor, with the one mean and deviation that the command was given."""
    mean, std = (_three_numbers(arguments[name], f"{where}: X-STARS's --{name}") for name in ("mean", "std"))
    return replace(DINO_INPUT, mean=mean, std=std, interpolation="bilinear")


def _three_numbers(values: object, what: str) -> tuple[float, ...]:
    if not isinstance(values, list | tuple) or len(values) != 3 or not all(isinstance(each, int | float) for each in values):
        raise CheckpointError(f"{what} is {values!r}; expected a number for red, green and blue each. Get the weights again.")
    return tuple(float(each) for each in values)
