"""Faults of files and of their pixels, each planted alone into a sound catalog."""

import numpy as np
import pytest

from catalogs.from_stac import scene_from_item
from catalogs.index import read_items
from catalogs.pixels import read_raster
from tests.catalogs.damage import (
    SIGNED,
    alter_asset,
    asset_path,
    edit_pixels,
    expect_fault,
    index_of,
    remove_asset,
    set_property,
    state_file,
    truncate_asset,
)


def lengthen_asset(folder):
    with asset_path(folder).open("ab") as file:
        file.write(b"more")


def spoil_raster(folder):
    asset_path(folder).write_bytes(b"II*\0 no picture")
    state_file(folder)


def replace_raster(folder, **changes):
    """Write an asset anew with another header, and have the item agree with its bytes."""
    import rasterio

    path = asset_path(folder)
    with rasterio.open(path) as file:
        profile, pixels, names = file.profile, file.read(), file.descriptions
    profile.update(changes)
    with rasterio.open(path, "w", **profile) as file:
        file.write(pixels[: profile["count"]].astype(profile["dtype"]))
        if profile["count"] == len(names):
            file.descriptions = changes.pop("descriptions", names)
    state_file(folder)


def shift_raster(folder):
    from rasterio import Affine

    a, b, left, *others = scene_from_item(read_items(index_of(folder))[0]).rasters[0].grid.transform
    replace_raster(folder, transform=Affine(a, b, left + 5, *others))


def unplace_raster(folder):
    """Without any place on the ground."""
    from rasterio import Affine
    from rasterio.errors import NotGeoreferencedWarning

    with pytest.warns(NotGeoreferencedWarning):
        replace_raster(folder, transform=Affine.identity(), crs=None)


def swap_bands(folder):
    import rasterio

    with rasterio.open(asset_path(folder), "r+") as file:
        file.descriptions = file.descriptions[::-1]
    state_file(folder)


def tag_raster(folder):
    import rasterio

    with rasterio.open(asset_path(folder), "r+") as file:
        file.update_tags(SOURCE=SIGNED)
    state_file(folder)


FILES = [
    (remove_asset, "missing-asset", r"31TCJ/test-000000/20230115T105031_10m.tif . Is not there; its item says \d+ bytes"),
    (truncate_asset, "truncated-asset", r"Has \d+ bytes; its item says \d+"),
    (lengthen_asset, "altered-asset", r"Has \d+ bytes; its item says \d+"),
    (alter_asset, "altered-asset", "Has checksum 1220[0-9a-f]{64}; its item says 1220"),
    (spoil_raster, "unreadable", "Is no GeoTIFF that GDAL reads"),
    (shift_raster, "grid", r"Lies on EPSG:32631 from \d+5, .*; its item says EPSG:32631 from \d+0, "),
    (unplace_raster, "grid", "Lies on no coordinate system from 0, 0"),
    (swap_bands, "raster", r"Its bands is \['B08', .*; its item says \['B02'"),
    (tag_raster, "secret", "10m.tif . Its tags hold a signed query"),
]


def set_band(pixels, value, band=0):
    pixels[band] = value


def copy_season(folder, keys=("10m", "20m", "60m")):
    """The second date's pixels become those of the first."""
    for key in keys:
        first = read_raster(str(asset_path(folder, key)))
        edit_pixels(folder, lambda pixels, first=first: first, key, number=1)


def clip_pixels(folder):
    edit_pixels(folder, lambda pixels: np.where(pixels > np.percentile(pixels, 70), 10_000, pixels).astype(pixels.dtype))


def shift_numbers(folder):
    """Pixels whose offset was applied, though it is stated."""
    for key in ("10m", "20m", "60m"):
        edit_pixels(folder, lambda pixels: pixels - 1000, key)


def blank_mask(folder):
    edit_pixels(folder, lambda pixels: set_band(pixels, 0), "scl")
    set_property("eo:cloud_cover", 100)(folder)


PIXELS = [
    (lambda f: edit_pixels(f, lambda p: set_band(p, 0)), "blank", r"10m.tif . B02 is nodata \(0\) everywhere"),
    (blank_mask, "blank", r"scl.tif . scl is nodata \(0\) everywhere"),
    (lambda f: edit_pixels(f, lambda p: set_band(p, 2345, 3)), "constant", "B08 is 2345 everywhere"),
    (
        lambda f: edit_pixels(f, lambda p: set_band(p, 65535, 1)),
        "saturated",
        "100 % of B03 are at its highest value, 65535; expected under 10 %",
    ),
    (clip_pixels, "saturated", "of B02 are at its highest value, 10000"),
    (
        copy_season,
        "duplicate-pixels",
        "test-000000_20230416T105031 . Has the pixels of test-000000_20230115T105031 in B02, B03, B04, B08, B05",
    ),
    (lambda f: copy_season(f, ("60m",)), "duplicate-pixels", "in B01, B09; expected two acquisitions to differ"),
    (shift_numbers, "offset", r"Its dark pixels contradict its offset -0.1 \(processing version 05.10\)"),
    (
        lambda f: edit_pixels(f, lambda p: set_band(p[:, :5], 9), "scl"),
        "cover",
        "Its eo:cloud_cover is 0; its mask scl has 16.6",
    ),
]


@pytest.mark.parametrize(("fault", "kind", "words"), FILES + PIXELS)
def test_a_planted_fault_of_a_file_is_found_and_nothing_else(catalog, fault, kind, words):
    expect_fault(catalog, fault, kind, words)
