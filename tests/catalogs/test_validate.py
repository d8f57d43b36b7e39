"""Every fault that the contract names, planted alone into a sound catalog, and what a stopped build leaves."""

import gzip
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from catalogs import layout
from catalogs.bands import SENSORS
from catalogs.errors import NotACatalogError
from catalogs.journal import Failure
from catalogs.failures import write_failures
from catalogs.testing import make_catalog, make_locations
from catalogs.validate import check_catalog
from tests.catalogs import damage
from tests.catalogs.damage import (
    SENSOR,
    asset_path,
    edit_item,
    edit_json,
    edit_pixels,
    edit_rows,
    index_of,
    item_path,
    square_path,
)

SIGNED = "https://host.example/B04.tif?sig=abcdef&se=2030"


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return make_catalog(tmp_path_factory.mktemp("sound") / "test", locations=make_locations(2, side_m=600))


@pytest.fixture
def catalog(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "test")


@pytest.fixture
def index_only(tmp_path):
    return make_catalog(tmp_path / "test", locations=make_locations(2, side_m=600), json_items=False)


def kinds(report):
    return dict(report.counts)


def messages(report):
    return "\n".join(f"{problem.kind} | {problem.where} | {problem.message}" for problem in report.problems)


def test_a_sound_catalog_of_every_sensor_has_no_problem(tmp_path):
    folder = make_catalog(tmp_path / "test", locations=make_locations(2, side_m=120), sensors=list(SENSORS))
    report = check_catalog(folder)
    assert report.is_valid, messages(report)
    assert report.unfinished == () and report.left_out is None
    items = 2 * 2 * len(SENSORS)
    assert report.checked["items"] == items and report.checked["locations"] == 2
    assert report.checked["assets"] == report.checked["assets read"] == len(list(folder.rglob("*.tif")))
    assert report.checked["documents"] == len(list(folder.rglob("*.json")))


def test_a_sound_catalog_whose_items_are_rows_alone_has_no_problem(index_only):
    report = check_catalog(str(index_only / layout.CATALOG))
    assert report.is_valid, messages(report)
    assert report.unfinished == ()
    assert report.checked["assets read"] == 16


def test_a_catalog_of_both_hemispheres_and_across_the_antimeridian_has_no_problem(tmp_path):
    places = [make_locations(1, lon=lon, lat=lat, slug=f"p{number}")[0] for number, (lon, lat) in enumerate(
        [(179.999, -17.8), (-68.1, -16.5), (5.32, 60.39), (15.6, 78.2)])]  # fmt: skip
    assert check_catalog(make_catalog(tmp_path / "test", locations=places)).problems == ()


# --- files ---------------------------------------------------------------------------------------------------------


def remove_asset(folder):
    asset_path(folder).unlink()


def truncate_asset(folder):
    path = asset_path(folder)
    path.write_bytes(path.read_bytes()[:-20])


def lengthen_asset(folder):
    with asset_path(folder).open("ab") as file:
        file.write(b"more")


def alter_asset(folder):
    path = asset_path(folder)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def spoil_raster(folder):
    asset_path(folder).write_bytes(b"II*\0 no picture")
    damage.state_file(folder)


def replace_raster(folder, **changes):
    """Write an asset anew with another header, and have the item agree with its bytes."""
    import rasterio

    path = asset_path(folder)
    with rasterio.open(path) as file:
        profile, pixels, names = file.profile, file.read(), file.descriptions
    profile.update(changes)
    with rasterio.open(path, "w", **profile) as file:
        file.write(pixels[: profile["count"]].astype(profile["dtype"]))
        if profile["count"] == len(names):
            file.descriptions = changes.pop("descriptions", names)
    damage.state_file(folder)


def shift_raster(folder):
    from rasterio import Affine

    grid = damage.scene_from_item(damage.read_items(index_of(folder))[0]).rasters[0].grid
    replace_raster(folder, transform=Affine(*grid.transform) @ Affine.translation(0.5, 0))


def unplace_raster(folder):
    """Without any place on the ground."""
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio import Affine

    with pytest.warns(NotGeoreferencedWarning):
        replace_raster(folder, transform=Affine.identity(), crs=None)


