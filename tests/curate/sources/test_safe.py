"""One product as a scene: which file each band is, how its numbers become reflectance, and products that are not whole."""

import shutil
from zipfile import ZipFile

import numpy as np
import pytest

from curate.errors import SourceUnavailableError
from curate.sources.rasters import open_raster
from curate.sources.safe.files import find_products
from curate.sources.safe.product import read_product
from tests.safe_products import EPSG, LEFT, SIDE_M, TOP, Product, write_product


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write_product(tmp_path_factory.mktemp("whole"), Product())


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / whole.name)


def read(band):
    with open_raster(band) as raster:
        return raster.grid, raster.read((0, 0, raster.grid.width, raster.grid.height))


@pytest.mark.parametrize(
    ("level", "baseline", "zipped"),
    [("L1C", "02.07", True), ("L1C", "05.11", False), ("L2A", "02.07", False), ("L2A", "04.00", True)],
)
def test_every_band_is_read_at_its_own_size_and_gives_the_same_reflectance_in_every_convention(
    level, baseline, zipped, tmp_path
):
    product = Product(level=level, baseline=baseline, offsets={"B03": -900})
    scene = read_product(write_product(tmp_path, product, zipped=zipped))
    assert (scene.sensor, scene.baseline, scene.radiometry) == (product.sensor.id, baseline, "metadata")
    assert list(scene.bands) == [band.name for band in product.sensor.bands] + ["scl"] * (level == "L2A")
    for band in product.sensor.bands:
        grid, numbers = read(scene.bands[band.name])
        assert (grid.epsg, grid.transform) == (EPSG, (band.gsd, 0, LEFT, 0, -band.gsd, TOP))
        assert (numbers[:, 0] == scene.bands[band.name].nodata).all()
        measured = numbers[:, 1:] * scene.bands[band.name].scale + scene.bands[band.name].offset
        np.testing.assert_allclose(measured, product.reflectance(band.name)[:, 1:], atol=1e-9)
    if level == "L2A":
        grid, classes = read(scene.bands["scl"])
        assert (grid.gsd, scene.bands["scl"].scale, scene.bands["scl"].offset) == (20, None, None)
        assert (classes == product.classes()).all()


def test_a_scene_tells_what_its_metadata_tell(whole):
    scene = read_product(whole)
    assert scene.id == Product().title
    assert (scene.epsg, scene.cloud_percent, scene.platform, scene.relative_orbit) == (32631, 12.5, "sentinel-2a", 51)
    assert (scene.sun_elevation, scene.sun_azimuth, scene.orbit_state) == (59.75, 151.5, "descending")
    assert scene.href == f"{whole.as_posix()}/MTD_MSIL2A.xml"
    assert scene.datetime.isoformat() == "2023-06-14T10:50:31.024000+00:00"
    assert len(scene.footprint["coordinates"][0]) == 5
    assert SIDE_M == 2400


def test_a_product_without_some_of_its_files_is_incomplete(copy):
    next(copy.rglob("*_B11_20m.jp2")).unlink()
    next(copy.rglob("*_SCL_20m.jp2")).write_bytes(b"")
    with pytest.raises(SourceUnavailableError, match=r"incomplete: of 13 files of bands 2 are missing or empty \(B11, SCL\)"):
        read_product(copy)


def test_a_coarser_copy_is_not_taken_for_a_band(copy):
    next(copy.rglob("R10m/*_B02_10m.jp2")).unlink()
    with pytest.raises(SourceUnavailableError, match=r"1 are missing or empty \(B02\)"):
        read_product(copy)


def test_a_product_without_its_metadata_is_named_with_what_to_do(copy):
    next(copy.rglob("MTD_TL.xml")).unlink()
    with pytest.raises(SourceUnavailableError, match=r"is incomplete: it has 0 MTD_TL\.xml"):
        read_product(copy)
    (copy / "MTD_MSIL2A.xml").unlink()
    with pytest.raises(SourceUnavailableError, match=r"holds no MTD_MSIL1C\.xml or MTD_MSIL2A\.xml.*Collection 1"):
        read_product(copy)


def test_a_band_file_that_was_cut_short_is_told_by_the_packing_list_or_when_it_is_read(copy):
    path = next(copy.rglob("*_B02_10m.jp2"))
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    words = rf"is damaged: {path.name} has {len(content) - 100:,} bytes, its manifest\.safe says {len(content):,}"
    with pytest.raises(SourceUnavailableError, match=words):
        read_product(copy)
    (copy / "manifest.safe").unlink()
    scene = read_product(copy)
    for share in (0.3, 0.5, 0.8, 0.95):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(SourceUnavailableError, match=r"B02_10m\.jp2 cannot be read as a raster"):
            read(scene.bands["B02"])


def test_a_product_of_several_tiles_is_refused(copy):
    granule = next((copy / "GRANULE").iterdir())
    shutil.copytree(granule, granule.with_name("L2A_T31UFS_A041653_20230614T105031"))
    with pytest.raises(SourceUnavailableError, match="holds 2 tiles; expected one"):
        read_product(copy)


def test_a_zip_file_that_was_cut_or_altered_is_damaged(tmp_path):
    path = write_product(tmp_path, Product(), zipped=True)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceUnavailableError, match=r"is damaged: it cannot be opened \(BadZipFile\).*fetch it again"):
        read_product(path)
    with ZipFile(write_product(tmp_path, Product(), zipped=True)) as archive:
        member = archive.getinfo(f"{Product().title}.SAFE/MTD_MSIL2A.xml")
    spoiled = bytearray(content)
    spoiled[member.header_offset + 200] ^= 255
    path.write_bytes(spoiled)
    with pytest.raises(SourceUnavailableError, match=r"damaged: its MTD_MSIL2A.xml cannot be read"):
        read_product(path)


def test_a_product_below_a_folder_of_its_own_name_is_read_as_by_itself(copy):
    """As `unzip -d X.SAFE X.zip` leaves it."""
    outer = copy.with_name("outer.SAFE")
    outer.mkdir()
    copy.rename(outer / copy.name)
    scene = read_product(outer)
    assert scene.id == Product().title
    np.testing.assert_array_equal(read(scene.bands["B02"])[1], Product().numbers("B02"))


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [(10, 9, "by a method that is not known here"), (8, 1, "with a password"), (6, 99, "by a method")],
)
def test_a_zip_file_that_is_packed_in_another_way_is_to_be_unpacked(tmp_path, place, value, words):
    """Deflate64, which Python has not; encryption; a version of the format that is not there yet."""
    path = write_product(tmp_path, Product(), zipped=True)
    content = bytearray(path.read_bytes())
    start = -1
    while (start := content.find(b"PK\x01\x02", start + 1)) >= 0:
        content[start + place] = value
    path.write_bytes(content)
    with pytest.raises(SourceUnavailableError, match=rf"is packed {words}.*; expected .* Unpack it and give the folder"):
        read_product(path)
    path.rename(tmp_path / "any.zip")
    assert list(find_products(tmp_path)) == ([] if place == 6 else [tmp_path / "any.zip"])


def test_a_zip_file_of_two_products_is_refused(tmp_path):
    first = write_product(tmp_path, Product(), zipped=True)
    with ZipFile(first, "a") as archive:
        archive.writestr("Y.SAFE/MTD_MSIL2A.xml", "<x/>")
    with pytest.raises(SourceUnavailableError, match="holds 2 products; expected one"):
        read_product(first)
