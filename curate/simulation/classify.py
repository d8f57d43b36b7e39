"""The masks that providers deliver with their pixels: Sentinel-2's scene classification, Landsat's quality bits.

Clouds and shadows are exactly those that are rendered, without confusions. Vegetation, bare ground and water are told from
the point at a pixel's middle, so that they disagree now and then with the blurred bands at borders, as the real ones do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.masks import QA_BITS
from curate.simulation.atmosphere import CIRRUS_LEVEL, CLOUD_MARGIN, THICK_MARGIN, Sky
from curate.simulation.spectra import CLEAR_WATER, REFLECTANCE, at_wavelengths, mixed

if TYPE_CHECKING:
    from numpy.typing import NDArray

VEGETATION_NDVI = 0.3
_RED, _NIR = (column.astype(np.float32) for column in at_wavelengths(REFLECTANCE, [0.665, 0.865]).T)


def classify_scene(mixture: NDArray[np.float32], sky: Sky) -> NDArray[Any]:
    """Classes of Sentinel-2's SCL; the thin edges of clouds stay unclassified.

    Args:
        mixture: Shares of the ten materials, (10, height, width).
        sky: Over the same pixels.

    Returns:
        (height, width), uint8: 0, 3, 4, 5, 6, 7, 8, 9 and 10 occur.
    """
    red, nir = mixed(_RED, mixture), mixed(_NIR, mixture)
    classes = np.where(nir - red > VEGETATION_NDVI * (nir + red), 4, 5).astype(np.uint8)
    classes[mixture[CLEAR_WATER] > 0.5] = 6
    classes[sky.cirrus > CIRRUS_LEVEL] = 10
    classes[sky.is_shadow()] = 3
    classes[sky.cloud > CLOUD_MARGIN / 2] = 7
    classes[sky.is_cloud()] = 8
    classes[sky.cloud > THICK_MARGIN] = 9
    classes[sky.edge < 0] = 0
    return classes


def judge_quality(mixture: NDArray[np.float32], sky: Sky) -> NDArray[Any]:
    """Landsat's QA_PIXEL bits, with confidences as USGS sets them (21824 is clear land, 22280 cloud, 23888 shadow).

    Args:
        mixture: Shares of the ten materials, (10, height, width).
        sky: Over the same pixels.

    Returns:
        (height, width), uint16.
    """
    cloud = sky.is_cloud()
    dilated = (sky.cloud > -CLOUD_MARGIN) & ~cloud
    flags = {
        "cloud": cloud, "dilated_cloud": dilated, "cloud_shadow": sky.is_shadow(), "cirrus": sky.cirrus > CIRRUS_LEVEL,
        "water": mixture[CLEAR_WATER] > 0.5, "clear": ~(cloud | dilated),
    }  # fmt: skip
    bits = np.full(cloud.shape, 0b01010101 << 8, np.uint16)
    for name, where in flags.items():
        bits |= where.astype(np.uint16) << QA_BITS[name]
    for name, place in (("cloud", 8), ("cloud_shadow", 10), ("cirrus", 14)):
        bits |= flags[name].astype(np.uint16) * np.uint16(3 << place)
    bits[sky.edge < 0] = 1 << QA_BITS["fill"]
    return bits


CLASSIFIERS: dict[str, Callable[[NDArray[np.float32], Sky], NDArray[Any]]] = {"scl": classify_scene, "qa_pixel": judge_quality}
