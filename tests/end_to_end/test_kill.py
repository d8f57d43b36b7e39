"""`kill -9` at random moments, then the same command: the catalog opens and verifies after each, and ends the same."""

import random
import signal
import subprocess
import sys
import time

import pytest

from catalogs import open_catalog
from catalogs.validate import check_catalog
from tests.conftest import ROOT
from tests.end_to_end.commands import curate
from tests.trees import tree

LOCATIONS = 40
BUILD = ("--source", "simulated", "--seasons", "2", "--start", "2023-03-01", "--end", "2023-09-01")


def sample(out):
    assert (
        curate("sample", "--region", "france", "--count", LOCATIONS, "--seed", 7, "--patch-m", 600, "--out", out, "--quiet")
        == 0
    )


def start_build(out, *more):
    program = "from curate import pipeline; pipeline.CHECKPOINT_S = 0.3; from curate.cli import main; main()"
    words = [sys.executable, "-c", program, "build", str(out), *BUILD, "--quiet", *more]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def wait_for_work(process, out, before):
    """Wait until the run has written something, so that a kill meets it at work rather than at its imports."""
    while process.poll() is None and len(list(out.rglob("*.tif*"))) <= before:
        time.sleep(0.02)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "cat"
    sample(out)
    assert curate("build", out, *BUILD, "--quiet") == 0
    return tree(out)


def disturb(out, kills, seed):
    """Kill a build so often, checking the catalog after each; give how many runs were cut short and the greatest leftovers."""
    rng = random.Random(seed)
    cut, leftovers = 0, 0
    for number in range(kills):
        before = len(list(out.rglob("*.tif*")))
        process = start_build(out)
        if number % 2:
            time.sleep(rng.uniform(0, 3))  # Anywhere: imports, taking in what the last run left, or work.
        else:
            wait_for_work(process, out, before)
            time.sleep(rng.uniform(0, 0.5))
        process.kill()
        process.communicate()
        cut += process.returncode == -signal.SIGKILL
        report = check_catalog(str(out))
        assert not report.problems
        leftovers = max(leftovers, len(report.unfinished))
        assert len(open_catalog(str(out)).items()) <= 2 * LOCATIONS
    return cut, leftovers


def finish(out):
    process = start_build(out)
    _, words = process.communicate(timeout=300)
    assert process.returncode == 0, words.decode()


def test_a_killed_build_ends_as_an_undisturbed_one(tmp_path, undisturbed, request):
    kills = 20 if request.config.getoption("--run-slow") else 3
    out = tmp_path / "cat"
    sample(out)
    cut, leftovers = disturb(out, kills, seed=kills)
    assert cut >= min(kills, 3)
    assert leftovers > 0
    finish(out)
    assert tree(out) == undisturbed
    assert not check_catalog(str(out)).unfinished


def test_ctrl_c_stops_and_leaves_a_valid_catalog(tmp_path, undisturbed):
    out = tmp_path / "cat"
    sample(out)
    process = start_build(out)
    wait_for_work(process, out, 0)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 130, words.decode()
    report = check_catalog(str(out))
    assert not report.problems
    finish(out)
    assert tree(out) == undisturbed


def test_a_second_build_of_the_same_folder_is_kept_out(tmp_path):
    out = tmp_path / "cat"
    sample(out)
    first = start_build(out)
    wait_for_work(first, out, 0)
    first.send_signal(signal.SIGSTOP)
    second = start_build(out)
    _, words = second.communicate(timeout=60)
    first.kill()
    first.communicate()
    assert second.returncode == 2
    assert f"Another build is writing {out}" in words.decode()


def test_the_same_command_again_changes_nothing(tmp_path):
    out = tmp_path / "cat"
    sample(out)
    finish(out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.tif")}
    finish(out)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.tif")} == before


def test_workers_do_not_change_the_bytes(tmp_path, undisturbed):
    out = tmp_path / "cat"
    sample(out)
    process = start_build(out, "--workers", "7")
    process.communicate(timeout=300)
    assert tree(out) == undisturbed
