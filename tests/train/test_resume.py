"""Killed and resumed is as if nothing had happened: whole commands, one process and two, in the middle of an epoch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.train.test_loop import assert_same_state
from tests.train.trainings import BACKBONE, tiny_catalog
from train.checkpoint import list_checkpoints, read_state

FLAGS = (
    "--backbone", BACKBONE, "--size-px", "32", "--batch-size", "4", "--epochs", "2", "--bands", "B04,B08", "--device", "cpu",
    "--workers", "2", "--checkpoint-every", "2", "--log-every", "2",
)  # fmt: skip
"""Three steps are an epoch; checkpoints after 2, 4 and 6."""


def kill_once(context, marker):
    """A hook: kill the process at the end of the first epoch, a step after a checkpoint, the first time it is called."""
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), 9)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return tiny_catalog(tmp_path_factory.mktemp("catalog") / "tiny")


def start(*words, processes=1):
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *launcher, "-m", "train", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)


def last_state(run):
    folder = list_checkpoints(run)[-1]
    return {path.name: read_state(folder) if path.name == "state.pt" else load_rank(path) for path in sorted(folder.iterdir())}


def load_rank(path):
    import torch

    return torch.load(path, weights_only=True)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_killed_and_resumed_ends_in_the_same_bits(catalog, tmp_path, processes, precision):
    words = ("seco", "--catalog", catalog, "--precision", precision, *FLAGS)
    whole = start(*words, "--out", tmp_path / "whole", processes=processes)
    assert whole.returncode == 0, whole.stderr
    hook = f"tests.train.test_resume:kill_once={tmp_path / 'marker'}"
    killed = start(*words, "--out", tmp_path / "parts", "--hook", hook, processes=processes)
    assert killed.returncode != 0
    assert [folder.name for folder in list_checkpoints(tmp_path / "parts")] == ["step-00000002"], killed.stderr
    resumed = start("resume", tmp_path / "parts", "--workers", "2", "--device", "cpu", processes=processes)
    assert resumed.returncode == 0, resumed.stderr
    ours, theirs = last_state(tmp_path / "whole"), last_state(tmp_path / "parts")
    assert len(ours) == 1 + processes
    assert_same_state(ours, theirs)
    weights = [(tmp_path / name / "weights" / "model.safetensors").read_bytes() for name in ("whole", "parts")]
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_dino_killed_on_two_processes_and_resumed_ends_in_the_same_bits(catalog, tmp_path):
    """With three global crops, a center that both processes share, and pictures that the first one draws."""
    small = ("--out-dim", "64", "--head-hidden", "32", "--bottleneck", "16", "--warmup-epochs", "1", "--local-sizes", "24,16")
    words = ("dino-tp", "--catalog", catalog, *(word if word != BACKBONE else "test_vit" for word in FLAGS), *small)
    whole = start(*words, "--out", tmp_path / "whole", processes=2)
    assert whole.returncode == 0, whole.stderr
    hook = f"tests.train.test_resume:kill_once={tmp_path / 'marker'}"
    killed = start(*words, "--out", tmp_path / "parts", "--hook", hook, processes=2)
    assert killed.returncode != 0
    resumed = start("resume", tmp_path / "parts", "--workers", "2", "--device", "cpu", processes=2)
    assert resumed.returncode == 0, resumed.stderr
    ours, theirs = last_state(tmp_path / "whole"), last_state(tmp_path / "parts")
    assert ours["state.pt"]["method"]["center.mean"].any()
    assert_same_state(ours, theirs)
    pictures = [(tmp_path / name / "attention").glob("*") for name in ("whole", "parts")]
    assert len({(path.name, path.read_bytes()) for paths in pictures for path in paths}) == 3


@pytest.mark.slow
def test_two_processes_see_what_one_sees(catalog, tmp_path):
    """The queue tells which locations came, in which order; the batch is the same however many compute it."""
    words = ("seco", "--catalog", catalog, *FLAGS)
    queues = []
    for processes in (1, 2):
        ended = start(*words, "--out", tmp_path / str(processes), processes=processes)
        assert ended.returncode == 0, ended.stderr
        queues.append(last_state(tmp_path / str(processes))["state.pt"]["method"]["queue.locations"])
    assert queues[0].equal(queues[1])
