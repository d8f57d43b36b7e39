"""What the first directory of a TIFF says is what GDAL finds there, in every form of the file; damage is told."""

import struct

import numpy as np
import pytest
import rasterio
from rasterio import Affine

from catalogs import tiff_header as tiff
from catalogs.tiff_header import read_directory, stated_epsg, stated_nodata, stated_transform

ALL = tiff.LAYOUT | tiff.GROUND
FORMS = [{}, {"bigtiff": "yes"}, {"endianness": "big"}, {"bigtiff": "yes", "endianness": "big"}]


def reading(content):
    return lambda offset, size: content[offset : offset + size]


def write(path, size=(300, 200), **options):
    settings = {
        "crs": "EPSG:32631",
        "transform": Affine(10, 0, 499980, 0, -10, 5700000),
        "dtype": "uint16",
        "count": 1,
        **options,
    }
    with rasterio.open(path, "w", driver="GTiff", height=size[0], width=size[1], **settings) as raster:
        raster.write(np.ones((settings["count"], *size), settings["dtype"]))
    return path.read_bytes()


def directory_of(path, **options):
    found = read_directory(reading(write(path, **options)), ALL)
    assert found is not None
    return found


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_file_says_the_same(tmp_path, form):
    found = directory_of(tmp_path / "a.tif", count=3, nodata=7, compress="deflate", predictor=2, interleave="band", **form)
    assert found.is_big == ("bigtiff" in form)
    assert found.byte_order == (tiff.BIG if "endianness" in form else tiff.LITTLE)
    assert (found.first(tiff.WIDTH), found.first(tiff.HEIGHT)) == (200, 300)
    assert found.tags[tiff.BITS] == (16, 16, 16)
    assert (found.first(tiff.COMPRESSION), found.first(tiff.PREDICTOR)) == (tiff.OLD_DEFLATE, tiff.DIFFERENCES) or (
        found.first(tiff.COMPRESSION) == tiff.DEFLATE
    )
    assert found.first(tiff.PLANES) == tiff.APART
    assert len(found.tags[tiff.STRIP_OFFSETS]) == len(found.tags[tiff.STRIP_SIZES]) > 3
    assert stated_nodata(found) == 7
    assert stated_epsg(found) == 32631
    assert stated_transform(found) == (10, 0, 499980, 0, -10, 5700000)


def test_offsets_are_where_the_blocks_are(tmp_path):
    content = write(tmp_path / "a.tif", size=(128, 192), tiled=True, blockxsize=64, blockysize=64)
    found = read_directory(reading(content), ALL)
    for offset, size in zip(found.tags[tiff.TILE_OFFSETS], found.tags[tiff.TILE_SIZES], strict=True):
        assert size == 64 * 64 * 2
        assert set(content[offset : offset + 200 : 2]) == {1}


@pytest.mark.parametrize(
    "transform",
    [
        Affine(10, 0, 499980, 0, -10, 5700000),
        Affine(0.3, 0, 1.1, 0, -0.7, 2.2),
        Affine(10, 2, 500000, 3, -10, 5700000),
        Affine(10, 0, 500000, 0, 10, 5700000),
    ],
)
@pytest.mark.parametrize("pixel_is", ["Area", "Point"])
def test_the_transform_is_gdals_or_left_to_it(tmp_path, transform, pixel_is):
    with rasterio.open(
        tmp_path / "a.tif",
        "w",
        driver="GTiff",
        height=4,
        width=5,
        count=1,
        dtype="uint8",
        crs="EPSG:32631",
        transform=transform,
    ) as raster:
        raster.update_tags(AREA_OR_POINT=pixel_is)
    found = stated_transform(read_directory(reading((tmp_path / "a.tif").read_bytes()), ALL))
    with rasterio.open(tmp_path / "a.tif") as raster:
        assert found == tuple(raster.transform[:6])


@pytest.mark.parametrize(("crs", "epsg"), [("EPSG:2154", 2154), ("EPSG:4326", 4326), ("EPSG:3857", 3857), ("EPSG:5070", 5070)])
def test_projected_and_geographic_systems_are_told_by_their_codes(tmp_path, crs, epsg):
    assert stated_epsg(directory_of(tmp_path / "a.tif", crs=crs)) == epsg


@pytest.mark.parametrize("crs", ["+proj=laea +lat_0=11 +lon_0=7", "EPSG:7415", None])
def test_a_system_without_a_code_of_its_own_is_left_to_gdal(tmp_path, crs):
    assert stated_epsg(directory_of(tmp_path / "a.tif", crs=crs)) is None


def test_a_file_without_ground_says_so(tmp_path):
    settings = {"driver": "GTiff", "height": 4, "width": 5, "count": 1, "dtype": "uint8"}
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(tmp_path / "a.tif", "w", **settings):
        pass
    found = read_directory(reading((tmp_path / "a.tif").read_bytes()), ALL)
    assert stated_transform(found) is None
    assert stated_nodata(found) is None


def test_tags_that_nobody_wants_are_not_read(tmp_path):
    content = write(tmp_path / "a.tif", blockysize=1)
    asked = []

    def read(offset, size):
        asked.append(size)
        return content[offset : offset + size]

    assert set(read_directory(read, {tiff.WIDTH}).tags) == {tiff.WIDTH}
    assert asked == [16, tiff.DIRECTORY_BYTES]


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_ends_too_early_is_an_error(tmp_path, form):
    content = write(tmp_path / "a.tif", size=(600, 20), blockysize=1, **form)
    whole = read_directory(reading(content), ALL)
    for length in range(16, 3000, 97):
        try:
            found = read_directory(reading(content[:length]), ALL)
        except struct.error:
            continue
        assert found == whole, "all that is asked lies before"
    with pytest.raises(struct.error):
        read_directory(reading(content[:100]), ALL)


@pytest.mark.parametrize("content", [b"", b"II", b"\x89PNG\r\n\x1a\n" + bytes(100), b"MM*\0" + bytes(100), b"BM" + bytes(60)])
def test_what_is_no_tiff_is_none(content):
    assert read_directory(reading(content), ALL) is None


def test_a_tag_whose_values_are_of_another_type_is_taken_for_absent(tmp_path):
    content = write(tmp_path / "a.tif")
    width = struct.pack("<HH", tiff.WIDTH, 3)
    assert content.count(width) == 1
    assert tiff.WIDTH not in read_directory(reading(content.replace(width, struct.pack("<HH", tiff.WIDTH, 2))), ALL).tags


def test_a_nodata_value_that_is_no_number_is_an_error():
    with pytest.raises(ValueError, match="could not convert"):
        stated_nodata(tiff.Directory(tiff.LITTLE, is_big=False, tags={tiff.NODATA: (b"none\0",)}))
