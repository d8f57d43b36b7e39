"""A small EuroSAT made up for tests: smooth pictures as JPEG, in the layout of the real one."""

import warnings
import zipfile
from pathlib import Path

import numpy as np
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

COUNTS = {"AnnualCrop": 7, "Forest": 4, "SeaLake": 2}
"""Images of each class."""


def make_picture(seed: int, size: int = 64, bands: int = 3) -> np.ndarray:
    """Waves of colour, (bands, size, size)."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size] / size
    waves = [np.sin(rng.uniform(3, 9) * rows + rng.uniform(3, 9) * columns + rng.uniform(0, 6)) for _ in range(bands)]
    return np.round(128 + 90 * np.stack(waves)).astype("uint8")


def encode_jpeg(pixels: np.ndarray) -> bytes:
    return encode(pixels, "JPEG", quality=95)


def encode(pixels: np.ndarray, driver: str, **options) -> bytes:
    with warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning), MemoryFile() as memory:
        count, height, width = pixels.shape
        with memory.open(driver=driver, count=count, height=height, width=width, dtype=pixels.dtype, **options) as raster:
            raster.write(pixels)
        return bytes(memory.getbuffer())


def write_images(folder: Path, contents: dict[str, bytes]) -> Path:
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def make_folder(folder: Path, counts: dict[str, int] = COUNTS) -> Path:
    """Write `2750/<Class>/<Class>_<n>.jpg`; numbers start from 1, as in the real one."""
    for place, (label, count) in enumerate(counts.items()):
        (folder / "2750" / label).mkdir(parents=True)
        for number in range(1, count + 1):
            path = folder / "2750" / label / f"{label}_{number}.jpg"
            path.write_bytes(encode_jpeg(make_picture(1000 * place + number)))
    return folder


def pack_zip(folder: Path, archive: Path) -> Path:
    """The same as a zip archive, its files stored as they are."""
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            file.write(path, path.relative_to(folder))
    return archive
