"""Reading a catalog: what is in it, what is asked for, its pixels, from anywhere; and refusing what is none."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rasterio

from catalogs import Scene, files, find_sensor, open_catalog, stores
from catalogs.errors import (
    CatalogUnreachableError,
    ContractError,
    MissingAssetError,
    MissingBandError,
    NotACatalogError,
    UnsafeHrefError,
)
from catalogs.fields import CONTRACT_VERSION, LOCATION
from catalogs.index import items_schema, merge_items
from catalogs.index_files import as_index
from catalogs.planes import scene_id
from catalogs.testing import make_catalog, make_locations
from catalogs.to_stac import scene_to_item
from tests.catalogs.scenes import make_items
from tests.servers import free_port, serve_files

SENTINEL_2 = find_sensor("sentinel-2-l2a")
SCHEMA = items_schema(SENTINEL_2, SENTINEL_2.bands, has_mask=True)
SENSORS = ("naip", "sentinel-1-rtc", "sentinel-2-l2a", "spot-ortho")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four sensors over five locations in three zones, one across 180 degrees; two seasons."""
    fiji = make_locations(2, lon=179.999, lat=-17.8, slug="fiji")
    folder = tmp_path_factory.mktemp("home") / "cat"
    return make_catalog(
        folder, locations=[*fiji, *make_locations(3)], sensors=("sentinel-2-l2a", "naip", "spot-ortho", "sentinel-1-rtc")
    )


@pytest.fixture(scope="module")
def catalog(folder):
    return open_catalog(folder)


@pytest.fixture(scope="module")
def everything(folder):
    """All items as their JSON files tell, read by hand."""
    paths = [path for sensor in SENSORS for path in (folder / sensor).rglob("*_*.json")]
    return [json.loads(path.read_text()) for path in paths]


def ids(items):
    return [(row["sensor"], row["id"]) for row in items.table.select(["sensor", "id"]).to_pylist()]


def by_hand(everything, condition):
    """The same by a plain loop over the JSON files."""
    kept = [item for item in everything if condition(item["properties"], item)]
    kept.sort(key=lambda item: (item["properties"]["seastars:location"], item["collection"], item["id"]))
    return [(item["collection"], item["id"]) for item in kept]


def test_catalog_tells_what_it_holds(catalog, folder):
    assert catalog.sensors == ("sentinel-2-l2a", "naip", "spot-ortho", "sentinel-1-rtc")
    assert catalog.recipe == json.loads((folder / "recipe.json").read_text())
    assert catalog.locations().column("id").to_pylist() == ["fiji-000000", "fiji-000001", *(f"test-{n:06d}" for n in range(3))]
    assert catalog.collection("naip")["id"] == "naip"
    assert repr(catalog) == f"<catalog cat at {folder}>"
    assert str(catalog) == str(folder)


