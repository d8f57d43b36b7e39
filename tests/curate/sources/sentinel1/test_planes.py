"""Squares of a made-up product: what the ground is known to give back, and what is said where it cannot be had."""

import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import rasterio

from catalogs.foreign import SourceBand
from catalogs.lattice import transformer
from catalogs.records import Grid
from curate.errors import HostDownError, SourceUnavailableError, StoppedError
from curate.fetch import PlaneAsk
from curate.reading.reader import BlockReader
from curate.reading.transport import Transport
from curate.sources.sentinel1 import geometry
from curate.sources.sentinel1.addresses import MARK
from curate.sources.sentinel1.geometry import pixel_centres
from curate.sources.sentinel1.planes import RadarPlanes
from tests.curate.sources.sentinel1.conftest import PLACE, SIZE, square_at, swells
from tests.curate.sources.sentinel1.orbit import Orbit
from tests.curate.sources.sentinel1.products import annotation_xml, write_image, write_product

NODATA = -32768.0


@pytest.fixture
def planes():
    reader = RadarPlanes(connections=4)
    yield reader
    reader.close()


def ask(folder, location, name="vv"):
    band = SourceBand(f"{folder}/measurement/iw-{name}.tiff{MARK}", 1, 1.0, 0.0, 0.0)
    return PlaneAsk(band, location, 10, 10, "cubic", NODATA)


def plane_of(planes, *asked):
    ((_, plane),) = planes.read([("key", ask(*asked))])
    return plane


def ground_of(grid):
    """Longitudes and latitudes of the centres of a grid's pixels."""
    return transformer(grid.epsg, 4326).transform(*pixel_centres(grid))


def test_a_square_to_which_an_image_has_no_way_spoils_itself_alone(planes, product, monkeypatch):
    asked = [(name, ask(product.folder, square_at(PLACE[0], PLACE[1], name))) for name in ("near-000000", "nowhere-000000")]
    plain = geometry.project

    def project(grid, epsg):
        nodes = plain(grid, epsg)
        return replace(nodes, x=np.full_like(nodes.x, np.inf)) if asked.pop()[0].startswith("nowhere") else nodes

    monkeypatch.setattr("curate.sources.sentinel1.planes.project", project)
    found = dict(planes.read([*reversed(asked)]))
    assert "iw-vv.tiff has a geolocation grid in its annotation without a place in EPSG:" in str(found["nowhere-000000"])
    assert np.isfinite(found["near-000000"].pixels).all()


@pytest.mark.parametrize(("name", "share"), [("vv", 1.0), ("vh", 0.1)])
def test_a_square_has_the_decibels_of_its_ground(planes, product, name, share):
    location = square_at(*PLACE)
    plane = plane_of(planes, product.folder, location, name)
    expected = 10 * np.log10(share * swells(*ground_of(plane.grid)))
    assert (plane.pixels.dtype, plane.pixels.shape) == (np.float32, (60, 60))
    assert plane.grid == location.grid(10)
    error = plane.pixels - expected
    assert np.abs(error).max() < 0.25, "of which most is the interpolation of waves of 400 m"
    assert abs(error.mean()) < 0.02
    assert expected.max() - expected.min() > 4


def test_it_tells_the_image_the_window_and_the_kernel(planes, product):
    plane = plane_of(planes, product.folder, square_at(*PLACE))
    assert plane.source.href == str(product.images["vv"])
    column, row, width, height = plane.source.window
    assert abs(column + width / 2 - SIZE["width"] / 2) < 10, "the square is in the middle of the image"
    assert abs(row + height / 2 - SIZE["height"] / 2) < 10
    assert 60 < width < 85, "as wide as a turned square, and some pixels more"
    assert 60 < height < 85
    assert (plane.resampling, plane.nodata) == ("bilinear", NODATA)


def test_mirrors_are_found_where_they_stand(planes, orbit, product, tmp_path):
    """Single bright pixels of the image: each makes a heap of some pixels, about the place that the orbit has for it."""
    spots = [(300, 330), (312, 348), (325, 362), (338, 372)]
    numbers = np.full((SIZE["height"], SIZE["width"]), 20, "uint16")
    numbers[tuple(np.transpose(spots))] = 30_000
    folder = shutil.copytree(product.folder, tmp_path / "mirrors")
    write_image(folder / "measurement/iw-vv.tiff", numbers, product.grid)
    plane = plane_of(planes, folder, square_at(*PLACE))
    x, y = pixel_centres(plane.grid)
    power = 10 ** (plane.pixels / 10)
    for line, pixel in spots:
        place = transformer(4326, plane.grid.epsg).transform(*orbit.ground(float(line), float(pixel), 0.0))
        heap = np.where(np.hypot(x - place[0], y - place[1]) < 30, power, 0)
        middle = (heap * x).sum() / heap.sum(), (heap * y).sum() / heap.sum()
        assert np.hypot(middle[0] - place[0], middle[1] - place[1]) < 3


