"""Saving a training and going on exactly where it stopped.

A checkpoint is a folder `checkpoints/step-00000120`: `state.pt` with parameters, buffers, optimizer and step, and for every
process a `rank-00000.pt` with its own batch statistics, which differ between processes. Everything that is drawn hangs on
(seed, step, process), so no generator has a state to save. A folder appears under its name when it is whole and on the
disk, and is read without unpickling any code.

`load_backbone`, which reads the backbone out of a run, an export or a published checkpoint, is `train.weights`'; those who only
read weights find it here.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from train.errors import CheckpointError
from train.run_folder import CHECKPOINTS, Identity, differences
from train.tensors import load_strictly
from train.weights import KINDS, LoadedBackbone, load_backbone

if TYPE_CHECKING:
    from lightning.fabric import Fabric
    from torch.optim import Optimizer

    from train.methods.protocol import Method

__all__ = [
    "KINDS", "LoadedBackbone", "batch_statistics", "list_checkpoints", "load_backbone", "load_checkpoint",
    "read_state", "save_checkpoint",
]  # fmt: skip

VERSION = 1
KEPT = 2
"""Checkpoints that stay; older ones are removed."""
_NAME = re.compile(r"^step-(\d{8})$")


def save_checkpoint(run: Path, fabric: Fabric, method: Method, optimizer: Optimizer, *, step: int, identity: Identity) -> Path:
    """Save a training, by all processes together; older checkpoints but one are removed.

    Args:
        run: The run folder.
        fabric: Of the processes.
        method: Everything that is carried along.
        optimizer: With its moments.
        step: Optimizer steps done.
        identity: What it belongs to.

    Returns:
        The checkpoint's folder.
    """
    folder = run / CHECKPOINTS / f"step-{step:08d}"
    part = folder.with_name(folder.name + ".part")
    if fabric.is_global_zero:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
    fabric.barrier()
    state = {
        "version": VERSION,
        "step": step,
        "processes": fabric.world_size,
        "catalog": identity.catalog,
        "config": identity.config,
        "method": method.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    fabric.save(part / "state.pt", state)
    own = part / _rank_file(fabric.global_rank)
    torch.save(batch_statistics(_module(method)), own)
    for path in (own, part / "state.pt") if fabric.is_global_zero else (own,):
        _flush(path)
    fabric.barrier()
    if fabric.is_global_zero:
        shutil.rmtree(folder, ignore_errors=True)
        _flush(part)
        part.rename(folder)
        _flush(folder.parent)
        for old in list_checkpoints(run)[:-KEPT]:
            shutil.rmtree(old)
    fabric.barrier()
    return folder


def load_checkpoint(folder: Path, fabric: Fabric, method: Method, optimizer: Optimizer, *, identity: Identity) -> int:
    """Put a training back where it was saved.

    Args:
        folder: Of the checkpoint.
        fabric: Of the processes.
        method: Made as it was then; its state is replaced.
        optimizer: The same.
        identity: What the run is now.

    Returns:
        Optimizer steps done.

    Raises:
        CheckpointError: It is not whole, of another version, another catalog or other settings, or its tensors differ.
    """
    state = read_state(folder)
    _refuse_other(folder, Identity(state["catalog"], state["config"]), identity)
    load_strictly(_module(method), state["method"], where=f"Checkpoint {folder}", what="method")
    optimizer.load_state_dict(state["optimizer"])
    own = folder / _rank_file(fabric.global_rank % state["processes"])
    with torch.no_grad():
        buffers = dict(_module(method).named_buffers())
        for name, value in _load(own).items():
            buffers[name].copy_(value)
    return int(state["step"])


def read_state(folder: Path) -> dict[str, Any]:
    """The state of a checkpoint, on the CPU.

    Raises:
        CheckpointError: It is not whole, or of another version.
    """
    state = _load(folder / "state.pt")
    version = state.get("version")
    if version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        raise CheckpointError(
            f"Checkpoint {folder} has version {version}; this seastars reads version {VERSION}. "
            f"{'Upgrade seastars' if newer else 'Train anew'}, or resume it where it was made."
        )
    return state


def list_checkpoints(run: Path) -> list[Path]:
    """Whole checkpoints of a run, the oldest first."""
    return sorted(
        path for path in (run / CHECKPOINTS).glob("step-*") if _NAME.match(path.name) and (path / "state.pt").is_file()
    )


def batch_statistics(module: nn.Module) -> dict[str, Tensor]:
    """Running statistics of every batch normalisation, by the names that `named_buffers` gives them."""
    return {
        f"{name}.{key}": buffer
        for name, each in module.named_modules()
        if isinstance(each, _NormBase)
        for key, buffer in each.named_buffers(recurse=False)
    }


def _module(method: Method) -> nn.Module:
    """A method is a module too, which its protocol cannot say."""
    assert isinstance(method, nn.Module), "a method is a module"
    return method


def _load(path: Path) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path} is not there: the checkpoint is not whole. Remove its folder to go on from an older one."
        ) from error
    except Exception as error:
        raise CheckpointError(
            f"{path} cannot be read ({type(error).__name__}). Remove its folder to go on from an older checkpoint."
        ) from error
    return loaded


def _flush(path: Path) -> None:
    """Put a file, or the names in a folder, on the disk: what outlives a loss of power must not be the name of half a file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rank_file(rank: int) -> str:
    return f"rank-{rank:05d}.pt"


def _refuse_other(folder: Path, theirs: Identity, ours: Identity) -> None:
    """Refuse a checkpoint of another catalog or of other settings; a setting that it does not know yet has its default."""
    advice = f"Resume with what it was made with, or start anew with --init {folder.parent.parent} and another --out."
    if theirs.catalog != ours.catalog:
        raise CheckpointError(
            f"Checkpoint {folder} is of another catalog: of {theirs.catalog}, this run is of {ours.catalog}. {advice}"
        )
    for name, value, other in differences(theirs.settings(), ours.settings()):
        raise CheckpointError(
            f"Checkpoint {folder} is of other settings: {name} was {value!r}, this run has {other!r}. {advice}"
        )