def swap_bands(folder):
    import rasterio

    with rasterio.open(asset_path(folder), "r+") as file:
        file.descriptions = file.descriptions[::-1]
    damage.state_file(folder)


def tag_raster(folder):
    import rasterio

    with rasterio.open(asset_path(folder), "r+") as file:
        file.update_tags(SOURCE=SIGNED)
    damage.state_file(folder)


FILES = {
    remove_asset: ("missing-asset", r"31TCJ/test-000000/20230115T105031_10m.tif \| Is not there; its item says \d+ bytes"),
    truncate_asset: ("truncated-asset", r"Has \d+ bytes; its item says \d+"),
    lengthen_asset: ("altered-asset", r"Has \d+ bytes; its item says \d+"),
    alter_asset: ("altered-asset", "Has checksum 1220[0-9a-f]{64}; its item says 1220"),
    spoil_raster: ("unreadable", "Is no GeoTIFF that GDAL reads"),
    shift_raster: ("grid", r"Lies on EPSG:32631 from \d+5, .*; its item says EPSG:32631 from \d+0, "),
    unplace_raster: ("grid", "Lies on EPSG:0 from 0, 0"),
    swap_bands: ("raster", r"Its bands is \['B08', .*; its item says \['B02'"),
    tag_raster: ("secret", "10m.tif . Holds a signed query"),
}


# --- pixels --------------------------------------------------------------------------------------------------------


def set_band(pixels, value, band=0):
    pixels[band] = value


def copy_season(folder, keys=("10m", "20m", "60m")):
    """The second date's pixels become those of the first."""
    for key in keys:
        first = damage.read_raster(str(asset_path(folder, key)))
        edit_pixels(folder, lambda pixels, first=first: first, key, number=1)


def clip_pixels(folder):
    edit_pixels(folder, lambda pixels: np.where(pixels > np.percentile(pixels, 70), 10_000, pixels).astype(pixels.dtype))


def shift_numbers(folder):
    """Pixels whose offset was applied, though it is stated."""
    for key in ("10m", "20m", "60m"):
        edit_pixels(folder, lambda pixels: pixels - 1000, key)


def blank_mask(folder):
    edit_pixels(folder, lambda pixels: set_band(pixels, 0), "scl")
    set_property("eo:cloud_cover", 100)(folder)


PIXELS = {
    (lambda f: edit_pixels(f, lambda p: set_band(p, 0))): ("blank", r"10m.tif . B02 is nodata \(0\) everywhere"),
    blank_mask: ("blank", r"scl.tif . scl is nodata \(0\) everywhere"),
    (lambda f: edit_pixels(f, lambda p: set_band(p, 2345, 3))): ("constant", "B08 is 2345 everywhere"),
    (lambda f: edit_pixels(f, lambda p: set_band(p, 65535, 1))): (
        "saturated",
        "100 % of B03 are at its highest value, 65535; expected under 10 %",
    ),
    clip_pixels: ("saturated", "of B02 are at its highest value, 10000"),
    copy_season: (
        "duplicate-pixels",
        "test-000000_20230416T105031 . Has the pixels of test-000000_20230115T105031 in B02, B03, B04, B08, B05",
    ),
    (lambda f: copy_season(f, ("60m",))): ("duplicate-pixels", "in B01, B09; expected two acquisitions to differ"),
    shift_numbers: ("offset", r"Its dark pixels contradict its offset -0.1 \(processing version 05.10\)"),
    (lambda f: edit_pixels(f, lambda p: set_band(p[:, :5], 9), "scl")): (
        "cover",
        "Its eo:cloud_cover is 0; its mask scl has 16.6",
    ),
}


# --- items ---------------------------------------------------------------------------------------------------------


def set_property(name, value):
    return lambda folder: edit_item(folder, lambda item: item["properties"].update({name: value}))


def set_offset(folder, offset=0.0, check="consistent"):
    def change(item):
        item["properties"]["seastars:radiometry"]["check"] = check
        for asset in item["assets"].values():
            for band in asset["bands"]:
                if "raster:offset" in band:
                    band["raster:offset"] = offset

    edit_item(folder, change)


