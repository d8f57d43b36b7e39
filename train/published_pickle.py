"""Checkpoints of others, unpickled without running anything of theirs.

A checkpoint is a pickle, and a pickle is a program. Here only tensors, numbers, text and their containers are read, and two
names beyond them. One is a key of a dictionary in SeCo's checkpoints; it stands for itself, and nothing can be made of it. The
other holds the words that DINO's command line was started with; it becomes a thing with attributes and nothing else.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, NoReturn, Self

import torch

from train.errors import CheckpointError

CALLBACK = "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"
"""PyTorch Lightning 1.1 kept the state of callbacks under their classes."""
ARGUMENTS = "argparse.Namespace"
"""DINO's code, and all that came of it, saves the arguments of its command beside the weights."""


def read_checkpoint(path: Path) -> Any:
    """Unpickle plain data, on the CPU; nothing else is made or called.

    Args:
        path: A file that `torch.save` wrote.

    Raises:
        CheckpointError: The file is missing, damaged or of before torch 1.6, or names what is not plain data; the names are
            listed, and nothing of them was run.
    """
    try:
        with torch.serialization.safe_globals([_ModelCheckpoint, _Namespace]):
            unsafe = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(str(path)))
            content = None if unsafe else torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is not there. Give the path of weights.") from error
    except (EOFError, OSError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{path} is no whole checkpoint of torch 1.6 or later ({type(error).__name__}). Nothing of it was run. "
            "Copy it again, or get the weights as safetensors."
        ) from error
    if unsafe:
        raise CheckpointError(
            f"{path} names {', '.join(unsafe)}, which is not plain data: reading it could run code of whoever wrote it, so it "
            f"was not read. Expected tensors, numbers and text, and beyond them only {CALLBACK} and {ARGUMENTS}. "
            "Get the weights as safetensors."
        )
    return content


def read_arguments(thing: object) -> dict[str, Any]:
    """What a command was started with, by name; nothing where that was not kept.

    Args:
        thing: What `read_checkpoint` gave for it.
    """
    return dict(vars(thing)) if isinstance(thing, _Namespace) else {}


class _ModelCheckpoint:
    """Stands for a name. A pickle that wants to make one is no checkpoint of SeCo."""

    def __new__(cls, *_: object) -> NoReturn:
        raise pickle.UnpicklingError(f"it makes a {CALLBACK}, which is only a name here.")


class _Namespace:
    """Attributes by name. It is made of nothing, as pickles make it, and called with nothing."""

    def __new__(cls, *words: object, **named: object) -> Self:
        if words or named:
            raise pickle.UnpicklingError(f"it calls {ARGUMENTS}, which no pickle of one does.")
        return super().__new__(cls)


_ModelCheckpoint.__module__, _, _ModelCheckpoint.__qualname__ = CALLBACK.rpartition(".")
_Namespace.__module__, _, _Namespace.__qualname__ = ARGUMENTS.rpartition(".")
