"""`curate build --scheduler`: the same bytes as threads, whatever dies."""

import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import obstore
import psutil
import pytest
from obstore.store import S3Store

from catalogs import files, layout
from catalogs.journal import Journal
from catalogs.locations import write_locations
from catalogs.recipe import write_section
from catalogs.testing import make_catalog, make_locations
from catalogs.validate import check_catalog
from curate.cluster import FEWEST
from tests.conftest import ROOT
from tests.end_to_end.commands import curate
from tests.range_server import Fault, serve_ranges
from tests.servers import serve_dask, serve_files, serve_s3
from tests.trees import tree

LOCATIONS = 16
PATIENCE_S = 180
"""For a build that should go on; on a busy machine a worker takes half a minute to begin."""
BUILD = ("--source", "simulated", "--seasons", "1", "--start", "2023-06-01", "--end", "2023-09-01", "--quiet")

SINGLE = """
from curate import pipeline
pipeline.MOST_RENDERED, pipeline.CHECKPOINT_S = 1, 1e6
"""
"""What makes each rendered location a unit, and leaves in the journal all that was recorded."""
IMPATIENT = """
from curate.reading import transport
from curate.reading.retries import Patience
transport.Transport.__init__.__kwdefaults__["patience"] = Patience(stall_s=1.0, base_s=0.1)
"""
"""What lets workers wait less long for a server that stalls."""


def sampled(out, count=LOCATIONS):
    out.mkdir(parents=True)
    write_section(out, "sample", {"region": "test", "seed": 3})
    write_locations(out / layout.LOCATIONS, make_locations(count))
    return out


@pytest.fixture
def folder(tmp_path):
    return sampled(tmp_path / "cat")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = sampled(tmp_path_factory.mktemp("threads") / "cat")
    assert curate("build", out, *BUILD) == 0
    return tree(out)


@pytest.fixture(scope="module")
def cluster():
    with serve_dask(2) as found:
        yield found


