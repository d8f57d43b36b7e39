"""Making packs: the same bytes however often it was stopped; an honest collection at every moment."""

import json
import shutil
import signal
import subprocess
import sys

import pytest

from catalogs import layout, open_catalog
from catalogs.errors import ContractError, MissingAssetError, MissingBandError
from catalogs.index import read_items
from catalogs.pack_journal import PackJournal
from catalogs.pack_listing import pack_assets
from catalogs.pack_plan import PackFile
from catalogs.pack_shards import write_shard
from catalogs.pack_writer import PackWriter
from catalogs.pixels import multihash
from catalogs.records import Band
from catalogs.stack import open_stack
from catalogs.testing import make_catalog
from catalogs.validate import check_catalog
from tests.catalogs.damage import asset_path, edit_item, relink
from tests.catalogs.packs import TWO_ITEMS, make_pack, make_source
from tests.catalogs.varied import SENSOR, make_varied, one_by_one, without_bands
from tests.conftest import ROOT
from tests.trees import tree

FOLDER = layout.pack_folder(SENSOR)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A folder without a pack; not to be changed."""
    return make_catalog(tmp_path_factory.mktemp("plain") / "cat")


@pytest.fixture(scope="module")
def undisturbed(plain, tmp_path_factory):
    """Its files once it is packed in one go."""
    folder = shutil.copytree(plain, tmp_path_factory.mktemp("undisturbed") / "cat")
    make_pack(folder, shard_bytes=TWO_ITEMS)
    return tree(folder)


@pytest.fixture
def folder(plain, tmp_path):
    return shutil.copytree(plain, tmp_path / "cat")


def collection(folder):
    return json.loads((folder / SENSOR / layout.COLLECTION).read_text())


def write_some(folder, count):
    """Begin a pack, and write so many shards of it."""
    source = make_source(folder, shard_bytes=TWO_ITEMS)
    writer = PackWriter(folder, source)
    writer.begin()
    for shard in writer.todo[:count]:
        writer.note(shard, write_shard(writer.folder, source.plan, source.pixels, shard))
    return writer


def test_the_same_catalog_gives_the_same_bytes_in_any_order_of_shards(folder, undisturbed):
    source = make_source(folder, shard_bytes=TWO_ITEMS)
    writer = PackWriter(folder, source)
    writer.begin()
    for shard in writer.todo[::-1]:
        writer.note(shard, write_shard(writer.folder, source.plan, source.pixels, shard))
    writer.finish()
    assert tree(folder) == undisturbed


def test_a_pack_is_listed_with_what_it_was_made_of(folder):
    before = collection(folder)
    make_pack(folder, shard_bytes=TWO_ITEMS)
    after = collection(folder)
    assert {key: value for key, value in after.items() if key != "assets"} == {k: v for k, v in before.items() if k != "assets"}
    assert after["assets"]["items"] == before["assets"]["items"]
    assets = {key: asset for key, asset in after["assets"].items() if key != "items"}
    assert list(assets) == ["pack", *(f"pack-{gsd}-0000{shard}" for shard in range(3) for gsd in ("10m", "20m", "60m"))]
    for asset in assets.values():
        content = (folder / SENSOR / asset["href"]).read_bytes()
        assert (asset["file:size"], asset["file:checksum"]) == (len(content), multihash(content))
        assert f"1220{asset['seastars:index_hash']}" == after["assets"]["items"]["file:checksum"]
        assert "derived" in asset["roles"]
    shard = assets["pack-20m-00001"]
    assert shard["href"] == f"../{FOLDER}/20m/00001.npy"
    assert [band["name"] for band in shard["bands"]] == ["B05", "B06", "B07", "B8A", "B11", "B12"]
    assert (shard["gsd"], shard["data_type"]) == (20, "uint16")
    assert check_catalog(folder).is_valid


def test_a_catalog_with_a_pack_is_valid_stac(folder):
    pystac = pytest.importorskip("pystac")
    make_pack(folder)
    opened = pystac.Catalog.from_file(str(folder / layout.CATALOG))
    (sensor,) = opened.get_children()
    assert len(list(opened.get_items(recursive=True))) == 6
    for key, asset in sensor.get_assets().items():
        assert asset.get_absolute_href() == str((folder / SENSOR / asset.href).resolve()), key
    json.dumps(sensor.to_dict())


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_finished_shards_are_kept_by_the_next_run(folder, undisturbed, count):
    writer = write_some(folder, count)
    stamps = {path: path.stat().st_mtime_ns for path in writer.folder.rglob("*.npy")}
    assert len(stamps) == 3 * count
    again = PackWriter(folder, make_source(folder, shard_bytes=TWO_ITEMS))
    assert sorted(again.kept) == list(range(count))
    make_pack(folder, shard_bytes=TWO_ITEMS)
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert tree(folder) == undisturbed


def test_a_torn_line_and_a_shard_that_is_cut_off_are_written_again(folder, undisturbed):
    writer = write_some(folder, 2)
    journal = writer.folder / layout.PACK_JOURNAL
    journal.write_text(journal.read_text()[:-30])
    path = writer.folder / "20m" / "00000.npy"
    path.write_bytes(path.read_bytes()[:-1])
    assert PackWriter(folder, make_source(folder, shard_bytes=TWO_ITEMS)).todo == [0, 1, 2]
    make_pack(folder, shard_bytes=TWO_ITEMS)
    assert tree(folder) == undisturbed


def test_a_pack_that_is_whole_is_done(folder):
    assert not PackWriter(folder, make_source(folder)).is_done
    make_pack(folder)
    assert PackWriter(folder, make_source(folder)).is_done
    assert not PackWriter(folder, make_source(folder, ["B02"])).is_done


def test_a_shard_that_was_removed_is_written_again_alone(folder, undisturbed):
    make_pack(folder, shard_bytes=TWO_ITEMS)
    (folder / FOLDER / "10m" / "00001.npy").unlink()
    writer = PackWriter(folder, make_source(folder, shard_bytes=TWO_ITEMS))
    assert (writer.todo, writer.is_done) == ([1], False)
    make_pack(folder, shard_bytes=TWO_ITEMS)
    assert tree(folder) == undisturbed


def test_other_bands_take_the_place_of_the_pack(folder):
    make_pack(folder, shard_bytes=TWO_ITEMS)
    make_pack(folder, ["B04", "B02"])
    assert sorted(path.name for path in (folder / FOLDER).iterdir()) == ["10m", layout.PACK]
    assert len(pack_assets(collection(folder))) == 2
    catalog = open_catalog(folder)
    stack = open_stack(catalog, catalog.items(), pack=True)
    assert stack.bands == ("B02", "B04")
    one_by_one(catalog, catalog.items(), stack)
    assert check_catalog(folder).is_valid


def test_while_a_pack_is_made_anew_none_is_listed(folder):
    make_pack(folder)
    writer = PackWriter(folder, make_source(folder, ["B02"]))
    writer.begin()
    assert pack_assets(collection(folder)) == {}
    catalog = open_catalog(folder)
    assert not open_stack(catalog, catalog.items()).is_packed
    report = check_catalog(folder)
    assert report.is_valid
    assert f"The packing of {SENSOR} was stopped. `curate pack` continues it." in report.unfinished


def test_files_that_are_not_of_the_pack_are_removed_when_it_is_finished(folder, undisturbed):
    writer = write_some(folder, 1)
    (writer.folder / "10m" / f"00001.npy{layout.TEMPORARY}").write_bytes(b"part")
    (writer.folder / "10m" / "00099.npy").write_bytes(b"other")
    make_pack(folder, shard_bytes=TWO_ITEMS)
    assert tree(folder) == undisturbed


def test_a_shard_that_fails_leaves_nothing(folder):
    source = make_source(folder, shard_bytes=TWO_ITEMS)
    asset_path(folder, "20m", 1).unlink()
    with pytest.raises(MissingAssetError, match=asset_path(folder, "20m", 1).name):
        write_shard(folder / FOLDER, source.plan, source.pixels, 0)
    assert not [path for path in (folder / FOLDER).rglob("*") if path.is_file()]


def test_a_shard_stops_where_it_is_told_to(folder):
    source, asked = make_source(folder, shard_bytes=TWO_ITEMS), []

    def check():
        asked.append(1)
        if len(asked) == 2:
            raise InterruptedError("stop")

    with pytest.raises(InterruptedError, match="stop"):
        write_shard(folder / FOLDER, source.plan, source.pixels, 0, check=check)
    assert not [path for path in (folder / FOLDER).rglob("*") if path.is_file()]


KILLED = """
import os, signal, sys
from functools import partial
import curate.packing
from catalogs import pack_shards, pixels
from catalogs.pack_source import plan_pack
from curate.cli import main

