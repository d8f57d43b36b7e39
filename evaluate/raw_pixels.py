"""Raw pixels: the image itself, made small, as a vector."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import nn

from catalogs.stack import Stack
from evaluate.features import extract_features
from train.views import measure_input

SIZE_PX = 16
"""Side of the small image."""


def raw_pixels(
    stack: Stack,
    items: NDArray[np.int64],
    *,
    train: NDArray[np.int64],
    seed: int = 0,
    workers: int = 0,
    advance: Callable[[int], None] = lambda _: None,
) -> NDArray[np.float64]:
    """Each image resized to 16 px, scaled and normalised by what is measured on the training items.

    Args:
        stack: Pixels.
        items: Numbers of the items, (count,).
        train: Numbers of the items that may be looked at, (items,).
        seed: Of which of them are.
        workers: Processes that read; 0 reads in this one.
        advance: Told how many items have just been done.

    Returns:
        (count, bands * 16 * 16), band by band, within each row by row; 0 where there is no measurement.

    Raises:
        DataError: A band of the training items is constant or has no valid pixel.
    """
    spec = measure_input(stack, train, size_px=SIZE_PX, seed=seed)
    features = extract_features(stack, nn.Flatten(), spec, items, workers=workers, advance=advance)
    return features.numpy().astype(np.float64)