def state_baseline(folder):
    """An offset that the baseline decided, though it has none."""
    edit_item(
        folder,
        lambda item: item["properties"].update(
            {"processing:version": "03.01", "seastars:radiometry": {"decision": "baseline", "check": "consistent"}}
        ),
    )


def set_asset(name, value, key="10m"):
    return lambda folder: edit_item(folder, lambda item: item["assets"][key].update({name: value}))


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


ITEMS = {
    set_property("seastars:split", "train+"): ("schema", "'train\\+' is not one of"),
    set_property("view:sun_elevation", 101): ("schema", "view:sun_elevation is 101; expected -90 to 90"),
    set_property("seastars:valid_percent", 101): ("schema", "properties.seastars:valid_percent: 101 is greater than the maximum of 100"),
    set_property("constellation", "landsat"): ("schema", "properties.constellation is 'landsat', expected 'sentinel-2'"),
    set_property("seastars:contract", "2.0"): ("contract", "follows version 2.0 of the contract; this seastars reads 1.x. Upgrade"),
    set_property("seastars:split", "test"): ("split", "Has split 'test'; its location test-000000 is in 'train'"),
    set_property("grid:code", "MGRS-31UDQ"): ("grid", "properties.grid:code is 'MGRS-31UDQ', expected 'MGRS-31TCJ'"),
    set_property("proj:code", "EPSG:32632"): ("grid", r"Lies on EPSG:32632 \(.*; its location test-000000 is EPSG:32631"),
    move_item: ("grid", "Lies on EPSG:32631"),
    shift_asset: ("grid", "Its asset 20m has transform"),
    set_asset("proj:shape", [31, 30]): ("grid", r"Its asset 10m has transform .* and shape \[31, 30\]; its location"),
    set_asset("data_type", "int16"): ("raster", r"Its type is {'uint16'}; its item says {'int16'}"),
    rename_item: ("schema", "id is 'test-000000_20230101T000000', expected 'test-000000_20230115T105031'"),
    set_offset: ("offset", "Its dark pixels contradict its offset 0 "),
    (lambda f: set_offset(f, -0.1, "conflict")): ("offset", "were in conflict with its offset when it was built"),
    state_baseline: ("offset", "Its offset is -0.1; processing baseline 03.01 has 0.0"),
    set_property("seastars:source_id", f"a {SIGNED}"): ("secret", "Holds a signed query"),
}  # fmt: skip


def test_items_of_one_baseline_with_two_offsets_are_found_though_their_pixels_tell_nothing(catalog):
    for number in range(4):
        for key in ("10m", "20m", "60m"):
            edit_pixels(catalog, lambda pixels: pixels + 3000, key, number)
    assert check_catalog(catalog).is_valid
    set_offset(catalog)
    report = check_catalog(catalog)
    assert kinds(report) == {"offset": 1}
    assert "1 items of processing version 05.10 have offset 0; 3 have -0.1" in messages(report)


# --- documents -----------------------------------------------------------------------------------------------------


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


