"""Tensors of all processes with their gradient: what a process makes of another's samples moves them too."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed

from train.alignment_loss import SensorTokens
from train.distributed import gather, rank, world_size


class _Gather(torch.autograd.Function):
    """All processes' tensors; backward, each gets what all the others say of its own, summed."""

    @staticmethod
    def forward(_: Any, tensor: Tensor) -> Tensor:
        return gather(tensor)

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> Tensor:
        sent = gradients[0].contiguous()
        received = torch.empty_like(sent)
        distributed.all_to_all_single(received, sent)
        return received.view(world_size(), -1, *sent.shape[1:]).sum(0)


def gather_with_gradient(tensor: Tensor) -> Tensor:
    """The tensors of all processes, one after the other, with gradient.

    Every process has to go backward through it, in the same order, or the others wait.

    Args:
        tensor: (batch, ...), of the same shape and type on every process.

    Returns:
        (processes * batch, ...), in the order of ranks; the tensor itself on a single process. Its gradient is the sum of what
        the losses of all processes say, so that a mean over processes, as of DistributedDataParallel, is that of the mean loss.
    """
    if world_size() == 1:
        return tensor
    gathered: Tensor = _Gather.apply(tensor)
    return gathered


def gather_tokens(own: SensorTokens) -> tuple[SensorTokens, int]:
    """What the sensors of all processes say, and the number of the first own sample among them.

    Args:
        own: Of this process, as many samples, tokens and sensors on every one.

    Returns:
        For `train.alignment_loss.multi_sensor_alignment`; `own` itself on a single process.
    """
    if world_size() == 1:
        return own, 0
    embeddings = tuple(gather_with_gradient(each) for each in own.embeddings)
    valid = tuple(gather(each) for each in own.valid)
    return SensorTokens(embeddings, valid, gather(own.locations)), rank() * len(own)
