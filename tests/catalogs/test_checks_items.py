"""Faults of an item's record, each planted alone into a sound catalog."""

import pyarrow as pa
import pytest

from catalogs.validate import check_catalog
from tests.catalogs.damage import (
    SIGNED,
    agree,
    edit_item,
    edit_json,
    edit_pixels,
    edit_rows,
    edit_table,
    expect_fault,
    index_of,
    item_path,
    messages,
    set_asset,
    set_offset,
    set_property,
    square_path,
)


def state_baseline(folder):
    """An offset that the baseline decided, though it has none."""
    edit_item(
        folder,
        lambda item: item["properties"].update(
            {"processing:version": "03.01", "seastars:radiometry": {"decision": "baseline", "check": "consistent"}}
        ),
    )


def move_item(folder):
    def change(item):
        left, bottom, right, top = item["properties"]["proj:bbox"]
        item["properties"]["proj:bbox"] = [left + 60, bottom, right + 60, top]

    edit_item(folder, change)


def shift_asset(folder):
    edit_item(
        folder,
        lambda item: item["assets"]["20m"]["proj:transform"].__setitem__(2, item["assets"]["20m"]["proj:transform"][2] + 20),
    )


def rename_item(folder):
    """An item whose id is not that of its time."""
    edit_rows(folder, lambda items: items[0].update(id="test-000000_20230101T000000"))
    path = item_path(folder, 1).with_name("test-000000_20230115T105031.json")
    edit_json(path, lambda item: item.update(id="test-000000_20230101T000000"))
    path.rename(path.with_name("test-000000_20230101T000000.json"))
    edit_json(
        square_path(folder),
        lambda square: next(link for link in square["links"] if "000000_20230115" in link["href"]).update(
            href="./test-000000/test-000000_20230101T000000.json"
        ),
    )


def state_radiometry(**changes):
    """Other words of an item on its offset."""
    return lambda folder: edit_item(folder, lambda item: item["properties"]["seastars:radiometry"].update(changes))


ITEMS = [
    (set_property("seastars:split", "train+"), "schema", "'train\\+' is not one of"),
    (set_property("view:sun_elevation", 101), "schema", "view:sun_elevation is 101; expected -90 to 90"),
    (
        set_property("seastars:valid_percent", 101),
        "schema",
        "properties.seastars:valid_percent: 101 is greater than the maximum of 100",
    ),
    (set_property("constellation", "landsat"), "schema", "properties.constellation is 'landsat', expected 'sentinel-2'"),
    (
        set_property("seastars:contract", "2.0"),
        "contract",
        "follows version 2.0 of the contract; this seastars reads 1.x. Upgrade",
    ),
    (set_property("seastars:split", "test"), "split", "Has split 'test'; its location test-000000 is in 'train'"),
    (set_property("grid:code", "MGRS-31UDQ"), "grid", "properties.grid:code is 'MGRS-31UDQ', expected 'MGRS-31TCJ'"),
    (set_property("proj:code", "EPSG:32632"), "grid", r"Lies on EPSG:32632 \(.*; its location test-000000 is EPSG:32631"),
    (move_item, "grid", "Lies on EPSG:32631"),
    (shift_asset, "grid", "Its asset 20m has transform"),
    (set_asset("proj:shape", [31, 30]), "grid", r"Its asset 10m has transform .* and shape \[31, 30\]; its location"),
    (set_asset("data_type", "int16"), "raster", r"Its type is 'uint16'; its item says 'int16'"),
    (rename_item, "schema", "id is 'test-000000_20230101T000000', expected 'test-000000_20230115T105031'"),
    (set_offset, "offset", "Its dark pixels contradict its offset 0 "),
    (lambda f: set_offset(f, -0.1, "conflict"), "offset", "were in conflict with its offset when it was built"),
    (state_baseline, "offset", "Its offset is -0.1; processing baseline 03.01 has 0.0"),
    (set_property("seastars:cloud_source", ""), "schema", "properties.seastars:cloud_source: '' "),
    (set_property("eo:cloud_cover", None), "schema", "seastars:cloud_source is 'scl', and eo:cloud_cover is absent; expected"),
    (state_radiometry(decision="guess"), "schema", "'guess' is not one of"),
    (state_radiometry(evidence="hearsay"), "schema", "'hearsay' is not one of"),
    (state_radiometry(check="unchecked", evidence="dark"), "schema", "is unchecked, by 'dark'; expected no evidence"),
    (state_radiometry(harmonized="conflict"), "schema", "has harmonized 'conflict' and check 'consistent'; expected"),
    (state_radiometry(harmonized="not_needed"), "offset", "'not_needed': it needs no offset, and its bands state one"),
    (set_property("seastars:source_id", f"a {SIGNED}"), "secret", "20230115T105031.json . Holds a signed query"),
]


