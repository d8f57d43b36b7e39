"""How files are cut, from their own headers or as usual."""

import numpy as np
import pytest
import rasterio
from rasterio import Affine

from catalogs.bands import find_sensor
from catalogs.foreign import SourceBand, SourceScene
from curate.file_shapes import decoding_speed, sampled_shapes, usual_shapes
from curate.reading.headers import Headers
from curate.reading.transport import Transport

S2, NAIP = "sentinel-2-l2a", "naip"
SIDE = 512


def write(path, bands, *, data_type="uint16", **layout):
    pixels = np.random.default_rng(0).integers(0, 200, (bands, SIDE, SIDE)).astype(data_type)
    profile = {"height": SIDE, "width": SIDE, "count": bands, "dtype": data_type, "crs": "EPSG:32631"}
    transform = Affine(10, 0, 499_980, 0, -10, 5_000_040)
    with rasterio.open(path, "w", driver="GTiff", transform=transform, **profile, **layout) as raster:
        raster.write(pixels)
    return path


def tiled(side, **more):
    return {"tiled": True, "blockxsize": side, "blockysize": side, "compress": "deflate", **more}


def scene(sensor, hrefs):
    return SourceScene("a", sensor, {}, {name: SourceBand(str(href), index) for name, (href, index) in hrefs.items()})


def sampled(scene_, names):
    sensor = find_sensor(scene_.sensor)
    with Transport(connections=2) as transport:
        return sampled_shapes(scene_, sensor.select(names), Headers(transport, fetchers=2))


def test_a_file_per_band_is_read_from_its_header(tmp_path):
    band, mask = write(tmp_path / "b.tif", 1, **tiled(128)), write(tmp_path / "m.tif", 1, data_type="uint8", **tiled(256))
    one, two = sampled(scene(S2, {"B02": (band, 1), "scl": (mask, 1)}), ["B02", "B03"])
    assert (one.bands, one.is_mask, one.gsd, one.corner_xy) == (("B02",), False, 10.0, (499_980.0, 5_000_040.0))
    assert (one.block_px, one.blocks, one.decoded_bytes) == ((128, 128), 16, 128 * 128 * 2)
    assert one.block_bytes * 16 == pytest.approx(band.stat().st_size, rel=0.02)
    assert (two.bands, two.is_mask, two.blocks, two.decoded_bytes) == (("scl",), True, 4, 256 * 256)
    assert (one.across, two.across) == (4, 2)
    assert one.is_sampled
    assert one.is_local


def test_bands_that_gdal_reads_together_are_fetched_together(tmp_path):
    path = write(tmp_path / "lzw.tif", 4, data_type="uint8", **tiled(128, compress="lzw", interleave="pixel"))
    (shape,) = sampled(scene(NAIP, {"red": (path, 1), "nir": (path, 4)}), ["red", "nir"])
    assert shape.bands == ("red", "nir")
    assert shape.block_bytes * 16 == pytest.approx(path.stat().st_size, rel=0.02)


def test_a_file_in_degrees_begins_where_it_does_in_metres(tmp_path):
    path = tmp_path / "degrees.tif"
    profile = {"height": SIDE, "width": SIDE, "count": 1, "dtype": "uint8", "crs": "EPSG:4326", **tiled(128)}
    with rasterio.open(path, "w", driver="GTiff", transform=Affine(1e-4, 0, 3.0, 0, -1e-4, 45.0), **profile) as raster:
        raster.write(np.ones((1, SIDE, SIDE), "uint8"))
    (shape,) = sampled(scene(NAIP, {"red": (path, 1)}), ["red"])
    x, y = shape.corner_xy
    assert x == pytest.approx(500_000, abs=1)  # the middle of zone 31
    assert y == pytest.approx(4_982_950, abs=100)
    assert shape.gsd == pytest.approx(11.1, abs=0.1)


def test_bands_that_lie_together_are_fetched_together(tmp_path):
    path = write(tmp_path / "rgb.tif", 3, data_type="uint8", **tiled(256, interleave="pixel"))
    (shape,) = sampled(scene(NAIP, {"red": (path, 1), "green": (path, 2), "blue": (path, 3)}), ["red", "blue"])
    assert (shape.bands, shape.decoded_bytes) == (("red", "blue"), 3 * 256 * 256)


def test_bands_of_a_file_that_lie_apart_are_fetched_apart_and_their_header_once(tmp_path):
    path = write(tmp_path / "rgb.tif", 3, data_type="uint8", **tiled(256, interleave="band"))
    one, two = sampled(scene(NAIP, {"red": (path, 1), "green": (path, 2)}), [])
    assert (one.bands, two.bands) == (("red",), ("green",))
    assert one.decoded_bytes == 256 * 256
    assert one.header_bytes > 0 == two.header_bytes


def test_blocks_that_were_never_written_weigh_nothing_in_the_mean(tmp_path):
    path = tmp_path / "sparse.tif"
    profile = {"height": SIDE, "width": SIDE, "count": 1, "dtype": "uint16", "crs": "EPSG:32631", "SPARSE_OK": True}
    transform = Affine(10, 0, 499_980, 0, -10, 5_000_040)
    with rasterio.open(path, "w", driver="GTiff", transform=transform, **profile, **tiled(128)) as raster:
        raster.write(np.random.default_rng(0).integers(1, 999, (1, 128, 128)).astype("uint16"), window=((0, 128), (0, 128)))
    (shape,) = sampled(scene(S2, {"B02": (path, 1)}), ["B02"])
    assert shape.block_bytes > 10_000


def test_a_file_of_another_format_is_taken_by_its_blocks(tmp_path):
    path = write(tmp_path / "lzw.tif", 1, tiled=True, blockxsize=128, blockysize=128, compress="lzw")
    (shape,) = sampled(scene(S2, {"B02": (path, 1)}), ["B02"])
    assert (shape.block_px, shape.blocks) == ((128, 128), 16)
    assert 0 < shape.block_bytes < 2 * shape.decoded_bytes


def test_a_file_that_is_not_there_gives_no_shapes(tmp_path):
    path = write(tmp_path / "b.tif", 1, **tiled(128))
    assert sampled(scene(S2, {"B02": (path, 1), "scl": (tmp_path / "gone.tif", 1)}), ["B02"]) == []


@pytest.mark.parametrize("index", [0, 4])
def test_a_band_that_its_file_lacks_gives_no_shapes(tmp_path, index):
    path = write(tmp_path / "rgb.tif", 3, data_type="uint8", **tiled(256))
    assert sampled(scene(NAIP, {"red": (path, 1), "green": (path, index)}), ["red", "green"]) == []


def test_usual_files_are_those_of_sentinel_2():
    """Earth Search: 1.3 to 1.43 bytes per pixel of a 10 m band, 121 blocks of 1,024 pixels; masks hardly anything."""
    shapes = {shape.bands[0]: shape for shape in usual_shapes(S2, find_sensor(S2).bands)}
    assert (shapes["B02"].blocks, shapes["B02"].across) == (121, 11)
    assert not shapes["B02"].is_local
    assert 1.3 < shapes["B02"].block_bytes / 1024**2 < 1.43
    assert shapes["scl"].is_mask
    assert shapes["scl"].block_bytes < shapes["B11"].block_bytes / 10
    assert not shapes["B02"].is_sampled


def test_the_decoder_is_tried():
    assert decoding_speed() > 1e6
