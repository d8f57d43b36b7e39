"""Training from a web server, through a cache that survives: the weights of the local catalog, and no file fetched twice."""

from pathlib import Path

import pytest

from tests.end_to_end.commands import curate
from tests.servers import serve_files
from tests.train.trainings import runtime, tiny_catalog, tiny_config
from train.checkpoint import list_checkpoints, read_state
from train.loop import fit
from train.prepare import prepare_training
from train.run_folder import write_record


def train(catalog, run, **options):
    training = prepare_training(tiny_config(), str(catalog), **options)
    write_record(run, training.record)
    fit(training, run, runtime(steps=3))
    return read_state(list_checkpoints(run)[-1])["method"]


@pytest.mark.slow
@pytest.mark.parametrize("packed", [False, True])
def test_a_catalog_on_the_web_gives_the_weights_of_the_local_one(tmp_path, packed):
    catalog = tiny_catalog(tmp_path / "web" / "tiny")
    if packed:
        curate("pack", str(catalog), "--quiet")
    local = train(catalog, tmp_path / "local")
    cache = tmp_path / "cache"
    with serve_files(tmp_path / "web") as address:
        remote = train(f"{address}/tiny", tmp_path / "remote", cache=cache)
        fetched = files_of(cache)
        assert fetched
        for raster in catalog.rglob("*.tif"):
            raster.unlink()
        for shard in catalog.rglob("*.npy"):
            shard.unlink()
        again = train(f"{address}/tiny", tmp_path / "again", cache=cache)
    assert all(local[name].equal(remote[name]) and local[name].equal(again[name]) for name in local)
    assert files_of(cache) == fetched


def files_of(folder: Path):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and "locks" not in path.parts}