def test_the_border_has_no_data_and_neither_has_what_lies_beyond_the_image(planes, orbit, product):
    lon, lat = orbit.ground(320.0, 40.0, 0.0)
    plane = plane_of(planes, product.folder, square_at(float(lon), float(lat)))
    _, pixels = orbit.seen(*ground_of(plane.grid), 0.0)
    is_missing = plane.pixels == NODATA
    assert is_missing[pixels < 38.5].all()
    assert not is_missing[pixels > 40.5].any()
    assert 0.2 < is_missing.mean() < 0.8
    lon, lat = orbit.ground(-5.0, 400.0, 0.0)
    lines, _ = orbit.seen(*ground_of(plane_of(planes, product.folder, square_at(float(lon), float(lat))).grid), 0.0)
    beyond = plane_of(planes, product.folder, square_at(float(lon), float(lat)))
    assert (beyond.pixels == NODATA)[lines < -0.5].all()
    assert not (beyond.pixels == NODATA)[lines > 0.5].any()
    nowhere = plane_of(planes, product.folder, square_at(PLACE[0] + 1, PLACE[1]))
    assert (nowhere.pixels == NODATA).all()


def test_headers_documents_and_blocks_are_read_once_for_many_squares(planes, product, monkeypatch):
    fetched = Counter()
    fetch = Transport.fetch

    def counted(self, href, start, end):
        fetched[href.rpartition("/")[2], start] += 1
        return fetch(self, href, start, end)

    monkeypatch.setattr(Transport, "fetch", counted)
    squares = [square_at(PLACE[0] + shift, PLACE[1], f"place-{n:06}") for n, shift in enumerate((0, 0.001, 0.002))]
    asks = [((name, place.id), ask(product.folder, place, name)) for name in ("vv", "vh") for place in squares]
    first, again = dict(planes.read(asks)), dict(planes.read(asks))
    assert first.keys() == again.keys() == {key for key, _ in asks}
    assert all((first[key].pixels == again[key].pixels).all() for key in first)
    assert {name for name, _ in fetched} == {
        "iw-vv.tiff", "iw-vv.xml", "calibration-iw-vv.xml", "iw-vh.tiff", "iw-vh.xml", "calibration-iw-vh.xml",
    }  # fmt: skip
    documents = {key: times for key, times in fetched.items() if key[0].endswith(".xml") or key[1] == 0}
    assert set(documents.values()) == {1}
    assert planes.fetched.requests == sum(fetched.values())


@pytest.mark.parametrize("options", [{"compress": "lzw"}, {"compress": "zstd", "predictor": 2}])
def test_images_that_gdal_alone_can_read_give_the_same(planes, product, tmp_path, options):
    folder = shutil.copytree(product.folder, tmp_path / "other")
    with rasterio.open(product.images["vv"]) as image:
        write_image(folder / "measurement/iw-vv.tiff", image.read(1), product.grid, **options)
    place = square_at(*PLACE)
    np.testing.assert_array_equal(plane_of(planes, folder, place).pixels, plane_of(planes, product.folder, place).pixels)


def test_read_as_a_file_of_a_map_grid_the_image_is_refused(product):
    with Transport(connections=1) as transport:
        (info,) = BlockReader(transport).rasters([SourceBand(str(product.images["vv"]))])
        (framed,) = BlockReader(transport, is_placed=False).rasters([SourceBand(str(product.images["vv"]))])
    with pytest.raises(SourceUnavailableError, match="states nothing where a coordinate system with an EPSG code was expected"):
        raise info
    assert framed.grid == Grid(None, (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), SIZE["height"], SIZE["width"])


def without(name):
    return lambda folder, _: (folder / name).unlink()


def with_text(name, change):
    return lambda folder, _: (folder / name).write_text(change((folder / name).read_text()))


def with_other_size(folder, grid):
    write_image(folder / "measurement/iw-vv.tiff", np.ones((600, 700), "uint16"), grid)