DOCUMENTS = {
    (lambda f: (f / layout.CATALOG).unlink()): ("missing-file", "catalog.json . Is not there, though sentinel-2-l2a has items"),
    (lambda f: (f / layout.RECIPE).unlink()): ("missing-file", "recipe.json"),
    (lambda f: (f / layout.LOCATIONS).unlink()): ("missing-file", "locations.parquet"),
    (lambda f: index_of(f).unlink()): ("missing-file", "items.parquet"),
    (lambda f: collection_path(f).unlink()): ("broken-link", "catalog.json . Links sentinel-2-l2a/collection.json, which is not there"),
    (lambda f: square_path(f).unlink()): ("broken-link", "collection.json . Links sentinel-2-l2a/31TCJ/catalog.json, which is not there"),
    (lambda f: item_path(f).unlink()): ("broken-link", "31TCJ/catalog.json . Links .*20230115T105031.json, which is not there"),
    (lambda f: edit_json(f / layout.CATALOG, lambda d: set_link(d, "root", "./x.json"))): ("broken-link", "Its root link leads to x.json; expected catalog.json"),
    (lambda f: edit_json(collection_path(f), lambda d: set_link(d, "parent", "./catalog.json"))): ("broken-link", "Its parent link leads to"),
    (lambda f: edit_json(square_path(f), lambda d: drop_link(d, "parent"))): ("broken-link", "Has no parent link; expected one to sentinel-2-l2a/collection.json"),
    (lambda f: edit_json(item_path(f), lambda d: set_link(d, "collection", "../collection.json"))): ("broken-link", "Its collection link leads to sentinel-2-l2a/31TCJ/collection.json"),
    (lambda f: edit_json(f / layout.CATALOG, lambda d: drop_link(d, "child"))): ("unlinked", "catalog.json . Does not link sentinel-2-l2a/collection.json"),
    unlink: ("unlinked", "31TCJ/catalog.json . Does not link item test-000001_20230416T105031, which items.parquet has"),
    (lambda f: edit_json(item_path(f), lambda d: set_link(d, "root", "/srv/catalog.json"))): ("unsafe-href", "Its root link '/srv/catalog.json' leaves the catalog"),
    (lambda f: edit_json(square_path(f), lambda d: d["links"].append({"rel": "item", "href": "https://host.example/a.json"}))): ("unsafe-href", "item link"),
    (lambda f: edit_json(item_path(f), lambda d: d["assets"]["10m"].update(href="../../../../../etc/a.tif"))): ("unsafe-href", "etc/a.tif"),
    (lambda f: edit_json(f / layout.CATALOG, lambda d: d.update({"seastars:contract": "2.0"}))): ("contract", "this seastars reads 1.x"),
    (lambda f: edit_json(f / layout.RECIPE, lambda d: d.update(contract="0.9"))): ("contract", "recipe.json follows version 0.9"),
    (lambda f: edit_json(collection_path(f), lambda d: d.update(stac_version="1.0.0"))): ("schema", "Is a 'Collection' of STAC '1.0.0'"),
    (lambda f: edit_json(collection_path(f), lambda d: d["extent"]["spatial"].update(bbox=[[0, 0, 1, 1]]))): ("collection", r"Has bbox \[0, 0, 1, 1\]"),
    (lambda f: edit_json(collection_path(f), lambda d: d["extent"]["temporal"].update(interval=[[None, None]]))): ("collection", "Spans None to None; its items 2023-01-15"),
    (lambda f: item_path(f).write_text("{")): ("unreadable", r"Holds no JSON object \(1 bytes\)"),
    (lambda f: index_of(f).write_bytes(b"PAR1")): ("index", "Cannot be read"),
    (lambda f: edit_json(collection_path(f), lambda d: d["assets"]["items"].update({"file:checksum": "1220"}))): ("index", "its collection.json says 1220"),
    (lambda f: edit_rows(f, without_first_row)): ("index incomplete", "Has no row for 31TCJ/test-000000/test-000000_20230115T105031.json"),
    (lambda f: edit_rows(f, add_row)): ("index missing-asset", "Has item test-000000_20230116T105031, but there is no file"),
    (lambda f: edit_rows(f, lambda items: items[0]["properties"].update({"eo:cloud_cover": 7}))): ("index", "properties.eo:cloud_cover is 0 in the file, 7 in the index"),
    (lambda f: edit_json(item_path(f), lambda d: d["properties"].update(title="A title"))): ("index", "properties.title is 'A title' in the file, None in the index"),
    (lambda f: edit_json(f / layout.RECIPE, lambda d: d["build"].update(source=SIGNED))): ("secret", "recipe.json . Holds a signed query"),
    (lambda f: edit_json(collection_path(f), lambda d: d.update(title="AKIAABCDEFGHIJKLMNOP"))): ("secret", "Holds an AWS access key"),
    (lambda f: (f / "README.md").write_text("https://me:pw@host.example/a")): ("secret", "README.md . Holds user information in an address"),
    (lambda f: write_failures(f, [Failure("test-000009", 0, SENSOR, "unreadable", SIGNED)])): ("secret", "failures.parquet"),
}  # fmt: skip


def save_search(folder):
    path = folder / layout.WORK / "search" / "31TCJ.json.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(json.dumps({"href": SIGNED}).encode()))


# --- locations -----------------------------------------------------------------------------------------------------


