"""`curate build --to`: the files of a catalog in a bucket or another folder, the same bytes as in its own."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import obstore
import pytest
from obstore.store import S3Store

from catalogs import files, layout, open_catalog
from catalogs.locations import read_locations, write_locations
from catalogs.publication import AT_WORK
from catalogs.recipe import write_section
from catalogs.targets import open_target
from catalogs.testing import make_locations
from catalogs.validate import check_catalog
from tests.conftest import ROOT
from tests.end_to_end.commands import curate
from tests.servers import free_port, serve_s3
from tests.trees import digests, tree

LOCATIONS = 3
BUILD = ("--source", "simulated", "--seasons", "1", "--start", "2023-06-01", "--end", "2023-09-01", "--quiet")
BUCKET = "bucket"


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    out = tmp_path_factory.mktemp("sampled")
    write_section(out, "sample", {"region": "test", "seed": 3})
    write_locations(out / layout.LOCATIONS, make_locations(LOCATIONS))
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.fixture
def folder(sampled, tmp_path):
    return copy_of(sampled, tmp_path / "cat")


def copy_of(sampled, out):
    out.mkdir(parents=True)
    for name, content in sampled.items():
        (out / name).write_bytes(content)
    return out


@pytest.fixture(scope="module")
def local(sampled, tmp_path_factory):
    out = copy_of(sampled, tmp_path_factory.mktemp("local") / "cat")
    assert curate("build", out, *BUILD) == 0
    return out


@pytest.fixture(scope="module")
def store():
    with serve_s3(BUCKET) as environment:
        yield environment


@pytest.fixture
def bucket(store, monkeypatch, request):
    """An address of its own for each test."""
    for name, value in store.items():
        monkeypatch.setenv(name, value)
    files._store.cache_clear()
    yield f"s3://{BUCKET}/{request.node.name}"
    files._store.cache_clear()


def bucket_tree(address):
    """As `tree`, of a prefix."""
    prefix = address.removeprefix(f"s3://{BUCKET}/")
    store = S3Store(BUCKET, prefix=prefix, client_options={"allow_http": True})
    return digests({entry["path"]: bytes(store.get(entry["path"]).bytes()) for entry in obstore.list(store).collect()})


def start_build(out, *more):
    program = "from curate import pipeline; pipeline.CHECKPOINT_S = 0.1; from curate.cli import main; main()"
    words = [sys.executable, "-c", program, "build", str(out), *BUILD, *more]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def test_a_bucket_holds_the_bytes_of_a_local_build(folder, bucket, local):
    assert curate("build", folder, *BUILD, "--to", bucket) == 0
    assert bucket_tree(bucket) == tree(local)
    assert not list(folder.rglob("*.tif"))
    assert curate("verify", bucket, "--quiet") == 0
    assert curate("verify", folder, "--quiet") == 0
    ours, theirs = open_catalog(bucket), open_catalog(str(local))
    assert list(ours.items()) == list(theirs.items())
    assert np.array_equal(ours.read(ours.items()[2], bands=["B04"]), theirs.read(theirs.items()[2], bands=["B04"]))


def test_credentials_reach_no_file_and_no_words(folder, bucket, store, capfd):
    secrets = [value for name, value in store.items() if "KEY" in name]
    assert curate("build", folder, *BUILD[:-1], "--to", bucket) == 0
    told = "".join(capfd.readouterr())
    assert f"Next: curate verify {bucket}" in told
    assert not any(secret in told for secret in secrets)
    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert bucket.encode() in kept
    assert not any(secret.encode() in kept for secret in secrets)


def test_a_killed_build_to_a_bucket_goes_on_there_and_ends_the_same(folder, bucket, local):
    last = read_locations(folder / layout.LOCATIONS)[-1]
    left = f"sentinel-2-l2a/{layout.Layout().folder(last)}/20230101T000000_10m.tif"
    open_target(bucket).put(left, b"left")
    process = start_build(folder, "--to", bucket)
    while process.poll() is None and not any(name.endswith("m.tif") for name in bucket_tree(bucket).keys() - {left}):
        time.sleep(0.05)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    held = bucket_tree(bucket)
    assert AT_WORK in held
    report = check_catalog(bucket)
    assert not report.problems
    assert report.unfinished
    assert curate("build", folder) == 0
    assert bucket_tree(bucket) == tree(local)


def test_a_second_place_is_refused(folder, bucket, capsys):
    assert curate("build", folder, *BUILD, "--to", bucket) == 0
    assert curate("build", folder, *BUILD, "--to", folder.parent / "other") == 2
    assert f"has its files in {bucket}; --to" in capsys.readouterr().err
    assert not (folder.parent / "other").exists()


def test_a_store_that_is_away_costs_a_rerun(folder, bucket, store, local, monkeypatch, capsys):
    monkeypatch.setattr(files, "RETRIES", 0)
    monkeypatch.setitem(os.environ, "AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    assert curate("build", folder, *BUILD, "--to", bucket) == 4
    assert f"{bucket} cannot be written: its server does not answer." in capsys.readouterr().err
    monkeypatch.setitem(os.environ, "AWS_ENDPOINT_URL", store["AWS_ENDPOINT_URL"])
    files._store.cache_clear()
    assert curate("build", folder, "--quiet") == 0
    assert bucket_tree(bucket) == tree(local)


def test_a_mistyped_bucket_is_corrected_by_the_next_run(folder, bucket, local):
    assert curate("build", folder, *BUILD, "--to", bucket.replace(BUCKET, "bukcet", 1)) != 0
    assert curate("build", folder, *BUILD, "--to", bucket) == 0
    assert bucket_tree(bucket) == tree(local)


def test_another_folder_holds_the_same_bytes(folder, local):
    there = folder.parent / "there"
    assert curate("build", folder, *BUILD, "--to", there) == 0
    assert tree(there) == tree(local)
    assert curate("verify", there, "--quiet") == 0


def test_only_the_index_may_go_to_a_bucket(folder, bucket):
    assert curate("build", folder, *BUILD, "--items", "parquet", "--to", bucket) == 0
    names = bucket_tree(bucket)
    assert f"sentinel-2-l2a/{layout.INDEX}" in names
    assert not any(name.rpartition("/")[2].startswith("test-") for name in names if name.endswith(".json"))
    assert curate("verify", bucket, "--quiet") == 0


def test_a_wrong_place_is_refused_before_anything_is_done(folder, capsys):
    assert curate("build", folder, *BUILD, "--to", "gs://bucket/cat") == 2
    assert "--to gs://bucket/cat cannot be written to." in capsys.readouterr().err
    assert curate("build", folder, *BUILD, "--to", "gs://bucket/cat", "--dry-run") == 2
    assert not (folder / layout.CATALOG).exists()


def test_a_place_that_holds_another_catalog_is_refused_before_anything_is_done(folder, sampled, bucket, capsys):
    other = copy_of(sampled, folder.parent / "other" / "cat")
    assert curate("build", other, *BUILD, "--to", bucket) == 0
    before = bucket_tree(bucket)
    assert curate("build", folder, *BUILD, "--max-cloud", "3", "--to", bucket) == 2
    assert f"{bucket} holds another catalog (recipe.json there is not of {folder})" in capsys.readouterr().err
    assert not (folder / layout.CATALOG).exists()
    assert bucket_tree(bucket) == before
    assert curate("build", folder, *BUILD, "--to", f"{bucket}-2") == 0
    assert bucket_tree(f"{bucket}-2").keys() == before.keys()
    assert curate("build", other, "--quiet") == 0
