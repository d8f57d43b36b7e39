"""Images whose ground nobody knows, and ground off the lattice: written, read, filtered, checked, opened by other tools."""

import json

import duckdb
import geopandas
import pyarrow.parquet as pq
import pystac
import pytest
import rasterio

from catalogs import open_catalog
from catalogs.index import extent
from catalogs.locations import read_locations
from catalogs.rows import NOWHERE
from catalogs.testing import make_catalog, make_images, make_locations
from catalogs.to_stac import WORLD
from catalogs.validate import check_catalog
from tests.catalogs.damage import edit_json, messages
from tests.catalogs.scenes import OFF_LATTICE

EVERYWHERE = ((-180, -90, 180, 90), (180, -90, -180, 90), (170, -90, -170, 90), (0, 0, 0, 0))


@pytest.fixture(scope="module", params=[True, False], ids=["files", "rows"])
def folder(request, tmp_path_factory):
    """Four images of two sensors, their ground not known, their sides no multiple of 60 m."""
    path = tmp_path_factory.mktemp("groundless") / "cat"
    images = make_images(4, side_m=210)
    return make_catalog(
        path, locations=images, sensors=("naip", "spot-ortho"), json_items=request.param, labels=("lake", "ice")
    )


def test_they_verify_to_the_last_pixel(folder):
    report = check_catalog(folder, deep=True)
    assert report.is_valid, messages(report)
    assert report.unfinished == ()
    assert report.checked["items"] == report.checked["assets read"] == 4 * 2 * 2


def test_they_are_read_like_any_other(folder):
    catalog = open_catalog(folder)
    items = catalog.items(sensor="naip", split="val")
    assert [scene.location for scene in items] == [make_images(4, side_m=210)[2]] * 2
    assert catalog.read(items[0], ["green", "red"]).shape == (2, 210, 210)
    assert read_locations(folder / "locations.parquet") == make_images(4, side_m=210)


def test_no_bounding_box_matches_them(folder):
    catalog = open_catalog(folder)
    for box in EVERYWHERE:
        assert len(catalog.items(bbox=box)) == len(catalog.items().filter(bbox=box)) == 0
    assert {tuple(box.values()) for box in catalog.items().table["bbox"].to_pylist()} == {NOWHERE}


def test_their_collection_spans_the_world(folder):
    for sensor in ("naip", "spot-ortho"):
        assert extent(folder / sensor / "items.parquet")[0] is None
        assert open_catalog(folder).collection(sensor)["extent"]["spatial"]["bbox"] == [list(WORLD)]


def test_an_extent_is_that_of_the_ground_that_is_known(tmp_path):
    located = make_locations(2, side_m=600)
    folder = make_catalog(tmp_path / "cat", locations=[*make_images(2, side_m=600), *located], sensors=("naip",), seasons=1)
    expected = make_catalog(tmp_path / "other", locations=located, sensors=("naip",), seasons=1)
    assert extent(folder / "naip" / "items.parquet")[0] == extent(expected / "naip" / "items.parquet")[0]
    assert check_catalog(folder).is_valid
    found = open_catalog(folder).items(bbox=EVERYWHERE[0])
    assert [scene.location for scene in found] == located


def test_a_false_extent_is_found(folder, tmp_path):
    path = folder / "naip" / "collection.json"
    before = path.read_text()
    edit_json(path, lambda document: document["extent"]["spatial"].update(bbox=[[0, 0, 1, 1]]))
    report = check_catalog(folder)
    path.write_text(before)
    assert report.counts == {"collection": 1}
    assert r"Has bbox [0, 0, 1, 1]; that of its items is [-180.0, -90.0, 180.0, 90.0]" in messages(report)


def test_their_files_have_pixels_of_a_size_and_no_coordinate_system(folder):
    with rasterio.open(next((folder / "spot-ortho").rglob("*.tif"))) as raster:
        assert raster.crs is None
        assert tuple(raster.transform)[:6] == (1.5, 0, 0, 0, -1.5, 210)


def test_their_json_is_what_stac_asks_of_an_item_without_ground(folder):
    for item in pystac.Catalog.from_file(folder / "catalog.json").get_items(recursive=True):
        document = item.to_dict()
        assert (document["geometry"], document["properties"]["proj:code"]) == (None, None)
        assert "bbox" not in document
        assert not any("/grid/" in extension for extension in document["stac_extensions"])
    descriptions = [json.loads(path.read_text())["description"] for path in folder.glob("naip/*/catalog.json")]
    assert set(descriptions) <= {"Items of naip with numbers 000000 to 000999."}


def test_other_tools_find_no_ground_either(folder):
    index = folder / "naip" / "items.parquet"
    frame = geopandas.read_parquet(index)
    assert (len(frame), frame.geometry.is_empty.all()) == (8, True)
    assert len(geopandas.read_parquet(index, bbox=(-180, -90, 180, 90))) == 0
    within = "bbox.xmin <= 180 AND bbox.xmax >= -180 AND bbox.ymin <= 90 AND bbox.ymax >= -90"
    rows = duckdb.execute(f"SELECT count(*), count(*) FILTER ({within}) FROM read_parquet(?)", [str(index)]).fetchall()
    assert rows == [(8, 0)]
    assert pq.read_table(index)["proj:code"].null_count == 8


def test_an_image_that_is_said_to_have_ground_is_told(tmp_path):
    folder = make_catalog(tmp_path / "cat", locations=make_images(1, side_m=60), sensors=("naip",), seasons=1)
    path = next(folder.rglob("image-000000_*.json"))
    edit_json(path, lambda item: item["properties"].update({"proj:code": "EPSG:32631", "grid:code": "MGRS-31UDQ"}))
    assert "contract" not in (report := check_catalog(folder)).counts
    assert "Location image-000000 has its lower-left corner at 0, 0" not in messages(report)
    assert "Lies on EPSG:32631 (0, 0, 60, 60); its location image-000000 is no zone (0, 0, 60, 60)" in messages(report)


def test_ground_off_the_lattice_is_written_found_and_checked(tmp_path):
    folder = make_catalog(tmp_path / "cat", locations=[OFF_LATTICE], sensors=("naip",))
    report = check_catalog(folder, deep=True)
    assert report.is_valid, messages(report)
    catalog = open_catalog(folder)
    west, south, east, north = catalog.collection("naip")["extent"]["spatial"]["bbox"][0]
    assert [scene.location for scene in catalog.items(bbox=(west, south, east, north))] == [OFF_LATTICE] * 2
    assert len(catalog.items(bbox=(east + 0.01, south, east + 1, north))) == 0
    assert len(list((folder / "naip" / "001").glob("images-001235/*.tif"))) == 2
    with rasterio.open(next(folder.rglob("*.tif"))) as raster:
        assert (raster.crs.to_epsg(), raster.bounds) == (32632, OFF_LATTICE.bounds)
    edit_json(next(folder.rglob("images-001235_*.json")), lambda item: item["properties"].update({"grid:code": "MGRS-32UNU"}))
    assert "lower-left corner at 500017" in messages(check_catalog(folder))
