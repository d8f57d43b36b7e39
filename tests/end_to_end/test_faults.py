"""Builds over HTTP from a server that fails, from one that hangs, and killed on the way: the catalog is the undisturbed one."""

import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
import rasterio

from catalogs.failures import read_failures
from catalogs.validate import check_catalog
from tests.conftest import ROOT
from tests.curate.sources.test_stac_api import collections, landing, serve
from tests.end_to_end.commands import curate
from tests.end_to_end.small_scenes import ITEMS, REGION, make_scenes
from tests.range_server import Fault, serve_ranges
from tests.servers import Recording
from tests.trees import tree

LOCATIONS = 36
WHEN = ("--seasons", "2", "--start", "2023-01-01", "--end", "2024-01-01", "--bands", "B02,B04,B11")
FAULTS = [
    Fault("status", where="tif", share=0.04, status=429, headers={"Retry-After": "1"}),
    Fault("status", where="tif", share=0.04, status=503),
    Fault("reset", where="tif", share=0.04),
    Fault("stall", where="tif", share=0.04),
    Fault("truncate", where="tif", share=0.04),
]
"""Of a fifth of the requests of pixels."""
PROGRAM = """
from functools import partial
from curate import pipeline, planes
from curate.cli import main
from curate.reading.retries import Patience
from curate.reading.transport import Transport
pipeline.CHECKPOINT_S, pipeline.MOST = 0.2, 8
planes.Transport = partial(Transport, patience=Patience(base_s=0.05, stall_s=1.0))
main()
"""
"""The command with units of few locations, checkpoints often, and little patience with silence: kills meet more of them."""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return make_scenes(tmp_path_factory.mktemp("scenes"), 8)


@pytest.fixture(scope="module")
def server(scenes):
    with serve_ranges(scenes) as server:
        yield server


@pytest.fixture(scope="module")
def undisturbed(scenes, server, tmp_path_factory):
    out = sample(scenes, tmp_path_factory.mktemp("undisturbed") / "cat")
    assert curate("build", out, "--source", f"{server.url}/{ITEMS}", *WHEN, "--quiet") == 0
    assert not any(failure.transient for failure in read_failures(out))
    return out


def sample(scenes, out):
    words = ("--region", scenes / REGION, "--strategy", "uniform", "--count", LOCATIONS, "--no-overlap", "--patch-m", 600)
    assert curate("sample", *words, "--seed", 5, "--out", out, "--quiet") == 0
    return out


def start_build(out, server, source=ITEMS):
    words = [sys.executable, "-c", PROGRAM, "build", str(out), "--source", f"{server.url}/{source}", *WHEN, "--quiet"]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def interrupt(process):
    """Press Ctrl-C once; the exit code, which comes within seconds."""
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=10)
    finally:
        process.kill()
    return process.returncode


def kill_at_work(out, server, rng):
    """Start a build, kill it once it has written something more, and check what it leaves; whether it was killed."""
    before = len(list(out.rglob("*.tif*")))
    process = start_build(out, server)
    while process.poll() is None and len(list(out.rglob("*.tif*"))) <= before + 8:
        time.sleep(0.02)
    time.sleep(rng.uniform(0, 0.3))
    process.kill()
    process.communicate()
    assert not check_catalog(str(out)).problems
    return process.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_a_build_from_a_failing_server_that_is_killed_twice_ends_as_an_undisturbed_one(scenes, server, undisturbed, tmp_path):
    out, rng = sample(scenes, tmp_path / "cat"), random.Random(0)
    server.reset()
    server.set(faults=FAULTS, seed=1)
    try:
        killed = [kill_at_work(out, server, rng) for _ in range(2)]
        process = start_build(out, server)
        _, words = process.communicate(timeout=300)
        counts = server.counts()
    finally:
        server.set(faults=[])
    assert process.returncode == 0, words.decode()
    assert killed == [True, True]
    assert counts.faults.keys() == {"status", "reset", "stall", "truncate"}
    assert 0.12 < sum(counts.faults.values()) / counts.requests < 0.28
    assert tree(out) == tree(undisturbed)
    assert not check_catalog(str(out)).unfinished


@pytest.mark.slow
def test_ctrl_c_stops_a_build_whose_server_hangs_and_the_same_command_goes_on(scenes, server, undisturbed, tmp_path):
    out = sample(scenes, tmp_path / "cat")
    server.reset()
    server.set(faults=[Fault("stall", where="B02")])
    try:
        process = start_build(out, server)
        while not server.counts().faults.get("stall"):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=20)
    finally:
        server.set(faults=[])
    assert process.returncode == 130, words.decode()
    assert b"Stopped" in words or not words
    assert not check_catalog(str(out)).problems
    process = start_build(out, server)
    _, words = process.communicate(timeout=120)
    assert process.returncode == 0, words.decode()
    assert tree(out) == tree(undisturbed)


@pytest.mark.slow
def test_ctrl_c_stops_a_build_that_waits_for_a_header_that_gdal_reads(scenes, tmp_path):
    folder = shutil.copytree(scenes, tmp_path / "scenes")
    for path in folder.glob("*/B02.tif"):
        with rasterio.open(path) as raster:
            pixels, profile = raster.read(), raster.profile
        with rasterio.open(path, "w", **profile | {"compress": "lzw"}) as raster:
            raster.write(pixels)
    out = sample(scenes, tmp_path / "cat")
    with serve_ranges(folder, faults=[Fault("stall", where="B02", ranges="^bytes=(?!0-16383$)")]) as server:
        process = start_build(out, server)
        while not server.counts().faults.get("stall"):
            time.sleep(0.05)
        assert interrupt(process) == 130
    assert not check_catalog(str(out)).problems


@pytest.mark.slow
def test_ctrl_c_stops_a_build_whose_searches_are_told_to_come_back_later(scenes, tmp_path):
    out = sample(scenes, tmp_path / "cat")
    busy = Recording("POST", "/search", {}, status=429, headers={"Retry-After": "600"})
    with serve(landing(), collections("sentinel-2-l2a"), busy) as server:
        process = start_build(out, server, "")
        while not [path for method, path, _ in server.requests if method == "POST"]:
            time.sleep(0.05)
        time.sleep(0.5)
        assert interrupt(process) == 130
    assert not check_catalog(str(out)).problems


def test_a_server_that_answers_for_some_files_only_fails_their_seasons_only(scenes, server, undisturbed, tmp_path):
    out = sample(scenes, tmp_path / "cat")
    server.set(faults=[Fault("status", where="scene-0[0-3]/B11", status=404)])
    try:
        assert curate("build", out, "--source", f"{server.url}/{ITEMS}", *WHEN, "--quiet") == 4
    finally:
        server.set(faults=[])
    lost = [failure for failure in read_failures(out) if failure.transient]
    assert {(failure.season, failure.reason) for failure in lost} == {(0, "unreadable")}
    assert all("B11.tif" in failure.message and "404" in failure.message for failure in lost)
    assert curate("build", out, "--source", f"{server.url}/{ITEMS}", *WHEN, "--quiet") == 0
    assert tree(out) == tree(undisturbed)


def test_each_block_of_the_measurements_is_fetched_once_whatever_the_workers(scenes, server, undisturbed, tmp_path):
    out = sample(scenes, tmp_path / "cat")
    server.reset()
    assert curate("build", out, "--source", f"{server.url}/{ITEMS}", *WHEN, "--workers", 3, "--quiet") == 0
    asked = [(request.path, request.range) for request in server.log() if "SCL" not in request.path and ".tif" in request.path]
    assert len(asked) == len(set(asked))
    assert tree(out) == tree(undisturbed)
