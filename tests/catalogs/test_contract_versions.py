"""A catalog of contract 1.0 or 1.4 opens, verifies and can be continued; what it lacks is absent, not an error."""

import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from catalogs import fields, find_sensor, open_catalog
from catalogs.locations import read_locations
from catalogs.testing import make_catalog, make_locations, make_scene
from catalogs.validate import check_catalog
from catalogs.writer import CatalogWriter
from tests.catalogs.damage import messages
from tests.catalogs.older import before_1_5, make_contract_1_0, make_contract_1_4

S2 = "sentinel-2-l2a"


@pytest.fixture(params=[True, False], ids=["files", "rows"])
def old(request, tmp_path):
    """A catalog of version 1.0, its items files or rows alone."""
    return make_contract_1_0(make_catalog(tmp_path / "old", locations=make_locations(2), json_items=request.param))


def test_the_fixture_is_of_version_1_0(old):
    names = pq.read_schema(old / S2 / "items.parquet").names
    assert fields.LABELS not in names
    for path in ("catalog.json", f"{S2}/collection.json"):
        assert json.loads((old / path).read_text())[fields.CONTRACT] == "1.0"
    assert json.loads((old / "recipe.json").read_text())["contract"] == "1.0"


def test_an_older_catalog_opens_and_is_without_labels(old, tmp_path):
    young = open_catalog(make_catalog(tmp_path / "young", locations=make_locations(2)))
    items, expected = open_catalog(old).items(), young.items()
    assert list(items) == before_1_5(expected)
    assert items.table.equals(expected.table)
    assert items.table["labels"].to_pylist() == [None] * 4
    assert items[1:3].table["labels"].null_count == 2
    assert len(open_catalog(old).items(split="val")) == 0
    assert open_catalog(old).items(location="test-000001").table.column_names == items.table.column_names


def test_a_column_that_is_not_there_can_be_asked_for_alone(old):
    catalog = open_catalog(old)
    store = catalog._store(S2)
    assert store.columns([fields.LABELS], catalog.items()._picks.rows)[fields.LABELS].to_pylist() == [None] * 4


def test_an_older_catalog_is_valid(old):
    report = check_catalog(old, deep=True)
    assert report.is_valid, messages(report)


def test_an_older_catalog_is_continued_with_labels(old):
    locations = read_locations(old / "locations.parquet")
    bands = {S2: find_sensor(S2).bands}
    has_files = any(old.rglob("test-000000_*.json"))
    writer = CatalogWriter(old, locations, bands, description="A catalog for tests.", json_items=has_files)
    items = []
    for season in range(2):
        scene, patches = make_scene(find_sensor(S2), locations[1], season, seed=1000 + season)
        items.append(writer.write_scene(replace(scene, labels=("lake", "vineyard")), patches))
    writer.finish(locations[1], items, [])
    writer.close()
    report = check_catalog(old)
    assert report.is_valid, messages(report)
    assert open_catalog(old).items().table["labels"].to_pylist() == [None, None, ["lake", "vineyard"], ["lake", "vineyard"]]


@pytest.mark.parametrize("json_items", [True, False], ids=["files", "rows"])
def test_a_catalog_of_contract_1_4_is_read_as_it_was_and_continued_with_sources(tmp_path, json_items):
    young = make_catalog(tmp_path / "old", locations=make_locations(2), json_items=json_items)
    scenes = list(open_catalog(young).items())
    assert scenes[0].source == "testing"
    old = make_contract_1_4(young)
    index = pq.read_schema(old / S2 / "items.parquet")
    assert not {fields.SOURCE, fields.CLOUD_SOURCE} & set(index.names)
    assert index.field(fields.RADIOMETRY).type.num_fields == 2
    assert list(open_catalog(old).items()) == before_1_5(scenes)
    report = check_catalog(old, deep=True)
    assert report.is_valid, messages(report)
    locations = read_locations(old / "locations.parquet")
    writer = CatalogWriter(
        old, locations, {S2: find_sensor(S2).bands}, description="A catalog for tests.", json_items=json_items
    )
    again = [make_scene(find_sensor(S2), locations[1], season, seed=1000 + season) for season in range(2)]
    writer.finish(locations[1], [writer.write_scene(scene, patches) for scene, patches in again], [])
    writer.close()
    assert list(open_catalog(old).items()) == [*before_1_5(scenes[:2]), *scenes[2:]]
    report = check_catalog(old, deep=True)
    assert report.is_valid, messages(report)