@pytest.mark.parametrize(
    ("asked", "condition"),
    [
        ({}, lambda p, i: True),
        ({"sensor": "naip"}, lambda p, i: i["collection"] == "naip"),
        ({"sensor": ["spot-ortho", "naip"]}, lambda p, i: i["collection"] in ("spot-ortho", "naip")),
        ({"split": "val"}, lambda p, i: p["seastars:split"] == "val"),
        ({"season": 1}, lambda p, i: p["seastars:season"] == 1),
        ({"max_cloud_percent": 10}, lambda p, i: p.get("eo:cloud_cover", 99) <= 10),
        ({"location": "test-000001"}, lambda p, i: p["seastars:location"] == "test-000001"),
        ({"location": ["test-000002", "fiji-000000", "no"]}, lambda p, i: p[LOCATION] in {"test-000002", "fiji-000000"}),
        ({"location": []}, lambda p, i: False),
        ({"bbox": (1.4, 43, 1.52, 44)}, lambda p, i: p["seastars:location"] in ("test-000000", "test-000001")),
        ({"bbox": (178, -20, -178, -15)}, lambda p, i: p["seastars:location"].startswith("fiji")),
        ({"bbox": (-180, -20, -179.99, -15)}, lambda p, i: p["seastars:location"] == "fiji-000000"),
        ({"bbox": (179.9, -20, 180, -15)}, lambda p, i: p["seastars:location"] == "fiji-000000"),
        ({"bbox": (178, -10, -178, -5)}, lambda p, i: False),
        ({"start": "2023-03-01", "sensor": "naip"}, lambda p, i: i["collection"] == "naip" and p["datetime"] >= "2023-03-01"),
        ({"end": "2023-01-15T10:50:31Z"}, lambda p, i: False),
        ({"end": "2023-01-15T10:50:32Z"}, lambda p, i: (p["datetime"] or p["start_datetime"]) < "2023-01-16"),
        ({"start": "2023-03-16", "end": "2023-04-16", "sensor": "spot-ortho"},
         lambda p, i: i["collection"] == "spot-ortho" and p["end_datetime"] < "2023-04"),
        ({"start": datetime(2023, 1, 15, 10, 50, 31, tzinfo=UTC), "end": "2023-01-16", "split": "train", "season": 0},
         lambda p, i: p["seastars:split"] == "train" and p["seastars:season"] == 0),
    ],
)  # fmt: skip
def test_items_are_those_of_a_plain_loop(catalog, everything, asked, condition):
    expected = by_hand(everything, condition)
    assert ids(catalog.items(**asked)) == expected
    asked = {key: value for key, value in asked.items() if key != "sensor"}
    whole = catalog.items()
    assert ids(whole.filter(**asked)) == ids(catalog.items(**asked))
    assert len(whole) == len(everything) == 40


def test_items_are_a_sequence_of_records(catalog, everything):
    items = catalog.items()
    scenes = list(items)
    assert all(isinstance(scene, Scene) for scene in scenes)
    assert [(scene.sensor, scene_id(scene)) for scene in scenes] == ids(items)
    by_id = {(item["collection"], item["id"]): item for item in everything}
    for scene in scenes:
        assert scene_to_item(scene)["properties"] == by_id[scene.sensor, scene_id(scene)]["properties"]
    assert (items[0], items[-1], items[7]) == (scenes[0], scenes[-1], scenes[7])
    assert list(items[3:30:4]) == scenes[3:30:4]
    assert list(items[::-1]) == scenes[::-1]
    with pytest.raises(IndexError):
        items[40]
    assert repr(items[:2]) == "<2 items of naip>"


def test_locations_come_one_after_the_other_with_all_their_scenes(catalog):
    found = [(location, list(scenes)) for location, scenes in catalog.items(sensor=["naip", "sentinel-2-l2a"]).by_location()]
    assert [location for location, _ in found] == catalog.locations().column("id").to_pylist()
    for location, scenes in found:
        assert {scene.location.id for scene in scenes} == {location}
        assert [scene.sensor for scene in scenes] == ["naip", "naip", "sentinel-2-l2a", "sentinel-2-l2a"]


def test_no_items_are_no_trouble(catalog):
    none = catalog.items(location="nowhere-000000")
    assert (len(none), list(none), list(none.by_location()), len(none.table), list(none.to_stac())) == (0, [], [], 0, [])
    assert len(none.filter(split="train", bbox=(0, 0, 1, 1))) == 0


def test_an_index_of_many_row_groups_reads_like_one(tmp_path, monkeypatch):
    items = make_items(30, visits=2)
    make_catalog(tmp_path / "cat", locations=[], seasons=0)
    monkeypatch.setattr("catalogs.index.ROW_GROUP", 7)
    merge_items(tmp_path / "cat" / SENTINEL_2.id / "items.parquet", items, SCHEMA)
    opened = open_catalog(tmp_path / "cat").items()
    assert [scene_to_item(scene) for scene in opened] == items
    order = np.random.default_rng(1).permutation(len(items)).tolist()
    assert [scene_to_item(opened[place]) for place in order] == [items[place] for place in order]
    few = opened.filter(max_cloud_percent=30, season=1)
    expected = [i for i in items if i["properties"]["eo:cloud_cover"] <= 30 and i["properties"]["seastars:season"] == 1]
    assert [scene_to_item(scene) for scene in few] == expected != []
    assert few.table["id"].to_pylist() == [item["id"] for item in expected]


