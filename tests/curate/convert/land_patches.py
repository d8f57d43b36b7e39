"""A small BigEarthNet made up for tests, of either version, in the layout of the real ones: written with rasterio and json."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import rasterio
from rasterio.crs import CRS
from rasterio.transform import Affine

BANDS = {
    "B01": 60, "B02": 10, "B03": 10, "B04": 10, "B05": 20, "B06": 20, "B07": 20, "B08": 10, "B8A": 20, "B09": 60, "B11": 20,
    "B12": 20,
}  # fmt: skip
"""Pixel size of each, written out apart from the code."""
TILE = (32633, 300_000, 5_400_000)
"""Zone and upper left corner of T33UUP, as published: its patch 26_57 begins at 331200, 5331600."""
RADAR = "S1A_IW_GRDH_1SDV_20170613T165043_33UUP_26_57"
"""Name of a Sentinel-1 patch."""
PATCHES_1 = {
    "S2A_MSIL2A_20170613T101031_26_57": ["Continuous urban fabric", "Discontinuous urban fabric", "Port areas"],
    "S2A_MSIL2A_20170613T101031_27_57": ["Coniferous forest", "Mixed forest"],
    "S2A_MSIL2A_20170613T101031_45_3": ["Port areas", "Airports"],
    "S2B_MSIL2A_20180204T094159_8_9": ["Sea and ocean", "Estuaries", "Natural grassland"],
}
"""Patches of version 1 and their labels; of those of the third none is among the 19."""
TILE_2 = "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP"
PATCHES_2 = {
    f"{TILE_2}_26_57": (["Urban fabric"], "train"),
    f"{TILE_2}_27_57": (["Coniferous forest", "Mixed forest"], "validation"),
    f"{TILE_2}_45_03": (["Arable land", "Inland waters", "Pastures"], "test"),
}


def planes_of(name: str) -> dict[str, np.ndarray]:
    """Pixels of a patch, by band; dark ones among them."""
    rng = np.random.default_rng(list(name.encode()))
    return {band: rng.integers(200, 3000, (1200 // gsd, 1200 // gsd)).astype("uint16") for band, gsd in BANDS.items()}


def corner_of(name: str) -> tuple[int, int]:
    """Easting and northing of the upper left corner: the last two numbers are column and row in the tile."""
    column, row = (int(part) for part in name.split("_")[-2:])
    return TILE[1] + 1200 * column, TILE[2] - 1200 * row


def write_patch_files(folder: Path, name: str, *, corner: tuple[int, int] | None = None) -> None:
    (folder / name).mkdir(parents=True)
    left, top = corner or corner_of(name)
    for band, pixels in planes_of(name).items():
        gsd = BANDS[band]
        with rasterio.open(
            folder / name / f"{name}_{band}.tif", "w", driver="GTiff", count=1, height=len(pixels), width=len(pixels),
            dtype="uint16", crs=f"EPSG:{TILE[0]}", transform=Affine(gsd, 0, left, 0, -gsd, top),
        ) as raster:  # fmt: skip
            raster.write(pixels, 1)


def make_v1(folder: Path, patches: dict[str, list[str]]) -> Path:
    """Write `BigEarthNet-v1.0/<patch>/`: twelve files and a JSON, as the archive unpacks to."""
    root = folder / "BigEarthNet-v1.0"
    for name, labels in patches.items():
        write_patch_files(root, name)
        left, top = corner_of(name)
        told = {
            "labels": labels,
            "coordinates": {"ulx": left, "uly": top, "lrx": left + 1200, "lry": top - 1200},
            "projection": CRS.from_epsg(TILE[0]).to_wkt(),
            "tile_source": "S2A_MSIL1C_20170613T101031_N0205_R022_T33UUP_20170613T101608.SAFE",
            "acquisition_date": "2017-06-13 10:10:31",
        }
        (root / name / f"{name}_labels_metadata.json").write_text(json.dumps(told))
    return folder


def write_lists(folder: Path, splits: dict[str, list[str]]) -> None:
    """The official lists: the Sentinel-2 patch, then the Sentinel-1 patch."""
    for split, names in splits.items():
        (folder / f"{split}.csv").write_text("".join(f"{name},{RADAR}\n" for name in names))


def make_v2(folder: Path, patches: dict[str, tuple[list[str], str]], **flags: list[bool]) -> Path:
    """Write `BigEarthNet-S2/<tile>/<patch>/` and `metadata.parquet`."""
    for name in patches:
        write_patch_files(folder / "BigEarthNet-S2" / name.rsplit("_", 2)[0], name)
    no = [False] * len(patches)
    columns = {
        "patch_id": list(patches),
        "labels": [labels for labels, _ in patches.values()],
        "split": [split for _, split in patches.values()],
        "country": ["Austria"] * len(patches),
        "s1_name": [RADAR] * len(patches),
        "s2v1_name": ["S2A_MSIL2A_20170613T101031_26_57"] * len(patches),
        "contains_seasonal_snow": no,
        "contains_cloud_or_shadow": no,
        **flags,
    }
    pq.write_table(pa.table(columns), folder / "metadata.parquet")
    return folder
