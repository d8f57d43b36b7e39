"""What processes exchange: keys for the queue and for each other's negatives, images in another order for Shuffle-BN.

Everything works without a process group too, where it costs nothing. Nothing here carries a gradient.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, distributed

from train.draws import permutation


def rank() -> int:
    """Number of this process, from 0."""
    return distributed.get_rank() if _is_started() else 0


def world_size() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if _is_started() else 1


@torch.no_grad()
def gather(tensor: Tensor, *, dim: int = 0) -> Tensor:
    """The tensors of all processes, one after the other.

    Args:
        tensor: Of the same shape and type on every process.
        dim: Along which they are put together.

    Returns:
        In the order of ranks, no gradient; the tensor itself on a single process.
    """
    if world_size() == 1:
        return tensor.detach()
    parts = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for _ in range(world_size())]
    distributed.all_gather(parts, tensor.contiguous())
    return torch.cat(parts, dim)


@torch.no_grad()
def mean_of_all(tensor: Tensor) -> Tensor:
    """The mean of the tensors of all processes, each of the same shape, without gradient."""
    if world_size() == 1:
        return tensor.detach()
    total = tensor.detach().clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(total)
    return total / world_size()


def draw_order(seed: int, call: int, count: int) -> Tensor:
    """A random order that every process finds by itself.

    Args:
        seed: Of the training.
        call: Number of the shuffle, each another order.
        count: Samples of all processes together.

    Returns:
        A permutation of 0 to count - 1, (count,), int64, on the CPU.
    """
    numbers = np.arange(count, dtype=np.uint64)
    return torch.from_numpy(permutation(seed, "shuffle", epoch=call, locations=numbers))


@torch.no_grad()
def exchange(samples: Tensor, order: Tensor) -> Tensor:
    """Reorder samples over all processes: sample i of the whole batch becomes what sample `order[i]` was.

    Each sample travels once, to the process that needs it; a gather would send all of them everywhere.

    Args:
        samples: Of this process, (batch, ...), as many on every process.
        order: A permutation of the samples of all processes, on the CPU, the same on every process.

    Returns:
        The samples that this process now holds, shaped like `samples`. `exchange(., torch.argsort(order))` undoes it.
    """
    count, here = len(samples), rank()
    if world_size() == 1:
        return samples[_onto(order, samples.device)]
    wanted = order.view(world_size(), count)
    sent = [places[places // count == here] - here * count for places in wanted]
    source = wanted[here] // count
    received = torch.empty_like(samples, memory_format=torch.contiguous_format)
    distributed.all_to_all_single(
        received,
        samples[_onto(torch.cat(sent), samples.device)].contiguous(),
        torch.bincount(source, minlength=world_size()).tolist(),
        [len(places) for places in sent],
    )
    return received[_onto(torch.argsort(torch.argsort(source, stable=True)), samples.device)]


def _onto(indexes: Tensor, device: torch.device) -> Tensor:
    """Small indexes on a device, without waiting for it."""
    return indexes.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else indexes


def _is_started() -> bool:
    return distributed.is_available() and distributed.is_initialized()
