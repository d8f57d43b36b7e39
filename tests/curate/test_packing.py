"""`curate pack`: what it writes and says, where it stops, what it refuses."""

import errno
import fcntl
import json
import os
import re
import shutil
import signal
import threading
from functools import partial

import pytest

import curate.packing
from catalogs import layout, open_catalog, pack_shards
from catalogs.pack_source import plan_pack
from catalogs.stack import open_stack
from catalogs.testing import make_catalog, make_locations
from catalogs.validate import check_catalog
from tests.catalogs.damage import asset_path, edit_item
from tests.catalogs.packs import TWO_ITEMS
from tests.catalogs.varied import SENSOR, make_varied, unchanged, without_bands
from tests.end_to_end.commands import curate as run
from tests.trees import tree

LANDSAT = "landsat-c2-l2"


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Two sensors, six items each; not to be changed."""
    return make_catalog(tmp_path_factory.mktemp("plain") / "cat", sensors=(SENSOR, LANDSAT))


@pytest.fixture
def folder(plain, tmp_path):
    return shutil.copytree(plain, tmp_path / "cat")


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(curate.packing, "plan_pack", partial(plan_pack, shard_bytes=TWO_ITEMS))


def test_all_sensors_are_packed_and_the_next_command_is_told(folder, capsys):
    assert run("pack", folder) == 0
    output, words = capsys.readouterr()
    assert output == ""
    assert words.startswith(f"Packing {folder}.\n")
    for sensor, bands in (
        (SENSOR, "B02 B03 B04 B08 B05 B06 B07 B8A B11 B12 B01 B09"),
        (LANDSAT, "B01 B02 B03 B04 B05 B06 B07"),
    ):
        assert f"Wrote {folder}/packs/{sensor}: 6 items of {sensor}, {bands}, " in words
    assert "in 3 shards.\n" in words
    assert words.endswith(f"Next: train seco --catalog {folder}\n")
    catalog = open_catalog(folder)
    assert all(open_stack(catalog, catalog.items(sensor=sensor)).is_packed for sensor in (SENSOR, LANDSAT))
    assert check_catalog(folder).is_valid


def test_a_second_run_has_nothing_to_do(folder, capsys):
    assert run("pack", folder, "--quiet") == 0
    before = tree(folder)
    assert capsys.readouterr() == ("", "")
    assert run("pack", folder) == 0
    words = capsys.readouterr().err
    assert words.count("is fresh, nothing to do") == 2
    assert "Wrote" not in words
    assert tree(folder) == before


def test_json_tells_the_outcome(folder, capsys):
    assert run("pack", folder, "--sensor", SENSOR, "--bands", "B04, B02", "--json", "--quiet") == 0
    output, words = capsys.readouterr()
    assert words == ""
    told = json.loads(output)
    assert (told["catalog"], told["stopped"]) == (str(folder), False)
    (pack,) = told["packs"]
    assert pack["layers"] == [{"gsd": 10, "bands": ["B02", "B04"], "height": 60, "width": 60, "data_type": "uint16"}]
    assert (pack["sensor"], pack["items"], pack["bands"]) == (SENSOR, 6, ["B02", "B04"])
    assert (pack["bytes"], pack["shards"], pack["written"], pack["kept"], pack["whole"]) == (6 * 2 * 60 * 60 * 2, 1, 1, 0, True)
    assert pack["left_out"] == ["B01", "B03", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"]


def test_a_dry_run_tells_the_bytes_and_writes_nothing(folder, capsys):
    before = tree(folder)
    assert run("pack", folder, "--dry-run") == 0
    words = capsys.readouterr().err
    size = 6 * (4 * 60 * 60 + 6 * 30 * 30 + 2 * 10 * 10) * 2
    assert f"Would pack 6 items of {SENSOR}, B02" in words
    assert f"{size / 1000:.1f} kB in 3 shards" in words
    assert "Nothing was written. " in words
    assert run("pack", folder, "--dry-run", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [pack["bytes"] for pack in told["packs"]] == [size, 6 * 7 * 20 * 20 * 2]
    assert [pack["whole"] for pack in told["packs"]] == [False, False]
    assert told["free_bytes"] > 0
    assert tree(folder) == before


def test_bands_that_some_items_lack_are_named(tmp_path, capsys):
    folder = make_varied(tmp_path / "cat", without_bands("B08"))
    assert run("pack", folder) == 0
    assert "Left out: B08, which not every item has" in capsys.readouterr().err


def test_the_number_of_workers_changes_no_byte(folder, tmp_path, small_shards):
    trees = []
    for workers in (1, 2, 5):
        copy = shutil.copytree(folder, tmp_path / f"copy-{workers}")
        assert run("pack", copy, "--workers", workers, "--quiet") == 0
        trees.append(tree(copy))
    assert trees[0] == trees[1] == trees[2]
    assert sum(name.endswith(".npy") for name in trees[0]) == 9 + 1


def test_info_tells_of_the_pack_and_whether_it_is_fresh(folder, capsys):
    assert run("pack", folder, "--sensor", LANDSAT, "--quiet") == 0
    assert run("info", folder) == 0
    assert re.search(r"  pack      .* kB: B01 B02 B03 B04 B05 B06 B07; fresh\n", capsys.readouterr().out)
    edit_item(folder, lambda item: item["properties"].update({"view:sun_azimuth": 1.5}))
    assert run("pack", folder, "--sensor", SENSOR, "--quiet") == 0
    edit_item(folder, lambda item: item["properties"].update({"view:sun_azimuth": 2.5}))
    assert run("info", folder, "--json") == 0
    packs = {sensor["sensor"]: sensor["pack"] for sensor in json.loads(capsys.readouterr().out)["sensors"]}
    assert (packs[SENSOR]["is_fresh"], packs[LANDSAT]["is_fresh"]) == (False, True)


# Where it stops.


def interrupt_after(monkeypatch, writes):
    """Have the user interrupt a packing at one of its writes."""
    plain_write, left = pack_shards._Part.write, [writes]

    def write(self, content):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return plain_write(self, content)

    monkeypatch.setattr(pack_shards._Part, "write", write)


@pytest.mark.parametrize("workers", [1, 3])
def test_an_interrupted_packing_says_so_and_is_continued(folder, tmp_path, small_shards, monkeypatch, capsys, workers):
    whole = shutil.copytree(folder, tmp_path / "whole")
    assert run("pack", whole, "--sensor", SENSOR, "--quiet") == 0
    before = threading.enumerate()
    with monkeypatch.context() as patch:
        interrupt_after(patch, 12)
        assert run("pack", folder, "--sensor", SENSOR, "--workers", workers) == 130
    words = capsys.readouterr().err
    assert f"Stopped. There is no pack of {SENSOR} yet, " in words
    assert "of 3 shards are written: the same command continues." in words
    assert "Next:" not in words
    # Interrupted while it starts a thread, a pool does not wait for that one; the end of a process does.
    for thread in threading.enumerate():
        if thread not in before and not thread.daemon:
            thread.join()
    assert not list(folder.rglob(f"*{layout.TEMPORARY}"))
    report = check_catalog(folder)
    assert report.is_valid
    assert f"The packing of {SENSOR} was stopped. `curate pack` continues it." in report.unfinished
    assert run("pack", folder, "--sensor", SENSOR) == 0
    assert tree(folder) == tree(whole)


def test_a_full_disk_is_told_with_what_to_do(folder, small_shards, monkeypatch, capsys):
    plain_write, left = pack_shards._Part.write, [10]

    def write(self, content):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return plain_write(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(pack_shards._Part, "write", write)
        assert run("pack", folder, "--sensor", SENSOR, "--workers", 1) == 2
    words = capsys.readouterr().err
    assert (
        f"The disk that holds {folder}/packs/{SENSOR} is full (No space left on device); the pack takes 0.0 GB in all." in words
    )
    assert "run the same command again, and it continues when there is room; or pack fewer --bands." in words
    assert run("pack", folder, "--sensor", SENSOR) == 0
    assert "Kept 1 shard of an earlier run." in capsys.readouterr().err


def test_a_raster_that_is_gone_stops_it_with_its_name(folder, capsys):
    path = asset_path(folder, "20m", 3)
    path.unlink()
    assert run("pack", folder, "--sensor", SENSOR) == 2
    assert f"{path} is not there, though the catalog names it" in capsys.readouterr().err
    assert not list(folder.rglob("*.npy"))


def test_another_writer_keeps_it_out(folder, capsys):
    with (folder / layout.LOCATIONS).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert run("pack", folder) == 2
    assert f"Another build is writing {folder}, or packing it. Wait for it, or stop it first." in capsys.readouterr().err


# What is refused.


def test_a_folder_that_is_no_catalog_is_refused(tmp_path, capsys):
    assert run("pack", tmp_path / "nowhere") == 2
    assert "nowhere is not there" in capsys.readouterr().err


def test_a_catalog_of_others_is_refused(folder, capsys):
    for path in folder.rglob("*.json"):
        path.write_text(path.read_text().replace("seastars:", "theirs:"))
    assert run("pack", folder) == 2
    assert (
        "is not of our making, so its scenes share no grid. Build a catalog from it, and pack that" in capsys.readouterr().err
    )


def test_a_remote_catalog_is_refused_without_asking_its_server(capsys):
    assert run("pack", "https://host.example/cat?sig=abc") == 2
    words = capsys.readouterr().err
    assert "https://host.example/cat is remote; a pack is made in a folder. Copy the catalog, and pack the copy." in words


def test_a_catalog_without_items_is_refused(tmp_path, capsys):
    folder = make_catalog(tmp_path / "cat", seasons=0)
    assert run("pack", folder) == 2
    assert "has no items, so there is nothing to pack. Run curate build first." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["--bands", "B02,B03"],
            f"Bands belong to one sensor, and these are 2: {SENSOR}, {LANDSAT}. Choose one with --sensor.",
        ),
        (["--sensor", SENSOR, "--bands", "B4"], "Did you mean 'B04'?"),
        (["--sensor", SENSOR, "--bands", ""], "Unknown band ''"),
        (["--sensor", SENSOR, "--bands", "B02,B02"], "expected at least one, and each once"),
        (["--sensor", "sentinel2"], "Did you mean 'sentinel-2-l2a'?"),
        (["--sensor", "naip"], f"; it has {SENSOR}, {LANDSAT}."),
        (["--workers", "0"], "--workers is 0; expected 1 or more"),
    ],
)
def test_flags_that_make_no_sense_are_refused(folder, capsys, words, told):
    before = tree(folder)
    assert run("pack", folder, *words) == 2
    assert told.lower() in capsys.readouterr().err.lower()
    assert tree(folder) == before


def test_several_patch_sizes_are_refused(tmp_path, capsys):
    locations = [*make_locations(2, side_m=600), *make_locations(3, side_m=1200, lat=44)[2:]]
    folder = make_varied(tmp_path / "cat", unchanged, locations=locations)
    assert run("pack", folder) == 2
    assert "4 with 10 x 10 px of 60 m, uint16; 2 with 20 x 20 px of 60 m, uint16" in capsys.readouterr().err
