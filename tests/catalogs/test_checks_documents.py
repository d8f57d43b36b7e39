"""Faults of documents, links, the index and the locations, each planted alone into a sound catalog."""

import gzip
import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalogs import layout
from catalogs.failures import write_failures
from catalogs.journal import Failure
from catalogs.records import Location
from tests.catalogs.damage import (
    SENSOR,
    SIGNED,
    edit_json,
    edit_locations,
    edit_rows,
    edit_table,
    expect_fault,
    index_of,
    item_path,
    square_path,
)


def save_search(folder):
    path = folder / layout.WORK / "search" / "31TCJ.json.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(json.dumps({"href": SIGNED}).encode()))


def save_table_search(folder):
    path = folder / layout.WORK / "search" / SENSOR / "31TCJ_20230101_20240101.parquet"
    path.parent.mkdir(parents=True)
    assets = [{"B04": {"href": SIGNED}}]
    pq.write_table(pa.table({"id": ["a"], "assets": assets}), path)


def drop_link(document, rel):
    document["links"] = [link for link in document["links"] if link["rel"] != rel]


def set_link(document, rel, href):
    next(link for link in document["links"] if link["rel"] == rel)["href"] = href


def collection_path(folder):
    return folder / SENSOR / layout.COLLECTION


def without_first_row(items):
    del items[0]


def add_row(items):
    row = json.loads(json.dumps(items[0]).replace("20230115T105031", "20230116T105031").replace("2023-01-15", "2023-01-16"))
    items.insert(1, row)


def unlink(folder):
    edit_json(square_path(folder), lambda square: square["links"].pop())


DOCUMENTS = [
    (
        lambda f: edit_json(collection_path(f), lambda d: d["assets"].update(thumbnail={"href": "../../a.png"})),
        "unsafe-href",
        "Its asset thumbnail is '../../a.png', which leaves the catalog",
    ),
    (save_search, "secret", "search/31TCJ.json.gz . Holds a signed query"),
    (save_table_search, "secret", "31TCJ_20230101_20240101.parquet . Holds a signed query"),
    (lambda f: (f / layout.CATALOG).unlink(), "missing-file", "catalog.json . Is not there, though sentinel-2-l2a has items"),
    (lambda f: (f / layout.RECIPE).unlink(), "missing-file", "recipe.json"),
    (lambda f: (f / layout.LOCATIONS).unlink(), "missing-file", "locations.parquet"),
    (lambda f: index_of(f).unlink(), "missing-file", "items.parquet"),
    (
        lambda f: collection_path(f).unlink(),
        "broken-link",
        "catalog.json . Links sentinel-2-l2a/collection.json, which is not there",
    ),
    (
        lambda f: square_path(f).unlink(),
        "broken-link",
        "collection.json . Links sentinel-2-l2a/31TCJ/catalog.json, which is not there",
    ),
    (lambda f: item_path(f).unlink(), "broken-link", "31TCJ/catalog.json . Links .*20230115T105031.json, which is not there"),
    (
        lambda f: edit_json(f / layout.CATALOG, lambda d: set_link(d, "root", "./x.json")),
        "broken-link",
        "Its root link leads to x.json; expected catalog.json",
    ),
    (
        lambda f: edit_json(collection_path(f), lambda d: set_link(d, "parent", "./catalog.json")),
        "broken-link",
        "Its parent link leads to",
    ),
    (
        lambda f: edit_json(square_path(f), lambda d: drop_link(d, "parent")),
        "broken-link",
        "Has no parent link; expected one to sentinel-2-l2a/collection.json",
    ),
    (
        lambda f: edit_json(item_path(f), lambda d: set_link(d, "collection", "../collection.json")),
        "broken-link",
        "Its collection link leads to sentinel-2-l2a/31TCJ/collection.json",
    ),
    (
        lambda f: edit_json(f / layout.CATALOG, lambda d: drop_link(d, "child")),
        "unlinked",
        "catalog.json . Does not link sentinel-2-l2a/collection.json",
    ),
    (unlink, "unlinked", "31TCJ/catalog.json . Does not link item test-000001_20230416T105031, which items.parquet has"),
    (
        lambda f: edit_json(item_path(f), lambda d: set_link(d, "root", "/srv/catalog.json")),
        "unsafe-href",
        "Its root link '/srv/catalog.json' leaves the catalog",
    ),
    (
        lambda f: edit_json(
            square_path(f), lambda d: d["links"].append({"rel": "item", "href": "https://host.example/a.json"})
        ),
        "unsafe-href",
        "item link",
    ),
    (
        lambda f: edit_json(item_path(f), lambda d: d["assets"]["10m"].update(href="../../../../../etc/a.tif")),
        "unsafe-href",
        "etc/a.tif",
    ),
    (
        lambda f: edit_json(f / layout.CATALOG, lambda d: d.update({"seastars:contract": "2.0"})),
        "contract",
        "this seastars reads 1.x",
    ),
    (lambda f: edit_json(f / layout.RECIPE, lambda d: d.update(contract="0.9")), "contract", "recipe.json follows version 0.9"),
    (
        lambda f: edit_json(collection_path(f), lambda d: d.update(stac_version="1.0.0")),
        "schema",
        "Is a 'Collection' of STAC '1.0.0'",
    ),
    (
        lambda f: edit_json(collection_path(f), lambda d: d["extent"]["spatial"].update(bbox=[[0, 0, 1, 1]])),
        "collection",
        r"Has bbox \[0, 0, 1, 1\]",
    ),
    (
        lambda f: edit_json(collection_path(f), lambda d: d["extent"]["temporal"].update(interval=[[None, None]])),
        "collection",
        "Spans None to None; its items 2023-01-15",
    ),
    (lambda f: item_path(f).write_text("{"), "unreadable", r"Holds no JSON object \(1 bytes\)"),
    (lambda f: index_of(f).write_bytes(b"PAR1"), "index", "Cannot be read"),
    (
        lambda f: edit_json(collection_path(f), lambda d: d["assets"]["items"].update({"file:checksum": "1220"})),
        "index",
        "its collection.json says 1220",
    ),
    (
        lambda f: edit_rows(f, without_first_row),
        "index incomplete",
        "Has no row for 31TCJ/test-000000/test-000000_20230115T105031.json",
    ),
    (lambda f: edit_rows(f, add_row), "index missing-asset", "Has item test-000000_20230116T105031, but there is no file"),
    (
        lambda f: edit_rows(f, lambda items: items[0]["properties"].update({"eo:cloud_cover": 7})),
        "index",
        "properties.eo:cloud_cover is 0 in the file, 7 in the index",
    ),
    (
        lambda f: edit_json(item_path(f), lambda d: d["properties"].update(title="A title")),
        "index",
        "properties.title is 'A title' in the file, None in the index",
    ),
    (
        lambda f: edit_json(f / layout.RECIPE, lambda d: d["build"].update(source=SIGNED)),
        "secret",
        "recipe.json . Holds a signed query",
    ),
    (
        lambda f: edit_json(collection_path(f), lambda d: d.update(title="AKIAABCDEFGHIJKLMNOP")),
        "secret",
        "Holds an AWS access key",
    ),
    (
        lambda f: (f / "README.md").write_text("https://me:pw@host.example/a"),
        "secret",
        "README.md . Holds user information in an address",
    ),
    (lambda f: write_failures(f, [Failure("test-000009", 0, SENSOR, "unreadable", SIGNED)]), "secret", "failures.parquet"),
]


