"""What the ground is made of, and what each material reflects and scatters back.

A cell is a linear mixture of ten materials and shade, so that a sensor's blur can act on the mixture once for all its bands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from catalogs.bands import Sensor
    from catalogs.records import Band

GREEN, DRY, LIGHT_SOIL, DARK_SOIL, LEAF, NEEDLE, CLEAR_WATER, ASPHALT, TILE, ROOF = range(10)
MATERIALS = ("green", "dry", "light_soil", "dark_soil", "leaf", "needle", "water", "asphalt", "tile", "roof")

WAVELENGTHS_UM = (0.443, 0.49, 0.56, 0.665, 0.705, 0.74, 0.783, 0.842, 0.865, 0.945, 1.61, 2.19)
REFLECTANCE = np.array([
    [0.030, 0.036, 0.072, 0.038, 0.112, 0.300, 0.390, 0.420, 0.435, 0.430, 0.215, 0.103],
    [0.065, 0.085, 0.122, 0.165, 0.195, 0.220, 0.245, 0.270, 0.280, 0.290, 0.335, 0.250],
    [0.090, 0.112, 0.158, 0.212, 0.236, 0.255, 0.272, 0.290, 0.298, 0.308, 0.385, 0.335],
    [0.052, 0.060, 0.080, 0.104, 0.118, 0.132, 0.145, 0.158, 0.163, 0.170, 0.235, 0.200],
    [0.026, 0.031, 0.062, 0.033, 0.099, 0.280, 0.365, 0.395, 0.410, 0.405, 0.197, 0.092],
    [0.020, 0.024, 0.046, 0.026, 0.072, 0.200, 0.258, 0.280, 0.291, 0.287, 0.136, 0.063],
    [0.042, 0.046, 0.050, 0.030, 0.022, 0.015, 0.013, 0.011, 0.010, 0.009, 0.005, 0.003],
    [0.060, 0.070, 0.090, 0.112, 0.122, 0.134, 0.145, 0.157, 0.162, 0.169, 0.225, 0.196],
    [0.082, 0.100, 0.142, 0.205, 0.232, 0.250, 0.266, 0.283, 0.291, 0.300, 0.365, 0.318],
    [0.125, 0.148, 0.185, 0.220, 0.238, 0.250, 0.262, 0.277, 0.284, 0.292, 0.350, 0.305],
])  # fmt: skip
"""Hemispherical reflectance at those wavelengths, (materials, 12); round figures of the usual spectral libraries."""

BACKSCATTER = {
    "vv": (0.075, 0.055, 0.070, 0.090, 0.120, 0.105, 0.007, 0.020, 0.42, 0.55),
    "vh": (0.016, 0.009, 0.007, 0.009, 0.036, 0.028, 0.0006, 0.002, 0.050, 0.060),
}
"""Linear power of each material at 40 degrees of incidence."""


def band_weights(sensor: Sensor, bands: tuple[Band, ...]) -> NDArray[np.float32]:
    """What each material contributes to each band: reflectance, or linear power of a radar, (bands, materials)."""
    if sensor.id == "sentinel-1-rtc":
        return np.array([BACKSCATTER[band.name] for band in bands], np.float32)
    return at_wavelengths(REFLECTANCE, [band.wavelength_um or 0.0 for band in bands]).T.astype(np.float32)


def mixed(weights: NDArray[np.float32], mixture: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a mixture reflects in one band: a sum in a fixed order, which a matrix product does not promise.

    Args:
        weights: What each material contributes, (materials,).
        mixture: Shares of the materials, (materials, height, width).
    """
    total = np.zeros(mixture.shape[1:], np.float32)
    for weight, share in zip(weights, mixture, strict=True):
        total += weight * share
    return total


def at_wavelengths(spectra: NDArray[Any], wavelengths_um: list[float]) -> NDArray[np.float64]:
    """Spectra given at `WAVELENGTHS_UM`, interpolated, (..., wavelengths)."""
    return np.stack([np.interp(wavelengths_um, WAVELENGTHS_UM, spectrum) for spectrum in spectra])