def set_column(name, value):
    def change(table):
        values = table[name].to_pylist()
        values[0] = value
        return table.set_column(
            table.schema.get_field_index(name), table.schema.field(name), pa.array(values, table.schema.field(name).type)
        )

    return lambda folder: damage.edit_table(folder / layout.LOCATIONS, change)


def add_location(change):
    def add(locations):
        locations.append(change(locations))

    return lambda folder: damage.edit_locations(folder, add)


def overlap(locations):
    left, bottom, right, top = locations[0].bounds
    return replace(locations[0], id="test-000002", bounds=(left + 60, bottom, right + 60, top), split="val")


def fail(season):
    return lambda folder: write_failures(
        folder, [Failure("test-000000", season, SENSOR, "not-clear", "The clearest has 23 %.")]
    )


LOCATIONS = {
    set_column("left", 1234567): ("location", "test-000000 . A patch of -860167 m does not divide"),
    set_column("split", "both"): ("location", "has split 'both'"),
    set_column("grid_square", "31UDQ"): ("location", r"test-000000 . Has grid_square 31UDQ than its square entails \(31TCJ\)"),
    set_column("lon", 2.5): ("location", "Has lon 2.5"),
    add_location(lambda known: replace(known[0], id="test-000002")): ("location", "test-000002 . Shares its square"),
    add_location(lambda known: known[0]): ("location", "Has two rows in locations.parquet"),
    add_location(overlap): ("split", "test-000000 . Overlaps test-000002, which is in split 'val', while it is in 'train'"),
    fail(0): ("incomplete", "Has an item of sentinel-2-l2a for season 0, and a failure too"),
    (lambda f: edit_json(f / layout.RECIPE, lambda d: d["build"].update(seasons=3))): ("incomplete", "Has neither an item of sentinel-2-l2a for season 2 nor a recorded failure"),
}  # fmt: skip


@pytest.mark.parametrize(("fault", "kind", "words"), [(fault, *told) for table in (FILES, PIXELS, ITEMS, DOCUMENTS, LOCATIONS) for fault, told in table.items()] + [
    (save_search, "secret", "search/31TCJ.json.gz . Holds a signed query")])  # fmt: skip
def test_a_planted_fault_is_found_and_nothing_else(catalog, fault, kind, words):
    fault(catalog)
    report = check_catalog(catalog)
    assert set(kinds(report)) == set(kind.split()), messages(report)
    assert re.search(words, messages(report)), messages(report)
    assert all(problem.remedy for problem in report.problems)


# --- rows alone ----------------------------------------------------------------------------------------------------


def shift_both(item):
    for key in ("10m", "20m", "60m"):
        item["assets"][key]["href"] = "../elsewhere/" + item["assets"][key]["href"]


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (lambda items: items[0]["assets"]["10m"].update(href="../../elsewhere.tif"), "unsafe-href", "Its asset 10m is '../../elsewhere.tif', which leaves"),
        (lambda items: shift_both(items[0]), "unsafe-href", "Its asset 60m is '../elsewhere/31TCJ"),
        (lambda items: [asset.update(href="/etc/x.tif") for asset in items[0]["assets"].values()], "unsafe-href", "Its asset scl is '/etc/x.tif'"),
        (lambda items: items[0].update(assets={}), "schema", "Has no assets; expected its pixels"),
        (lambda items: items[0]["links"][0].update(href=SIGNED), "secret", "sentinel-2-l2a/test-000000_20230115T105031 . Holds a signed query"),
        (lambda items: items[3]["properties"].update({"seastars:location": "test-000009"}), "location incomplete schema", "Is of a location that locations.parquet lacks"),
        (lambda items: items[0].update(stac_version="1.0.0"), "schema", "stac_version is '1.0.0', expected '1.1.0'"),
        (lambda items: items[0]["properties"].pop("proj:bbox"), "schema", "'proj:bbox' is a required property"),
    ],
)  # fmt: skip
def test_a_fault_of_a_row_is_found_where_items_are_no_files(index_only, change, kind, words):
    edit_rows(index_only, change)
    report = check_catalog(index_only)
    assert set(kinds(report)) == set(kind.split()), messages(report)
    assert words in messages(report).replace(" | ", " . ")


