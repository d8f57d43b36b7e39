"""Rasters in degrees and feet: the sides of their pixels on the ground, the pixels that a warp of them needs, what a plan makes
of their blocks."""

import numpy as np
import pytest
import rasterio
from pyproj import Geod
from rasterio import Affine

from catalogs.bands import SENSORS
from catalogs.foreign import SourceBand, SourceScene
from catalogs.lattice import squares_around, transformer
from catalogs.records import Grid, Location
from curate.errors import SourceUnavailableError
from curate.estimate import expect_blocks
from curate.fetch import PlaneAsk, covering_window, read_plane
from curate.file_shapes import sampled_shapes
from curate.pixel_size import is_in_degrees, pixel_size_m
from curate.planes import open_planes
from curate.reading.headers import Headers
from curate.reading.transport import Transport
from curate.sources.rasters import open_raster

WIDTH_DEG, HEIGHT_DEG = 0.000121, 0.00009
"""Of pixels that are ten metres each way at 42 degrees north."""
CORNER = (2.79, 42.37)
SIDE_PX = 400


def place():
    epsg, bounds = squares_around([CORNER[0] + 0.024], [CORNER[1] - 0.018], 600)
    return Location("a-000000", int(epsg[0]), tuple(int(v) for v in bounds[0]))


def hills(x, y):
    """Ground as a smooth function of place in metres, with some of it below zero."""
    return 900 * np.sin(x / 150) + 700 * np.cos(y / 200)


def write(path, array, *, width=WIDTH_DEG, height=HEIGHT_DEG, corner=CORNER, epsg=4326):
    transform = Affine(width, 0, corner[0], 0, -height, corner[1])
    shape = {"count": 1, "height": array.shape[0], "width": array.shape[1], "dtype": array.dtype}
    with rasterio.open(path, "w", driver="GTiff", crs=f"EPSG:{epsg}", transform=transform, **shape) as raster:
        raster.write(array, 1)
    return SourceBand(str(path))


def in_degrees(path):
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX]
    lon, lat = CORNER[0] + (columns + 0.5) * WIDTH_DEG, CORNER[1] - (rows + 0.5) * HEIGHT_DEG
    x, y = transformer(4326, place().epsg).transform(lon, lat)
    return write(path, hills(x, y).round().astype("int16"))


class Files:
    name, simulated, reads_files, skipped = "files", False, True, {}

    def open(self, band):
        return open_raster(band)


@pytest.mark.parametrize("lat", [0, 42.35, -67])
def test_a_pixel_in_degrees_is_as_wide_as_the_ellipsoid_has_it(lat):
    grid = Grid(4326, (WIDTH_DEG, 0, 2.0, 0, -HEIGHT_DEG, lat + HEIGHT_DEG / 2), 1, 1)
    _, _, width = Geod(ellps="WGS84").inv(2, lat, 2 + WIDTH_DEG, lat)
    _, _, height = Geod(ellps="WGS84").inv(2, lat - HEIGHT_DEG / 2, 2, lat + HEIGHT_DEG / 2)
    assert pixel_size_m(grid) == pytest.approx((width, height), rel=0.006)


def test_feet_are_feet_and_what_nobody_knows_is_metres():
    grid = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), 10, 10
    assert pixel_size_m(Grid(2263, *grid)) == pytest.approx((0.3048006, 0.3048006))
    assert pixel_size_m(Grid(2154, *grid)) == pixel_size_m(Grid(None, *grid)) == pixel_size_m(Grid(999999, *grid)) == (1, 1)
    assert [is_in_degrees(epsg) for epsg in (4326, 4258, 2154, 32631, 999999)] == [True, True, False, False, False]


def test_a_warp_from_degrees_needs_a_few_pixels_around_the_square_and_no_more(tmp_path):
    with open_raster(in_degrees(tmp_path / "d.tif")) as raster:
        column, row, width, height = covering_window(raster.grid, place().grid(10))
        assert 60 <= width <= 85
        assert 60 <= height <= 85
        assert (raster.grid.width, raster.grid.height) == (SIDE_PX, SIDE_PX)
    to_degrees = transformer(place().epsg, 4326)
    lon, lat = to_degrees.transform(*place().centre_xy)
    assert abs(column + width / 2 - (lon - CORNER[0]) / WIDTH_DEG) < 2
    assert abs(row + height / 2 - (CORNER[1] - lat) / HEIGHT_DEG) < 2


def test_pixels_in_degrees_come_to_where_they_belong_signs_kept(tmp_path):
    band = in_degrees(tmp_path / "d.tif")
    for gsd in (10, 20):
        ask = PlaneAsk(band, place(), gsd=gsd, fallback_gsd=gsd, kernel="cubic", nodata=-9999)
        plane = read_plane(Files(), ask)
        rows, columns = np.mgrid[: 600 // gsd, : 600 // gsd]
        grid = place().grid(gsd)
        truth = hills(grid.transform[2] + (columns + 0.5) * gsd, grid.transform[5] - (rows + 0.5) * gsd)
        assert plane.pixels.dtype == "int16"
        assert plane.pixels.min() < -100
        assert np.abs(plane.pixels - truth).max() < 12
        assert plane.resampling == "cubic"
        ((_, together),) = open_planes(Files(), connections=2).read([(0, ask)])
        assert (together.pixels == plane.pixels).all()


def test_masks_in_degrees_get_the_sensors_pixel_size(tmp_path):
    ask = PlaneAsk(in_degrees(tmp_path / "d.tif"), place(), gsd=None, fallback_gsd=20, kernel="nearest", nodata=0)
    assert read_plane(Files(), ask).grid.gsd == 20


def test_oblong_pixels_are_a_fault_in_metres_alone(tmp_path):
    array = np.ones((4, 4), "uint8")
    band = write(tmp_path / "o.tif", array, width=20, height=10, corner=(500000, 5e6), epsg=32631)
    with pytest.raises(SourceUnavailableError, match=r"pixels of 20 x 10; expected squares"), open_raster(band):
        pass
    with open_raster(write(tmp_path / "d.tif", array)) as raster:
        assert raster.grid.transform[4] == -HEIGHT_DEG


def test_a_plan_counts_the_blocks_of_a_file_in_degrees(tmp_path):
    band = in_degrees(tmp_path / "d.tif")
    sensor = SENSORS["sentinel-2-l2a"]
    headers = Headers(Transport(connections=1), fetchers=1)
    (shape,) = sampled_shapes(SourceScene("s", sensor.id, {}, {"B02": band}), [sensor.band("B02")], headers)
    assert shape.gsd == pytest.approx(10, abs=0.1)
    blocks, _ = expect_blocks(shape, np.array([place().bounds], float), np.array([[-10.0]]))
    assert 1 <= blocks[0] <= shape.blocks
