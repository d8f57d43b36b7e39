"""Pixels on the square, against plain rasterio reads and GDAL's own warp through a file."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from rasterio import Affine
from rasterio.windows import from_bounds

from catalogs.bands import SENSORS
from catalogs.foreign import SourceBand, SourceScene
from catalogs.lattice import squares_around, transformer
from catalogs.records import Band, Grid, Location
from catalogs.writer import Patch
from curate import fetch
from curate.fetch import PlaneAsk, aligned_window, covering_window, valid_percent
from tests.curate.plain_build import read_bands, read_mask

PLACE = Location("a-000000", 32631, (500040, 5400000, 500640, 5400600))


def read_plane(source, band, place, **how):
    return fetch.read_plane(source, PlaneAsk(band, place, **how))


class Files:
    """A source that opens rasterio files; the smallest one that the protocol allows."""

    name = "files"
    simulated = False

    @contextmanager
    def open(self, band):
        with rasterio.open(band.href) as raster:
            yield Open(raster, band.index)


class Open:
    def __init__(self, raster, index):
        self._raster, self._index = raster, index
        self.grid = Grid(raster.crs.to_epsg(), tuple(raster.transform)[:6], raster.height, raster.width)
        self.nodata, self.data_type, self.checksum = raster.nodata, raster.dtypes[0], None

    def read(self, window):
        return self._raster.read(self._index, window=rasterio.windows.Window(*window))


def write(path, array, *, left, top, gsd, epsg=32631, nodata=0):
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=1,
        height=array.shape[0],
        width=array.shape[1],
        dtype=array.dtype,
        crs=f"EPSG:{epsg}",
        transform=Affine(gsd, 0, left, 0, -gsd, top),
        nodata=nodata,
    ) as raster:
        raster.write(array, 1)
    return SourceBand(str(path), 1, 1e-4, -0.1, nodata)


def ground(shape, seed=0):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    noise = np.random.default_rng(seed).normal(0, 30, shape)
    return (2000 + 800 * np.sin(rows / 9) + 500 * np.cos(columns / 7) + noise).astype("uint16")


def scene(**bands):
    return SourceScene("s", "sentinel-2-l2a", {}, bands, radiometry="metadata")


def test_an_aligned_window_is_copied(tmp_path):
    array = ground((200, 200))
    band = write(tmp_path / "b.tif", array, left=499980, top=5401500, gsd=10)
    plane = read_plane(Files(), band, PLACE, gsd=10, fallback_gsd=10, kernel="cubic", nodata=0)
    with rasterio.open(tmp_path / "b.tif") as raster:
        assert (plane.pixels == raster.read(1, window=from_bounds(*PLACE.bounds, raster.transform))).all()
    assert plane.resampling is None
    assert plane.source.window == (6, 90, 60, 60)


def test_a_square_beyond_the_raster_is_filled_with_nodata(tmp_path):
    array = ground((100, 30))
    band = write(tmp_path / "b.tif", array, left=499980, top=5401000, gsd=10)
    plane = read_plane(Files(), band, PLACE, gsd=10, fallback_gsd=10, kernel="cubic", nodata=0)
    assert (plane.pixels[:, :24] == array[40:100, 6:30]).all()
    assert (plane.pixels[:, 24:] == 0).all()
    patches = read_bands(Files(), scene(B02=band), SENSORS["sentinel-2-l2a"].bands, PLACE)
    assert valid_percent(patches) == pytest.approx(100 * 24 / 60)


def hills(x, y):
    """Ground as a smooth function of place, so that every projection can be asked what is where."""
    return 3000 + 900 * np.sin(x / 15) + 700 * np.cos(y / 20)


@pytest.mark.parametrize("epsg", [32630, 2154])
def test_another_projection_is_warped_to_where_it_belongs(tmp_path, epsg):
    centre = np.array(PLACE.centre_xy)
    to_source = transformer(32631, epsg)
    left, top = np.round(np.array(to_source.transform(*centre))) + np.array((-2003, 2004))
    rows, columns = np.mgrid[:400, :400]
    x, y = transformer(epsg, 32631).transform(left + 10 * columns + 5, top - 10 * rows - 5)
    band = write(tmp_path / "b.tif", hills(x, y).round().astype("uint16"), left=left, top=top, gsd=10, epsg=epsg)
    plane = read_plane(Files(), band, PLACE, gsd=10, fallback_gsd=10, kernel="cubic", nodata=0)
    grid = PLACE.grid(10)
    rows, columns = np.mgrid[:60, :60]
    truth = hills(grid.transform[2] + 10 * columns + 5, grid.transform[5] - 10 * rows - 5)
    assert plane.resampling == "cubic"
    assert np.abs(plane.pixels - truth).max() < 12


def test_landsats_half_pixel_is_warped_without_a_shift(tmp_path):
    rows, columns = np.mgrid[:80, :80]
    easting, northing = 499485 + 30 * columns + 15, 5401515 - 30 * rows - 15
    plain = ((easting - 499000) + (northing - 5399000)).astype("uint16")
    band = write(tmp_path / "b.tif", plain, left=499485, top=5401515, gsd=30)
    plane = read_plane(Files(), band, PLACE, gsd=30, fallback_gsd=30, kernel="cubic", nodata=0)
    grid = PLACE.grid(30)
    rows, columns = np.mgrid[:20, :20]
    expected = (grid.transform[2] + 30 * columns + 15 - 499000) + (grid.transform[5] - 30 * rows - 15 - 5399000)
    assert np.abs(plane.pixels - expected).max() <= 1
    assert plane.resampling == "cubic"


def test_a_mask_is_warped_by_its_nearest_pixel_and_keeps_its_pixel_size(tmp_path):
    classes = np.random.default_rng(0).choice([4, 8, 11], (140, 140)).astype("uint8")
    band = write(tmp_path / "m.tif", classes, left=499980, top=5401200, gsd=10)
    patch = read_mask(Files(), scene(scl=band), PLACE)
    assert (patch.key, patch.grid.gsd, patch.bands[0].gsd, patch.resampling) == ("scl", 10, 10, None)
    shifted = write(tmp_path / "n.tif", classes, left=499985, top=5401205, gsd=10)
    patch = read_mask(Files(), scene(scl=shifted), PLACE)
    assert set(np.unique(patch.pixels)) <= {4, 8, 11}
    assert patch.resampling == "nearest"


def test_scale_and_offset_are_those_of_the_scene(tmp_path):
    band = write(tmp_path / "b.tif", ground((200, 200)), left=499980, top=5401500, gsd=10)
    plain = SourceBand(band.href, 1, 1e-4, 0.0, 0)
    patches = read_bands(Files(), scene(B02=plain, B03=band), SENSORS["sentinel-2-l2a"].bands, PLACE)
    assert [(b.name, b.offset) for b in patches[0].bands] == [("B02", 0.0), ("B03", -0.1)]


@pytest.mark.parametrize("left", [499980, 499985])
@pytest.mark.parametrize(("in_file", "stated"), [(-9999, None), (None, -9999), (-9999, -1), (0, -9999)])
def test_what_a_file_or_its_source_calls_missing_is_what_its_sensor_calls_so(tmp_path, in_file, stated, left):
    array = ground((200, 200)).astype("int16")
    array[90:120] = -9999
    band = replace(write(tmp_path / "b.tif", array, left=left, top=5401500, gsd=10, nodata=in_file), nodata=stated)
    pixels = read_plane(Files(), band, PLACE, gsd=10, fallback_gsd=10, kernel="cubic", nodata=0).pixels
    assert (pixels[:29] == 0).all()
    assert (pixels[31:] > 500).all()
    assert set(np.unique(pixels < 0)) == {False}


@pytest.mark.parametrize("stated", [None, float("nan"), -1.0])
@pytest.mark.parametrize("left", [499980, 499985])
def test_what_is_not_a_number_is_missing_too(tmp_path, left, stated):
    array = ground((200, 200)).astype("float32")
    array[90:120] = np.nan
    band = write(tmp_path / "b.tif", array, left=left, top=5401500, gsd=10, nodata=stated)
    pixels = read_plane(Files(), band, PLACE, gsd=10, fallback_gsd=10, kernel="cubic", nodata=-32768).pixels
    assert (pixels[:29] == -32768).all()
    assert (pixels[31:] > 500).all()
    nan = np.full((1, 2, 2), np.nan, "float32")
    nan[0, 0] = 1
    assert valid_percent([Patch("10m", nan, (Band("vv", 10),), PLACE.grid(300))]) == 50


def test_a_sensor_without_a_value_for_missing_takes_that_of_the_source(tmp_path):
    array = np.full((200, 200), 7, "uint8")
    band = replace(write(tmp_path / "b.tif", array, left=500100, top=5401500, gsd=10, nodata=None), nodata=9)
    pixels = read_plane(Files(), band, PLACE, gsd=10, fallback_gsd=10, kernel="cubic", nodata=None).pixels
    assert (pixels[:, :6] == 9).all()
    assert (pixels[:, 6:] == 7).all()


@pytest.mark.parametrize("left", [499980, 499985])
@pytest.mark.parametrize(("in_file", "stated"), [(None, -9999), (None, float("nan")), (None, 0.5), (7, -9999), (7, 300)])
def test_a_number_that_the_files_type_cannot_hold_says_nothing(tmp_path, left, in_file, stated):
    """The first number that its pixels can have does, and is recorded; none is cast into another."""
    array = ground((200, 200)).astype("uint8")
    array[90:120] = 7
    array[120:] = 200
    band = replace(write(tmp_path / "b.tif", array, left=left, top=5401500, gsd=10, nodata=in_file), nodata=stated)
    plane = read_plane(Files(), band, PLACE, gsd=10, fallback_gsd=10, kernel="cubic", nodata=None)
    assert plane.nodata == in_file
    assert (plane.pixels[:29] == 7).all()
    assert (plane.pixels[32:] == 200).all()


def naip_patches(path, array, *, left, nodata=None):
    bands = [band for band in SENSORS["naip"].bands if band.name == "red"]
    red = write(path, array, left=left, top=5400800, gsd=1, nodata=nodata)
    return read_bands(Files(), SourceScene("s", "naip", {}, {"red": red}), bands, PLACE)


@pytest.mark.parametrize("shift", [0, 0.5])
def test_what_lies_beyond_a_file_without_nodata_is_missing_and_black_in_it_is_not(tmp_path, shift):
    """Half of a square beyond an orthophoto's edge: not half a square of black ground."""
    array = np.full((1000, 400), 90, "uint8")
    array[:500] = 0
    (patch,) = naip_patches(tmp_path / "n.tif", array, left=500340 - 400 + shift)
    assert patch.bands[0].nodata == 0
    assert valid_percent([patch]) == pytest.approx(50, abs=0.2)
    assert set(np.unique(patch.pixels[0, :299, :297])) == {1}
    assert set(np.unique(patch.pixels[0, 305:, :297])) == {90}
    (whole,) = naip_patches(tmp_path / "w.tif", np.zeros((1000, 1000), "uint8"), left=500000 + shift)
    assert (whole.bands[0].nodata, valid_percent([whole]), int(whole.pixels.max())) == (None, 100.0, 0)
    (beside,) = naip_patches(tmp_path / "b.tif", array, left=510000 + shift)
    assert valid_percent([beside]) == 0


