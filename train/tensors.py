"""Named tensors as bytes, and the words for those that do not fit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from train.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor, nn

METADATA = {"format": "pt"}
"""What loaders of other libraries look for in a safetensors file."""


def encode_tensors(tensors: Mapping[str, Tensor]) -> bytes:
    """Tensors as a safetensors file; the same tensors give the same bytes, whatever their device, order and memory format."""
    from safetensors.torch import save

    plain = {name: each.detach().cpu().clone(memory_format=torch.contiguous_format) for name, each in tensors.items()}
    return save(plain, METADATA)


def hash_tensors(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the file that `encode_tensors` makes: one name for weights, wherever they came from."""
    return hashlib.sha256(encode_tensors(tensors)).hexdigest()


def decode_tensors(content: bytes, where: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file.

    Args:
        content: Its bytes.
        where: What to call it in an error.

    Raises:
        CheckpointError: It is no such file, or a part of one.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(content)
    except SafetensorError as error:
        raise CheckpointError(f"{where} is no whole safetensors file: {error}. Copy or export it again.") from error


def load_strictly(module: nn.Module, tensors: Mapping[str, Tensor], *, where: str, what: str = "backbone") -> None:
    """Load tensors into a module where every one must fit.

    Args:
        module: What they go into; nothing of it changes unless all fit.
        tensors: By name.
        where: What to call their origin in an error.
        what: What to call the module in an error.

    Raises:
        CheckpointError: A tensor lacks, is unknown or has another shape; the message counts them, names the first and says what
            to do.
    """
    own = module.state_dict()
    lacking = [name for name in own if name not in tensors]
    unknown = [name for name in tensors if name not in own]
    unlike = [name for name in own if name in tensors and own[name].shape != tensors[name].shape]
    found = []
    if lacking:
        found.append(f"lacks {len(lacking)} of {len(own)} {what} tensors (first: {lacking[0]})")
    if unknown:
        found.append(f"has {len(unknown)} that the {what} does not know (first: {unknown[0]})")
    if unlike:
        first = unlike[0]
        shapes = f"{first}, {tuple(tensors[first].shape)} for {tuple(own[first].shape)}"
        found.append(f"has {len(unlike)} of {len(own)} {what} tensors in another shape (first: {shapes})")
    if found:
        only_shapes = not lacking and not unknown
        advice = _advice(unlike[0], own[unlike[0]], tensors[unlike[0]]) if only_shapes else None
        raise CheckpointError(
            f"{where} {' and '.join(found)}. {advice or f'It was made with another {what}: give the one it was made with.'}"
        )
    module.load_state_dict(dict(tensors))


def _advice(name: str, own: Tensor, other: Tensor) -> str | None:
    """What the first tensor of another shape tells of how weights were made."""
    if own.ndim == other.ndim == 4 and own.shape[0] == other.shape[0] and own.shape[1] != other.shape[1]:
        return (
            f"It was trained with {other.shape[1]} bands, here are {own.shape[1]}. Pass --bands with those it was trained "
            "with, or take weights of these bands."
        )
    if name.endswith("relative_position_bias_table"):
        return (
            f"Its windows have {other.shape[0]} relative positions, here are {own.shape[0]}: it was made for images of another "
            "size. Give views of that size."
        )
    if own.ndim == other.ndim == 3 and own.shape[-1] == other.shape[-1]:
        return (
            f"Its position embeddings are of {other.shape[1]} tokens, here are {own.shape[1]}: it was trained with images of "
            "another size. Give views of that size."
        )
    return None