left = int(sys.argv[2])

def count(action):
    def counted(*words, **more):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return action(*words, **more)
    return counted

curate.packing.plan_pack = partial(plan_pack, shard_bytes={shard_bytes})
pack_shards._Part.write = count(pack_shards._Part.write)
for module in ("pack_journal", "pack_writer", "scene_writer"):
    __import__(f"catalogs.{{module}}")
    sys.modules[f"catalogs.{{module}}"].write_whole = count(pixels.write_whole)
main(["pack", sys.argv[1], "--workers", "2", "--quiet"])
"""


def kill_after(folder, writes):
    """Pack, and kill the process at one of its writes; whether it was."""
    code = KILLED.format(shard_bytes=TWO_ITEMS)
    words = [sys.executable, "-c", code, str(folder), str(writes)]
    child = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert child.returncode in (0, -signal.SIGKILL), child.stderr
    return child.returncode != 0


@pytest.mark.parametrize("writes", [0, 1, 5, 16, 27, 28, 29])
def test_after_a_kill_at_any_write_the_next_run_ends_in_the_same_bytes(folder, undisturbed, writes):
    assert kill_after(folder, writes)
    report = check_catalog(folder)
    assert report.is_valid
    catalog = open_catalog(folder)
    assert not open_stack(catalog, catalog.items()).is_packed
    assert not kill_after(folder, 1000)
    assert tree(folder) == undisturbed


@pytest.mark.slow
def test_a_packing_that_is_killed_again_and_again_comes_to_its_end(folder, undisturbed):
    kills = sum(kill_after(folder, writes) for writes in range(1, 40, 3))
    assert kills > 5
    assert not kill_after(folder, 1000)
    assert tree(folder) == undisturbed


def test_a_catalog_that_is_open_finds_the_pack_that_is_made_meanwhile(folder):
    catalog = open_catalog(folder)
    assert not open_stack(catalog, catalog.items()).is_packed
    make_pack(folder)
    assert open_stack(catalog, catalog.items()).is_packed


# What a build does to a pack.


def test_a_build_that_changes_nothing_keeps_the_pack(folder):
    make_pack(folder)
    before = tree(folder)
    relink(folder)
    assert tree(folder) == before


def test_a_build_that_changes_the_index_leaves_a_stale_pack(folder):
    make_pack(folder)
    edit_item(folder, lambda item: item["properties"].update({"view:sun_azimuth": 1.5}))
    relink(folder)
    catalog = open_catalog(folder)
    with pytest.raises(ContractError, match="is stale"):
        open_stack(catalog, catalog.items())
    report = check_catalog(folder)
    assert report.is_valid
    assert report.unfinished == (f"The pack of {SENSOR} is stale: the catalog has changed since. `curate pack` renews it.",)
    make_pack(folder)
    assert check_catalog(folder).unfinished == ()
    assert open_stack(catalog, catalog.items()).is_packed


def test_a_build_drops_a_pack_that_was_removed(folder):
    make_pack(folder)
    shutil.rmtree(folder / "packs")
    relink(folder)
    assert pack_assets(collection(folder)) == {}
    assert check_catalog(folder).is_valid


# Plans.


def test_a_plan_takes_bands_in_the_sensors_order(folder):
    plan = make_source(folder, ["B12", "B04", "B02", "B05"]).plan
    assert [layer.bands for layer in plan.layers] == [("B02", "B04"), ("B05", "B12")]
    assert plan == make_source(folder, ["B02", "B04", "B05", "B12"]).plan
    assert len(plan.all_bands) == 12


def test_without_bands_those_that_some_items_lack_are_left_out(tmp_path):
    plan = make_source(make_varied(tmp_path / "cat", without_bands("B08"))).plan
    assert set(plan.all_bands) - set(plan.bands) == {"B08"}


def test_shards_hold_one_item_at_least_and_no_more_than_there_are(folder):
    assert make_source(folder, shard_bytes=1).plan.items_per_shard == 1
    assert make_source(folder, shard_bytes=1).plan.shards == 6
    assert make_source(folder).plan.items_per_shard == 6


def test_what_cannot_be_packed_is_refused(folder, tmp_path):
    with pytest.raises(MissingBandError, match="Did you mean 'B04'"):
        make_source(folder, ["B4"])
    with pytest.raises(ContractError, match=r"Unknown sensor 'sentinel-2'.* Did you mean 'sentinel-2-l2a'"):
        make_source(folder, sensor="sentinel-2")
    empty = make_catalog(tmp_path / "empty", seasons=0)
    with pytest.raises(ContractError, match=r"has no items of sentinel-2-l2a, so there is nothing to pack\. Run curate build"):
        make_source(empty)


def test_a_journal_gives_back_what_it_was_told(folder):
    plan, journal = make_source(folder, shard_bytes=TWO_ITEMS).plan, PackJournal(folder / "packs")
    first, second = (PackFile("10m/00000.npy", "1220ab", 5),), (PackFile("10m/00001.npy", "1220cd", 6),)
    journal.start(plan, {0: first})
    journal.append(1, second)
    assert journal.read() == (plan, {0: first, 1: second})
    journal.clear()
    assert not journal.exists()
    (folder / "packs" / layout.PACK_JOURNAL).write_text("no plan\n")
    assert journal.read() == (None, {})


def test_the_items_of_a_pack_are_all_of_the_index(folder):
    assert make_source(folder).ids.to_pylist() == [item["id"] for item in read_items(folder / SENSOR / layout.INDEX)]
    assert isinstance(open_catalog(folder).items()[0].rasters[0].bands[0], Band)
