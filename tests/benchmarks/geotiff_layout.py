"""Size and speed of GeoTIFF layouts on real patches: `python -m tests.benchmarks.geotiff_layout`.

Twenty-four windows of 264 px, four 10 m bands, of the South Tyrol scene in the shared data.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio import Affine

from tests.benchmarks.machine import asked, describe_machine

PATCH_PX = 264
REPEATS = 5


def real_patches() -> list[np.ndarray]:
    """Windows of a real scene, (4, 264, 264) uint16 each."""
    root = Path(os.environ.get("EO_SHARED_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
    scene = next((root / "archive" / "sentinel-2-l2a").glob("S2_T32TPS*"))
    full = np.concatenate([rasterio.open(scene / f"{band}.tif").read() for band in ("B02", "B03", "B04", "B08")])
    rng = np.random.default_rng(0)
    corners = zip(rng.integers(0, full.shape[1] - PATCH_PX, 24), rng.integers(0, full.shape[2] - PATCH_PX, 24), strict=True)
    return [np.ascontiguousarray(full[:, row : row + PATCH_PX, column : column + PATCH_PX]) for row, column in corners]


def layouts() -> dict[str, dict[str, Any]]:
    """Creation options by a name for people."""
    found: dict[str, dict[str, Any]] = {}
    compressions: dict[str, dict[str, Any]] = {
        "none": {},
        "zstd 1 predictor 2": {"compress": "zstd", "predictor": 2, "zstd_level": 1},
        "zstd 9": {"compress": "zstd", "zstd_level": 9},
        "zstd 9 predictor 2": {"compress": "zstd", "predictor": 2, "zstd_level": 9},
        "deflate predictor 2": {"compress": "deflate", "predictor": 2},
        "lzw predictor 2": {"compress": "lzw", "predictor": 2},
        "lerc zstd": {"compress": "lerc_zstd", "max_z_error": 0},
    }
    blocks: dict[str, dict[str, Any]] = {
        "strips": {},
        "one strip": {"blockysize": PATCH_PX},
        "one tile": {"tiled": True, "blockxsize": 272, "blockysize": 272},
    }
    for (compression, options), interleave, (block, more) in product(compressions.items(), ("band", "pixel"), blocks.items()):
        found[f"{compression}, {interleave}-interleaved, {block}"] = {**options, "interleave": interleave, **more}
    return found


def cpu_ms(action: Callable[[], object], count: int) -> float:
    """CPU milliseconds per patch."""
    start = time.process_time()
    action()
    return 1e3 * (time.process_time() - start) / count


def measure(options: dict[str, Any], patches: list[np.ndarray], folder: Path) -> tuple[float, float, float, float]:
    """Share of the raw bytes, and CPU milliseconds to write, to read all bands, to read one."""
    paths = [folder / f"{number}.tif" for number in range(len(patches))]

    def write() -> None:
        for path, patch in zip(paths, patches, strict=True):
            with rasterio.open(
                path,
                "w",
                driver="GTiff",
                count=4,
                height=PATCH_PX,
                width=PATCH_PX,
                dtype="uint16",
                nodata=0,
                crs="EPSG:32632",
                transform=Affine(10, 0, 674990, 0, -10, 5154960),
                **options,
            ) as raster:
                raster.write(patch)

    def read(indexes: int | None) -> None:
        for path in paths:
            with rasterio.open(path) as raster:
                raster.read(indexes)

    written = cpu_ms(write, len(paths))
    size = sum(path.stat().st_size for path in paths) / sum(patch.nbytes for patch in patches)
    with rasterio.open(paths[-1]) as raster:
        assert (raster.read() == patches[-1]).all(), "a layout that loses pixels"
    reads = [min(cpu_ms(lambda i=i: read(i), len(paths)) for _ in range(REPEATS)) for i in (None, 3)]  # type: ignore[misc]
    return size, written, *reads


def main() -> None:
    """Print one line per layout, smallest first."""
    asked(__doc__)
    patches = real_patches()
    with tempfile.TemporaryDirectory() as folder:
        rows = sorted((*measure(options, patches, Path(folder)), name) for name, options in layouts().items())
    print(describe_machine(), f"GDAL {rasterio.__gdal_version__}")
    print("share of raw | write ms | read 4 bands ms | read 1 band ms | layout")
    for size, write, read_all, read_one, name in rows:
        print(f"{size:.3f} | {write:.2f} | {read_all:.2f} | {read_one:.2f} | {name}")


if __name__ == "__main__":
    main()
