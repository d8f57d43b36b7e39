"""`curate convert` from outside: some of EuroSAT to a catalog that verifies, is counted, packed and read; kills; errors.

All of EuroSAT is in test_eurosat_figures.py, for which it is converted anyway.
"""

import json
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import rasterio

from catalogs import open_catalog
from catalogs.stack import open_stack
from catalogs.validate import check_catalog
from curate.convert import KINDS
from tests.catalogs.damage import messages
from tests.conftest import ROOT
from tests.curate.convert.images import encode_jpeg, make_folder, make_picture, write_images
from tests.end_to_end.commands import curate
from tests.trees import tree

SENSOR = "eurosat-rgb"


@pytest.fixture(scope="module")
def archive(shared_data):
    path = shared_data / "eurosat_rgb" / "EuroSAT_RGB.zip"
    if not path.exists():
        pytest.skip(f"no {path}")
    return path


@pytest.fixture(scope="module")
def real(archive, tmp_path_factory):
    out = tmp_path_factory.mktemp("real") / "eurosat"
    assert curate("convert", "eurosat", archive, "--out", out, "--limit", 200, "--quiet") == 0
    return out


def test_two_hundred_real_images_verify_to_the_last_pixel(real, capsys):
    assert curate("verify", real, "--deep", "--json", "--quiet") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["valid"], report["checked"]["items"], report["checked"]["pixels"]) == (True, 200, 200 * 3 * 64 * 64)


def test_they_are_counted_by_label(real, capsys):
    assert curate("info", real) == 0
    told = capsys.readouterr().out
    assert (
        "  labels    AnnualCrop: 20, Forest: 20, HerbaceousVegetation: 20, Highway: 20, Industrial: 20, Pasture: 20, " in told
    )
    assert "complete    200; incomplete 0; not built yet 0" in told
    assert "convert     kind eurosat, limit 200, splits 0.8 0.0 0.2" in told
    assert curate("info", real, "--json") == 0
    sensor = json.loads(capsys.readouterr().out)["sensors"][0]
    assert (sensor["labels"]["SeaLake"], len(sensor["labels"]), sensor["simulated"]) == (20, 10, 0)


def test_they_are_packed_and_read_with_the_same_pixels(real, capsys):
    assert curate("pack", real, "--quiet") == 0
    catalog = open_catalog(real)
    items = catalog.items(split="train")
    shard = np.load(next((real / "packs" / SENSOR).rglob("*.npy")), mmap_mode="r")
    assert shard.shape == (200, 3, 64, 64)
    everything = list(catalog.items())
    for scene in (items[0], items[-1]):
        assert (catalog.read(scene) == shard[everything.index(scene)]).all()
    assert check_catalog(real).is_valid


def test_the_13_band_version_verifies_and_gives_b8a_from_its_pack_too(shared_data, tmp_path, capsys):
    source, out = shared_data / "eurosat_ms", tmp_path / "ms"
    if not source.is_dir():
        pytest.skip(f"no {source}")
    assert curate("convert", "eurosat-ms", source, "--out", out, "--quiet") == 0
    assert curate("verify", out, "--deep", "--json", "--quiet") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["valid"], report["checked"]["pixels"]) == (True, 200 * 13 * 64 * 64)
    assert curate("pack", out, "--quiet") == 0
    catalog = open_catalog(out)
    items = catalog.items(sensor="eurosat-ms")
    for pack in (True, False):
        stack = open_stack(catalog, items, ["B8A", "B09"], pack=pack)
        (planes,) = stack.empty()
        for number in (0, 77, 199):
            stack.read_into(number, (planes,))
            with rasterio.open(source / items[number].labels[0] / f"{items[number].source_id}.tif") as raster:
                assert (planes == raster.read([13, 9])).all()


def test_a_folder_of_class_folders_is_converted_and_asked_for_a_size(tmp_path, capsys):
    pictures = {f"{label}/{number}.jpg": encode_jpeg(make_picture(number)) for label in "ab" for number in range(4)}
    source, out = write_images(tmp_path / "in", {**pictures, "a/odd.jpg": encode_jpeg(make_picture(9, 70))}), tmp_path / "cat"
    assert curate("convert", "folder", source, "--out", out) == 2
    assert "2 sizes: 64 x 64 pixels, 3 bands of uint8 (8 images)" in capsys.readouterr().err
    assert not out.exists()
    assert curate("convert", "folder", source, "--size-px", 64, "--out", out, "--dry-run") == 0
    assert "labels: a 5, b 4" in capsys.readouterr().err
    assert curate("convert", "folder", source, "--size-px", 64, "--out", out, "--json", "--quiet") == 0
    assert json.loads(capsys.readouterr().out)["complete"] == 9
    assert curate("verify", out, "--deep", "--quiet") == 0
    assert curate("convert", "folder", source, "--size-px", 32, "--out", out) == 2
    assert "size_px was 64, now 32" in capsys.readouterr().err


