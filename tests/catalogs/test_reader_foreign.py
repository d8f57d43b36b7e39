"""Reading other people's catalogs: real scenes under our band names, their hrefs kept in bounds."""

import json
import logging
import shutil

import numpy as np
import pytest
import rasterio

from catalogs import open_catalog
from catalogs.errors import ContractError, UnsafeHrefError
from catalogs.foreign import SourceScene
from catalogs.pixels import write_raster
from catalogs.records import Band, Grid
from tests.servers import serve_files

LOCAL_GRID = Grid(32631, (10.0, 0.0, 500040.0, 0.0, -10.0, 5000640.0), 8, 8)


def write_foreign(folder, href="./a.tif", collection="sentinel-2-l2a"):
    """A catalog of one item of one band, as others write it."""
    folder.mkdir(parents=True)
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": "S2A_x", "collection": collection, "bbox": [3, 45, 3.1, 45.1],
        "geometry": {"type": "Polygon", "coordinates": [[[3, 45], [3.1, 45], [3.1, 45.1], [3, 45.1], [3, 45]]]},
        "properties": {"datetime": "2020-06-01T10:00:00Z", "eo:cloud_cover": 3.5},
        "links": [], "assets": {"red": {"href": href, "type": "image/tiff", "eo:bands": [{"name": "B04"}]}},
    }  # fmt: skip
    root = {"type": "Catalog", "stac_version": "1.0.0", "id": "theirs", "links": [{"rel": "item", "href": "./item.json"}]}
    (folder / "item.json").write_text(json.dumps(item))
    (folder / "catalog.json").write_text(json.dumps(root))
    pixels = np.arange(64, dtype=np.uint16).reshape(1, 8, 8)
    write_raster(folder / "a.tif", pixels, LOCAL_GRID, [Band("red", 10)])
    return pixels


def test_the_archive_opens_under_our_names(shared_data):
    catalog = open_catalog(shared_data / "archive")
    assert catalog.sensors == ("sentinel-2-l2a", "landsat-c2-l2")
    items = catalog.items()
    assert len(items) == 145
    assert not catalog.is_ours
    assert all(isinstance(scene, SourceScene) for scene in items)
    assert len(catalog.items(sensor="landsat-c2-l2")) == 26


def test_the_archive_is_filtered_like_a_catalog_of_ours(shared_data):
    catalog = open_catalog(shared_data / "archive")
    documents = [json.loads(path.read_text()) for path in sorted((shared_data / "archive").glob("*/*/*.json"))]
    tyrol = catalog.items(bbox=(10, 46, 13, 48))
    assert [scene.id for scene in tyrol] == ["S2_T32TPS_20220612_L2A"]
    summer = catalog.items(sensor="sentinel-2-l2a", start="2018-06-01", end="2018-09-01")
    expected = [
        d["id"] for d in documents if d["id"].startswith("S2") and "2018-06" <= d["properties"]["datetime"][:7] <= "2018-08"
    ]
    assert sorted(summer.table["id"].to_pylist()) == sorted(expected) != []
    clear = catalog.items(max_cloud_percent=5)
    assert len(clear) == sum(
        (d["properties"].get("eo:cloud_cover") or 0) <= 5 for d in documents if "eo:cloud_cover" in d["properties"]
    )
    assert (len(catalog.items(split="train")), len(catalog.items(location="x-000000"))) == (0, 0)


def test_the_archives_pixels_are_those_of_its_files(shared_data):
    catalog = open_catalog(shared_data / "archive")
    scene = catalog.items(sensor="sentinel-2-l2a")[0]
    folder = shared_data / "archive" / "sentinel-2-l2a" / scene.id
    document = json.loads((folder / f"{scene.id}.json").read_text())
    pixels = catalog.read(scene, ["B04", "B02"])
    for found, name in zip(pixels, ("red", "blue"), strict=True):
        with rasterio.open(folder / document["assets"][name]["href"]) as raster:
            assert (found == raster.read(1)).all()
    assert catalog.read_mask(scene).shape == (32, 32)
    with pytest.raises(ContractError, match=r"several pixel sizes \(64 x 64 px: B04; 32 x 32 px: B11\)"):
        catalog.read(scene, ["B04", "B11"])


