"""Attention of images of several sizes in one call, without padding: torch's jagged tensors know where each image ends.

On a GPU torch takes the kernels for variable lengths of FlashAttention or of memory-efficient attention. On a CPU it has none,
and goes image by image: exact, and slower than size by size.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from train.errors import ConfigError

_FAULTS: tuple[type[Exception], ...] = (getattr(torch, "AcceleratorError", torch.OutOfMemoryError), torch.distributed.DistError)
"""Of a device or of other processes: they surface wherever the device is asked next, and say nothing of attention."""


@dataclass(frozen=True, slots=True, eq=False)
class Lengths:
    """Where the tokens of each image lie in a row."""

    offsets: Tensor
    """Where each image begins, and where the last one ends, (images + 1,), int64."""
    shortest: int
    """Fewest tokens of an image."""
    longest: int
    """Most tokens of an image."""

    @classmethod
    def of(cls, shapes: Sequence[tuple[int, int]], device: torch.device) -> Lengths:
        """Of the images and tokens per image of each size, one size after the other; nothing waits for the device."""
        *begins, total = accumulate((count * tokens for count, tokens in shapes), initial=0)
        parts = [
            begin + tokens * torch.arange(count, device=device) for begin, (count, tokens) in zip(begins, shapes, strict=True)
        ]
        sides = [tokens for _, tokens in shapes]
        return cls(torch.cat([*parts, torch.full((1,), total, device=device)]), min(sides), max(sides))


def attend_jagged(query: Tensor, key: Tensor, value: Tensor, lengths: Lengths, *, dropout: float = 0.0) -> Tensor:
    """What each token finds in the tokens of its own image.

    Args:
        query: Of the tokens of all images in a row, (tokens, heads, dim).
        key: As `query`.
        value: As `query`.
        lengths: Which of them are of one image.
        dropout: Rate at which weights are dropped.

    Returns:
        (tokens, heads, dim), as `scaled_dot_product_attention` gives them for each image alone.

    Raises:
        ConfigError: torch cannot compute it on this device.

    References:
        Dao et al., FlashAttention, https://arxiv.org/abs/2205.14135
    """
    try:
        with _means_of(query.device):
            queries, keys, values = (_jagged(each.to(value.dtype).contiguous(), lengths) for each in (query, key, value))
            return scaled_dot_product_attention(queries, keys, values, dropout_p=dropout).transpose(1, 2).values()
    except torch.OutOfMemoryError:
        raise
    except _FAULTS:
        raise
    except RuntimeError as error:
        raise ConfigError(
            f"torch {torch.__version__} cannot attend over crops of several sizes in one call on {query.device.type}: "
            f"{str(error).strip().splitlines()[0]} Leave --pack-attention away: it then is computed size by size."
        ) from error


def _jagged(row: Tensor, lengths: Lengths) -> Tensor:
    """A row (tokens, heads, dim) as (images, heads, tokens of each, dim)."""
    made = torch.nested.nested_tensor_from_jagged(row, lengths.offsets, min_seqlen=lengths.shortest, max_seqlen=lengths.longest)
    return made.transpose(1, 2)


@contextmanager
def _means_of(device: torch.device) -> Iterator[None]:
    """On a CPU, have torch go image by image without asking after a GPU, nor saying that nested tensors are a prototype."""
    if device.type != "cpu":
        yield
        return
    with sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The PyTorch API of nested tensors is in prototype stage", UserWarning)
        yield