def test_filtering_reads_no_row_group_that_cannot_match(tmp_path, monkeypatch):
    monkeypatch.setattr("catalogs.index.ROW_GROUP", 10)
    path = tmp_path / "items.parquet"
    merge_items(path, make_items(50), SCHEMA)
    read = []

    class Noting(pq.ParquetFile):
        def read_row_groups(self, groups, **options):
            read.append(groups)
            return super().read_row_groups(groups, **options)

    store = stores.IndexStore(as_index(Noting(path)), SENTINEL_2.id, str(tmp_path))
    assert store.select(stores.Filter.of(location="france-000023")).tolist() == [23]
    assert store.select(stores.Filter.of(bbox=(0, 60, 10, 70))).tolist() == []
    assert store.select(stores.Filter.of(split="none")).tolist() == []
    assert read == [[2]]


def test_pixels_are_those_of_the_files(catalog, folder):
    scene = catalog.items(sensor="sentinel-2-l2a")[0]
    files = {raster.key: folder / "sentinel-2-l2a" / raster.href for raster in scene.rasters}
    with rasterio.open(files["10m"]) as raster:
        expected = raster.read()
    assert (catalog.read(scene, ["B02", "B03", "B04", "B08"]) == expected).all()
    swapped = catalog.read(scene, ["B08", "B02"])
    assert swapped.dtype == np.uint16
    assert (swapped == expected[[3, 0]]).all()
    with rasterio.open(files["scl"]) as raster:
        assert (catalog.read_mask(scene) == raster.read(1)).all()
    assert (catalog.read(scene, ["scl"])[0] == catalog.read_mask(scene)).all()


def test_all_bands_are_read_where_they_have_one_size(catalog):
    scene = catalog.items(sensor="spot-ortho")[0]
    assert catalog.read(scene).shape == (4, 400, 400)


def test_reflectance_applies_scale_and_offset_of_the_item(catalog, folder):
    scene = catalog.items(sensor="sentinel-2-l2a")[0]
    pixels = catalog.read(scene, ["B05", "B11"])
    reflectance = catalog.read(scene, ["B05", "B11"], reflectance=True)
    assert reflectance.dtype == np.float32
    np.testing.assert_allclose(reflectance, pixels * 1e-4 - 0.1, rtol=1e-5, atol=1e-6)


def test_nodata_becomes_nan(tmp_path):
    catalog = open_catalog(make_catalog(tmp_path / "cat", locations=make_locations(1), seasons=1))
    scene = catalog.items()[0]
    with rasterio.open(tmp_path / "cat" / "sentinel-2-l2a" / scene.rasters[0].href, "r+") as raster:
        pixels = raster.read(2)
        pixels[3, 4] = 0
        raster.write(pixels, 2)
    reflectance = catalog.read(scene, ["B02", "B03"], reflectance=True)
    assert np.argwhere(np.isnan(reflectance)).tolist() == [[1, 3, 4]]


def test_bands_of_several_sizes_are_refused(catalog):
    scene = catalog.items(sensor="sentinel-2-l2a")[0]
    with pytest.raises(
        ContractError, match=r"several pixel sizes \(10 m: B02, B03, B04, B08; 20 m: B05.*\), and an array has one"
    ):
        catalog.read(scene)
    with pytest.raises(ContractError, match=r"\(10 m: B04; 20 m: B11\).*Read them one size at a time, such as bands=\['B04'\]"):
        catalog.read(scene, ["B04", "B11"])