def test_items_as_stac_have_absolute_hrefs(shared_data):
    items = open_catalog(shared_data / "archive").items(sensor="landsat-c2-l2")
    for item in items[:3].to_stac():
        for asset in item["assets"].values():
            with rasterio.open(asset["href"]):
                pass


def test_a_catalog_without_collections_is_read_by_its_items(tmp_path):
    pixels = write_foreign(tmp_path / "cat")
    catalog = open_catalog(tmp_path / "cat")
    assert catalog.sensors == ("sentinel-2-l2a",)
    scene = catalog.items(max_cloud_percent=4)[0]
    assert scene.id == "S2A_x"
    assert (catalog.read(scene) == pixels).all()
    with pytest.raises(ContractError, match=r"belong to no location\. Build a catalog from them with curate build"):
        list(catalog.items().by_location())
    with pytest.raises(ContractError, match=r"odc-stac finds its bands by itself\. Pass no stac_cfg"):
        catalog.odc_config()


def test_a_catalog_behind_a_web_server_reads_the_same(tmp_path):
    pixels = write_foreign(tmp_path / "cat")
    with serve_files(tmp_path) as address:
        catalog = open_catalog(f"{address}/cat/catalog.json")
        assert (catalog.read(catalog.items()[0], ["B04"]) == pixels).all()


def test_pixels_on_the_web_are_followed_and_files_beside_the_catalog_are_not(tmp_path):
    with serve_files(tmp_path) as address:
        pixels = write_foreign(tmp_path / "web", f"{address}/web/a.tif")
        catalog = open_catalog(tmp_path / "web")
        assert (catalog.read(catalog.items()[0]) == pixels).all()
    for number, href in enumerate(
        ("../web/a.tif", str(tmp_path / "web" / "a.tif"), "/vsizip/x.zip/a.tif", "file:///etc/a.tif")
    ):
        write_foreign(tmp_path / str(number), href)
        catalog = open_catalog(tmp_path / str(number))
        with pytest.raises(UnsafeHrefError, match=r"leaves the catalog's folder .*trust_hrefs=True"):
            catalog.read(catalog.items()[0])
    catalog = open_catalog(tmp_path / "0", trust_hrefs=True)
    assert (catalog.read(catalog.items()[0]) == pixels).all()


def test_a_catalog_of_unknown_products_says_so(tmp_path):
    write_foreign(tmp_path / "cat", collection="planetscope")
    with pytest.raises(ContractError, match=r"has no items of a sensor that we know\. Its sensors would be: sentinel-2-l2a"):
        open_catalog(tmp_path / "cat").items()
    with pytest.raises(ContractError, match=r"No sensor 'naip' in .*; it has no collection of a sensor that we know"):
        open_catalog(tmp_path / "cat").items(sensor="naip")


def test_items_of_other_products_are_counted(tmp_path, caplog):
    write_foreign(tmp_path / "cat")
    other = json.loads((tmp_path / "cat" / "item.json").read_text()) | {"id": "other", "collection": "planetscope"}
    (tmp_path / "cat" / "other.json").write_text(json.dumps(other))
    root = json.loads((tmp_path / "cat" / "catalog.json").read_text())
    root["links"] += [{"rel": "item", "href": "./other.json"}, {"rel": "child", "href": "./catalog.json"}]
    (tmp_path / "cat" / "catalog.json").write_text(json.dumps(root))
    with caplog.at_level(logging.WARNING):
        assert len(open_catalog(tmp_path / "cat").items()) == 1
    assert "1 of 2 items are no sentinel-2-l2a and left out, such as other." in caplog.text


def test_a_copy_of_the_archive_reads_without_its_first_home(shared_data, tmp_path):
    scene = "S2_T31UDS_20170804T105328_L2A"
    shutil.copytree(shared_data / "archive" / "sentinel-2-l2a" / scene, tmp_path / "cat" / scene)
    root = {
        "type": "Catalog",
        "stac_version": "1.0.0",
        "id": "part",
        "links": [{"rel": "item", "href": f"./{scene}/{scene}.json"}],
    }
    (tmp_path / "cat" / "catalog.json").write_text(json.dumps(root))
    catalog = open_catalog(tmp_path / "cat")
    assert catalog.read(catalog.items()[0], ["B02"]).shape == (1, 64, 64)