def with_other_type(folder, grid):
    write_image(folder / "measurement/iw-vv.tiff", np.ones((640, 700), "float32"), grid)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            without("annotation/iw-vv.xml"),
            r"Without its annotation a radar image cannot be calibrated and brought to the ground: .*iw-vv\.xml",
        ),
        (
            without("annotation/calibration/calibration-iw-vv.xml"),
            r"Without its calibration a radar image cannot be calibrated .*calibration-iw-vv\.xml",
        ),
        (without("measurement/iw-vv.tiff"), r"iw-vv\.tiff does not exist"),
        (
            with_text("annotation/iw-vv.xml", lambda text: text.replace(">VV<", ">HH<")),
            "is of polarisation HH; expected VV, as its name says",
        ),
        (
            with_text("annotation/iw-vv.xml", lambda text: text.split("<geolocationGrid>")[0] + "</product>"),
            "has 0 points of a geolocation grid, .* its image has no place on the ground",
        ),
        (with_other_size, r"iw-vv\.tiff has 600 lines of 700 pixels, uint16; expected 640 of 700, uint16, as its annotation"),
        (with_other_type, r"has 640 lines of 700 pixels, float32; expected 640 of 700, uint16"),
    ],
)
def test_what_cannot_be_had_is_told_and_spoils_no_other_plane(planes, product, tmp_path, spoil, words):
    folder = shutil.copytree(product.folder, tmp_path / "spoilt")
    spoil(folder, product.grid)
    place = square_at(*PLACE)
    given = dict(
        planes.read([("bad", ask(folder, place)), ("good", ask(product.folder, place)), ("vh", ask(folder, place, "vh"))])
    )
    assert isinstance(given["bad"], SourceUnavailableError)
    with pytest.raises(SourceUnavailableError, match=words):
        raise given["bad"]
    np.testing.assert_array_equal(given["good"].pixels, plane_of(planes, product.folder, place).pixels)
    assert given["vh"].pixels.max() > NODATA


def test_a_failure_of_a_document_is_asked_again_the_next_time(planes, product, tmp_path):
    folder, place = shutil.copytree(product.folder, tmp_path / "late"), square_at(*PLACE)
    text = (folder / "annotation/iw-vv.xml").read_text()
    (folder / "annotation/iw-vv.xml").unlink()
    assert isinstance(plane_of(planes, folder, place), SourceUnavailableError)
    (folder / "annotation/iw-vv.xml").write_text(text)
    assert plane_of(planes, folder, place).pixels.max() > NODATA


def test_a_host_that_is_down_stays_one_so_that_it_is_waited_for(planes, product, monkeypatch):
    def down(*_):
        raise HostDownError("s3 is down")

    monkeypatch.setattr(Transport, "fetch", down)
    assert isinstance(plane_of(planes, product.folder, square_at(*PLACE)), HostDownError)


def test_a_reader_that_is_stopped_gives_no_more(planes, product):
    planes.stop()
    assert list(planes.read([("key", ask(product.folder, square_at(*PLACE)))])) == []
    with pytest.raises(StoppedError):
        planes._transport.fetch(str(product.images["vv"]), 0, 10)


def test_a_grid_of_the_other_half_of_the_earth_is_no_different(planes, tmp_path):
    """South of the equator, and across 180 degrees."""
    orbit = Orbit.over(179.999, -17.0, ascending=True, height=200, width=220)

    def power_of(lon, lat):
        return 0.1 + 0.5 * (lat + 17.0) + 0 * lon

    product = write_product(tmp_path / "fiji", orbit, power_of)
    plane = plane_of(planes, product.folder, square_at(179.999, -17.0))
    assert isinstance(plane.grid, Grid)
    expected = 10 * np.log10(power_of(*ground_of(plane.grid)))
    np.testing.assert_allclose(plane.pixels, expected, atol=0.06)


def test_the_annotation_of_a_product_that_looks_at_mountains_moves_its_squares(planes, orbit, product, tmp_path):
    """Heights of 300 m in the grid: the same image, other places."""
    folder, place = shutil.copytree(product.folder, tmp_path / "high"), square_at(*PLACE)
    grid = orbit.grid(lambda line, _: np.full_like(line, 300.0), shape=(4, 5))
    (folder / "annotation/iw-vv.xml").write_text(annotation_xml(grid, **SIZE))
    low, high = plane_of(planes, product.folder, place), plane_of(planes, folder, place)
    moved_m = 10 * (low.source.window[0] - high.source.window[0])
    assert moved_m == pytest.approx(300 / np.tan(np.radians(product.grid[5].mean())), abs=15), "what is high is seen nearer"
