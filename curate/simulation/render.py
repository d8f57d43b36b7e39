"""From materials and sky to the numbers in a file: reflectance, calibration, noise, quantisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.bands import find_sensor
from curate.simulation.classify import CLASSIFIERS
from curate.simulation.noise import draw, hash_of, scramble, smooth_step, stream, uniform
from curate.simulation.spectra import band_weights, mixed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from catalogs.records import Band
    from curate.simulation.acquisitions import Acquisition
    from curate.simulation.atmosphere import Sky
    from curate.simulation.ground import Cells
    from curate.simulation.world import World

BLOCK_PIXELS = 512
"""Windows are rendered in blocks of at most so many pixels a side."""
CLOUD_UM = (0.44, 0.9, 0.945, 1.6, 2.2)
CLOUD_REFLECTANCE = (0.78, 0.76, 0.6, 0.5, 0.36)
LOOKS = 4
"""Of the radar's speckle."""
WHITE = {"red": 0.30, "green": 0.26, "blue": 0.22, "nir": 0.62}
"""Reflectance that an orthophoto shows as white."""


def render(world: World, acquisition: Acquisition, band_name: str, cells: Cells) -> NDArray[Any]:
    """The numbers of one band at some pixels of a scene's own raster.

    Args:
        world: Which world.
        acquisition: The scene.
        band_name: One of the sensor's bands, or its mask.
        cells: Pixels of the band's size on the raster's lattice.

    Returns:
        (height, width) in the sensor's type; a pixel has the same bits in any window.
    """
    sensor = find_sensor(acquisition.sensor)
    band = sensor.band(band_name)
    if band == sensor.mask:
        classify = CLASSIFIERS[band_name]
        return _in_blocks(cells, lambda block: classify(world.glance(acquisition, block), world.sky(acquisition, block)))
    bands = tuple(each for each in sensor.bands if each.gsd == band.gsd)

    def measured(block: Cells) -> NDArray[Any]:
        stack = world.keep((acquisition, band.gsd, block), lambda: _measured(world, acquisition, bands, block))
        part: NDArray[Any] = stack[bands.index(band)]
        return part

    return _in_blocks(cells, measured)


def _in_blocks(cells: Cells, paint: Callable[[Cells], NDArray[Any]]) -> NDArray[Any]:
    heights, widths = (np.diff(np.linspace(0, count, -(-count // BLOCK_PIXELS) + 1).astype(int)) for count in cells.shape)
    rows, top = [], cells.top
    for height in heights.tolist():
        row, left = [], cells.left
        for width in widths.tolist():
            row.append(paint(replace(cells, left=left, top=top, height=height, width=width)))
            left += width * cells.size
        rows.append(row)
        top -= height * cells.size
    return np.block(rows)


def _measured(world: World, acquisition: Acquisition, bands: tuple[Band, ...], cells: Cells) -> NDArray[Any]:
    """Numbers of all bands of one pixel size, (bands, height, width)."""
    sensor = find_sensor(acquisition.sensor)
    mixture, sky = world.mixture(acquisition, cells), world.sky(acquisition, cells)
    scene = hash_of(acquisition.seed(world.seed))
    out = np.empty((len(bands), *cells.shape), sensor.data_type)
    for index, (band, weights) in enumerate(zip(bands, band_weights(sensor, bands), strict=True)):
        key = hash_of(scene, stream(band.name), acquisition.version)
        surface = mixed(weights, mixture)
        if sensor.id == "sentinel-1-rtc":
            numbers: NDArray[Any] = surface * _speckle(cells, key)
        else:
            seen = _through_air(surface, sky, band.wavelength_um or 0.56) * _gain(scene, key, band.wavelength_um or 0.56)
            seen += (0.0008 + 0.005 * seen) * _noise(cells, key)
            numbers = _displayed(seen, band, scene) if sensor.id == "spot-ortho" else _quantised(seen, band)
        out[index] = np.where(sky.edge < 0, np.float32(band.nodata or 0), numbers)
    return out


def _gain(scene: NDArray[np.uint32], scene_band: NDArray[np.uint32], wavelength_um: float) -> np.float32:
    """A scene's own calibration: an error that bends smoothly over the spectrum, and a small one of each band."""
    bend = np.interp(wavelength_um, (0.44, 0.7, 0.95, 2.2), [draw(scene, f"gain {k}", -0.1, 0.1)[0] for k in range(4)])
    return np.float32(1 + bend + draw(scene_band, "gain", -0.03, 0.03)[0])


def _through_air(surface: NDArray[np.float32], sky: Sky, wavelength_um: float) -> NDArray[np.float32]:
    """Reflectance as an imperfect atmospheric correction leaves it."""
    diffuse = 0.5 * (0.45 / wavelength_um) ** 1.2
    lit = surface * (sky.light * (1 - np.float32(0.9 - diffuse) * sky.darkness()))
    lit += (sky.haze * np.float32((0.56 / wavelength_um) ** 1.8) + sky.cirrus) * (1 - lit)
    billow = np.float32(np.interp(wavelength_um, CLOUD_UM, CLOUD_REFLECTANCE)) * (
        0.55 + 0.45 * smooth_step(0.0, 2.2, sky.cloud)
    )
    lit += (billow - lit) * sky.opacity()
    return lit


def _quantised(seen: NDArray[np.float32], band: Band) -> NDArray[np.float32]:
    """Numbers by the band's scale and offset, never the one that means no data."""
    return np.asarray(np.clip(np.rint((seen - (band.offset or 0.0)) / (band.scale or 1.0)), 1, 65535))


def _displayed(seen: NDArray[np.float32], band: Band, scene: NDArray[np.uint32]) -> NDArray[np.float32]:
    """8-bit numbers by a stretch that differs a little between mosaics, as for the eye."""
    gamma = float(draw(scene, "gamma", 0.72, 0.9)[0])
    return np.asarray(np.clip(np.rint(255 * np.clip(seen / WHITE[band.name], 0, 1) ** gamma), 1, 255))


def _pixel_bits(cells: Cells, key: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """A random word of each pixel of a zone's raster, the same in overlapping tiles."""
    column, row = (np.floor(part / cells.size).astype(np.int64).astype(np.uint32) for part in (cells.x, cells.y))
    return scramble((column * 0x9E3779B1) ^ (row * 0x85EBCA77 + key)[:, None])


def _noise(cells: Cells, key: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Triangular noise of mean 0 and standard deviation 1."""
    bits = _pixel_bits(cells, key)
    total = (bits & 0xFFFF).astype(np.float32) + (bits >> 16).astype(np.float32)
    return (total * np.float32(2.0**-16) - 1) * np.float32(6**0.5)


def _speckle(cells: Cells, key: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Gamma-distributed speckle of mean 1."""
    total = np.zeros(cells.shape)
    for look in range(LOOKS):
        total -= np.log(uniform(_pixel_bits(cells, hash_of(key, look))) + 2.0**-33)
    return (total / LOOKS).astype(np.float32)
