"""Processes that begin where torch, timm and Lightning are imported already, which takes each new one five seconds.

They are forked from a server of this test process that imports, and does nothing else; so they share no state with the tests.
"""

import os
import socket
import time
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path

import torch

PRELOADED = ["timm", "lightning.fabric", "train.cli", "train.loop", "train.prepare", "train.methods"]
LIMIT_S = 300


@dataclass(frozen=True)
class Ended:
    """What became of the processes of one command."""

    returncode: int
    """0, or that of the first that failed; negative for a signal."""
    stderr: str
    """What all of them said."""


def forking() -> ForkServerContext:
    """Where processes that are forked from the server are made."""
    context: ForkServerContext = torch.multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def train_in_processes(words: tuple[object, ...], log: Path, count: int) -> Ended:
    """`train` with some words, in one process or in several as torchrun starts them; one that fails ends the others."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [str(word) for word in words]
    ranks = [forking().Process(target=_train, args=(command, log, rank, count, port)) for rank in range(count)]
    for rank in ranks:
        rank.start()
    deadline = time.monotonic() + LIMIT_S
    while any(rank.is_alive() for rank in ranks) and not any(rank.exitcode for rank in ranks) and time.monotonic() < deadline:
        time.sleep(0.05)
    failed = [rank.exitcode for rank in ranks if rank.exitcode]
    for rank in ranks:
        rank.kill()
        rank.join()
    codes = failed or [rank.exitcode for rank in ranks if rank.exitcode]
    return Ended(codes[0] if codes else 0, log.read_text())


def _train(command: list[str], log: Path, rank: int, count: int, port: int) -> None:
    with log.open("a") as words:
        os.dup2(words.fileno(), 1)
        os.dup2(words.fileno(), 2)
    if count > 1:
        places = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": port}
        os.environ |= {name: str(value) for name, value in (places | meeting).items()}
    torch.set_num_threads(1)
    torch.multiprocessing.set_start_method("fork", force=True)  # of the loader's workers, as it is anywhere else
    from train.cli import main

    main(command)