def test_rows_out_of_order_or_twice_are_found(index_only):
    def disturb(table):
        return pa.concat_tables([table.slice(1, 2), table.slice(0, 1), table.slice(3), table.slice(3)])

    damage.edit_table(index_of(index_only), disturb)
    damage.agree(index_only)
    report = check_catalog(index_only)
    assert kinds(report)["duplicate-id"] == 1 and kinds(report)["index"] == 1
    assert "Has item test-000000_20230115T105031 after test-000001_20230115T105031" in messages(report)
    assert "Has two rows of item test-000001_20230416T105031" in messages(report)


@pytest.mark.parametrize("column", ["assets", "id", "seastars:location", "proj:bbox", "bbox"])
def test_an_index_without_a_column_is_a_problem_not_a_crash(index_only, column):
    damage.edit_table(index_of(index_only), lambda table: table.drop_columns([column]))
    damage.agree(index_only)
    assert not check_catalog(index_only).is_valid


# --- large catalogs ------------------------------------------------------------------------------------------------


def test_of_a_large_catalog_the_files_of_the_same_locations_are_read_every_time(tmp_path, monkeypatch):
    monkeypatch.setattr("catalogs.validate.FILES_READ", 32)
    folder = make_catalog(tmp_path / "test", locations=make_locations(12, side_m=120), json_items=False)
    reports = [check_catalog(folder) for _ in range(2)]
    assert reports[0] == reports[1]
    assert reports[0].is_valid
    assert 0 < reports[0].checked["assets read"] < reports[0].checked["assets"] == 12 * 2 * 4
    assert "only looked for, not read" in reports[0].left_out and "--deep" in reports[0].left_out
    deep = check_catalog(folder, deep=True)
    assert deep.checked["assets read"] == 12 * 2 * 4 and deep.left_out is None


def test_of_a_large_catalog_size_secrets_and_equal_files_are_found_though_nothing_is_read(index_only, monkeypatch):
    monkeypatch.setattr("catalogs.validate.FILES_READ", 0)
    assert check_catalog(index_only).is_valid
    first, second = (asset_path(index_only, "20m", number) for number in (0, 1))
    second.write_bytes(first.read_bytes())
    damage.state_file(index_only, "20m", 1)
    asset_path(index_only, "10m", 2).unlink()
    truncate_asset(index_only)
    set_property("seastars:source_id", SIGNED)(index_only)
    set_asset("href", "../../../a.tif", "60m")(index_only)
    report = check_catalog(index_only)
    expected = {"duplicate-pixels": 1, "missing-asset": 1, "truncated-asset": 1, "secret": 1, "unsafe-href": 1}
    assert kinds(report) == expected, messages(report)
    assert "assets read" not in report.checked


def test_many_problems_of_one_kind_are_counted_and_some_are_told(catalog, monkeypatch):
    monkeypatch.setattr("catalogs.checks.report.KEPT", 3)
    for path in catalog.rglob("*.tif"):
        path.unlink()
    report = check_catalog(catalog)
    assert kinds(report) == {"missing-asset": 16}
    assert len(report.problems) == 3


def test_progress_counts_every_item(catalog):
    from contextlib import contextmanager

    told = []

    class Bar:
        def advance(self, ok=1, *, failed=0):
            told.append((ok, failed))

    @contextmanager
    def watch(total, description):
        told.append((total, description))
        yield Bar()

    remove_asset(catalog)
    check_catalog(catalog, watch=watch)
    assert told == [(4, "Checking"), (0, 2), (2, 0)]


def test_a_folder_that_is_no_catalog_is_refused(tmp_path):
    with pytest.raises(
        NotACatalogError, match="is no catalog: it holds neither catalog.json nor recipe.json. Give the folder or the address"
    ):
        check_catalog(tmp_path)


def test_every_problem_of_the_report_is_in_its_json(catalog):
    remove_asset(catalog)
    report = check_catalog(catalog).to_json()
    assert report["valid"] is False and report["counts"] == {"missing-asset": 1}
    assert report["problems"][0].keys() == {"kind", "where", "message", "remedy"}
    assert json.loads(json.dumps(report)) == report
