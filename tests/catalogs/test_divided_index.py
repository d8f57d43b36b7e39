"""An index in several files is read as one, by us and by others; a checkpoint writes the files that change."""

import json
import shutil
from contextlib import closing, nullcontext

import duckdb
import numpy as np
import odc.stac
import pyarrow.dataset
import pyarrow.parquet as pq
import pystac
import pytest
import stac_geoparquet.arrow

from catalogs import layout, open_catalog, partitions
from catalogs.bands import find_sensor
from catalogs.index import read_items
from catalogs.index_files import as_index, open_index
from catalogs.index_listing import hash_as_listed, hash_of_index, index_assets, listed_index
from catalogs.partitions import Partitions
from catalogs.pixels import multihash_file
from catalogs.stack import open_stack
from catalogs.testing import make_catalog, make_locations, make_scene
from catalogs.validate import check_catalog
from catalogs.writer import CatalogWriter
from curate.sources import open_source
from curate.summary import summarize
from tests.catalogs.damage import edit_json, expect_fault, messages
from tests.catalogs.older import make_contract_1_3
from tests.catalogs.packs import make_pack
from tests.servers import serve_files
from tests.trees import tree

S2 = "sentinel-2-l2a"
PER_FILE = 3
LOCATIONS = make_locations(8, side_m=120)
NAMES = ["items/00000.parquet", "items/00001.parquet", "items/00002.parquet"]


@pytest.fixture(autouse=True, scope="module")
def small_files():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partitions, "LOCATIONS_PER_FILE", PER_FILE)
        yield


