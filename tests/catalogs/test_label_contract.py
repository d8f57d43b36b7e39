"""Label rasters in the contract: records and STAC and rows, what a check finds, other people's readers, older catalogs."""

import asyncio
import json
from dataclasses import replace

import numpy as np
import odc.stac
import pyarrow.parquet as pq
import pystac
import pytest
import rustac
import stac_geoparquet
from pystac.validation import JsonSchemaSTACValidator, set_validator, validate_dict

from catalogs import fields, open_catalog
from catalogs.bands import find_sensor
from catalogs.errors import ContractError
from catalogs.from_stac import scene_from_item, unlink_item
from catalogs.index import items_schema, read_items, write_items
from catalogs.records import Band, Raster
from catalogs.testing import make_catalog, make_locations
from catalogs.to_stac import item_folder, link_item, scene_to_item
from catalogs.validate import check_catalog
from tests.catalogs.damage import SENSOR, edit_item, edit_pixels, expect_fault, messages
from tests.catalogs.older import before_1_5, make_contract_1_1
from tests.catalogs.scenes import GROUNDLESS, make_scene
from tests.catalogs.test_round_trip import local_schemas

CLASSES = {"labels": ("water", "dry land", "étang", "?"), "change": ("unchanged", "changed")}


def make_label_raster(scene, /, label_key="labels", **changes):
    grid = scene.location.grid(10)
    href, bands, checksum = (
        f"{scene.rasters[0].href.rpartition('/')[0]}/{label_key}.tif",
        (Band(label_key, 10, nodata=255),),
        f"1220{'0' * 64}",
    )
    raster = Raster(label_key, href, bands, grid, "uint8", checksum, 700, is_mask=True, classes=CLASSES[label_key])
    return replace(raster, **changes)


def labelled(**changes):
    """A scene with both kinds of label rasters."""
    scene = make_scene(**changes)
    extra = [make_label_raster(scene, key) for key in CLASSES]
    return replace(scene, rasters=tuple(sorted([*scene.rasters, *extra], key=lambda raster: raster.key)))


SCENES = [labelled(), labelled(location=GROUNDLESS, sensor_id="rgb-image"), make_scene(visit=1)]


@pytest.fixture(scope="module", autouse=True)
def _offline_validator(shared_data):
    validator = JsonSchemaSTACValidator()
    validator.schema_cache |= local_schemas(shared_data / "schemas")
    set_validator(validator)
    yield
    set_validator(JsonSchemaSTACValidator())


@pytest.mark.parametrize("scene", SCENES, ids=["sampled", "groundless", "without"])
def test_a_record_comes_back_from_json_and_through_an_index(tmp_path, scene):
    item = scene_to_item(scene)
    assert scene_from_item(json.loads(json.dumps(item))) == scene
    linked = json.loads(json.dumps(link_item(item)))
    assert scene_from_item(unlink_item(linked, item_folder(item))) == scene
    sensor = find_sensor(scene.sensor)
    schema = items_schema(sensor, sensor.bands, has_mask=sensor.mask is not None, label_rasters=CLASSES)
    write_items(tmp_path / "items.parquet", [item], schema)
    assert read_items(tmp_path / "items.parquet") == [json.loads(json.dumps(item))]
    assert [scene_from_item(row) for row in read_items(tmp_path / "items.parquet")] == [scene]


@pytest.mark.parametrize("scene", SCENES, ids=["sampled", "groundless", "without"])
def test_items_are_valid_stac_and_list_the_extension_where_they_use_it(scene):
    item = link_item(scene_to_item(scene))
    assert len(validate_dict(item)) == 1 + len(item["stac_extensions"])
    has_labels = any(raster.is_labels for raster in scene.rasters)
    assert any("/classification/" in address for address in item["stac_extensions"]) == has_labels


def test_an_asset_says_what_its_values_mean():
    asset = scene_to_item(SCENES[0])["assets"]["labels"]
    assert (asset["roles"], asset["data_type"], asset["bands"][0]["nodata"]) == (["labels"], "uint8", 255)
    assert asset["classification:classes"] == [
        {"value": 0, "name": "water"},
        {"value": 1, "name": "dry_land", "title": "dry land"},
        {"value": 2, "name": "_tang", "title": "étang"},
        {"value": 3, "name": "_", "title": "?"},
    ]


def test_an_index_without_label_rasters_has_no_column_of_classes():
    sensor = find_sensor(SENSOR)
    bare = items_schema(sensor, sensor.bands, has_mask=True)
    assert fields.CLASSES not in str(bare)
    assert fields.CLASSES in str(items_schema(sensor, sensor.bands, has_mask=True, label_rasters=["labels"]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"is_mask": False},
            r"Asset labels has classes, and bands labels; expected a label raster, labels or change, with one",
        ),
        ({"key": "10m"}, "Asset 10m has classes"),
        ({"bands": (Band("labels", 10, nodata=255), Band("more", 10, nodata=255))}, "bands labels, more; expected"),
        ({"data_type": "uint16"}, r"is uint16 with nodata 255; expected uint8 with 255, where nobody knows"),
        ({"bands": (Band("labels", 10, nodata=0),)}, r"is uint8 with nodata 0; expected uint8 with 255"),
        ({"classes": ("a", "a")}, r"has classes \['a', 'a'\]; expected at most 255 names, each once"),
        ({"classes": ("a", "")}, r"has classes \['a', ''\]"),
        ({"classes": tuple(map(str, range(256)))}, "expected at most 255 names"),
    ],
)
def test_a_record_that_breaks_the_contract_is_refused(changes, words):
    with pytest.raises(ContractError, match=words):
        make_label_raster(make_scene(), **changes)


