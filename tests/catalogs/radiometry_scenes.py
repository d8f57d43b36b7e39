"""Made-up ground in either convention of Sentinel-2, and real pixels with their offset spoiled."""

from dataclasses import replace

import numpy as np

from catalogs.bands import find_sensor
from catalogs.pixels import read_raster

S2 = find_sensor("sentinel-2-l2a")
TEN_M = ("B02", "B03", "B04", "B08")
CONVENTIONS = {
    # what is added to the numbers, what is stated
    "not needed": (0, 0.0),
    "applied": (1000, -0.1),
    "missing": (1000, 0.0),
    "one too many": (0, -0.1),
}


def ground(kind="fields", *, seed=0, side=64):
    """Reflectance of fields (a third of them green) or of desert, by band, and their scene classification."""
    rng = np.random.default_rng(seed)
    soil = {"fields": (0.06, 0.09, 0.12, 0.22), "desert": (0.14, 0.22, 0.31, 0.4)}[kind]
    texture = rng.uniform(0.8, 1.2, (side, side))
    bands = {name: value * texture for name, value in zip(TEN_M, soil, strict=True)}
    scl = np.full((side, side), 5, "uint8")
    if kind == "fields":
        scl[: side // 3] = 4
        for name, value in zip(TEN_M, (0.02, 0.05, 0.03, 0.4), strict=True):
            bands[name][: side // 3] = (value * texture)[: side // 3]
    return bands, scl


def as_planes(bands, convention="not needed", *, sensor=S2):
    """Bands with their numbers in a convention; what has no value is nodata."""
    added, stated = CONVENTIONS[convention]
    planes = []
    for name, values in bands.items():
        numbers = np.where(np.isnan(values), 0, np.round(values / 1e-4) + added).astype("uint16")
        planes.append((replace(sensor.band(name), offset=stated), numbers))
    return planes


def archive_scene(folder):
    """Pixels of a scene of the archive by our band names, DN, and its scene classification."""
    names = [band.name for band in S2.bands if (folder / f"{band.name}.tif").exists()]
    assert set(TEN_M) <= set(names), folder
    return {name: read_raster(str(folder / f"{name}.tif"))[0] for name in names}, read_raster(str(folder / "SCL.tif"))[0]


def spoiled(bands, convention, *, names=None):
    """Real numbers in another convention; 0 stays nodata."""
    added, stated = CONVENTIONS[convention]
    return [
        (replace(S2.band(name), offset=stated), np.where(pixels == 0, 0, pixels + np.uint16(added)))
        for name, pixels in bands.items()
        if names is None or name in names
    ]