def test_an_unknown_kind_and_a_missing_file_end_with_2(tmp_path, capsys):
    assert curate("convert", "erosat", tmp_path / "x.zip", "--out", tmp_path / "cat") == 2
    assert f"Unknown data set 'erosat'. Choose from: {', '.join(KINDS)}. Did you mean 'eurosat'?" in capsys.readouterr().err
    assert curate("convert", "eurosat", tmp_path / "x.zip", "--out", tmp_path / "cat") == 2
    assert "x.zip is not there; expected EuroSAT_RGB.zip, or the folder 2750" in capsys.readouterr().err
    assert curate("convert", "eurosat", tmp_path, "--out", tmp_path / "cat", "--workers", 0) == 2
    assert "--workers is 0; expected 1 or more" in capsys.readouterr().err
    assert curate("convert", "eurosat", "--out", tmp_path / "cat") == 2
    assert not (tmp_path / "cat").exists()


def test_the_outcome_is_told_to_people_and_machines(tmp_path, capsys):
    source = make_folder(tmp_path / "data")
    for number in (1, 2, 3, 4):
        (source / "2750" / "Forest" / f"Forest_{number}.jpg").write_bytes(b"")
    (source / "readme.md").write_text("")
    words = ("convert", "eurosat", source, "--out", tmp_path / "cat")
    assert curate(*words, "--dry-run") == 0
    told = capsys.readouterr().err
    assert "labels: AnnualCrop 7, Forest 4, SeaLake 2\n" in told
    assert "Nothing was written." in told
    assert not (tmp_path / "cat").exists()
    assert curate(*words, "--json") == 0
    told = capsys.readouterr()
    outcome = json.loads(told.out)
    expected = {"kind": "eurosat", "images": 13, "complete": 9, "items_written": 9, "failures": {"unreadable": 4}}
    assert {key: outcome[key] for key in expected} == expected
    for line in (
        "Left out 1 files that are no images of EuroSAT, such as readme.md.",
        "There are 13 of the 27,000 images of EuroSAT.",
        "Wrote 9 items. 9 of 13 images are converted.",
        "  2750/Forest/Forest_1.jpg cannot be read: it is empty. Get the data set again, or do without it.",
        "  ... and 1 more, all in failures.parquet.",
        f"Next: curate verify {tmp_path / 'cat'}",
    ):
        assert line in told.err.splitlines()
    assert curate("info", tmp_path / "cat") == 0
    assert "failures    4 x unreadable, at 4 locations" in capsys.readouterr().out


def start(source, out, *more):
    program = (
        "from curate.convert import conversion as c; c.CHUNK, c.CHECKPOINT_EVERY, c.WORTH = 20, 300, 1; "
        "from curate.cli import main; main()"
    )
    words = [sys.executable, "-c", program, "convert", "eurosat", str(source), "--out", str(out), "--limit", "3000", *more]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


@pytest.fixture(scope="module")
def undisturbed(archive, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "cat"
    assert curate("convert", "eurosat", archive, "--out", out, "--limit", 3000, "--quiet", "--workers", 1) == 0
    return tree(out)


@pytest.mark.slow
def test_a_killed_conversion_ends_as_an_undisturbed_one(archive, tmp_path, undisturbed):
    rng = random.Random(5)
    out, cut = tmp_path / "cat", 0
    for kill in range(5):
        before = len(list(out.rglob("*.tif")))
        process = start(archive, out, "--workers", "2")
        while process.poll() is None and len(list(out.rglob("*.tif"))) <= before:
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.2))  # far less than the whole takes, also on a machine with nothing else to do
        process.kill()
        process.communicate()
        cut += process.returncode == -signal.SIGKILL
        report = check_catalog(out)
        assert report.is_valid, f"after kill {kill}: {messages(report)}"
    assert cut >= 3
    process = start(archive, out, "--workers", "2")
    assert process.communicate(timeout=300)[1] is not None
    assert process.returncode == 0
    assert tree(out) == undisturbed


@pytest.mark.slow
def test_ctrl_c_stops_and_the_same_command_continues(archive, tmp_path, undisturbed):
    out = tmp_path / "cat"
    process = start(archive, out, "--workers", "2")
    while len(list(out.rglob("*.tif"))) < 50:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"is a valid catalog of what was done; the same command continues." in words
    assert b"Traceback" not in words
    assert check_catalog(out).is_valid
    process = start(archive, out)
    process.communicate(timeout=300)
    assert process.returncode == 0
    assert tree(out) == undisturbed
