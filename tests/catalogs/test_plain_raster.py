"""Files of our own layout are read without GDAL, bit for bit as GDAL reads them; all others are left to it."""

import struct

import numpy as np
import pytest
import rasterio
from rasterio import Affine

from catalogs.bands import SENSORS
from catalogs.errors import CatalogUnreachableError, MissingAssetError
from catalogs.pixels import read_raster, write_raster
from catalogs.plain_raster import read_plain
from catalogs.records import Band, Grid

TYPES = ("uint8", "uint16", "float32")
SHAPES = ((1, 44, 44), (4, 264, 264), (3, 512, 512), (2, 600, 520), (2, 1, 3), (1, 1300, 513))


def write(path, shape, data_type, seed=0):
    """A raster of ours, of every value that its type has."""
    rng = np.random.default_rng(seed)
    if data_type == "float32":
        pixels = rng.integers(0, 1 << 32, shape, np.uint32).view(np.float32)
        pixels = np.where(np.isnan(pixels), np.float32(-32768), pixels)
    else:
        pixels = rng.integers(0, np.iinfo(data_type).max, shape, data_type, endpoint=True)
    bands = tuple(Band(f"b{number}", 10, nodata=0) for number in range(shape[0]))
    write_raster(path, pixels, Grid(32631, (10.0, 0.0, 0.0, 0.0, -10.0, 0.0), *shape[1:]), bands)
    return pixels


def by_gdal(path, indexes=None):
    with rasterio.open(path) as raster:
        return raster.read(indexes)


@pytest.mark.parametrize("data_type", TYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_what_we_write_is_read_as_gdal_reads_it(tmp_path, shape, data_type):
    pixels = write(tmp_path / "a.tif", shape, data_type)
    found = read_plain(str(tmp_path / "a.tif"), None, None)
    assert found is not None
    assert found.dtype == data_type
    assert found.tobytes() == by_gdal(tmp_path / "a.tif").tobytes() == pixels.tobytes()


@pytest.mark.parametrize("indexes", [[3, 1], [2], [4, 3, 2, 1], [1, 1]])
def test_bands_come_in_the_order_asked_for(tmp_path, indexes):
    pixels = write(tmp_path / "a.tif", (4, 88, 88), "uint16")
    out = np.empty((len(indexes), 88, 88), np.uint16)
    assert read_plain(str(tmp_path / "a.tif"), indexes, out) is out
    assert (out == pixels[[index - 1 for index in indexes]]).all()
    assert (read_raster(str(tmp_path / "a.tif"), indexes) == out).all()


def test_a_strided_array_is_filled_too(tmp_path):
    pixels = write(tmp_path / "a.tif", (3, 40, 40), "uint16")
    wide = np.zeros((6, 40, 80), np.uint16)
    read_plain(str(tmp_path / "a.tif"), None, wide[::2, :, ::2])
    assert (wide[::2, :, ::2] == pixels).all()
    assert not wide[1::2].any()


@pytest.mark.parametrize(
    "options",
    [
        {"compress": "lzw"},
        {"interleave": "pixel"},
        {"bigtiff": "yes"},
        {"endianness": "big"},
        {"dtype": "int16"},
        {"dtype": "uint32"},
        {"dtype": "float64"},
        {"nbits": 12},
        {"dtype": "float32", "predictor": 2},
    ],
)
def test_another_layout_is_left_to_gdal(tmp_path, options):
    settings = {"dtype": "uint16", "compress": "zstd", "interleave": "band", **options}
    pixels = np.arange(2 * 20 * 30).reshape(2, 20, 30).astype(settings["dtype"])
    settings |= {"transform": Affine(10, 0, 0, 0, -10, 0), "crs": "EPSG:32631"}
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", count=2, height=20, width=30, **settings) as raster:
        raster.write(pixels)
    assert read_plain(str(tmp_path / "a.tif"), None, None) is None
    assert (read_raster(str(tmp_path / "a.tif"), [2, 1]) == pixels[::-1]).all()


@pytest.mark.parametrize(
    "options", [{"predictor": 1}, {"predictor": 2}, {"blockysize": 7}, {"tiled": True, "blockxsize": 16, "blockysize": 32}]
)
@pytest.mark.parametrize("compress", ["zstd", "deflate", "none"])
def test_every_cut_and_predictor_is_read(tmp_path, compress, options):
    pixels = np.random.default_rng(0).integers(0, 9999, (2, 50, 70), np.uint16)
    options = {key: value for key, value in options.items() if compress != "none" or key != "predictor"}
    settings = {"compress": compress, "interleave": "band", "transform": Affine(10, 0, 0, 0, -10, 0), **options}
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", count=2, height=50, width=70, dtype="uint16", **settings
    ) as raster:
        raster.write(pixels)
    assert (read_plain(str(tmp_path / "a.tif"), None, None) == pixels).all()


