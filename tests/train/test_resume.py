"""Killed and resumed is as if nothing had happened: whole commands, one process and two, in the middle of an epoch.

DINO's two processes are torchrun's; SeCo's are forked from a server, which is faster.
"""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.train.forked import LIMIT_S, train_in_processes
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


@pytest.fixture
def start(tmp_path):
    """Begin `train` in processes of its own, and wait for them."""

    def run(*words, processes):
        return train_in_processes(words, tmp_path / "log", processes)

    return run


def torchrun(*words):
    """Begin `train` as users of two devices do, and wait for it."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *launcher, "-m", "train", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT_S)


@pytest.fixture(scope="module")
def whole(catalog, tmp_path_factory):
    """The folder of a training of SeCo that nothing disturbs, made once for each number of processes and precision."""

    @cache
    def run(processes, precision):
        out = tmp_path_factory.mktemp("whole") / "run"
        words = ("seco", "--catalog", catalog, "--precision", precision, *FLAGS, "--out", out)
        ended = train_in_processes(words, out.with_name("log"), processes)
        assert ended.returncode == 0, ended.stderr
        return out

    return run


def last_state(run):
    folder = list_checkpoints(run)[-1]
    return {path.name: read_state(folder) if path.name == "state.pt" else load_rank(path) for path in sorted(folder.iterdir())}


def load_rank(path):
    import torch

    return torch.load(path, weights_only=True)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_killed_and_resumed_ends_in_the_same_bits(catalog, whole, start, tmp_path, processes, precision):
    undisturbed = whole(processes, precision)
    words = ("seco", "--catalog", catalog, "--precision", precision, *FLAGS)
    hook = f"tests.train.test_resume:kill_once={tmp_path / 'marker'}"
    killed = start(*words, "--out", tmp_path / "parts", "--hook", hook, processes=processes)
    assert killed.returncode != 0
    assert [folder.name for folder in list_checkpoints(tmp_path / "parts")] == ["step-00000002"], killed.stderr
    resumed = start("resume", tmp_path / "parts", "--workers", "2", "--device", "cpu", processes=processes)
    assert resumed.returncode == 0, resumed.stderr
    ours, theirs = last_state(undisturbed), last_state(tmp_path / "parts")
    assert len(ours) == 1 + processes
    assert_same_state(ours, theirs)
    weights = [(run / "weights" / "model.safetensors").read_bytes() for run in (undisturbed, tmp_path / "parts")]
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_dino_killed_on_two_processes_and_resumed_ends_in_the_same_bits(catalog, start, tmp_path):
    """With three global crops, a center that both processes share, and pictures that the first one draws."""
    small = ("--out-dim", "64", "--head-hidden", "32", "--bottleneck", "16", "--warmup-epochs", "1", "--local-sizes", "24,16")
    words = ("dino-tp", "--catalog", catalog, *(word if word != BACKBONE else "test_vit" for word in FLAGS), *small)
    whole = start(*words, "--out", tmp_path / "whole", processes=2)
    assert whole.returncode == 0, whole.stderr
    hook = f"tests.train.test_resume:kill_once={tmp_path / 'marker'}"
    killed = torchrun(*words, "--out", tmp_path / "parts", "--hook", hook)
    assert killed.returncode != 0
    assert [folder.name for folder in list_checkpoints(tmp_path / "parts")] == ["step-00000002"], killed.stderr
    resumed = torchrun("resume", tmp_path / "parts", "--workers", "2", "--device", "cpu")
    assert resumed.returncode == 0, resumed.stderr
    ours, theirs = last_state(tmp_path / "whole"), last_state(tmp_path / "parts")
    assert ours["state.pt"]["method"]["center.mean"].any()
    assert_same_state(ours, theirs)
    pictures = [(tmp_path / name / "attention").glob("*") for name in ("whole", "parts")]
    assert len({(path.name, path.read_bytes()) for paths in pictures for path in paths}) == 3


@pytest.mark.slow
def test_two_processes_see_what_one_sees(whole):
    """The queue tells which locations came, in which order; the batch is the same however many compute it."""
    queues = [last_state(whole(processes, "32-true"))["state.pt"]["method"]["queue.locations"] for processes in (1, 2)]
    assert queues[0].equal(queues[1])