def test_a_band_that_is_not_there_gets_a_guess(catalog):
    scene = catalog.items(sensor="sentinel-2-l2a")[0]
    with pytest.raises(
        MissingBandError, match=r"Item fiji-000000_20230115T105031 has no band 'B4'; it has B02.*Did you mean 'B04'\?"
    ):
        catalog.read(scene, ["B4"])
    with pytest.raises(MissingBandError, match="of naip has no mask"):
        catalog.read_mask(catalog.items(sensor="naip")[0])
    with pytest.raises(ContractError, match=r"No band of item .* was asked for"):
        catalog.read(scene, [])
    with pytest.raises(ContractError, match=r"Band scl of item .* has no scale and offset: read it without reflectance"):
        catalog.read(scene, ["scl"], reflectance=True)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            {"sensor": "sentinel-2-l1c"},
            "No sensor 'sentinel-2-l1c' in .*; it has sentinel-2-l2a, naip.*Did you mean 'sentinel-2-l2a'",
        ),
        ({"split": "training"}, "Unknown split 'training'. Choose from: train, val, test, none"),
        ({"bbox": (1, 50, 2, 40)}, r"Bounding box \(1, 50, 2, 40\) is not \(west, south, east, north\)"),
        ({"bbox": (1, 2, 3)}, "is not"),
        ({"start": "last summer"}, "Time 'last summer' cannot be read. Expected such as 2023-07-14"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(catalog, asked, words):
    with pytest.raises(ContractError, match=words):
        catalog.items(**asked)


def test_a_missing_file_is_named(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "cat")
    catalog = open_catalog(tmp_path / "cat")
    scene = catalog.items(sensor="naip")[0]
    (tmp_path / "cat" / "naip" / scene.rasters[0].href).unlink()
    with pytest.raises(MissingAssetError, match=r"20230115T105031_1m\.tif is not there"):
        catalog.read(scene)


@pytest.mark.parametrize("start", ["folder", "file", "relative"])
def test_any_way_to_a_catalog_leads_there(folder, catalog, monkeypatch, start):
    monkeypatch.chdir(folder.parent)
    opened = open_catalog({"folder": f"{folder}/", "file": folder / "catalog.json", "relative": "./cat/../cat"}[start])
    monkeypatch.chdir("/")
    assert list(opened.items()) == list(catalog.items())
    assert opened.read(opened.items(sensor="naip")[0]).shape == (4, 600, 600)


def test_a_moved_and_a_zipped_catalog_reads_the_same(folder, catalog, tmp_path):
    shutil.make_archive(str(tmp_path / "cat"), "zip", folder)
    shutil.unpack_archive(tmp_path / "cat.zip", tmp_path / "elsewhere" / "cat2")
    opened = open_catalog(tmp_path / "elsewhere" / "cat2")
    assert list(opened.items()) == list(catalog.items())
    scene = catalog.items(sensor="sentinel-1-rtc")[1]
    assert (opened.read(scene) == catalog.read(scene)).all()


def test_a_catalog_behind_a_web_server_reads_the_same(folder, catalog):
    with serve_files(folder.parent) as address:
        opened = open_catalog(f"{address}/cat")
        assert (opened.sensors, opened.recipe) == (catalog.sensors, catalog.recipe)
        assert opened.locations() == catalog.locations()
        assert ids(opened.items(split="train")) == ids(catalog.items(split="train"))
        for scene in catalog.items(location="test-000001"):
            names = scene.bands[:1]
            assert (opened.read(scene, names) == catalog.read(scene, names)).all()
        (missing,) = opened.items(sensor="naip")[:1]
        absent = replace(missing, rasters=tuple(replace(raster, href="31TCJ/no/x.tif") for raster in missing.rasters))
        with pytest.raises(MissingAssetError, match=r"31TCJ/no/x\.tif is not there"):
            opened.read(absent)


def test_a_catalog_in_an_object_store_reads_the_same(folder, catalog, monkeypatch):
    with serve_files(folder.parent.parent) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        files._store.cache_clear()
        opened = open_catalog(f"s3://{folder.parent.name}/cat")
        assert opened.recipe == catalog.recipe
        assert list(opened.items(season=0)) == list(catalog.items(season=0))
        scene = opened.items(sensor="naip")[0]
        assert (opened.read(scene) == catalog.read(scene)).all()
    files._store.cache_clear()


def test_items_are_found_by_links_where_there_is_no_index(folder, catalog, tmp_path):
    shutil.copytree(folder, tmp_path / "cat")
    for sensor in SENSORS:
        (tmp_path / "cat" / sensor / "items.parquet").unlink()
        for path in (tmp_path / "cat" / sensor).rglob("c*.json"):
            document = json.loads(path.read_text())
            path.write_text(json.dumps(document | {"links": document["links"][::-1]}))
    opened = open_catalog(tmp_path / "cat")
    assert list(opened.items()) == list(catalog.items())
    assert list(opened.items(sensor="naip")) == list(catalog.items(sensor="naip"))
    assert ids(opened.items(split="val", bbox=(-180, -90, 180, 90), end="2024-01-01")) == ids(catalog.items(split="val"))
    assert opened.items().table.drop_columns("bbox") == catalog.items().table.drop_columns("bbox")
    assert opened.odc_config() == catalog.odc_config()
    assert (opened.read(opened.items()[0]) == catalog.read(catalog.items()[0])).all()


def test_a_catalog_of_an_index_alone_reads_the_same(tmp_path):
    both = open_catalog(make_catalog(tmp_path / "both"))
    index = open_catalog(make_catalog(tmp_path / "index", json_items=False))
    assert not list((tmp_path / "index").rglob("test-*.json"))
    assert list(index.items()) == list(both.items())
    assert (index.read(index.items()[0], ["B04"]) == both.read(both.items()[0], ["B04"])).all()
    (tmp_path / "index" / "sentinel-2-l2a" / "items.parquet").unlink()
    with pytest.raises(MissingAssetError, match=r"items\.parquet is not there"):
        open_catalog(tmp_path / "index").items()


def test_a_damaged_index_says_what_to_do(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "cat")
    path = tmp_path / "cat" / "naip" / "items.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(
        ContractError, match=r"items\.parquet is no parquet file\. It is derived: remove it, and run curate build"
    ):
        open_catalog(tmp_path / "cat").items(sensor="naip")