@pytest.fixture(scope="module")
def made(small_files, tmp_path_factory):
    """Not to be changed."""
    return make_catalog(tmp_path_factory.mktemp("made") / "cat", locations=LOCATIONS, json_items=False)


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "cat")


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """The same items in an index of one file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partitions, "LOCATIONS_PER_FILE", 100)
        return make_catalog(tmp_path_factory.mktemp("single") / "cat", locations=LOCATIONS, json_items=False)


def open_writer(folder):
    return CatalogWriter(folder, LOCATIONS, {S2: find_sensor(S2).bands}, description="A catalog for tests.", json_items=False)


def finish(writer, numbers):
    for number in numbers:
        scenes = [make_scene(find_sensor(S2), LOCATIONS[number], season, seed=1000 * number + season) for season in range(2)]
        writer.finish(LOCATIONS[number], [writer.write_scene(*scene) for scene in scenes], [])


def files_of(folder):
    return {path.relative_to(folder / S2).as_posix(): path.stat().st_mtime_ns for path in (folder / S2).glob("items/*")}


def pixels_of(folder, **options):
    """B04 of all items, (items, height, width)."""
    catalog = open_catalog(folder)
    stack = open_stack(catalog, catalog.items(), ["B04"], **options)
    planes = []
    for item in range(len(stack)):
        out = stack.empty()
        stack.read_into(item, out)
        planes.append(out[0][0])
    return np.stack(planes)


def test_a_location_is_in_the_file_that_its_place_among_all_ids_decides():
    found = Partitions.of(f"a-{number:06d}" for number in (5, 3, 1, 0, 2, 4, 6))
    assert found == Partitions(("a-000000", "a-000003", "a-000006"))
    assert [found.number(f"a-{number:06d}") for number in range(8)] == [0, 0, 0, 1, 1, 1, 2, 2]
    assert found.number("0") == 0
    assert Partitions.of(["a-000000", "a-000001", "a-000002"]) is None


def test_the_files_one_after_the_other_are_the_index_of_one_file(made, single):
    assert sorted(files_of(made)) == NAMES
    assert not (made / S2 / layout.INDEX).exists()
    rows = [read_items(made / S2 / name) for name in NAMES]
    assert [len(part) for part in rows] == [6, 6, 4]
    assert [item for part in rows for item in part] == read_items(single / S2 / layout.INDEX)


@pytest.mark.parametrize("is_remote", [False, True], ids=["folder", "http"])
def test_all_items_are_read(made, single, is_remote):
    expected = open_catalog(single)
    with serve_files(made) if is_remote else nullcontext(made) as address:
        catalog = open_catalog(address)
        assert list(catalog.items()) == list(expected.items())
        assert catalog.items().table.equals(expected.items().table)
        for asked in ({"split": "val"}, {"location": "test-000004"}, {"season": 1, "split": "train"}, {"location": "x"}):
            assert catalog.items(**asked).table.to_pylist() == expected.items(**asked).table.to_pylist()
        order = np.random.default_rng(1).permutation(16).tolist()
        assert [catalog.items()[place] for place in order] == [expected.items()[place] for place in order]
        assert [item["id"] for item in catalog.items().to_stac()] == expected.items().table["id"].to_pylist()
        assert catalog.odc_config() == expected.odc_config()
        assert catalog.index_hash(S2) == open_catalog(made).index_hash(S2)


def test_stacks_and_packs_hold_all_items(folder, single):
    expected = pixels_of(single)
    assert np.array_equal(pixels_of(folder), expected)
    make_pack(folder, ["B04"])
    assert np.array_equal(pixels_of(folder, pack=True), expected)


def test_other_tools_see_all_items(made, single):
    ids = [item["id"] for item in read_items(single / S2 / layout.INDEX)]
    found = duckdb.execute("SELECT id FROM read_parquet(?) ORDER BY id", [f"{made / S2}/items/*.parquet"]).fetchall()
    assert [id_ for (id_,) in found] == ids
    table = pyarrow.dataset.dataset(made / S2 / "items", format="parquet").to_table()
    assert [item["id"] for item in stac_geoparquet.arrow.stac_table_to_items(table)] == ids


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_odc_loads_items_of_two_files(made):
    catalog = open_catalog(made)
    for location in ("test-000000", "test-000007"):
        items = catalog.items(location=location, season=1)
        stac = [pystac.Item.from_dict(item) for item in items.to_stac()]
        loaded = odc.stac.load(stac, bands=["B04"], stac_cfg=catalog.odc_config(), crs="EPSG:32631", resolution=10)
        assert (loaded["B04"].to_numpy()[0] == catalog.read(items[0], ["B04"])[0]).all()


def test_a_static_catalog_as_source_gives_all_items(made):
    span = (make_scene(find_sensor(S2), LOCATIONS[0], season, seed=0)[0].datetime for season in (0, 2))
    assert len({scene.id for scene in open_source(str(made)).search(S2, (0.0, 43.0, 3.0, 44.0), *span)}) == 16


def test_it_is_valid_and_counted(made, single):
    report = check_catalog(made, deep=True)
    assert report.is_valid, messages(report)
    assert not report.unfinished
    ours, theirs = summarize(str(made)), summarize(str(single))
    assert ours.items == 16
    assert ours.sensors == theirs.sensors


@pytest.mark.parametrize("order", [(3, 6, 0, 1, 7, 2, 5, 4), pytest.param(range(7, -1, -1), marks=pytest.mark.slow)])
def test_the_order_of_writing_does_not_change_the_bytes(made, tmp_path, order):
    out = tmp_path / "cat"
    for name in (layout.RECIPE, layout.LOCATIONS):
        out.mkdir(exist_ok=True)
        shutil.copy(made / name, out)
    for start in range(0, 8, 3):
        writer = open_writer(out)
        finish(writer, list(order)[start : start + 3])
        if start:
            writer.close()
    assert tree(out) == tree(made)


def test_a_checkpoint_writes_the_files_that_change(folder):
    writer, before = open_writer(folder), files_of(folder)
    finish(writer, [4])
    writer.checkpoint()
    after = files_of(folder)
    assert [name for name in NAMES if after[name] != before[name]] == [NAMES[1]]
    with closing(writer.items_of(["test-000004", "test-000007"])) as found:
        counts = {location: len(items) for location, items in found.items()}
    assert counts == {"test-000004": 2, "test-000007": 2}
    assert writer.done == {location.id for location in LOCATIONS}


def test_an_empty_catalog_has_one_empty_file(tmp_path):
    open_writer(tmp_path / "cat").close()
    assert sorted(files_of(tmp_path / "cat")) == NAMES[:1]
    assert len(open_catalog(tmp_path / "cat").items()) == 0


def test_an_index_of_one_file_is_divided_when_it_is_continued(made, single, tmp_path):
    old = make_contract_1_3(shutil.copytree(single, tmp_path / "cat"))
    assert len(open_catalog(old).items()) == 16
    assert check_catalog(old).is_valid
    writer = open_writer(old)
    finish(writer, range(8))  # items of the new version
    writer.close()
    shutil.copy(made / layout.RECIPE, old)
    assert tree(old) == tree(made)


def test_a_kill_while_an_index_is_divided_loses_nothing(made, single, tmp_path, monkeypatch):
    old = shutil.copytree(single, tmp_path / "cat")

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("catalogs.writer.CatalogWriter.checkpoint", stop)
        with pytest.raises(KeyboardInterrupt):
            open_writer(old)
    assert len(open_catalog(old).items()) == 16
    open_writer(old).close()
    assert tree(old) == tree(made)


def test_a_pack_is_fresh_until_any_file_changes(folder):
    make_pack(folder, ["B04"])
    assert summarize(str(folder)).sensors[0].pack.is_fresh
    assert not check_catalog(folder).unfinished
    writer = open_writer(folder)
    scene, patches = make_scene(find_sensor(S2), LOCATIONS[7], 3, seed=5)
    before = read_items(folder / S2 / NAMES[2])[-2:]
    writer.finish(LOCATIONS[7], [*before, writer.write_scene(scene, patches)], [])
    writer.close()
    assert not summarize(str(folder)).sensors[0].pack.is_fresh
    assert any("is stale" in line for line in check_catalog(folder).unfinished)


def test_a_file_that_is_not_there_is_found(folder):
    expect_fault(
        folder, lambda folder: (folder / S2 / NAMES[1]).unlink(), "missing-file", rf"{S2}/items/00001\.parquet . Is not"
    )


def test_a_file_that_is_changed_is_found(folder):
    def spoil(folder):
        table = pq.read_table(folder / S2 / NAMES[1])
        pq.write_table(table, folder / S2 / NAMES[1], compression="gzip")

    expect_fault(folder, spoil, "index", rf"{S2}/items/00001\.parquet . Has checksum 1220\w+; its collection\.json says 1220")


def test_files_in_the_wrong_order_are_found(folder):
    def swap(folder):
        one, other = (folder / S2 / name for name in NAMES[:2])
        content = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(content)
        listed = {name: multihash_file(folder / S2 / name) for name in NAMES}
        edit_json(folder / S2 / layout.COLLECTION, lambda document: document["assets"].update(index_assets(listed)))

    expect_fault(folder, swap, "index", rf"{S2}/items . Has item test-000000_\w+ after test-000005_\w+; expected rows sorted")


def test_a_file_that_no_collection_lists_is_left_over(folder):
    shutil.copy(folder / S2 / NAMES[2], folder / S2 / "items" / "00003.parquet")
    report = check_catalog(folder)
    assert report.is_valid
    assert any("1 x file that no item names, first: sentinel-2-l2a/items/00003.parquet" in line for line in report.unfinished)
    assert len(open_catalog(folder).items()) == 16


def test_a_listing_is_read_back():
    checksums = {name: f"1220{number:064d}" for number, name in enumerate(NAMES)}
    collection = {"assets": {"pack": {"href": "../packs/x"}, **index_assets(checksums), "items-not": {"href": "./x.parquet"}}}
    assert listed_index(collection) == checksums
    assert hash_as_listed(collection) == hash_of_index(checksums)
    assert hash_of_index(checksums) != hash_of_index({**checksums, NAMES[0]: checksums[NAMES[1]]})
    del collection["assets"]["items-00001"]["file:checksum"]
    assert hash_as_listed(collection) is None
    assert index_assets(checksums)["items-00001"]["title"] == "All items, as stac-geoparquet, part 2 of 3"


def test_an_index_of_one_file_is_listed_as_ever():
    collection = {"assets": index_assets({layout.INDEX: "1220ab"})}
    assert collection["assets"]["items"]["title"] == "All items, as stac-geoparquet"
    assert listed_index(collection) == {layout.INDEX: "1220ab"}
    assert hash_as_listed(collection) == "ab"
    assert listed_index({}) == {layout.INDEX: None}
    assert hash_as_listed({}) is None


@pytest.mark.parametrize("href", ["../../etc/passwd", "items/../../x/00000.parquet", "http://host/items/00000.parquet"])
def test_a_listing_names_files_of_its_own_folder_alone(href):
    assert listed_index({"assets": {"items-00000": {"href": href}}}) == {layout.INDEX: None}


def test_files_of_an_index_read_as_one(made, single):
    paths = [str(made / S2 / name) for name in NAMES]
    with open_index(paths, dictionaries=("seastars:location",)) as many, as_index(single / S2 / layout.INDEX) as one:
        assert (many.num_rows, many.num_row_groups, many.starts.tolist()) == (16, 3, [0, 6, 12, 16])
        assert many.read(["id", "no such"]).to_pylist() == one.read(["id"]).to_pylist()
        locations = many.read_row_groups([0, 2], ["seastars:location"])["seastars:location"].to_pylist()
        assert locations == [f"test-{number:06d}" for number in (0, 0, 1, 1, 2, 2, 6, 6, 7, 7)]
        assert len(many.read_row_groups([], ["id"])) == 0
        assert many.least_and_greatest(2, ["id", "no such"])["id"][0].startswith("test-000006_")
        assert many.asset_keys == one.asset_keys


def test_a_column_that_one_file_lacks_is_null_there(made, tmp_path):
    table = pq.read_table(made / S2 / NAMES[0])
    pq.write_table(table.drop_columns(["seastars:labels"]), tmp_path / "0.parquet")
    with open_index([str(tmp_path / "0.parquet"), str(made / S2 / NAMES[1])]) as index:
        assert index.read(["id", "seastars:labels"])["seastars:labels"].to_pylist() == [None] * 12


def test_files_of_an_older_contract_are_brought_along_when_another_changes(folder):
    path = folder / S2 / NAMES[0]
    pq.write_table(pq.read_table(path).drop_columns(["seastars:labels"]), path)
    writer = open_writer(folder)
    finish(writer, [7])
    writer.close()
    assert len({str(pq.read_schema(folder / S2 / name)) for name in NAMES}) == 1
    assert check_catalog(folder).is_valid


def test_the_collection_lists_every_file_with_its_checksum(made):
    assets = json.loads((made / S2 / layout.COLLECTION).read_text())["assets"]
    assert {key: asset["href"] for key, asset in assets.items()} == {f"items-0000{n}": f"./{NAMES[n]}" for n in range(3)}
    assert all(asset["file:checksum"] == multihash_file(made / S2 / asset["href"]) for asset in assets.values())
