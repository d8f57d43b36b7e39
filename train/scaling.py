"""How reflectance becomes what a network sees: scaled to [0, 1] and normalised, measured once per training.

SeCo's code stretches 8-bit numbers by fixed quantiles to pre-train and normalises in four other ways to evaluate, and most
disputes about published scores are about that. Here the numbers are measured from the training part, written with the weights,
and applied by whoever reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from train.config import InputSpec
from train.errors import ConfigError, DataError

if TYPE_CHECKING:
    from catalogs.stack import Stack

PIXELS_PER_BAND = 1024
"""Pixels that are looked at in each band of an item."""
PERCENTILES = (2.0, 98.0)
SECO_RANGES = {"B04": (0.0, 129 / 255), "B03": (2 / 255, 103 / 255), "B02": (3 / 255, 88 / 255)}
"""Reflectance range of SeCo's released quantiles, which are of 8-bit numbers, reflectance times 255."""
PREVIEW_RANGES = dict.fromkeys(("B04", "B03", "B02"), (0.0, 0.3))
"""Reflectance range of the preview images in SeCo's data set, which DINO-MC and DINO-TP were trained on."""
RELEASED = {"seco": SECO_RANGES, "preview": PREVIEW_RANGES}
"""Ranges that are taken as released, by the name of the scaling."""
WHOSE = {"seco": "SeCo's", "preview": "The preview's"}
IMAGENET = {"B04": (0.485, 0.229), "B03": (0.456, 0.224), "B02": (0.406, 0.225)}
"""Mean and standard deviation of ImageNet's red, green and blue, as the released codes take them."""


def measure_input(
    stack: Stack,
    items: NDArray[np.int64],
    *,
    size_px: int,
    scaling: str = "measured",
    interpolation: str = "bilinear",
    sample: int = 512,
    seed: int = 0,
) -> InputSpec:
    """Find the scaling and normalisation of a stack.

    Args:
        stack: Pixels.
        items: Numbers of the items that may be looked at: those of the training part, (count,).
        size_px: Side of the image that features are computed from.
        scaling: `measured` takes the 2nd and 98th percentile of each band as 0 and 1, `native` takes reflectance 0 and 1,
            `seco` the ranges and the normalisation of SeCo's released code, for B04, B03 and B02, and `preview` those of
            DINO-MC's.
        interpolation: How images are resized to `size_px`.
        sample: Items that are looked at.
        seed: Of their choice.

    Raises:
        ConfigError: `seco` or `preview` is asked for with a band it has no range for.
        DataError: A band has no valid pixel, or is constant: but for 4 % of its pixels, where percentiles are measured.
    """
    if scaling in RELEASED:
        return _as_released(stack, scaling, size_px, interpolation)
    values = _sample_reflectance(stack, items, sample, seed)
    ranges = [_range(band, each, scaling) for band, each in zip(stack.bands, values, strict=True)]
    scaled = [np.clip((each - low) / (high - low), 0, 1) for each, (low, high) in zip(values, ranges, strict=True)]
    return InputSpec(
        sensor=stack.sensor,
        bands=stack.bands,
        low=tuple(low for low, _ in ranges),
        high=tuple(high for _, high in ranges),
        mean=_rounded(each.mean() for each in scaled),
        std=_rounded(each.std() for each in scaled),
        size_px=size_px,
        interpolation=interpolation,
    )


def _sample_reflectance(stack: Stack, items: NDArray[np.int64], sample: int, seed: int) -> list[NDArray[np.float64]]:
    """Valid reflectance of each band, from some pixels of some items."""
    generator = np.random.default_rng([seed, 0x5CA1E])
    chosen = np.sort(generator.choice(items, min(sample, len(items)), replace=False))
    found: list[list[NDArray[np.float64]]] = [[] for _ in stack.bands]
    rooms: list[NDArray[Any]] = [
        np.empty((len(layer.bands), layer.height, layer.width), layer.data_type) for layer in stack.layers
    ]
    for item in chosen.tolist():
        stack.read_into(item, rooms)
        for layer, room in zip(stack.layers, rooms, strict=True):
            places = generator.integers(0, layer.height * layer.width, PIXELS_PER_BAND)
            for name, nodata, plane in zip(layer.bands, layer.nodata, room, strict=True):
                band = stack.bands.index(name)
                numbers = plane.reshape(-1)[places]
                valid = np.isfinite(numbers) & (numbers != nodata if nodata is not None else True)
                found[band].append(numbers[valid] * np.float64(stack.scale[item, band]) + stack.offset[item, band])
    return [np.concatenate(each) for each in found]


def _range(band: str, values: NDArray[np.float64], scaling: str) -> tuple[float, float]:
    if not len(values):
        raise DataError(f"Band {band} has no valid pixel in the items looked at. Leave it out with --bands.")
    low, high = _rounded((values.min(), values.max()) if scaling == "native" else np.percentile(values, PERCENTILES))
    if not low < high:
        raise DataError(
            f"Band {band} is constant ({low}) in the items looked at. Leave it out with --bands, or check the catalog."
        )
    return (0.0, 1.0) if scaling == "native" else (low, high)


def _as_released(stack: Stack, scaling: str, size_px: int, interpolation: str) -> InputSpec:
    ranges = RELEASED[scaling]
    unknown = [band for band in stack.bands if band not in ranges]
    if unknown:
        raise ConfigError(
            f"{WHOSE[scaling]} ranges are of B04, B03 and B02; band {unknown[0]} has none. "
            "Pass --bands B04,B03,B02, or --scaling measured."
        )
    return InputSpec(
        sensor=stack.sensor,
        bands=stack.bands,
        low=tuple(ranges[band][0] for band in stack.bands),
        high=tuple(ranges[band][1] for band in stack.bands),
        mean=tuple(IMAGENET[band][0] for band in stack.bands),
        std=tuple(IMAGENET[band][1] for band in stack.bands),
        size_px=size_px,
        interpolation=interpolation,
    )


def _rounded(values: Any) -> tuple[float, ...]:
    """Six significant digits: enough for any input, short enough to be read."""
    return tuple(float(f"{value:.6g}") for value in values)


def spec_lines(spec: InputSpec) -> Sequence[str]:
    """A table of what each band is scaled by, for people."""
    rows = zip(spec.bands, spec.low, spec.high, spec.mean, spec.std, strict=True)
    return [f"{band:>6}  {low:8.4f} .. {high:7.4f}   mean {mean:.3f}  std {std:.3f}" for band, low, high, mean, std in rows]
