"""A catalog around files that somebody released: read, packed, checked, opened by other tools, moved; none is touched."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import duckdb
import pyarrow.parquet as pq
import pystac
import pytest

from catalogs import fields, layout, open_catalog, validate
from catalogs.bands import SENSORS
from catalogs.checks.rasters import check_file
from catalogs.errors import ContractError
from catalogs.index import folders, items_schema, media_types, read_items, write_items
from catalogs.pixels import multihash_file
from catalogs.recipe import check_ours, own_names
from catalogs.records import GEOTIFF, JPEG, PNG, TIFF
from catalogs.stack import open_stack
from catalogs.testing import make_catalog, make_locations
from catalogs.to_stac import collection_to_stac
from catalogs.validate import check_catalog
from catalogs.writer import CatalogWriter
from tests.catalogs.damage import edit_json, messages
from tests.catalogs.older import before_1_5, make_contract_1_2
from tests.catalogs.packs import make_pack
from tests.catalogs.released import FILES, MADE, SENSOR, SIDE_PX, location_of, make_released, shown
from tests.conftest import ROOT
from tests.curate.convert.images import encode, make_picture
from tests.servers import serve_files
from tests.trees import tree

COUNT = len(FILES) + 1


@pytest.fixture(scope="module", params=[True, False], ids=["files", "rows"])
def folder(request, tmp_path_factory):
    return make_released(tmp_path_factory.mktemp("released") / "cat", json_items=request.param)


@pytest.fixture
def spoiled(tmp_path):
    """One to spoil, its items rows alone."""
    return make_released(tmp_path / "cat")


def test_it_verifies_to_the_last_pixel(folder):
    report = check_catalog(folder, deep=True)
    assert report.is_valid, messages(report)
    assert report.unfinished == ()
    assert report.checked["assets read"] == COUNT


def test_a_file_that_no_item_names_is_none_of_its_business(spoiled):
    (spoiled / "River" / "notes.txt").write_text("")
    assert check_catalog(spoiled).unfinished == ()


def test_images_are_read_where_they_lie_pixel_for_pixel(folder):
    catalog = open_catalog(folder)
    items = catalog.items()
    stack = open_stack(catalog, items)
    arrays = stack.empty()
    for number, scene in enumerate(items):
        expected = shown(folder, number)
        assert (catalog.read(scene) == expected).all()
        assert (catalog.read(scene, ["blue", "red"]) == expected[[2, 0]]).all()
        stack.read_into(number, arrays)
        assert (arrays[0] == expected).all()
    assert [scene.rasters[0].is_released for scene in items] == [True, True, True, False]
    assert [scene.rasters[0].media_type for scene in items] == [PNG, TIFF, JPEG, GEOTIFF]


def test_they_are_packed_with_the_same_pixels(spoiled):
    make_pack(spoiled, sensor=SENSOR.id)
    catalog = open_catalog(spoiled)
    stack = open_stack(catalog, catalog.items(), pack=True)
    arrays = stack.empty()
    for number in range(COUNT):
        stack.read_into(number, arrays)
        assert (arrays[0] == shown(spoiled, number)).all()
    assert check_catalog(spoiled).is_valid


def test_it_may_be_moved_with_its_images(folder, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    report = check_catalog(moved)
    assert report.is_valid, messages(report)
    assert (open_catalog(moved).read(open_catalog(moved).items()[0]) == shown(folder, 0)).all()


def test_it_is_read_from_a_server_too(spoiled, tmp_path):
    with serve_files(spoiled) as address:
        catalog = open_catalog(address)
        items = catalog.items()
        assert (catalog.read(items[1]) == shown(spoiled, 1)).all()  # its name has a space
        stack = open_stack(catalog, items, cache=tmp_path / "cache")
        arrays = stack.empty()
        stack.read_into(2, arrays)
        assert (arrays[0] == shown(spoiled, 2)).all()
        assert check_catalog(address).is_valid


def test_pystac_finds_each_file(folder):
    catalog = pystac.Catalog.from_file(folder / "catalog.json")
    found = {item.id: item.assets["1m"] for item in catalog.get_items(recursive=True)}
    rows = read_items(folder / SENSOR.id / layout.INDEX)
    assert set(found) == ({row["id"] for row in rows} if any(folder.rglob("image-*.json")) else set())
    for row in rows[: len(found)]:
        asset = found[row["id"]]
        assert asset.get_absolute_href() == str(folder / layout.join(SENSOR.id, row["assets"]["1m"]["href"]))
        assert asset.media_type == row["assets"]["1m"]["type"]


def test_items_are_read_by_their_links_where_there_is_no_index(tmp_path):
    folder = make_released(tmp_path / "cat", json_items=True)
    scenes = list(open_catalog(folder).items())
    (folder / SENSOR.id / layout.INDEX).unlink()
    catalog = open_catalog(folder)
    assert list(catalog.items()) == scenes
    assert (catalog.read(scenes[0]) == shown(folder, 0)).all()


def test_other_tools_read_what_the_files_are(folder):
    query = "SELECT assets['1m']['href'], assets['1m']['type'] FROM read_parquet(?) LIMIT 2"
    rows = duckdb.execute(query, [str(folder / SENSOR.id / layout.INDEX)]).fetchall()
    assert rows == [("../River/1.png", PNG), ("../Lake/a lake 2.tif", TIFF)]


def test_items_lie_by_their_numbers_wherever_their_files_are(folder):
    index = folder / SENSOR.id / layout.INDEX
    assert folders(index)["folder"].to_pylist() == [f"000/image-00000{number}" for number in range(COUNT)]
    assert media_types(index) == {"1m": sorted([GEOTIFF, TIFF, PNG, JPEG])}


def test_a_collection_says_what_files_are_where_all_are_the_same():
    def asset(found):
        more = {"bbox": None, "interval": None, "children": [], "index": None}
        return collection_to_stac(SENSOR, SENSOR.bands, **more, media_types={"1m": found} if found else {})["item_assets"]["1m"]

    assert [asset(found).get("type") for found in ([], [JPEG], [JPEG, PNG])] == [GEOTIFF, JPEG, None]
    assert asset([JPEG, PNG])["data_type"] == "uint8"


def test_bands_may_be_assets_of_their_own():
    sensor = SENSORS["bigearthnet-s2"]
    schema = items_schema(sensor, sensor.bands, has_mask=False, bands_apart=True)
    assert {field.name for field in schema.field("assets").type} == {band.name for band in sensor.bands}
    more = {"bbox": None, "interval": None, "children": [], "index": None, "bands_apart": True}
    assets = collection_to_stac(sensor, sensor.bands, **more)["item_assets"]
    assert {key: [band["name"] for band in asset["bands"]] for key, asset in assets.items()} == {
        band.name: [band.name] for band in sensor.bands
    }


def remove(folder):
    (folder / "River/1.png").unlink()


def shorten(folder):
    path = folder / "River/1.png"
    path.write_bytes(path.read_bytes()[:-1])


def alter(folder):
    path = folder / "River/1.png"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (remove, "missing-asset", "Is not there; its item says "),
        (shorten, "truncated-asset", r"Has \d+ bytes; its item says \d+\."),
        (alter, "altered-asset", "Has checksum 1220.*; its item says 1220"),
    ],
)
def test_a_released_file_that_is_gone_or_changed_is_found(spoiled, change, kind, words):
    change(spoiled)
    report = check_catalog(spoiled)
    assert report.counts == {kind: 1}
    assert re.match(f"{kind} . River/1.png . {words}", messages(report)), messages(report)


@pytest.mark.parametrize(("change", "kind"), [(remove, "missing-asset"), (shorten, "truncated-asset"), (alter, None)])
def test_in_a_large_catalog_it_is_looked_for_without_being_read(spoiled, monkeypatch, change, kind):
    monkeypatch.setattr(validate, "FILES_READ", 0)
    change(spoiled)
    report = check_catalog(spoiled)
    assert report.counts == ({kind: 1} if kind else {})
    assert (report.checked["assets"], report.checked.get("assets read", 0)) == (COUNT, 0)


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"type": JPEG}, "unreadable", "River/1.png . Is no JPEG that GDAL reads"),
        ({"type": "image/webp"}, "schema", "'image/webp' is not one of"),
        ({"href": "../../elsewhere.png"}, "unsafe-href", "Its asset 1m is '../../elsewhere.png', which leaves the catalog"),
        ({"data_type": "uint16"}, "raster", "Its type is 'uint8'; its item says 'uint16'"),
    ],
)
def test_an_item_that_says_other_things_of_a_released_file_is_found(spoiled, changes, kind, words):
    index = spoiled / SENSOR.id / layout.INDEX
    items = read_items(index)
    items[0]["assets"]["1m"].update(changes)
    write_items(index, items, pq.read_schema(index))
    edit_json(
        spoiled / SENSOR.id / layout.COLLECTION,
        lambda document: document["assets"]["items"].update({"file:checksum": multihash_file(index)}),
    )
    report = check_catalog(spoiled)
    assert kind in report.counts, messages(report)
    assert words in messages(report)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_released_file_of_another_size_is_found(spoiled):
    path = spoiled / "River" / "1.png"
    path.write_bytes(encode(make_picture(0, 2 * SIDE_PX), "PNG"))
    scene = open_catalog(spoiled).items()[0]
    raster = replace(scene.rasters[0], checksum=multihash_file(path), size=path.stat().st_size)
    seen = check_file(path.read_bytes(), raster, "River/1.png")
    assert [problem.kind for problem in seen.problems] == ["grid"]
    assert "64 x 64 px of 1 m; its item says no coordinate system from 0, 32, 32 x 32 px" in seen.problems[0].message


def test_continuing_touches_no_released_file(spoiled):
    before = tree(spoiled)
    scene = open_catalog(spoiled).items()[0]
    locations = [location_of(number) for number in range(COUNT)]
    for _ in range(2):
        writer = CatalogWriter(spoiled, locations, {SENSOR.id: SENSOR.bands}, description="Around images.", json_items=False)
        writer.finish(scene.location, [writer.write_item(scene)], [])
        writer.close()
    assert tree(spoiled) == before


def test_a_catalog_around_images_needs_its_names_free(tmp_path):
    own = own_names(["rgb-image"])
    (tmp_path / "River").mkdir()
    check_ours(tmp_path, own)
    (tmp_path / "packs").mkdir()
    with pytest.raises(ContractError, match=r"has 'packs' already, which its catalog would be called too\. Give a"):
        check_ours(tmp_path, own)
    with pytest.raises(ContractError, match="is not a catalog of seastars: it holds 'River' and more"):
        check_ours(tmp_path)


def test_reading_without_rasterio_says_what_to_do(spoiled):
    program = (
        "import sys; sys.modules['rasterio'] = None\n"
        "from catalogs import open_catalog\n"
        "from catalogs.errors import CatalogError\n"
        f"catalog = open_catalog({str(spoiled)!r}); items = catalog.items()\n"
        f"assert catalog.read(items[{MADE}]).shape == (3, 32, 32)\n"
        "try: catalog.read(items[0])\n"
        "except CatalogError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "River/1.png is of no layout that is read without rasterio, which is not installed here." in done.stdout
    assert "run curate pack on the catalog" in done.stdout


def test_a_catalog_of_contract_1_2_is_read_as_it_was(tmp_path):
    young = make_catalog(tmp_path / "young", locations=make_locations(1), labels=("lake",))
    scenes = before_1_5(open_catalog(young).items())
    old = make_contract_1_2(young)
    assert json.loads((old / "catalog.json").read_text())[fields.CONTRACT] == "1.2"
    assert list(open_catalog(old).items()) == scenes
    report = check_catalog(old, deep=True)
    assert report.is_valid, messages(report)
