"""Whole commands of the methods on two processes: stopped and resumed is as if nothing had happened, in bf16.

SeCo, DINO-TP and X-STARS are killed instead, in test_resume and test_x_stars_training.
"""

import pytest
import torch

from tests.train.forked import train_in_processes
from tests.train.test_loop import assert_same_state
from tests.train.test_resume import last_state
from tests.train.trainings import tiny_catalog
from train.checkpoint import list_checkpoints

FLAGS = ("--size-px", "32", "--batch-size", "4", "--epochs", "1", "--bands", "B04,B08")
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


def start(folder, *words, processes=2):
    ended = train_in_processes((*words, "--workers", "0", "--device", "cpu"), folder / "log", processes)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_stopped_on_two_processes_and_resumed_ends_in_the_same_bits(catalog, tmp_path, method):
    words = (method, "--catalog", catalog, *FLAGS, "--precision", "bf16-mixed", *METHODS[method])
    start(tmp_path, *words, "--out", tmp_path / "whole")
    start(tmp_path, *words, "--out", tmp_path / "parts", "--steps", "2")
    assert [folder.name for folder in list_checkpoints(tmp_path / "parts")] == ["step-00000002"]
    start(tmp_path, "resume", tmp_path / "parts")
    whole, parts = last_state(tmp_path / "whole"), last_state(tmp_path / "parts")
    assert len(whole) == 3, "what both share, and what each has of its own"
    assert_same_state(whole, parts)
    weights = [(tmp_path / name / "weights" / "model.safetensors").read_bytes() for name in ("whole", "parts")]
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_resumed_by_another_number_of_processes_sees_the_same_samples_and_ends_in_the_same_weights_up_to_rounding(
    catalog, tmp_path
):
    """Of a network without batch statistics, which each process has of its own."""
    words = ("moco", "--catalog", catalog, *FLAGS, "--precision", "32-true", "--backbone", "test_vit")
    start(tmp_path, *words, "--out", tmp_path / "whole", processes=1)
    whole = last_state(tmp_path / "whole")["state.pt"]
    for before, after in ((1, 2), (2, 1)):
        run = tmp_path / f"{before}-{after}"
        start(tmp_path, *words, "--out", run, "--steps", "2", processes=before)
        start(tmp_path, "resume", run, processes=after)
        ended = last_state(run)
        found = ended["state.pt"]
        assert (len(ended), found["step"], found["processes"]) == (1 + after, 3, after)
        assert found["method"]["queue.locations"].equal(whole["method"]["queue.locations"])
        for name, value in whole["method"].items():
            torch.testing.assert_close(found["method"][name], value, rtol=1e-4, atol=1e-5, msg=name)