def test_an_href_that_leaves_the_catalog_is_refused_unless_trusted(folder, catalog, tmp_path):
    shutil.copytree(folder, tmp_path / "cat")
    opened = open_catalog(tmp_path / "cat")
    scene = opened.items(sensor="naip")[0]
    for href in ("../../../secret.tif", str(folder / "naip" / scene.rasters[0].href), "http://127.0.0.1:9/x.tif"):
        elsewhere = replace(scene, rasters=(replace(scene.rasters[0], href=href),))
        with pytest.raises(UnsafeHrefError, match=r"leaves the catalog's folder .*Open the catalog with trust_hrefs=True"):
            opened.read(elsewhere)
    trusting = open_catalog(tmp_path / "cat", trust_hrefs=True)
    elsewhere = replace(scene, rasters=(replace(scene.rasters[0], href=str(folder / "naip" / scene.rasters[0].href)),))
    assert (trusting.read(elsewhere) == catalog.read(scene)).all()


def test_a_link_that_leaves_the_catalog_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "cat")
    path = tmp_path / "cat" / "catalog.json"
    path.write_text(path.read_text().replace("./naip/collection.json", "../../home/naip/collection.json"))
    with pytest.raises(UnsafeHrefError, match="leaves the catalog's folder"):
        open_catalog(tmp_path / "cat").items()


