"""Windows of files, from a folder and over HTTP: the same pixels, patience, and words without secrets."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine
from rasterio.windows import Window

from catalogs.foreign import SourceBand
from curate.errors import SourceUnavailableError
from curate.sources.rasters import open_raster
from tests.conftest import NOWHERE
from tests.servers import Recording, replay, serve_files

PIXELS = np.random.default_rng(5).integers(1, 10_000, (2, 512, 512), dtype=np.uint16)


def write(path, pixels=PIXELS, *, transform=None, crs="EPSG:32631", nodata=0):
    transform = transform or Affine(10, 0, 501360, 0, -10, 5629680)
    count, height, width = pixels.shape
    profile = {"driver": "GTiff", "dtype": pixels.dtype, "count": count, "height": height, "width": width}
    layout = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}
    with rasterio.open(path, "w", **profile, **layout, transform=transform, crs=crs, nodata=nodata) as file:
        file.write(pixels)
    return path


def test_grid_nodata_type_and_checksum_of_a_file_are_told(tmp_path):
    band = SourceBand(str(write(tmp_path / "a.tif")), 2, checksum="1220ab", nodata=7)
    with open_raster(band) as raster:
        assert (raster.grid.epsg, raster.grid.shape, raster.grid.gsd) == (32631, (512, 512), 10)
        assert raster.grid.transform == (10, 0, 501360, 0, -10, 5629680)
        assert (raster.nodata, raster.data_type, raster.checksum) == (0, "uint16", "1220ab")


def test_a_window_is_the_file_s_pixels_of_the_band(tmp_path):
    path = write(tmp_path / "a.tif")
    for index in (1, 2):
        with open_raster(SourceBand(path.as_uri(), index)) as raster:
            for window in ((0, 0, 512, 512), (3, 5, 7, 11), (511, 511, 1, 1)):
                column, row, width, height = window
                assert np.array_equal(raster.read(window), PIXELS[index - 1, row : row + height, column : column + width])
                assert raster.read(window).dtype == np.uint16


@pytest.mark.parametrize("window", [(-1, 0, 4, 4), (0, 510, 4, 4), (510, 0, 4, 4), (0, 0, 0, 4), (0, -2, 4, 4)])
def test_a_window_that_is_not_inside_is_refused_rather_than_cut(tmp_path, window):
    with (
        open_raster(SourceBand(str(write(tmp_path / "a.tif")))) as raster,
        pytest.raises(ValueError, match=r"is not inside .*512 x 512"),
    ):
        raster.read(window)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"crs": None}, "states nothing where a coordinate system with an EPSG code was expected.* Assign one"),
        ({"crs": "+proj=laea +lat_0=33 +lon_0=7.5"}, "states .* where a coordinate system with an EPSG code was expected"),
        ({"transform": Affine(10, 1, 0, 1, -10, 0)}, r"is rotated or upside down \(transform 10.0, 1.0, 1.0, -10.0\)"),
        ({"transform": Affine(10, 0, 0, 0, 10, 0)}, "is rotated or upside down"),
        ({"transform": Affine(10, 0, 0, 0, -20, 0)}, "has pixels of 10 x 20; expected squares"),
    ],
)
def test_a_file_without_a_proper_grid_is_refused_in_words(tmp_path, options, words):
    path = write(tmp_path / "a.tif", **options)
    with pytest.raises(SourceUnavailableError, match=words), open_raster(SourceBand(str(path))):
        pass


def test_a_picture_without_any_place_is_refused_in_words(tmp_path):
    path = tmp_path / "a.tif"
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        write(path, transform=Affine.identity(), crs=None)
    with (
        pytest.raises(SourceUnavailableError, match="states nothing where a coordinate system"),
        open_raster(SourceBand(str(path))),
    ):
        pass


def test_pixels_that_differ_from_squares_by_rounding_only_are_squares(tmp_path):
    path = write(tmp_path / "a.tif", transform=Affine(0.6, 0, 341338.2, 0, -0.6000000000001, 4749053.4))
    with open_raster(SourceBand(str(path))) as raster:
        assert raster.grid.gsd == 0.6


def test_a_band_that_the_file_lacks_is_refused_in_words(tmp_path):
    with (
        pytest.raises(SourceUnavailableError, match="has 2 bands, its item names band 3"),
        open_raster(SourceBand(str(write(tmp_path / "a.tif")), 3)),
    ):
        pass


def test_a_missing_or_broken_file_is_a_source_that_is_unavailable(tmp_path):
    with pytest.raises(SourceUnavailableError, match=r"a\.tif does not exist.* Expected the file that its item names"):
        open_raster(SourceBand(str(tmp_path / "a.tif"))).__enter__()
    broken = write(tmp_path / "b.tif")
    broken.write_bytes(b"no raster")
    with pytest.raises(SourceUnavailableError, match=r"b\.tif cannot be read as a raster"):
        open_raster(SourceBand(str(broken))).__enter__()


def test_a_truncated_file_fails_where_it_is_read(tmp_path):
    path = write(tmp_path / "a.tif")
    path.write_bytes(path.read_bytes()[:200_000])
    with (
        open_raster(SourceBand(str(path))) as raster,
        pytest.raises(SourceUnavailableError, match=r"a\.tif cannot be read as a raster"),
    ):
        raster.read((0, 0, 512, 512))


def test_many_threads_read_what_one_reads(tmp_path):
    band = SourceBand(str(write(tmp_path / "a.tif")))

    def read(place):
        with open_raster(band) as raster:
            return raster.read((place, place, 20, 20))

    with ThreadPoolExecutor(8) as pool:
        for place, pixels in enumerate(pool.map(read, range(100))):
            assert np.array_equal(pixels, PIXELS[0, place : place + 20, place : place + 20])


def test_windows_over_a_web_server_equal_those_of_the_folder(shared_data):
    archive = shared_data / "archive"
    paths = [
        path for pattern in ("sentinel-2-l2a/*2022*/*.tif", "landsat-c2-l2/*201808*/*.tif") for path in archive.glob(pattern)
    ]
    assert len(paths) > 10
    with serve_files(archive) as url:
        for path in paths:
            with (
                rasterio.open(path) as file,
                open_raster(SourceBand(f"{url}/{path.relative_to(archive).as_posix()}")) as raster,
            ):
                column, row, width, height = window = (17, 13, 40, 47)
                assert np.array_equal(raster.read(window), file.read(1, window=Window(column, row, width, height))), path
                assert raster.grid.transform == file.transform[:6]


def test_only_the_blocks_of_the_window_are_fetched(tmp_path, quick):
    data = write(tmp_path / "a.tif").read_bytes()
    with replay([Recording("GET", "/a.tif", data)]) as server, open_raster(SourceBand(f"{server.url}/a.tif")) as raster:
        assert np.array_equal(raster.read((64, 64, 64, 64)), PIXELS[0, 64:128, 64:128])
        assert len(server.requests) <= 4


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429}, {"cut": True}])
def test_a_passing_fault_is_tried_again(tmp_path, quick, fault):
    data = write(tmp_path / "a.tif").read_bytes()
    recordings = [Recording("GET", "/a.tif", data, times=2, **fault), Recording("GET", "/a.tif", data)]
    with replay(recordings) as server, open_raster(SourceBand(f"{server.url}/a.tif")) as raster:
        assert np.array_equal(raster.read((0, 0, 512, 512)), PIXELS[0])


def test_a_fault_in_the_middle_of_reading_is_tried_again(tmp_path, quick):
    data = write(tmp_path / "a.tif").read_bytes()
    good = [Recording("GET", "/a.tif", data, times=2), Recording("GET", "/a.tif", b"", status=500, times=6)]
    with replay([*good, Recording("GET", "/a.tif", data)]) as server, open_raster(SourceBand(f"{server.url}/a.tif")) as raster:
        assert np.array_equal(raster.read((448, 448, 64, 64)), PIXELS[0, 448:, 448:])
        assert len(server.requests) > 8


@pytest.mark.parametrize("status", [403, 404])
def test_a_lasting_fault_is_told_at_once_and_without_the_secret(quick, status):
    with replay([Recording("GET", "/a.tif", b"no", status=status)]) as server:
        with pytest.raises(SourceUnavailableError) as caught:
            open_raster(SourceBand(f"{server.url}/a.tif?sig=hidden&se=2030".replace("//", "//ada:hidden@"))).__enter__()
        assert len(server.requests) == 1
        assert str(caught.value).startswith(f"{server.url}/a.tif cannot be read (GDAL: HTTP response code: {status}")
        assert "run the same command again" in str(caught.value)
        assert "hidden" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.exit_code == 4


def test_a_server_that_stays_busy_is_given_up_after_some_tries(quick):
    with replay([Recording("GET", "/a.tif", b"", status=503)]) as server:
        with pytest.raises(SourceUnavailableError, match="HTTP response code: 503"):
            open_raster(SourceBand(f"{server.url}/a.tif")).__enter__()
        assert len(server.requests) > 3


def test_a_server_that_is_not_there_is_told(quick):
    with pytest.raises(SourceUnavailableError, match=f"{NOWHERE}/a.tif cannot be read"):
        open_raster(SourceBand(f"{NOWHERE}/a.tif?token=hidden")).__enter__()
