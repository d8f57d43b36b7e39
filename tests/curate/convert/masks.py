"""Made-up images with labels of their pixels, in the layouts of data sets that have them."""

from pathlib import Path

import numpy as np
from rasterio import Affine

from tests.curate.convert.images import encode, make_picture, write_images

BANDS = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"]
IMAGES = "Onera Satellite Change Detection dataset - Images"
DATES = "date_1: 20160816\ndate_2: 20180328\n"


def make_image(seed: int, height: int = 32, width: int = 32) -> np.ndarray:
    """A picture of red, green and blue, (3, height, width)."""
    return make_picture(seed, max(height, width))[:, :height, :width]


def make_mask(seed: int, height: int = 32, width: int = 32, values: tuple[int, ...] = (0, 1, 2)) -> np.ndarray:
    """Values drawn pixel by pixel, (height, width)."""
    return np.random.default_rng(seed).choice(np.array(values, "uint8"), (height, width))


def encode_mask(mask: np.ndarray) -> bytes:
    return encode(mask[None], "PNG")


def on_utm(pixels: np.ndarray, left: float, top: float, gsd: float, epsg: int = 32631) -> bytes:
    return encode(pixels, "GTiff", crs=f"EPSG:{epsg}", transform=Affine(gsd, 0, left, 0, -gsd, top))


def make_pairs(folder: Path, names: list[str], *, height: int = 32, width: int = 32, masks: str = "masks") -> Path:
    """Write `images/<name>.png` and `masks/<name>.png`, of seeds 0, 1, ..."""
    contents = {}
    for seed, name in enumerate(names):
        contents[f"images/{name}.png"] = encode(make_image(seed, height, width), "PNG")
        contents[f"{masks}/{name}.png"] = encode_mask(make_mask(seed, height, width))
    return write_images(folder, contents)


def make_planes(seed: int, height: int, width: int) -> np.ndarray:
    """13 planes of reflectance times 10,000, each in a range of its own, (13, height, width)."""
    noise = np.random.default_rng(seed).integers(0, 100, (13, height, width))
    return (500 + 100 * np.arange(13)[:, None, None] + noise).astype("uint16")


def make_change(seed: int, height: int, width: int) -> np.ndarray:
    """Where something changed, (height, width)."""
    return np.random.default_rng(seed).random((height, width)) < 0.1


def make_city(folder: Path, name: str, *, seed: int, split: str, shape: tuple[int, int] = (40, 56), png: bool = False) -> None:
    """Write one city of OSCD as it is published, its change map as TIFF (1, 2), or as PNG (0, 255) alone."""
    planes = {visit: make_planes(10 * seed + visit, *shape) for visit in (1, 2)}
    contents = {
        f"{IMAGES}/{name}/imgs_{visit}_rect/{band}.tif": encode(planes[visit][number][None], "GTiff")
        for visit in planes
        for number, band in enumerate(BANDS)
    }
    change = make_change(seed, *shape)
    labels = f"Onera Satellite Change Detection dataset - {split.title()} Labels/{name}/cm"
    contents[f"{labels}/cm.png"] = encode_mask(np.where(change, 255, 0).astype("uint8"))
    if not png:
        contents[f"{labels}/{name}-cm.tif"] = encode((change + 1).astype("uint8")[None], "GTiff")
    contents[f"{IMAGES}/{name}/dates.txt"] = DATES.encode()
    write_images(folder, contents)


def make_oscd(folder: Path) -> Path:
    """Three small cities, two for training and one for testing."""
    make_city(folder, "paris", seed=1, split="train")
    make_city(folder, "sao-paulo", seed=2, split="train", shape=(17, 33), png=True)
    make_city(folder, "rio", seed=3, split="test", shape=(32, 48))
    return write_images(folder, {f"{IMAGES}/train.txt": b"paris,sao-paulo", f"{IMAGES}/test.txt": b"rio\n"})
