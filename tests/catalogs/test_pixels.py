"""Rasters are whole, lossless, repeatable, and read by rasterio as they were written."""

import errno
import hashlib
from pathlib import Path

import numpy as np
import pytest
import rasterio

from catalogs.bands import SENSORS
from catalogs.errors import CatalogUnreachableError, MissingAssetError
from catalogs.pixels import encode_raster, is_disk_full, read_raster, write_raster, write_whole
from catalogs.records import Location

PLACE = Location("a-000000", 32631, (447000, 5408040, 449640, 5410680))


@pytest.mark.parametrize(("sensor", "gsd", "dtype"), [("sentinel-2-l2a", 10, "uint16"), ("sentinel-1-rtc", 10, "float32"),
                                                      ("spot-ortho", 1.5, "uint8")])  # fmt: skip
def test_rasterio_reads_what_was_written(tmp_path, sensor, gsd, dtype):
    bands = [band for band in SENSORS[sensor].bands if band.gsd == gsd]
    grid = PLACE.grid(gsd)
    array = np.random.default_rng(0).integers(1, 250, (len(bands), *grid.shape)).astype(dtype)
    checksum, size = write_raster(tmp_path / "a" / "x.tif", array, grid, bands)
    with rasterio.open(tmp_path / "a" / "x.tif") as raster:
        assert (raster.read() == array).all()
        assert raster.dtypes[0] == dtype
        assert raster.crs.to_epsg() == 32631
        assert tuple(raster.transform)[:6] == grid.transform
        assert raster.nodata == bands[0].nodata
        assert list(raster.descriptions) == [band.name for band in bands]
        assert raster.bounds == PLACE.bounds
    content = (tmp_path / "a" / "x.tif").read_bytes()
    assert (checksum, size) == ("1220" + hashlib.sha256(content).hexdigest(), len(content))


def test_same_pixels_same_bytes():
    bands = SENSORS["sentinel-2-l2a"].select(["B02"])
    array = np.arange(264 * 264, dtype="uint16").reshape(1, 264, 264)
    assert encode_raster(array, PLACE.grid(10), bands) == encode_raster(array.copy(), PLACE.grid(10), bands)


def test_bands_and_windows_are_read_as_rasterio_reads_them(tmp_path):
    bands = SENSORS["sentinel-2-l2a"].select(["B02", "B03", "B04"])
    array = np.random.default_rng(1).integers(0, 9000, (3, 264, 264)).astype("uint16")
    write_raster(tmp_path / "x.tif", array, PLACE.grid(10), bands)
    assert (read_raster(str(tmp_path / "x.tif"), [3, 1]) == array[[2, 0]]).all()
    assert (read_raster(str(tmp_path / "x.tif"), [2], (10, 20, 30, 40)) == array[1:2, 20:60, 10:40]).all()


def test_a_failed_write_leaves_neither_part_nor_ruin(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_whole(path, b"before")

    def fill_disk(self: Path, content: bytes) -> int:
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill_disk)
    with pytest.raises(OSError, match="No space left") as caught:
        write_whole(path, b"after")
    assert is_disk_full(caught.value)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_or_broken_file_is_told_apart(tmp_path):
    with pytest.raises(MissingAssetError, match=r"gone.tif is not there, though the catalog names it"):
        read_raster(str(tmp_path / "gone.tif"))
    (tmp_path / "broken.tif").write_bytes(b"II*\0 no tiff")
    with pytest.raises(CatalogUnreachableError, match=r"broken.tif cannot be read"):
        read_raster(str(tmp_path / "broken.tif"))
