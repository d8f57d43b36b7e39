"""Which files are followed without GDAL, and that no damage to a header does more than leave the file to it."""

import math

import numpy as np
import pytest
import rasterio

from curate.errors import SourceUnavailableError
from curate.reading.tiff_layout import parse_tiff
from tests.curate.reading.disk import write_raster

TILED = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}


def parse(path):
    content = path.read_bytes()
    return parse_tiff(lambda offset, size: content[offset : offset + size], "a.tif", etag=None, size=len(content))


@pytest.mark.parametrize(
    "options",
    [
        {"compress": "lzw"},
        {"compress": "packbits"},
        {"nbits": 12},
        {"photometric": "cmyk", "count": 4, "data_type": "uint8"},
        {"data_type": "complex64"},
        {"data_type": "int64"},
        {"crs": "+proj=laea +lat_0=11 +lon_0=7"},
        {"crs": "EPSG:7415"},
        {"nodata": 2.5},
        {"nbits": 1, "data_type": "uint8"},
    ],
)
def test_what_is_not_followed_is_left_to_gdal(tmp_path, options):
    write_raster(tmp_path / "a.tif", **{**TILED, **options})
    assert parse(tmp_path / "a.tif") is None


@pytest.mark.parametrize("nodata", [None, 0, 5, -3.4028234663852886e38, math.nan, math.inf, -9999.5])
def test_nodata_is_rasterios(tmp_path, nodata):
    for data_type in ("float32", "float64") if nodata is None or nodata != 5 else ("uint8", "int16", "float32"):
        write_raster(tmp_path / "a.tif", data_type=data_type, nodata=nodata, **TILED)
        with rasterio.open(tmp_path / "a.tif") as raster:
            assert str(parse(tmp_path / "a.tif").nodata) == str(raster.nodatavals)


def test_a_nodata_value_that_the_type_cannot_hold_is_none(tmp_path):
    write_raster(tmp_path / "a.tif", data_type="int16", nodata=-9999, **TILED)
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content.replace(b"-9999\0", b"99999\0"))
    with rasterio.open(tmp_path / "a.tif") as raster:
        assert raster.nodatavals == (None,)
    assert parse(tmp_path / "a.tif").nodata == (None,)


@pytest.mark.parametrize(
    "options", [TILED, {**TILED, "bigtiff": "yes"}, {"blockysize": 9, "endianness": "big", "compress": "zstd"}]
)
def test_no_byte_of_the_header_can_make_it_fail_in_other_ways(tmp_path, options):
    write_raster(tmp_path / "a.tif", **options)
    content = (tmp_path / "a.tif").read_bytes()
    rng = np.random.default_rng(0)
    understood = 0
    for _ in range(1500):
        damaged = bytearray(content)
        for place in rng.integers(0, 700, rng.integers(1, 4)):
            damaged[place] = rng.integers(0, 256)

        def read(offset, size, damaged=damaged):
            if size > 1 << 30:
                raise MemoryError
            return bytes(damaged[offset : offset + size])

        try:
            header = parse_tiff(read, "a.tif", etag=None, size=len(content))
        except SourceUnavailableError:
            continue
        understood += header is not None
    assert understood > 100
