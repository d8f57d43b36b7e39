"""`curate convert --in-place` from outside: verified, opened, packed, scored like a copy; killed; what a user may get wrong."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time

import pystac
import pytest

from catalogs import open_catalog
from catalogs.stack import open_stack
from catalogs.validate import check_catalog
from tests.catalogs.damage import messages
from tests.conftest import ROOT
from tests.curate.convert.images import make_folder, pack_zip
from tests.end_to_end.commands import curate
from tests.trees import tree

SENSOR = "eurosat-rgb"
COUNTS = {"Forest": 12, "SeaLake": 12}


@pytest.fixture
def images(tmp_path):
    """An unpacked EuroSAT, and what is in it before anything is done."""
    folder = make_folder(tmp_path / "eurosat", COUNTS)
    return folder, tree(folder)


def same_images(folder, before):
    now = tree(folder)
    return {name: now.get(name) for name in before} == before


def test_images_stay_and_are_verified_counted_opened_and_packed(images, capsys):
    folder, before = images
    assert curate("convert", "eurosat", folder, "--in-place", "--items", "json", "--json") == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["complete"] == 24
    for line in (
        f"Converting 24 images of {folder}, where they stay, into {folder}.",
        "Wrote 24 items. 24 of 24 images are converted.",
        f"Reading decodes the images each time; `curate pack {folder}` makes it fast.",
    ):
        assert line in told.err.splitlines()
    assert same_images(folder, before)
    assert not list(folder.rglob("*.tif"))
    assert curate("verify", folder, "--deep", "--quiet") == 0
    assert curate("info", folder) == 0
    assert "convert     kind eurosat, in_place ., splits 0.8 0.0 0.2" in capsys.readouterr().out
    (collection,) = pystac.Catalog.from_file(folder / "catalog.json").get_children()
    items = list(collection.get_items(recursive=True))
    hrefs = {item.assets["10m"].get_absolute_href() for item in items}
    assert hrefs == {str(folder / name) for name in before}
    assert {item.assets["10m"].media_type for item in items} == {"image/jpeg"}
    assert collection.to_dict()["item_assets"]["10m"]["type"] == "image/jpeg"
    assert curate("pack", folder, "--quiet") == 0
    assert same_images(folder, before)
    catalog = open_catalog(folder)
    packed, plain = (open_stack(catalog, catalog.items(), pack=pack) for pack in (True, False))
    for number in range(24):
        (one,), (other,) = packed.empty(), plain.empty()
        packed.read_into(number, (one,))
        plain.read_into(number, (other,))
        assert (one == other).all()
    shutil.move(folder, folder.with_name("moved"))
    assert curate("verify", folder.with_name("moved"), "--quiet") == 0


def test_what_was_changed_since_is_found(images, capsys):
    folder, before = images
    assert curate("convert", "eurosat", folder, "--in-place", "--quiet") == 0
    first, second = sorted(before)[:2]
    (folder / first).unlink()
    (folder / second).write_bytes((folder / second).read_bytes()[:-10])
    assert curate("verify", folder, "--quiet") == 3
    told = capsys.readouterr().out
    assert re.search(rf"{first}.*\s.*Is not there; its item says \d+ bytes", told), told
    assert re.search(rf"{second}.*\s.*Has \d+ bytes; its item says", told), told


def test_what_cannot_be_is_told_with_what_to_do(images, tmp_path, capsys):
    folder, _ = images
    archive = pack_zip(folder, tmp_path / "x.zip")
    for words, told in (
        (("eurosat", folder), "--out is missing; expected the folder of the new catalog, such as --out data/eurosat. Or give"),
        (("eurosat", archive, "--in-place"), "x.zip is an archive, and what is in it is no file that a catalog could name."),
        (("so2sat", folder, "--in-place"), "Images of so2sat cannot stay where they are: all patches of a split lie in one"),
        (("oscd", folder, "--in-place"), "whole cities are cut into tiles. Leave --in-place out, and they are copied"),
        (("eurosat", folder, "--in-place", "--out", tmp_path / "cat"), f"does not hold {folder}, whose images are to stay"),
    ):
        assert curate("convert", *words) == 2
        assert told in " ".join(capsys.readouterr().err.split())
    assert curate("convert", "eurosat", folder, "--in-place", "--dry-run") == 0
    assert "Nothing was written." in capsys.readouterr().err
    assert sorted(path.name for path in folder.iterdir()) == ["2750"]


def test_help_says_which_sets_can(capsys):
    assert curate("convert", "--help") == 0
    told = " ".join(capsys.readouterr().out.replace("`", "").replace("│", " ").split())
    assert "eurosat, resisc45, folder: every image stays." in told
    assert "bigearthnet: all twelve files of a patch stay, an asset each." in told
    assert "curate convert eurosat data/EuroSAT_RGB --in-place" in told


@pytest.mark.slow
def test_knn_scores_them_as_it_scores_copies(images, tmp_path, capsys):
    from evaluate import cli

    folder, _ = images
    assert curate("convert", "eurosat", folder, "--out", tmp_path / "copy", "--quiet") == 0
    assert curate("convert", "eurosat", folder, "--in-place", "--quiet") == 0
    scores = []
    for catalog in (tmp_path / "copy", folder):
        words = ["knn", "--catalog", str(catalog), "--weights", "random:resnet10t", "--k", "3", "--device", "cpu", "--json"]
        with pytest.raises(SystemExit, match="0"):
            cli.main([*words, "--workers", "0", "--quiet"])
        scores.append(json.loads(capsys.readouterr().out)["scores"])
    assert scores[0] == scores[1]
    assert len(scores[0]) >= 2


def start(folder):
    program = (
        "from curate.convert import conversion as c; c.CHUNK, c.CHECKPOINT_EVERY, c.WORTH = 2, 6, 1; "
        "from curate.cli import main; main()"
    )
    words = [sys.executable, "-c", program, "convert", "eurosat", str(folder), "--in-place", "--workers", "2"]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


@pytest.mark.slow
def test_killed_conversions_end_as_an_undisturbed_one_and_touch_no_image(tmp_path):
    folder = make_folder(tmp_path / "killed" / "eurosat", {"Forest": 300, "SeaLake": 300})
    before = tree(folder)
    other = shutil.copytree(folder, tmp_path / "other" / "eurosat")
    assert curate("convert", "eurosat", other, "--in-place", "--quiet", "--workers", 1) == 0
    cut = 0
    for number in (signal.SIGKILL, signal.SIGKILL, signal.SIGINT):
        process = start(folder)
        journal = folder / ".seastars" / "journal.jsonl"
        size = journal.stat().st_size if journal.exists() else 0
        while process.poll() is None and not (journal.exists() and journal.stat().st_size != size):
            time.sleep(0.01)
        process.send_signal(number)
        process.communicate(timeout=60)
        cut += process.returncode in (-signal.SIGKILL, 130)
        report = check_catalog(folder)
        assert report.is_valid, messages(report)
        assert same_images(folder, before)
    assert cut == 3
    process = start(folder)
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert tree(folder) == tree(other)
