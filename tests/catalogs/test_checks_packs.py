"""What `curate verify` says of packs: damage is a problem, what is stale or unfinished is none."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from catalogs import layout
from catalogs.checks import packs
from catalogs.pixels import multihash
from catalogs.testing import make_catalog
from catalogs.validate import check_catalog
from tests.catalogs.damage import SENSOR, edit_item, edit_json, expect_fault, messages
from tests.catalogs.packs import TWO_ITEMS, make_pack
from tests.servers import serve_files

FOLDER = layout.pack_folder(SENSOR)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    folder = make_catalog(tmp_path_factory.mktemp("packed") / "test")
    make_pack(folder, shard_bytes=TWO_ITEMS)
    return folder


@pytest.fixture
def folder(packed, tmp_path):
    return shutil.copytree(packed, tmp_path / "test")


def edit_listing(change):
    """A fault: other assets of the collection."""
    return lambda folder: edit_json(folder / SENSOR / layout.COLLECTION, lambda document: change(document["assets"]))


def flip_byte(folder):
    path = folder / FOLDER / "10m" / "00001.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def truncate(folder):
    path = folder / FOLDER / "20m" / "00002.npy"
    path.write_bytes(path.read_bytes()[:-1])


def swap_rows(folder):
    """A table of the same items in another order, listed as it is."""
    path = folder / FOLDER / layout.PACK
    table = pq.read_table(path)
    pq.write_table(table.set_column(0, "id", table["id"].take(list(range(5, -1, -1)))), path)
    facts = {"file:size": path.stat().st_size, "file:checksum": multihash(path.read_bytes())}
    edit_listing(lambda assets: assets["pack"].update(facts))(folder)


def test_a_pack_that_is_whole_and_fresh_is_valid(folder):
    report = check_catalog(folder)
    assert report.is_valid, messages(report)
    assert (report.unfinished, report.left_out) == ((), None)
    assert report.checked["pack files"] == 1 + 3 * 3


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (flip_byte, r"10m/00001\.npy . Has checksum 1220.*; its collection says 1220"),
        (truncate, r"20m/00002\.npy . Has 21727 bytes; its collection says 21728"),
        (
            lambda folder: (folder / FOLDER / "60m" / "00000.npy").unlink(),
            r"60m/00000\.npy . Is not there, though its collection",
        ),
        (
            lambda folder: (folder / FOLDER / layout.PACK).unlink(),
            r"pack\.parquet . .*is not there, though the collection lists it",
        ),
        (lambda folder: (folder / FOLDER / layout.PACK).write_bytes(b"no table"), r"pack\.parquet . .*is damaged: "),
        (swap_rows, r"pack\.parquet . Has 6 rows that are not the 6 of the index, though it is said to be of it"),
        (
            edit_listing(lambda assets: assets.pop("pack-10m-00001")),
            r"collection\.json . Does not list 10m/00001\.npy of the pack",
        ),
        (
            edit_listing(lambda assets: assets.update(extra=assets["pack-10m-00001"] | {"href": f"../{FOLDER}/10m/00009.npy"})),
            r"collection\.json . Lists 10m/00009\.npy, which the pack of sentinel-2-l2a does not have",
        ),
        (
            edit_listing(lambda assets: assets["pack-10m-00001"].pop("file:size")),
            r"without its href, file:checksum or file:size",
        ),
    ],
)
def test_damage_is_found_and_says_what_to_do(folder, fault, words):
    expect_fault(folder, fault, "pack", words)
    assert "run `curate pack`: packs are derived" in check_catalog(folder).problems[0].remedy


def test_what_the_remedy_says_heals_it(folder):
    flip_byte(folder)
    shutil.rmtree(folder / FOLDER)
    make_pack(folder, shard_bytes=TWO_ITEMS)
    assert check_catalog(folder).is_valid


def test_a_pack_that_leaves_the_catalog_is_refused(folder):
    change = edit_listing(lambda assets: assets["pack-10m-00001"].update(href="../../10m.npy"))
    change(folder)
    assert "unsafe-href" in check_catalog(folder).counts


def test_a_stale_pack_is_told_and_is_no_problem_whatever_is_left_of_it(folder):
    edit_item(folder, lambda item: item["properties"].update({"view:sun_azimuth": 1.5}))
    flip_byte(folder)
    report = check_catalog(folder)
    assert report.is_valid, messages(report)
    assert report.unfinished == (f"The pack of {SENSOR} is stale: the catalog has changed since. `curate pack` renews it.",)


def test_in_the_middle_of_a_build_a_pack_is_not_judged(folder):
    edit_item(folder, lambda item: item["properties"].update({"view:sun_azimuth": 1.5}))
    (folder / layout.WORK).mkdir()
    (folder / layout.WORK / "journal.jsonl").write_text("")
    flip_byte(folder)
    report = check_catalog(folder)
    assert report.is_valid, messages(report)
    assert not any("pack" in line for line in report.unfinished)


def test_a_pack_that_no_collection_lists_is_told(folder):
    edit_listing(lambda assets: [assets.pop(key) for key in list(assets) if key.startswith("pack")])(folder)
    report = check_catalog(folder)
    assert report.is_valid
    assert report.unfinished == (f"{FOLDER} holds a pack that no collection lists. Remove it, or run `curate pack`.",)


def test_of_large_packs_the_sizes_alone_are_checked_unless_all_is_asked_for(folder, monkeypatch):
    monkeypatch.setattr(packs, "BYTES_READ", 1000)
    flip_byte(folder)
    report = check_catalog(folder)
    assert report.is_valid
    assert report.left_out == "The 10 files of packs were only looked for, not read. --deep reads them all."
    assert dict(check_catalog(folder, deep=True).counts) == {"pack": 1}
    truncate(folder)
    assert dict(check_catalog(folder).counts) == {"pack": 1}


def test_a_remote_pack_is_looked_for_and_read_where_all_is_asked_for(folder):
    flip_byte(folder)
    with serve_files(folder) as address:
        report = check_catalog(address)
        assert report.is_valid, messages(report)
        assert report.left_out == "The 10 files of packs were only looked for, not read. --deep reads them all."
        assert dict(check_catalog(address, deep=True).counts) == {"pack": 1}
        (folder / FOLDER / "60m" / "00000.npy").unlink()
        assert "Is not there, though its collection lists it" in messages(check_catalog(address))


def test_a_shard_of_the_pack_holds_what_a_shard_should(packed):
    document = json.loads((packed / SENSOR / layout.COLLECTION).read_text())
    asset = document["assets"]["pack-60m-00002"]
    assert np.load(packed / SENSOR / asset["href"]).nbytes == asset["file:size"] - 128