def test_what_is_no_catalog_is_refused_in_words(tmp_path):
    with pytest.raises(
        MissingAssetError, match=r"nothing is not there\. Give the folder of a catalog, or start one with curate sample"
    ):
        open_catalog(tmp_path / "nothing")
    with pytest.raises(NotACatalogError, match=r"has no catalog\.json\. Give the folder of a catalog"):
        open_catalog(tmp_path)
    (tmp_path / "sampled").mkdir()
    (tmp_path / "sampled" / "locations.parquet").touch()
    with pytest.raises(NotACatalogError, match=r"nothing is built yet\. Build it first: curate build .*sampled$"):
        open_catalog(tmp_path / "sampled")
    for content, words in (
        ("<html>Welcome</html>", "holds a web page; expected STAC"),
        ('{"name": "x", "version": 1}', r"holds JSON of name, version; expected a STAC catalog or collection"),
        (
            '{"type": "Feature", "stac_version": "1.1.0", "links": []}',
            "holds a STAC Feature; expected a STAC catalog or collection",
        ),
    ):
        (tmp_path / "catalog.json").write_text(content)
        with pytest.raises(NotACatalogError, match=words):
            open_catalog(tmp_path)
    with pytest.raises(CatalogUnreachableError, match="its server does not answer"):
        open_catalog(f"http://127.0.0.1:{free_port()}/cat")


def test_a_stac_api_is_told_from_a_catalog(tmp_path):
    landing = {"type": "Catalog", "stac_version": "1.0.0", "links": [], "conformsTo": []}
    (tmp_path / "v1").write_text(json.dumps(landing))
    with (
        serve_files(tmp_path) as address,
        pytest.raises(NotACatalogError, match=r"is a STAC API, which is searched, not opened\..*--source"),
    ):
        open_catalog(f"{address}/v1")


def test_another_major_version_of_the_contract_is_refused(tmp_path):
    folder = make_catalog(tmp_path / "cat", locations=make_locations(1), seasons=1)
    path = folder / "catalog.json"
    path.write_text(path.read_text().replace(f'"seastars:contract": "{CONTRACT_VERSION}"', '"seastars:contract": "2.0"'))
    with pytest.raises(
        ContractError, match=r"catalog\.json follows version 2\.0 of the contract; this seastars reads 1\.x\. Upgrade"
    ):
        open_catalog(folder)


def test_reading_one_collection_alone_works(folder, catalog):
    opened = open_catalog(folder / "naip" / "collection.json")
    assert opened.sensors == ("naip",)
    assert list(opened.items()) == list(catalog.items(sensor="naip"))
    assert opened.recipe == {}


def test_a_table_tells_what_records_tell(catalog):
    items = catalog.items(season=1)
    table = items.table
    assert table.column_names == ["id", "sensor", "location", "split", "season", "datetime", "start_datetime", "end_datetime",
                                  "cloud_percent", "labels", "bbox"]  # fmt: skip
    assert pa.types.is_timestamp(table.schema.field("datetime").type)
    for row, scene in zip(table.to_pylist(), items, strict=True):
        assert (row["id"], row["sensor"], row["location"], row["split"]) == (
            scene_id(scene), scene.sensor, scene.location.id, scene.location.split)  # fmt: skip
        assert (row["datetime"], row["end_datetime"], row["cloud_percent"]) == (
            scene.datetime, scene.end_datetime, scene.cloud_percent)  # fmt: skip
        assert list(row["bbox"].values()) == scene_to_item(scene)["bbox"]
        assert tuple(row["labels"] or ()) == scene.labels


def test_labels_are_a_column_of_the_table(tmp_path):
    opened = open_catalog(make_catalog(tmp_path / "cat", labels=("lake", "vineyard")))
    table = opened.items().table
    assert table["labels"].to_pylist() == [["lake"]] * 2 + [["vineyard"]] * 2 + [["lake"]] * 2
    assert table.schema.field("labels").type == pa.list_(pa.string())
    assert opened.items(location="test-000001")[0].labels == ("vineyard",)