@pytest.mark.parametrize(("fault", "kind", "words"), DOCUMENTS)
def test_a_planted_fault_of_a_document_is_found_and_nothing_else(catalog, fault, kind, words):
    expect_fault(catalog, fault, kind, words)


def set_column(name, value):
    def change(table):
        values = table[name].to_pylist()
        values[0] = value
        return table.set_column(
            table.schema.get_field_index(name), table.schema.field(name), pa.array(values, table.schema.field(name).type)
        )

    return lambda folder: edit_table(folder / layout.LOCATIONS, change)


def add_location(change):
    def add(locations):
        locations.append(change(locations))

    return lambda folder: edit_locations(folder, add)


def overlap(locations):
    left, bottom, right, top = locations[0].bounds
    return replace(locations[0], id="test-000002", bounds=(left + 60, bottom, right + 60, top), split="val")


def ask_for_disjoint_squares(folder):
    """Two squares of one split that overlap, though the recipe asks for none."""
    edit_json(folder / layout.RECIPE, lambda recipe: recipe["sample"].update(no_overlap=True))
    add_location(lambda known: replace(overlap(known), split=known[0].split))(folder)


def fail(season):
    return lambda folder: write_failures(
        folder, [Failure("test-000000", season, SENSOR, "not-clear", "The clearest has 23 %.")]
    )


def move_off_its_zone(table):
    for name in ("left", "right"):
        values = [value + 600_000 if row == 0 else value for row, value in enumerate(table[name].to_pylist())]
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values, pa.int64()))
    return table


LOCATIONS = [
    (
        lambda f: edit_table(f / layout.LOCATIONS, move_off_its_zone),
        "location",
        r"test-000000 . Lies at \(973800, .* of EPSG:32631; expected eastings of 100 to 900 km",
    ),
    (set_column("left", 1234567), "location", "test-000000 . A patch of -860167 m does not divide"),
    (set_column("split", "both"), "location", "has split 'both'"),
    (set_column("grid_square", "31UDQ"), "location", r"test-000000 . Has grid_square 31UDQ than its square entails \(31TCJ\)"),
    (set_column("lon", 2.5), "location", "Has lon 2.5"),
    (set_column("lat", None), "location", r"Has lat None than its square entails \(43\.5"),
    (set_column("geometry", None), "location", "Has another footprint than its square entails"),
    (
        set_column("grid_square", None),
        "location",
        "test-000000 . Has no grid square; expected a square of the lattice, since the catalog was sampled",
    ),
    (
        add_location(lambda _: Location("test-000002", None, (0, 0, 600, 600))),
        "location",
        "test-000002 . Has no zone; expected a square of the lattice",
    ),
    (add_location(lambda known: replace(known[0], id="test-000002")), "location", "test-000002 . Shares its square"),
    (add_location(lambda known: known[0]), "location", "Has two rows in locations.parquet"),
    (add_location(overlap), "split", "test-000000 . Is in split 'train' and overlaps test-000002 in 'val'"),
    (ask_for_disjoint_squares, "location", "test-000000 . Overlaps test-000002; expected disjoint squares"),
    (fail(0), "incomplete", "Has an item of sentinel-2-l2a for season 0, and a failure too"),
    (
        lambda f: edit_json(f / layout.RECIPE, lambda d: d["build"].update(seasons=3)),
        "incomplete",
        "Has neither an item of sentinel-2-l2a for season 2 nor a recorded failure",
    ),
]


@pytest.mark.parametrize(("fault", "kind", "words"), LOCATIONS)
def test_a_planted_fault_of_a_location_is_found_and_nothing_else(catalog, fault, kind, words):
    expect_fault(catalog, fault, kind, words)
