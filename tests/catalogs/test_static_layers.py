"""Catalogs with a static layer: one item of a location, of no season, that other seasons do not hang on."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from catalogs import layout, open_catalog
from catalogs.bands import find_sensor
from catalogs.failures import write_failures
from catalogs.foreign import from_item
from catalogs.index import read_items
from catalogs.journal import NO_SEASON, Failure
from catalogs.locations import write_locations
from catalogs.recipe import write_section
from catalogs.terms import SourceTerms, join_terms, read_terms
from catalogs.testing import make_catalog, make_locations, make_scene
from catalogs.to_stac import collection_to_stac
from catalogs.validate import check_catalog
from catalogs.writer import CatalogWriter
from curate.summary import summarize
from tests.catalogs.damage import messages
from tests.heights import square_item

DEM, S2 = "cop-dem-glo-30", "sentinel-2-l2a"


@pytest.fixture
def catalog(tmp_path):
    return make_catalog(tmp_path / "cat", sensors=(S2, DEM), seasons=2)


def partly(folder, *, heights, seasons, failures=()):
    """A catalog of two locations: of the first one some heights and seasons, the second not begun."""
    locations = make_locations(2)
    write_section(folder, "sample", {"region": "test", "seed": 0})
    write_section(folder, "build", {"source": "earth-search", "sensors": [S2, DEM], "seasons": 2})
    write_locations(folder / layout.LOCATIONS, locations)
    bands = {sensor: find_sensor(sensor).bands for sensor in (S2, DEM)}
    writer = CatalogWriter(folder, locations, bands, description="A catalog for tests.")
    wanted = [*((S2, season) for season in range(seasons)), *([(DEM, 0)] if heights else [])]
    items = [
        writer.write_scene(*make_scene(find_sensor(sensor), locations[0], season, seed=season)) for sensor, season in wanted
    ]
    writer.finish(locations[0], items, [Failure(locations[0].id, season, DEM, "no-scene", "Sea.") for season in failures])
    writer.close()
    return folder


def test_its_items_are_of_no_season_and_of_its_own_interval(catalog):
    items = read_items(catalog / DEM / layout.INDEX)
    assert len(items) == 3
    assert all("seastars:season" not in item["properties"] for item in items)
    assert {item["id"].partition("_")[2] for item in items} == {"20101212_20150116"}
    opened = open_catalog(catalog)
    assert len(opened.items(sensor=DEM)) == 3
    assert len(opened.items(sensor=DEM, season=0)) == 0
    assert check_catalog(catalog).counts == {}


@pytest.mark.parametrize(
    ("made", "counts"),
    [
        ({"heights": True, "seasons": 2}, (1, 0, 1)),
        ({"heights": False, "seasons": 2, "failures": [NO_SEASON]}, (0, 1, 1)),
    ],
)
def test_a_location_is_complete_with_its_seasons_and_its_layer(tmp_path, made, counts):
    folder = partly(tmp_path / "cat", **made)
    assert check_catalog(folder).counts == {}
    told = summarize(str(folder))
    assert (told.complete, told.incomplete, told.unbuilt) == counts


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"heights": False, "seasons": 2}, "Has neither an item of cop-dem-glo-30 nor a recorded failure."),
        ({"heights": True, "seasons": 1}, "Has neither an item of sentinel-2-l2a for season 1 nor a recorded failure."),
        ({"heights": True, "seasons": 0}, "Has neither an item of sentinel-2-l2a for season 0 nor a recorded failure."),
    ],
)
def test_a_layer_or_a_season_that_is_not_there_is_found(tmp_path, made, words):
    report = check_catalog(partly(tmp_path / "cat", **made))
    assert set(report.counts) == {"incomplete"}
    assert words in messages(report)


def test_an_item_and_a_failure_of_one_layer_are_too_many(catalog):
    write_failures(catalog, [Failure("test-000000", NO_SEASON, DEM, "no-scene", "Sea.")])
    assert messages(check_catalog(catalog)).endswith("Has an item of cop-dem-glo-30, and a failure too.")


def test_what_a_provider_states_of_its_date_does_not_count():
    item = square_item("https://host/dem", 1, 52)
    scene = from_item(item, find_sensor(DEM))
    assert scene.datetime is None
    assert (scene.start_datetime, scene.end_datetime) == find_sensor(DEM).interval
    assert (scene.bands["elevation"].href, scene.bands["elevation"].scale) == (item["assets"]["data"]["href"], 1)
    del item["properties"]["datetime"]
    assert replace(from_item(item, find_sensor(DEM)), href=None) == scene


def test_its_collection_has_its_unit_and_its_own_words_without_years():
    sensor = find_sensor(DEM)
    terms = join_terms(sensor, [SourceTerms()], [2010, 2015])
    assert terms.notices == (f"{sensor.attribution}.",)
    collection = collection_to_stac(
        sensor,
        sensor.bands,
        bbox=None,
        interval=(datetime(2010, 12, 12, tzinfo=UTC),) * 2,
        children=(),
        index=None,
        terms=terms,
    )
    assert collection["item_assets"]["30m"]["bands"][0]["unit"] == "m"
    assert read_terms(collection).says_sensor is False
    assert read_terms(collection).attribution is None
    optical = find_sensor(S2)
    other = collection_to_stac(optical, optical.bands, bbox=None, interval=None, children=(), index=None)
    assert all("unit" not in band for asset in other["item_assets"].values() for band in asset["bands"])
