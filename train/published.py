"""Weights that others published, read without running anything of theirs, and named as timm names them.

A checkpoint is a pickle, and a pickle is a program. Here only tensors, numbers, text and their containers are read, and one
class name that SeCo's checkpoints hold as a key of a dictionary; it stands for itself, and nothing can be made of it.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import torch

from train.config import InputSpec
from train.errors import CheckpointError
from train.scaling import IMAGENET, SECO_RANGES

if TYPE_CHECKING:
    from torch import Tensor

CALLBACK = "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"
"""The one name beyond plain data: PyTorch Lightning 1.1 kept the state of callbacks under their classes."""
SECO_BANDS = ("B04", "B03", "B02")
"""The channels of SeCo's weights, in their order: red, green, blue."""
SECO_INPUT = InputSpec(
    sensor="sentinel-2-l2a",
    bands=SECO_BANDS,
    low=tuple(SECO_RANGES[band][0] for band in SECO_BANDS),
    high=tuple(SECO_RANGES[band][1] for band in SECO_BANDS),
    mean=tuple(IMAGENET[band][0] for band in SECO_BANDS),
    std=tuple(IMAGENET[band][1] for band in SECO_BANDS),
    size_px=224,
)
"""What SeCo's weights were trained on: the quantiles of its released code, as reflectance, then ImageNet's normalisation."""
_SEQUENTIAL = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
_RESNETS: dict[tuple[str, tuple[int, ...]], str] = {
    ("conv2", (2, 2, 2, 2)): "resnet18",
    ("conv2", (3, 4, 6, 3)): "resnet34",
    ("conv3", (3, 4, 6, 3)): "resnet50",
    ("conv3", (3, 4, 23, 3)): "resnet101",
}
"""The last convolution of a block and the blocks of each stage, of what torchvision calls by these names, and timm too."""


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """A published backbone."""

    timm_name: str
    """What timm calls it."""
    tensors: dict[str, Tensor]
    """By timm's names."""
    spec: InputSpec
    """What it was trained on."""


def read_published(path: Path) -> Published:
    """Read a published checkpoint. So far SeCo's: `seco_resnet18_100k.ckpt` and its like.

    Raises:
        CheckpointError: The file is missing or damaged, holds more than plain data, or is of a layout that we do not know.

    References:
        https://github.com/ServiceNow/seasonal-contrast, `models/moco2_module.py`
    """
    content = read_checkpoint(path)
    state = content.get("state_dict") if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not any(str(name).startswith("encoder_q.") for name in state):
        keys = sorted(map(str, state or content))[:3] if isinstance(content, Mapping) else [type(content).__name__]
        raise CheckpointError(
            f"{path} is of a layout that we do not know: it holds {', '.join(keys)} ... Expected SeCo's, with encoder_q.* "
            "under state_dict, or the folder of an export or a run."
        )
    return convert_seco(state, str(path))


def convert_seco(state: Mapping[str, Tensor], where: str) -> Published:
    """The query encoder of a SeCo checkpoint, which is torchvision's ResNet as a sequence; its heads and queue are left out.

    Args:
        state: Its `state_dict`.
        where: What to call it in an error.

    Raises:
        CheckpointError: The encoder is no ResNet that we know.
    """
    tensors = {}
    for name, tensor in state.items():
        encoder, _, rest = name.partition(".")
        if encoder != "encoder_q":
            continue
        number, _, rest = rest.partition(".")
        if number not in _SEQUENTIAL:
            raise CheckpointError(f"{where} has {name}, which no encoder of SeCo has. Expected encoder_q.0, 1 and 4 to 7.")
        tensors[f"{_SEQUENTIAL[number]}.{rest}"] = tensor
    last, blocks = _shape(tensors)
    if (last, blocks) not in _RESNETS:
        raise CheckpointError(
            f"{where} is no ResNet that we know: its stages have {', '.join(map(str, blocks))} blocks. "
            f"Expected one of {', '.join(_RESNETS.values())}."
        )
    return Published(_RESNETS[last, blocks], tensors, SECO_INPUT)


def _shape(names: Collection[str]) -> tuple[str, tuple[int, ...]]:
    """What tells ResNets apart: the last convolution of a block, and the blocks of each stage."""
    last = "conv3" if "layer1.0.conv3.weight" in names else "conv2"
    found = [re.fullmatch(rf"layer(\d)\.\d+\.{last}\.weight", name) for name in names]
    stages = [int(each[1]) for each in found if each]
    return last, tuple(stages.count(stage) for stage in range(1, 5))


def read_checkpoint(path: Path) -> Any:
    """Unpickle plain data, on the CPU; nothing else is made or called.

    Args:
        path: A file that `torch.save` wrote.

    Raises:
        CheckpointError: The file is missing, damaged or of before torch 1.6, or names what is not plain data; the names are
            listed, and nothing of them was run.
    """
    try:
        with torch.serialization.safe_globals([_ModelCheckpoint]):
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
            f"was not read. Expected tensors, numbers and text, and beyond them only {CALLBACK}. "
            "Get the weights as safetensors."
        )
    return content


class _ModelCheckpoint:
    """Stands for a name. A pickle that wants to make one is no checkpoint of SeCo."""

    def __new__(cls, *_: object) -> NoReturn:
        raise pickle.UnpicklingError(f"it makes a {CALLBACK}, which is only a name here.")


_ModelCheckpoint.__module__, _, _ModelCheckpoint.__qualname__ = CALLBACK.rpartition(".")