@pytest.fixture(params=[True, False], ids=["files", "rows"])
def folder(request, tmp_path):
    return make_catalog(tmp_path / "cat", locations=make_locations(2), label_rasters=CLASSES, json_items=request.param)


def test_a_catalog_with_label_rasters_is_valid_and_its_collection_tells_of_them(folder):
    report = check_catalog(folder, deep=True)
    assert report.is_valid, messages(report)
    document = json.loads((folder / SENSOR / "collection.json").read_text())
    assert document["item_assets"]["change"]["roles"] == ["labels"]
    assert len(pystac.Collection.from_dict(document).validate()) == 1 + len(document["stac_extensions"])


def set_classes(classes):
    return lambda folder: edit_item(folder, lambda item: item["assets"]["labels"].update({fields.CLASSES: classes}))


def set_unknown(folder):
    edit_pixels(folder, lambda pixels: np.full_like(pixels, 255), "labels")


@pytest.mark.parametrize(
    ("fault", "kinds", "words"),
    [
        (
            lambda folder: edit_pixels(folder, lambda pixels: np.where(pixels == 3, 9, pixels).astype("uint8"), "labels"),
            "labels",
            r"Has 9 in 24\.[0-9]+ % of its pixels; expected numbers of its 4 classes, 0 to 3, or 255 where nobody knows",
        ),
        (set_classes([]), "schema", r"Asset labels has role labels and no classes; expected classification:classes with"),
        (set_classes([{"value": 1, "name": "a"}]), "schema", r"and classes of values \[1\]; expected"),
        (set_classes([{"value": 0, "name": "a"}, {"value": 1, "name": "a"}]), "schema", r"each once"),
    ],
    ids=["value", "no classes", "gap", "twice"],
)
def test_a_fault_of_labels_is_found(folder, fault, kinds, words):
    expect_fault(folder, fault, kinds, words)


def test_a_square_that_nobody_labelled_is_no_fault(folder):
    set_unknown(folder)
    report = check_catalog(folder)
    assert report.is_valid, messages(report)


@pytest.mark.parametrize("files_read", [0, 100], ids=["looked for", "read"])
def test_two_dates_with_the_same_labels_are_no_fault(folder, monkeypatch, files_read):
    for number in (0, 1):
        edit_pixels(folder, np.zeros_like, "labels", number)
    monkeypatch.setattr("catalogs.validate.FILES_READ", files_read)
    report = check_catalog(folder)
    assert report.is_valid, messages(report)
    assert ("assets read" in report.checked) == bool(files_read)


def test_a_class_list_that_the_file_lacks_differs_from_its_row(tmp_path):
    folder = make_catalog(tmp_path / "cat", locations=make_locations(1), label_rasters=CLASSES)
    item = next(folder.rglob("test-000000_*.json"))
    content = json.loads(item.read_text())
    content["assets"]["labels"]["classification:classes"][0]["name"] = "lava"
    item.write_text(json.dumps(content))
    report = check_catalog(folder)
    assert "assets.labels.classification:classes[0].name is 'lava' in the file, 'water' in the index" in messages(report)


def test_other_readers_read_an_index_with_labels(folder):
    index = folder / SENSOR / "items.parquet"
    rows = read_items(index)
    theirs = list(stac_geoparquet.arrow.stac_table_to_items(pq.read_table(index)))

    async def read():
        return await rustac.read(str(index))

    for found in (theirs, asyncio.run(read())["features"]):
        classes = [entry["name"] for entry in found[1]["assets"]["change"][fields.CLASSES]]
        assert (classes, found[1]["assets"]["labels"]["roles"]) == (["unchanged", "changed"], ["labels"])
        assert found[1]["id"] == rows[1]["id"]


@pytest.mark.filterwarnings("ignore")
def test_odc_stac_loads_labels_beside_bands(tmp_path):
    catalog = open_catalog(make_catalog(tmp_path / "cat", locations=make_locations(1), label_rasters=CLASSES))
    items = catalog.items(season=1)
    stac = [pystac.Item.from_dict(item) for item in items.to_stac()]
    loaded = odc.stac.load(
        stac, bands=["B04", "labels", "change"], stac_cfg=catalog.odc_config(), crs="EPSG:32631", resolution=10
    )
    for name in ("B04", "labels", "change"):
        assert (loaded[name].to_numpy()[0] == catalog.read(items[0], [name])[0]).all()
    assert (loaded["labels"].dtype, loaded["labels"].attrs["nodata"]) == (np.uint8, 255)


@pytest.mark.parametrize("json_items", [True, False], ids=["files", "rows"])
def test_a_catalog_of_contract_1_1_is_read_as_it_was(tmp_path, json_items):
    young = make_catalog(tmp_path / "young", locations=make_locations(2), labels=("lake",), json_items=json_items)
    scenes = before_1_5(open_catalog(young).items())
    old = make_contract_1_1(young)
    assert json.loads((old / "catalog.json").read_text())[fields.CONTRACT] == "1.1"
    assert list(open_catalog(old).items()) == scenes
    assert scenes[0].labels == ("lake",)
    report = check_catalog(old, deep=True)
    assert report.is_valid, messages(report)