@contextmanager
def building(out, *words):
    """A build in a process of its own, which has written something."""
    command = [sys.executable, "-c", f"{SINGLE}from curate.cli import main; main()", "build", str(out), *map(str, words)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            wait_until(process, lambda: rasters(out))
            yield process
        finally:
            process.kill()


def wait_until(process, is_so):
    """Wait for what comes while a build is running; it still is, then."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        check_runs(process)
        assert time.monotonic() < deadline, f"it did not come within {PATIENCE_S} s"
        time.sleep(0.05)
    check_runs(process)


def check_runs(process):
    assert process.poll() is None, f"the build has ended: {process.stderr.read().decode()}"


def disturbed(process, out, disturb, *, after):
    """Disturb a build that has recorded so many locations; gives their ids, and the rasters of these and of those in work."""
    wait_until(process, lambda: len(recorded(out)) >= after)
    there = recorded(out)
    time.sleep(0.1)  # until the scheduler, too, knows that the last of them was fetched
    before = rasters(out)
    check_runs(process)
    disturb()
    return there, before


def recorded(out):
    """Ids of the locations that a build has recorded, up to its first checkpoint."""
    return {entry.location for entry in Journal(out).entries()}


def rasters(out):
    """By location, its rasters as they were written last: one that is written again is another file."""
    found = {}
    for path in out.rglob("*.tif"):
        file = path.stat()
        found.setdefault(path.parent.name, set()).add((path.name, file.st_ino, file.st_mtime_ns))
    return found


def written_again(before, now):
    """Ids of the locations some of whose rasters are other files by now."""
    return {location for location, files in before.items() if not files <= now[location]}


def assert_kept(there, again):
    """What was recorded was not done again, nor more than was in flight."""
    assert again.isdisjoint(there)
    assert len(again) <= FEWEST


def ended(process):
    _, words = process.communicate(timeout=PATIENCE_S)
    return process.returncode, words.decode()


def kill_workers(cluster, count):
    """Kill so many of the workers, as soon as there are so many."""
    deadline = time.monotonic() + PATIENCE_S
    while len(workers := workers_of(cluster)) < count:
        assert time.monotonic() < deadline, f"there are {len(workers)} workers after {PATIENCE_S} s"
        time.sleep(0.05)
    for worker in workers[:count]:
        worker.kill()


def workers_of(cluster):
    children = [child for child in psutil.Process(cluster.process.pid).children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def test_a_cluster_writes_the_bytes_of_threads(folder, cluster, undisturbed):
    assert curate("build", folder, *BUILD, "--scheduler", cluster.address) == 0
    assert tree(folder) == undisturbed


@pytest.mark.slow
def test_workers_that_die_cost_their_units_only(folder, cluster, undisturbed):
    with building(folder, *BUILD, "--scheduler", cluster.address) as process:
        kills = [disturbed(process, folder, lambda: kill_workers(cluster, 1), after=count) for count in (2, 5)]
        code, words = ended(process)
    assert code == 0, words
    assert tree(folder) == undisturbed
    for there, before in kills:
        assert_kept(there, written_again(before, rasters(folder)))


def test_files_of_a_web_server_come_out_the_same(tmp_path, cluster):
    make_catalog(tmp_path / "web" / "source", seasons=2)
    dates = ("--seasons", 2, "--start", "2023-01-01", "--end", "2023-07-01", "--quiet")
    with serve_files(tmp_path / "web") as address:
        for place, more in (("threads", ()), ("cluster", ("--scheduler", cluster.address))):
            out = sampled(tmp_path / place / "cat", 3)
            assert curate("build", out, "--source", f"{address}/source/catalog.json", *dates, *more) == 0
    assert len(list((tmp_path / "cluster").rglob("*.tif"))) == 24
    assert tree(tmp_path / "cluster") == tree(tmp_path / "threads")


def test_a_source_whose_path_is_relative_is_read_by_workers_elsewhere(tmp_path, cluster, monkeypatch):
    make_catalog(tmp_path / "here" / "source")
    monkeypatch.chdir(tmp_path / "here")
    dates = ("--seasons", 1, "--start", "2023-01-01", "--end", "2023-04-01", "--quiet")
    out = sampled(tmp_path / "cat", 3)
    assert curate("build", out, "--source", "source", *dates, "--scheduler", cluster.address) == 0
    assert len(list(out.rglob("*.tif"))) == 12


@pytest.mark.slow
def test_ctrl_c_stops_the_workers_too(folder, cluster, undisturbed):
    with building(folder, *BUILD, "--scheduler", cluster.address) as process:
        process.send_signal(signal.SIGINT)
        code, words = ended(process)
    assert code == 130, words
    assert not check_catalog(str(folder)).problems
    written = len(list(folder.rglob("*.tif")))
    assert written < len([name for name in undisturbed if name.endswith(".tif")])
    assert curate("build", folder, "--scheduler", cluster.address) == 0
    assert tree(folder) == undisturbed


@pytest.mark.slow
def test_a_lost_scheduler_costs_the_units_in_flight(folder, undisturbed):
    with serve_dask(1) as cluster, building(folder, *BUILD, "--scheduler", cluster.address) as process:
        there, before = disturbed(process, folder, cluster.process.kill, after=3)
        code, words = ended(process)
    assert code == 4, words
    assert "The Dask scheduler was lost. What was recorded is kept" in words
    assert not check_catalog(str(folder)).problems
    assert curate("build", folder, "--quiet") == 0
    assert tree(folder) == undisturbed
    assert_kept(there, written_again(before, rasters(folder)))


@pytest.mark.slow
def test_a_faulty_server_and_dying_workers_change_no_byte(tmp_path):
    """A seeded fifth of the requests for pixels goes wrong while a worker is killed twice."""
    make_catalog(tmp_path / "web" / "source", locations=make_locations(8), seasons=2)
    kinds = ("refuse", "reset", "truncate", "stall", "slow")
    faults = [Fault(kind, 0.03, r"\.tif") for kind in kinds]
    faults.append(Fault("status", 0.02, r"\.tif", status=429, headers={"Retry-After": "1"}))
    faults.append(Fault("status", 0.02, r"\.tif", status=503))
    words = ("--seasons", 2, "--start", "2023-01-01", "--end", "2023-07-01", "--quiet")
    with serve_ranges(tmp_path / "web", seed=7) as server, serve_dask(2, preload=IMPATIENT) as cluster:
        source = ("--source", f"{server.url}/source/catalog.json", *words)
        calm, out = (sampled(tmp_path / place / "cat", 8) for place in ("calm", "faulty"))
        assert curate("build", calm, *source) == 0
        server.reset()
        server.set(faults=faults)
        with building(out, *source, "--scheduler", cluster.address) as process:
            for _ in range(2):
                before = len(list(out.rglob("*.tif")))
                wait_until(process, lambda before=before: len(list(out.rglob("*.tif"))) > before + 4)
                kill_workers(cluster, 2)  # all locations are one unit, in work at one of them
            code, told = ended(process)
        struck = server.counts().faults
    assert code == 0, told
    assert set(struck) == {*kinds, "status"}
    assert tree(out) == tree(calm)


@pytest.mark.slow
def test_processes_of_this_machine_that_share_no_folder_write_to_a_bucket(folder, undisturbed, monkeypatch):
    """As on a cluster without a shared file system: the address alone tells workers where to write."""
    with serve_s3("bucket") as store:
        for name, value in store.items():
            monkeypatch.setenv(name, value)
        files._store.cache_clear()
        assert curate("build", folder, *BUILD, "--scheduler", "local:2", "--to", "s3://bucket/cat") == 0
        assert not list(folder.rglob("*.tif"))
        held = obstore.list(S3Store("bucket", prefix="cat", client_options={"allow_http": True})).collect()
        assert sorted(entry["path"] for entry in held) == sorted(undisturbed)
        assert curate("verify", "s3://bucket/cat", "--quiet") == 0
    files._store.cache_clear()