def test_where_a_file_is_cut_off_it_is_left_to_gdal_whose_words_are_told(tmp_path):
    write(tmp_path / "a.tif", (2, 264, 264), "uint16")
    content = (tmp_path / "a.tif").read_bytes()
    for length in (0, 4, 8, 100, 300, len(content) // 2, len(content) - 700):
        (tmp_path / "cut.tif").write_bytes(content[:length])
        assert read_plain(str(tmp_path / "cut.tif"), None, None) is None
        with pytest.raises(CatalogUnreachableError, match=r"cut\.tif cannot be read .* Run curate verify"):
            read_raster(str(tmp_path / "cut.tif"))


@pytest.mark.parametrize("compress", ["deflate", "none"])
def test_a_released_band_is_read_without_gdal_unless_it_is_damaged(tmp_path, compress):
    pixels = np.random.default_rng(0).integers(0, 9999, (1, 120, 120), np.uint16)
    settings = {"compress": compress, "transform": Affine(10, 0, 0, 0, -10, 0), "crs": "EPSG:32631"}
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", count=1, height=120, width=120, dtype="uint16", **settings
    ) as raster:
        raster.write(pixels)
    assert (read_plain(str(tmp_path / "a.tif"), [1], np.empty((1, 120, 120), np.uint16)) == pixels).all()
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(content[:-900])
    assert read_plain(str(tmp_path / "cut.tif"), None, None) is None
    photometric, fill_order = struct.pack("<HHII", 262, 3, 1, 1), struct.pack("<HHII", 266, 3, 1, 2)
    assert content.count(photometric) == 1
    (tmp_path / "mirrored.tif").write_bytes(content.replace(photometric, fill_order))
    assert read_plain(str(tmp_path / "mirrored.tif"), None, None) is None


def test_no_byte_of_the_directory_can_make_it_fail_in_other_ways(tmp_path):
    write(tmp_path / "a.tif", (2, 40, 40), "uint16")
    content = (tmp_path / "a.tif").read_bytes()
    start = int.from_bytes(content[4:8], "little")
    rng = np.random.default_rng(0)
    for _ in range(500):
        damaged = bytearray(content)
        damaged[rng.choice([*range(8), *range(start, start + 300)])] = rng.integers(0, 256)
        (tmp_path / "b.tif").write_bytes(damaged)
        found = read_plain(str(tmp_path / "b.tif"), [1], np.empty((1, 40, 40), np.uint16))
        assert found is None or found.shape == (1, 40, 40)


def test_an_array_of_another_shape_or_type_is_left_to_gdal(tmp_path):
    write(tmp_path / "a.tif", (2, 40, 40), "uint16")
    path = str(tmp_path / "a.tif")
    assert read_plain(path, [1], np.empty((1, 40, 41), np.uint16)) is None
    assert read_plain(path, [1], np.empty((1, 40, 40), np.float32)) is None
    assert read_plain(path, [3], None) is None
    assert read_plain(path, [0], None) is None


def test_a_file_that_is_not_there_says_so(tmp_path):
    assert read_plain(str(tmp_path / "no.tif"), None, None) is None
    with pytest.raises(MissingAssetError, match=r"no\.tif is not there"):
        read_raster(str(tmp_path / "no.tif"))


def test_every_sensor_is_of_a_type_that_is_read():
    assert {sensor.data_type for sensor in SENSORS.values()} <= set(TYPES)
