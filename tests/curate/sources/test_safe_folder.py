"""A folder of products as a source: what it finds, what it skips in words, and a whole build from it."""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import rasterio

from catalogs.errors import NotACatalogError
from catalogs.failures import read_failures
from catalogs.files import for_gdal
from curate.errors import SourceSensorError
from curate.planes import FilePlanes, open_planes
from curate.sources import open_source
from curate.sources.safe.folder import SafeFolderSource
from tests.end_to_end.commands import curate, items_of
from tests.planted import assert_nowhere
from tests.safe_products import LEFT, TOP, Product, write_product

HOME = "somebody-s-home"
EVERYWHERE = (-180.0, -90.0, 180.0, 90.0)
SUMMER = (datetime(2023, 6, 1, tzinfo=UTC), datetime(2023, 9, 1, tzinfo=UTC))
CENTRE = (3.017, 51.4404)
"""Of the tile: lon, lat."""


def day(number):
    return Product().when + timedelta(days=number)


PRODUCTS = (
    Product(),
    Product(when=day(5), baseline="03.01", satellite="B"),
    Product(when=day(10), clouded=1.0, cloud=100.0),
    Product(when=day(15), level="L1C"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four products, at two depths, as folders and as zip files."""
    root = tmp_path_factory.mktemp("people") / HOME / "products"
    (root / "2023").mkdir(parents=True)
    for number, product in enumerate(PRODUCTS):
        write_product(root / "2023" if number else root, product, zipped=number in {1, 3})
    return root


def test_a_folder_with_products_is_their_source(folder):
    source = open_source(str(folder))
    assert isinstance(source, SafeFolderSource)
    assert source.sensors() == ["sentinel-2-l2a", "sentinel-2-l1c"]
    assert [scene.id for scene in source.search("sentinel-2-l2a", EVERYWHERE, *SUMMER)] == [p.title for p in PRODUCTS[:3]]
    assert [scene.id for scene in source.search("sentinel-2-l1c", EVERYWHERE, *SUMMER)] == [PRODUCTS[3].title]
    assert source.skipped == {}


def test_a_product_itself_is_a_source_too(folder):
    for place in (folder / f"{PRODUCTS[0].title}.SAFE", folder / "2023" / f"{PRODUCTS[3].title}.zip"):
        assert len(open_source(str(place)).sensors()) == 1


def test_time_place_and_cloud_narrow_it(folder):
    source = open_source(str(folder), max_scene_cloud=50)
    assert len(source.search("sentinel-2-l2a", EVERYWHERE, *SUMMER)) == 2
    assert len(source.search("sentinel-2-l2a", EVERYWHERE, day(1), SUMMER[1])) == 1
    assert source.search("sentinel-2-l2a", (10.0, 10.0, 11.0, 11.0), *SUMMER) == []


def test_another_sensor_is_refused_with_what_there_is(folder):
    with pytest.raises(SourceSensorError, match=r"has no naip. It has sentinel-2-l2a \(3 products\), sentinel-2-l1c \(1 prod"):
        open_source(str(folder)).search("naip", EVERYWHERE, *SUMMER)


def test_a_folder_with_a_catalog_is_that_catalog(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "both")
    (tmp_path / "both" / "catalog.json").write_text('{"type": "Catalog", "stac_version": "1.0.0", "id": "x", "links": []}')
    assert open_source(str(tmp_path / "both")).sensors() == []


def test_what_is_damaged_or_twice_there_is_counted_in_words(folder, tmp_path):
    root = shutil.copytree(folder, tmp_path / "damaged")
    shutil.copytree(root / f"{PRODUCTS[0].title}.SAFE", root / "2023" / f"{PRODUCTS[0].title}.SAFE")
    cut = root / "2023" / f"{PRODUCTS[1].title}.zip"
    cut.write_bytes(cut.read_bytes()[:1000])
    shutil.rmtree(root / "2023" / f"{PRODUCTS[2].title}.SAFE" / "GRANULE")
    (root / "readme.zip").write_bytes(b"none of ours")
    source = open_source(str(root))
    words = {path.rsplit("/", 1)[1]: why for path, why in source.skipped.items()}
    assert "is damaged" in words.pop(cut.name)
    assert "incomplete: of 13 files of bands 13 are missing" in words.pop(f"{PRODUCTS[2].title}.SAFE")
    assert "the same product as in" in words.pop(f"{PRODUCTS[0].title}.SAFE")
    assert words == {}
    assert len(source.search("sentinel-2-l2a", EVERYWHERE, *SUMMER)) == 1


def test_linked_folders_are_looked_into_once_and_locked_ones_told_of(folder, tmp_path, monkeypatch):
    root = tmp_path / "root"
    (root / "locked").mkdir(parents=True)
    (root / "disk").symlink_to(folder, target_is_directory=True)
    (root / "disk again").symlink_to(folder, target_is_directory=True)
    (root / "round").symlink_to(root, target_is_directory=True)
    scandir = os.scandir

    def deny(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", deny)
    source = open_source(str(root))
    assert len(source.search("sentinel-2-l2a", EVERYWHERE, *SUMMER)) == 3
    assert list(source.skipped.values()) == ["the folder cannot be listed (Permission denied): see who may read it"]
    assert next(iter(source.skipped)).endswith("root/locked")


def test_a_folder_of_damaged_products_says_what_is_wrong_with_the_first(tmp_path):
    (tmp_path / f"{Product().title}.zip").write_bytes(b"PK")
    with pytest.raises(NotACatalogError, match=r"has no Sentinel-2 product that can be read\. .* is damaged"):
        open_source(str(tmp_path))


def test_a_file_in_a_zip_is_named_as_below_a_folder_and_opened_by_gdal(folder, tmp_path):
    archive = folder / "2023" / f"{PRODUCTS[3].title}.zip"
    assert for_gdal(f"{archive}/a/b.jp2") == f"/vsizip/{{{archive}}}/a/b.jp2"
    (tmp_path / "not.zip").mkdir()
    assert for_gdal(f"{tmp_path}/not.zip/b.jp2") == f"{tmp_path}/not.zip/b.jp2"


def test_planes_of_products_are_read_block_by_block(folder):
    reader = open_planes(open_source(str(folder)), connections=2)
    assert isinstance(reader, FilePlanes)
    reader.close()


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    """A catalog of the square in the middle of the tile, not built yet."""
    place, out = tmp_path_factory.mktemp("place") / "centre.geojson", tmp_path_factory.mktemp("sampled") / "catalog"
    place.write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": CENTRE}}))
    assert curate("sample", "--strategy", "file", "--from", place, "--patch-m", 600, "--out", out, "--quiet") == 0
    return out


def build(out, source, sensor, *days):
    words = ("--sensor", sensor, "--seasons", 1, "--start", f"2023-06-{days[0]}", "--end", f"2023-06-{days[1]}")
    return curate("build", out, "--source", source, *words, "--quiet")


@pytest.fixture(scope="module")
def built(folder, sampled, tmp_path_factory):
    """Three catalogs: of a folder at baseline 05.09, of a zip file at 03.01, both of the same ground, and of Level-1C."""
    root = tmp_path_factory.mktemp("built")
    wishes = {"new": ("sentinel-2-l2a", 13, 17), "old": ("sentinel-2-l2a", 17, 22), "l1c": ("sentinel-2-l1c", 27, 30)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder.parent))
        for name, words in wishes.items():
            shutil.copytree(sampled, root / name)
            assert build(root / name, "~/products", *words) == 0
    return tuple(root / name for name in wishes)


def reflectances(catalog, sensor):
    """Of the one item: itself, and by band (column and row in the tile, values)."""
    ((path, item),) = items_of(catalog, sensor)
    found = {}
    for asset in item["assets"].values():
        if "data" in asset["roles"]:
            with rasterio.open(path.parent / asset["href"]) as file:
                for number, band in enumerate(asset["bands"], 1):
                    values = file.read(number) * band["raster:scale"] + band["raster:offset"]
                    corner = (file.transform.c - LEFT) / band["gsd"], (TOP - file.transform.f) / band["gsd"]
                    found[band["name"]] = corner, values
    return item, found


def test_every_pixel_of_a_build_is_the_product_s_in_either_convention(built):
    for catalog, product in zip(built, (PRODUCTS[0], PRODUCTS[1], PRODUCTS[3]), strict=True):
        _, found = reflectances(catalog, product.sensor.id)
        assert sorted(found) == sorted(band.name for band in product.sensor.bands)
        for name, ((column, row), values) in found.items():
            assert values.shape == (600 / product.sensor.band(name).gsd,) * 2
            whole = product.reflectance(name)[int(row) :, int(column) :]
            np.testing.assert_allclose(values, whole[: len(values), : len(values)], atol=1e-9)


def test_items_tell_the_offset_that_their_product_states_and_who_decided(built):
    told = [reflectances(*each)[0] for each in zip(built, ("sentinel-2-l2a", "sentinel-2-l2a", "sentinel-2-l1c"), strict=True)]
    assert [item["properties"]["processing:version"] for item in told] == ["05.09", "03.01", "05.09"]
    assert [item["assets"]["10m"]["bands"][0]["raster:offset"] for item in told] == [-0.1, 0.0, -0.1]
    assert {item["properties"]["seastars:radiometry"]["decision"] for item in told} == {"metadata"}
    assert {item["properties"]["view:sun_elevation"] for item in told} == {59.75}


def test_the_catalogs_verify(built):
    for catalog in built:
        assert curate("verify", catalog, "--quiet") == 0


def test_the_user_s_home_is_in_no_file(built):
    for catalog in built:
        assert_nowhere([HOME], catalog)
    item, _ = reflectances(built[1], "sentinel-2-l2a")
    assert item["assets"]["10m"]["seastars:sources"][0]["href"].startswith(f"~/products/2023/{PRODUCTS[1].title}.zip/")


def test_a_band_file_that_is_damaged_costs_its_scene_in_words(folder, sampled, tmp_path):
    root = shutil.copytree(folder, tmp_path / "spoiled")
    path = next((root / f"{PRODUCTS[0].title}.SAFE").rglob("*_B05_20m.jp2"))
    path.write_bytes(bytes(path.stat().st_size))
    out = shutil.copytree(sampled, tmp_path / "out")
    assert build(out, root, "sentinel-2-l2a", 13, 17) == 4
    (failure,) = read_failures(out)
    assert "B05_20m.jp2 cannot be read as a raster" in failure.message