def test_a_nodata_that_the_file_alone_states_is_recorded(tmp_path):
    array = np.full((1000, 400), 90, "uint8")
    array[300:400] = 255
    (patch,) = naip_patches(tmp_path / "n.tif", array, left=500340 - 400, nodata=255)
    assert patch.bands[0].nodata == 255
    assert valid_percent([patch]) == pytest.approx(100 * 300 / 600 * 500 / 600, abs=0.1)


def test_aligned_windows_agree_with_rasterio():
    tile = Grid(32631, (10.0, 0.0, 499980.0, 0.0, -10.0, 5500020.0), 10980, 10980)
    window = from_bounds(*PLACE.bounds, Affine(*tile.transform))
    assert aligned_window(tile, PLACE.grid(10)) == (window.col_off, window.row_off, window.width, window.height)
    assert aligned_window(tile, PLACE.grid(20)) is None
    assert aligned_window(Grid(32632, tile.transform, 10980, 10980), PLACE.grid(10)) is None
    half = Grid(32631, (10.0, 0.0, 499985.0, 0.0, -10.0, 5500020.0), 10980, 10980)
    assert aligned_window(half, PLACE.grid(10)) is None


@pytest.mark.parametrize(("source_epsg", "epsg", "shift"), [(32636, 32736, 10_000_000), (32736, 32636, -10_000_000)])
def test_a_tile_of_the_other_hemisphere_is_copied_across_the_equator(tmp_path, source_epsg, epsg, shift):
    bottom = 40 + 60 * 166_660 if shift > 0 else 60 * 5
    place = Location("e-000000", epsg, (500040, bottom, 500640, bottom + 600))
    array = ground((300, 300))
    top = bottom - shift + 2400
    band = write(tmp_path / "b.tif", array, left=499980, top=top, gsd=10, epsg=source_epsg)
    plane = read_plane(Files(), band, place, gsd=10, fallback_gsd=10, kernel="cubic", nodata=0)
    assert plane.source.window == (6, 180, 60, 60)
    assert (plane.pixels == array[180:240, 6:66]).all()
    assert plane.resampling is None


def test_covering_windows_hold_the_square_and_stay_in_the_raster():
    epsg, bounds = squares_around([6.01], [48.0], 2640)
    place = Location("b-000000", int(epsg[0]), tuple(int(v) for v in bounds[0]))
    tile = Grid(32631, (10.0, 0.0, 699960.0, 0.0, -10.0, 5400000.0), 10980, 10980)
    column, row, width, height = covering_window(tile, place.grid(10))
    assert 0 <= column <= column + width <= 10980
    assert 0 <= row <= row + height <= 10980
    assert 264 < width < 300
