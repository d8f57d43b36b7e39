"""Scenes as a provider has them: Cloud Optimized GeoTIFFs of a Sentinel-2 tile's size, with a texture that compresses like one.

A scene is a folder with four bands of 10 m, two of 20 m and the classification: DEFLATE, predictor 2, blocks of 1,024 px,
overviews, about 1.3 bytes per 10 m pixel. Made once, and reused where it lies.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import MemoryFile

EPSG = 32631
ORIGIN = (499_980.0, 5_000_040.0)
BLOCK = 1024
MARGIN = 300
"""Columns at the right border without data, 10 m pixels: a swath's edge, which some patches touch."""
TEXTURE = 2048
"""Side of the texture that is laid over a band again and again; far beyond what DEFLATE remembers."""
NOISE = 48.0
"""Of a pixel beside its neighbours, in steps of 1e-4 reflectance: with the texture, about 1.3 bytes a pixel."""
MARKER = "scenes.json"


@dataclass(frozen=True)
class SceneBand:
    """One file of a scene."""

    key: str
    """Its asset."""
    gsd: int
    """10 or 20 m."""
    data_type: str
    """numpy's name."""


BANDS = (
    *(SceneBand(key, 10, "uint16") for key in ("B02", "B03", "B04", "B08")),
    *(SceneBand(key, 20, "uint16") for key in ("B05", "B11")),
    SceneBand("SCL", 20, "uint8"),
)


@dataclass(frozen=True)
class Layout:
    """What scenes are made."""

    width: int
    """Of a 10 m band, px; scenes are square."""
    scenes: int
    """Different ones."""

    def side(self, gsd: int) -> int:
        """Of a band, px."""
        return self.width * 10 // gsd


FULL = Layout(10_980, 2)
QUICK = Layout(3_300, 1)


def scene_folder(folder: Path, number: int) -> Path:
    """Where scene `number` lies."""
    return folder / f"scene-{number}"


def make_scenes(folder: Path, layout: Layout) -> None:
    """Write the scenes that are not there yet.

    Args:
        folder: Of scenes of one layout; another layout's are removed.
        layout: 1.9 GB and some minutes where it is `FULL`.
    """
    marker = folder / MARKER
    wanted = json.dumps(asdict(layout) | {"noise": NOISE, "margin": MARGIN, "texture": TEXTURE})
    if not marker.exists() or marker.read_text() != wanted:
        for number in range(99):
            shutil.rmtree(scene_folder(folder, number), ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    marker.write_text(wanted)
    for number in range(layout.scenes):
        for place, band in enumerate(BANDS):
            path = scene_folder(folder, number) / f"{band.key}.tif"
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                pixels = _pixels(layout, band, np.random.default_rng([number, place]))
                _write_cog(path.with_suffix(".part"), pixels, band)
                path.with_suffix(".part").rename(path)


def _pixels(layout: Layout, band: SceneBand, rng: np.random.Generator) -> NDArray[Any]:
    side = layout.side(band.gsd)
    texture = _texture(rng)
    times = -(-side // TEXTURE)
    rough = np.tile(texture, (times, times))[:side, :side]
    if band.data_type == "uint8":
        pixels = np.digitize(rough, (-1.5, -0.8, 0.4, 1.6)).astype(np.uint8) + 3
    else:
        noise = rng.standard_normal(rough.shape, dtype=np.float32)
        pixels = np.clip(1600 + 500 * rough + NOISE * noise, 1, 20_000).astype(np.uint16)
    pixels[:, side - MARGIN * 10 // band.gsd :] = 0
    return pixels


def _texture(rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise whose amplitude falls with frequency, as that of land does; periodic, mean 0, deviation 1."""
    spectrum = np.fft.rfft2(rng.standard_normal((TEXTURE, TEXTURE), dtype=np.float32))
    rows, columns = np.fft.fftfreq(TEXTURE)[:, None], np.fft.rfftfreq(TEXTURE)[None, :]
    frequency = np.maximum(np.hypot(rows, columns), 1 / TEXTURE)
    field: NDArray[np.float64] = np.fft.irfft2(spectrum / frequency**1.5)
    return ((field - field.mean()) / field.std()).astype(np.float32)


def _write_cog(path: Path, pixels: NDArray[Any], band: SceneBand) -> None:
    height, width = pixels.shape
    place = {"crs": f"EPSG:{EPSG}", "transform": Affine(band.gsd, 0, ORIGIN[0], 0, -band.gsd, ORIGIN[1])}
    shape = {"width": width, "height": height, "count": 1, "dtype": band.data_type, "nodata": 0}
    averaged = "NEAREST" if band.data_type == "uint8" else "AVERAGE"
    options = {"COMPRESS": "DEFLATE", "PREDICTOR": "YES", "BLOCKSIZE": BLOCK, "RESAMPLING": averaged, "NUM_THREADS": 2}
    with MemoryFile() as memory, memory.open(driver="GTiff", **shape, **place) as plain:
        plain.write(pixels, 1)
        rasterio.shutil.copy(plain, path, driver="COG", **options)
