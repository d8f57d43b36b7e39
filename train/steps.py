"""One optimizer step, and what surrounds the loop: devices, rates, seeds, running out of memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW
from torch.optim import Optimizer as TorchOptimizer

from train.errors import MemoryShortError
from train.schedules import learning_rate

if TYPE_CHECKING:
    from lightning.fabric import Fabric
    from lightning.fabric.wrappers import _FabricModule

    from train.config import Optimizer, TrainConfig
    from train.dataset import Batch
    from train.methods.protocol import Method
    from train.views import ViewMaker


def make_optimizer(settings: Optimizer, parameters: Sequence[nn.Parameter]) -> TorchOptimizer:
    """The optimizer, fused: one kernel for all weights."""
    if settings.name == "sgd":
        return SGD(parameters, settings.lr, momentum=settings.momentum, weight_decay=settings.weight_decay, fused=True)
    return AdamW(parameters, settings.lr, weight_decay=settings.weight_decay, fused=True)


def set_rate(optimizer: TorchOptimizer, settings: Optimizer, step: int, *, steps: int, steps_per_epoch: int) -> float:
    """Set and give the learning rate of a step."""
    rate = learning_rate(settings, step, steps=steps, steps_per_epoch=steps_per_epoch)
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate


def seed_step(seed: int, step: int, rank: int) -> None:
    """Make what a network draws by itself, such as dropped paths, a function of (seed, step, process)."""
    torch.manual_seed(((seed * 1_000_003 + step) * 4_099 + rank) & 0x7FFF_FFFF_FFFF_FFFF)


def train_step(
    fabric: Fabric, method: Method, optimizer: TorchOptimizer, parts: Sequence[Batch], *, maker: ViewMaker, config: TrainConfig
) -> dict[str, Tensor]:
    """Move the weights once.

    Args:
        fabric: Of the processes.
        method: What computes the loss.
        optimizer: What moves the weights.
        parts: The batch, in parts whose gradients are averaged.
        maker: Makes views of raw scenes.
        config: Views and clipping.

    Returns:
        The loss terms, averaged over the parts, without gradient.
    """
    optimizer.zero_grad(set_to_none=True)
    totals: dict[str, Tensor] = {}
    for number, part in enumerate(parts):
        views = make_views(part, maker=maker, config=config)
        student = cast("_FabricModule", method.student)
        with fabric.no_backward_sync(student, enabled=number < len(parts) - 1):
            terms = method(views, part)
            fabric.backward(torch.stack(list(terms.values())).sum() / len(parts))
        for name, value in terms.items():
            totals[name] = totals.get(name, 0) + value.detach() / len(parts)
    if config.optimizer.max_norm is not None:
        torch.nn.utils.clip_grad_norm_(method.student.parameters(), config.optimizer.max_norm)
    optimizer.step()
    method.after_step()
    return totals


def make_views(batch: Batch, *, maker: ViewMaker, config: TrainConfig) -> list[Tensor]:
    """The views of a batch, each (batch, bands, height, width), normalised float32."""
    views = []
    for view, parameters in zip(config.views, batch.parameters, strict=True):
        scene = view.scene
        made, _ = maker(
            [pixels[:, scene] for pixels in batch.pixels],
            batch.scale[:, scene],
            batch.offset[:, scene],
            view,
            parameters,
            all_valid=batch.all_valid,
        )
        views.append(made.contiguous(memory_format=torch.channels_last) if config.channels_last else made)
    return views


@contextmanager
def memory_words(config: TrainConfig, device: torch.device) -> Iterator[None]:
    """Turn running out of device memory into what to lower.

    Raises:
        MemoryShortError: The device cannot hold the batch.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryShortError(
            f"{_device_name(device)} cannot hold {config.batch_size // config.accumulate} locations at a time with "
            f"{config.backbone} and views of {config.views[0].crop.size_px} px. Pass --accumulate {2 * config.accumulate} (the "
            "same batch in smaller parts), or a smaller --batch-size, --size-px or --backbone, in another --out."
        ) from error


def _device_name(device: torch.device) -> str:
    if device.type != "cuda":
        return f"The {device.type}"
    properties: Any = torch.cuda.get_device_properties(device)
    return f"{properties.name} ({properties.total_memory / 2**30:.0f} GiB)"