@pytest.mark.parametrize(("fault", "kind", "words"), ITEMS)
def test_a_planted_fault_of_an_item_is_found_and_nothing_else(catalog, fault, kind, words):
    expect_fault(catalog, fault, kind, words)


def test_items_of_one_baseline_with_two_offsets_are_found_though_their_pixels_tell_nothing(catalog):
    for number in range(4):
        for key in ("10m", "20m", "60m"):
            edit_pixels(catalog, lambda pixels: pixels + 3000, key, number)
    assert check_catalog(catalog).is_valid
    set_offset(catalog)
    report = check_catalog(catalog)
    assert report.counts == {"offset": 1}
    assert "1 items of processing version 05.10 have offset 0; 3 have -0.1" in messages(report)


def shift_both(item):
    for key in ("10m", "20m", "60m"):
        item["assets"][key]["href"] = "../../elsewhere/" + item["assets"][key]["href"]


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (
            lambda items: items[0]["assets"]["10m"].update(href="../../elsewhere.tif"),
            "unsafe-href",
            "Its asset 10m is '../../elsewhere.tif', which leaves",
        ),
        (lambda items: shift_both(items[0]), "unsafe-href", "Its asset 60m is '../../elsewhere/31TCJ"),
        (
            lambda items: [asset.update(href="/etc/x.tif") for asset in items[0]["assets"].values()],
            "unsafe-href",
            "Its asset scl is '/etc/x.tif'",
        ),
        (lambda items: items[0].update(assets={}), "schema", "Has no assets; expected its pixels"),
        (
            lambda items: items[0]["links"][0].update(href=SIGNED),
            "secret",
            "items.parquet . Its column links.href holds a signed query",
        ),
        (
            lambda items: items[3]["properties"].update({"seastars:location": "test-000009"}),
            "location incomplete schema",
            "Is of a location that locations.parquet lacks",
        ),
        (lambda items: items[0].update(stac_version="1.0.0"), "schema", "stac_version is '1.0.0', expected '1.1.0'"),
        (lambda items: items[0]["properties"].pop("proj:bbox"), "schema", "'proj:bbox' is a required property"),
    ],
)
def test_a_fault_of_a_row_is_found_where_items_are_no_files(index_only, change, kind, words):
    expect_fault(index_only, lambda folder: edit_rows(folder, change), kind, words)


def test_rows_out_of_order_or_twice_are_found(index_only):
    def disturb(table):
        return pa.concat_tables([table.slice(1, 2), table.slice(0, 1), table.slice(3), table.slice(3)])

    edit_table(index_of(index_only), disturb)
    agree(index_only)
    report = check_catalog(index_only)
    assert report.counts["duplicate-id"] == 1
    assert report.counts["index"] == 1
    assert "Has item test-000000_20230115T105031 after test-000001_20230115T105031" in messages(report)
    assert "Has two rows of item test-000001_20230416T105031" in messages(report)


@pytest.mark.parametrize("column", ["assets", "id", "seastars:location", "proj:bbox", "bbox"])
def test_an_index_without_a_column_is_a_problem_not_a_crash(index_only, column):
    edit_table(index_of(index_only), lambda table: table.drop_columns([column]))
    agree(index_only)
    assert not check_catalog(index_only).is_valid
