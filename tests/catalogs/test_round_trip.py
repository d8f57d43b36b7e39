"""`from_stac(to_stac(x)) == x` for every kind of record, as JSON and through an index; and what is written is valid STAC."""

import json
from functools import cache

import jsonschema
import pystac
import pytest
from pystac.validation import JsonSchemaSTACValidator, set_validator, validate_dict

from catalogs import fields
from catalogs.bands import SENSORS
from catalogs.errors import ContractError
from catalogs.filters import Filter
from catalogs.from_stac import scene_from_item, unlink_item
from catalogs.index import items_schema, read_items, write_items
from catalogs.index_files import as_index
from catalogs.stores import IndexStore
from catalogs.terms import CollectionTerms
from catalogs.testing import make_catalog, make_locations
from catalogs.to_stac import collection_to_stac, item_folder, link_item, scene_to_item
from tests.catalogs.scenes import every_kind, make_scene

SCENES = every_kind()


@cache
def local_schemas(folder):
    """The extensions' schemas of the shared data, by their addresses."""
    schemas = [json.loads(path.read_text()) for path in sorted(folder.glob("*/*.json"))]
    return {schema["$id"].rstrip("#"): schema for schema in schemas}


@pytest.fixture(scope="module", autouse=True)
def _offline_validator(shared_data):
    """Let pystac validate with schemas of this machine, and restore it after."""
    validator = JsonSchemaSTACValidator()
    validator.schema_cache |= local_schemas(shared_data / "schemas")
    set_validator(validator)
    yield
    set_validator(JsonSchemaSTACValidator())


def through_json(item):
    return json.loads(json.dumps(item))


@pytest.mark.parametrize("sensor_id", SENSORS)
def test_a_record_comes_back_from_its_row_form(sensor_id):
    for scene in SCENES:
        if scene.sensor == sensor_id:
            assert scene_from_item(through_json(scene_to_item(scene))) == scene


def test_a_record_comes_back_from_its_json_file():
    for scene in SCENES:
        item = scene_to_item(scene)
        linked = through_json(link_item(item))
        assert unlink_item(linked, item_folder(item)) == item
        assert scene_from_item(unlink_item(linked, item_folder(item))) == scene


@pytest.mark.parametrize("sensor_id", SENSORS)
def test_a_record_comes_back_through_an_index(tmp_path, sensor_id):
    scenes = {scene_to_item(scene)["id"]: scene for scene in SCENES if scene.sensor == sensor_id}
    ordered = sorted(scenes.items(), key=lambda pair: (pair[1].location.id, pair[0]))
    sensor = SENSORS[sensor_id]
    schema = items_schema(sensor, sensor.bands, has_mask=sensor.mask is not None)
    write_items(tmp_path / "items.parquet", [scene_to_item(scene) for _, scene in ordered], schema)
    assert [scene_from_item(item) for item in read_items(tmp_path / "items.parquet")] == [scene for _, scene in ordered]
    store = IndexStore(as_index(tmp_path / "items.parquet"), sensor_id, str(tmp_path))
    assert store.scenes(store.select(Filter())) == [scene for _, scene in ordered]


def test_writing_again_what_was_read_gives_the_same_json():
    for scene in SCENES:
        item = scene_to_item(scene)
        assert json.dumps(scene_to_item(scene_from_item(through_json(item)))) == json.dumps(item)


def test_every_item_is_valid_stac():
    for scene in SCENES:
        item = link_item(scene_to_item(scene))
        assert len(validate_dict(item)) == 1 + len(item["stac_extensions"]) >= 5


def test_every_item_fits_the_schema_of_our_own_fields():
    validator = jsonschema.Draft7Validator(fields.schema())
    validator.check_schema(fields.schema())
    for scene in SCENES:
        validator.validate(scene_to_item(scene))
    spoiled = scene_to_item(SCENES[0])
    spoiled["properties"]["seastars:colour"] = "blue"
    with pytest.raises(jsonschema.ValidationError, match="seastars:colour"):
        validator.validate(spoiled)


@pytest.mark.parametrize("sensor_id", SENSORS)
def test_every_collection_is_valid_stac(sensor_id):
    document = collection_to_stac(
        SENSORS[sensor_id],
        SENSORS[sensor_id].bands,
        bbox=None,
        interval=None,
        children=[],
        terms=CollectionTerms("other", ("Thanks.",), ({"name": "Host", "roles": ["host"]},), is_redistributable=False),
        index={"items.parquet": SCENES[0].rasters[0].checksum},
    )
    collection = pystac.Collection.from_dict(document)
    assert len(collection.validate()) == 1 + len(document["stac_extensions"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    places = [*make_locations(2), *make_locations(1, lon=179.999, lat=-17.8, slug="fiji")]
    sensors = ("sentinel-2-l2a", "landsat-c2-l2", "spot-ortho")
    return make_catalog(tmp_path_factory.mktemp("written") / "cat", locations=places, sensors=sensors)


def test_pystac_walks_and_validates_a_whole_catalog(folder):
    catalog = pystac.Catalog.from_file(folder / "catalog.json")
    assert catalog.validate_all() > 0
    items = list(catalog.get_items(recursive=True))
    assert len(items) == 3 * 2 * 3
    assert {child.id for child in catalog.get_children()} == {"sentinel-2-l2a", "landsat-c2-l2", "spot-ortho"}
    for item in items:
        assert item.get_collection().id == item.collection_id
        assert next(item.get_parent().get_items(item.id)) is item
        assert item.get_root() is catalog


def test_pystacs_items_are_those_of_the_index(folder):
    catalog = pystac.Catalog.from_file(folder / "catalog.json")
    for collection in catalog.get_children():
        found = {item.id: item for item in collection.get_items(recursive=True)}
        rows = read_items(folder / collection.id / "items.parquet")
        assert [row["id"] for row in rows] == sorted(found)
        for row in rows:
            item = found[row["id"]]
            here = item.get_self_href().rpartition("/")[0].removeprefix(f"{folder}/{collection.id}/")
            document = json.loads((folder / collection.id / here / f"{item.id}.json").read_text())
            assert unlink_item(document, here) == row
            for key, asset in row["assets"].items():
                assert item.assets[key].get_absolute_href() == f"{folder}/{collection.id}/{asset['href']}"


def test_an_item_of_another_major_version_is_refused_with_the_remedy():
    item = scene_to_item(make_scene())
    item["properties"][fields.CONTRACT] = "2.3"
    with pytest.raises(
        ContractError, match=r"follows version 2\.3 of the contract; this seastars reads 1\.x\. Upgrade seastars to read it"
    ):
        scene_from_item(item)
    item["properties"][fields.CONTRACT] = "0.9"
    with pytest.raises(ContractError, match=r"Build it again with this seastars, or read it with an older one"):
        scene_from_item(item)
    del item["properties"][fields.CONTRACT]
    with pytest.raises(
        ContractError, match=r"has no seastars:contract: it is not an item of ours\. Open its catalog with open_catalog"
    ):
        scene_from_item(item)


def test_a_later_minor_version_is_read():
    item = scene_to_item(SCENES[0])
    item["properties"][fields.CONTRACT] = "1.9"
    assert scene_from_item(item) == SCENES[0]
