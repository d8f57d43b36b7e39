"""Whole commands of the methods on two processes, in bf16: stopped and resumed is as if nothing had happened.

SeCo, DINO-TP and X-STARS are killed instead, in test_resume and test_x_stars_training.
"""

import pytest

from tests.train.forked import train_in_processes
from tests.train.test_loop import assert_same_state
from tests.train.test_resume import last_state
from tests.train.trainings import tiny_catalog
from train.checkpoint import list_checkpoints

FLAGS = (
    "--size-px", "32", "--batch-size", "4", "--epochs", "1", "--bands", "B04,B08", "--precision", "bf16-mixed",
)  # fmt: skip
"""An epoch of three steps."""
SMALL_HEAD = ("--out-dim", "64", "--head-hidden", "32", "--bottleneck", "16", "--warmup-epochs", "0.5", "--drop-path", "0.3")
METHODS = {
    "moco": ("--backbone", "test_resnet"),
    "moco-tp": ("--backbone", "test_resnet"),
    "dino": ("--backbone", "test_resnet", "--local-sizes", "24,24", *SMALL_HEAD[:-2]),
    "dino-mc": ("--backbone", "test_vit", "--local-sizes", "24,16", *SMALL_HEAD),
}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return tiny_catalog(tmp_path_factory.mktemp("catalog") / "tiny")


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_stopped_on_two_processes_and_resumed_ends_in_the_same_bits(catalog, tmp_path, method):
    def start(*words):
        ended = train_in_processes((*words, "--workers", "0", "--device", "cpu"), tmp_path / "log", 2)
        assert ended.returncode == 0, ended.stderr

    words = (method, "--catalog", catalog, *FLAGS, *METHODS[method])
    start(*words, "--out", tmp_path / "whole")
    start(*words, "--out", tmp_path / "parts", "--steps", "2")
    assert [folder.name for folder in list_checkpoints(tmp_path / "parts")] == ["step-00000002"]
    start("resume", tmp_path / "parts")
    whole, parts = last_state(tmp_path / "whole"), last_state(tmp_path / "parts")
    assert len(whole) == 3, "what both share, and what each has of its own"
    assert_same_state(whole, parts)
    weights = [(tmp_path / name / "weights" / "model.safetensors").read_bytes() for name in ("whole", "parts")]
    assert weights[0] == weights[1]
