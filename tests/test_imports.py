"""Who imports whom, and which modules stay pure."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.house_rules import PACKAGES, PURE, broken_imports, impurities

FILES = sorted(path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_every_file_imports_only_what_the_house_plan_allows():
    assert {path.split("/")[0] for path in FILES} == set(PACKAGES)
    assert [line for path in FILES for line in broken_imports(path, (ROOT / path).read_text())] == []


@pytest.mark.parametrize("path", PURE)
def test_a_pure_module_touches_no_files_clock_logging_or_global_random_state(path):
    assert impurities(path, (ROOT / path).read_text()) == []


@pytest.mark.parametrize(
    ("path", "line", "name"),
    [
        ("catalogs/a.py", "import curate", "curate"),
        ("catalogs/a.py", "def f():\n    import torch.nn", "torch.nn"),
        ("catalogs/a.py", "from pystac_client import Client", "pystac_client.Client"),
        ("catalogs/a.py", "import cyclopts", "cyclopts"),
        ("curate/a.py", "from train.loop import fit", "train.loop.fit"),
        ("curate/a.py", "from .cli import main", "curate.cli.main"),
        ("curate/sources/a.py", "from ..cli.console import say", "curate.cli.console.say"),
        ("curate/a.py", "if TYPE_CHECKING:\n    import torch", "torch"),
        ("train/a.py", "from curate import errors", "curate.errors"),
        ("train/a.py", "import rasterio", "rasterio"),
        ("evaluate/a.py", "from train import loop", "train.loop"),
        ("evaluate/cli/a.py", "import train.cli", "train.cli"),
        ("evaluate/a.py", "import train.configuration", "train.configuration"),
    ],
)
def test_a_forbidden_import_is_found(path, line, name):
    assert broken_imports(path, line) == [f"{path} imports {name}"]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("catalogs/a.py", "import rasterio\nfrom . import bands\nimport obstore"),
        ("curate/a.py", "from catalogs import open_catalog\nfrom curate.errors import CurateError\nimport pystac_client"),
        ("curate/cli/a.py", "from curate.cli.console import say\nfrom . import console"),
        ("train/a.py", "import torch\nfrom catalogs.records import Grid"),
        ("evaluate/a.py", "from train import backbones\nfrom train.checkpoint import load_backbone"),
    ],
)
def test_an_allowed_import_is_left_alone(path, line):
    assert broken_imports(path, line) == []


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        "from pathlib import Path",
        "import time",
        "def f():\n    import logging",
        "from random import shuffle",
        "import urllib.request",
        "open('a')",
        "print('a')",
        "datetime.now(UTC)",
        "dt.date.today()",
        "rng = np.random.default_rng()",
        "np.random.seed(0)",
        "numpy.random.rand(3)",
    ],
)
def test_an_impurity_is_found(line):
    assert len(impurities("catalogs/a.py", line)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "from datetime import datetime\ndatetime.fromisoformat('2020-01-01')",
        "rng = np.random.default_rng(7)\nrng.random(3)",
        "np.random.Generator(np.random.PCG64(7))",
        "from urllib.parse import urlsplit",
        "from posixpath import join",
    ],
)
def test_a_pure_line_is_left_alone(line):
    assert impurities("catalogs/a.py", line) == []


BARE = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in {allowed}:
            raise ModuleNotFoundError(f"blocked: {{name}}", name=name)
sys.meta_path.insert(0, Refuse())
import {package}
import rasterio
"""


@pytest.mark.parametrize(
    ("package", "allowed"),
    [("catalogs", ("numpy", "pyarrow", "catalogs")), ("curate", ("numpy", "pyarrow", "catalogs", "curate"))],
)
def test_importing_a_package_takes_numpy_and_pyarrow_only(package, allowed):
    code = BARE.format(package=package, allowed=allowed)
    child = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert child.stderr.splitlines()[-1] == "ModuleNotFoundError: blocked: rasterio", child.stderr
