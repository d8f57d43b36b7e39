"""One optimizer step, and what surrounds the loop: devices, rates, seeds, running out of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW
from torch.optim import Optimizer as TorchOptimizer

from train.errors import MemoryShortError
from train.schedules import learning_rate, weight_decay

if TYPE_CHECKING:
    from lightning.fabric import Fabric
    from lightning.fabric.wrappers import _FabricModule

    from train.config import Optimizer, TrainConfig
    from train.dataset import Batch
    from train.methods.protocol import Method
    from train.views import ViewMaker


def make_optimizer(settings: Optimizer, student: nn.Module) -> TorchOptimizer:
    """The optimizer of what a student learns, fused: one kernel for all weights.

    Args:
        settings: Which, its rates, and which weights decay.
        student: Without a wrapper.
    """
    groups = group_parameters(student, settings.decays)
    if settings.name == "sgd":
        return _begin_momentum(
            SGD(groups, settings.lr, momentum=settings.momentum, weight_decay=settings.weight_decay, fused=True)
        )
    return AdamW(groups, settings.lr, weight_decay=settings.weight_decay, fused=True)


def group_parameters(student: nn.Module, decays: str) -> list[dict[str, Any]]:
    """The parameters that are learned, those without weight decay in a group of their own (`decays` false).

    Args:
        student: Whose.
        decays: `all`, `matrices` or `kernels`; see `train.config.Optimizer`.

    References:
        Caron et al., DINO, released code, `utils.py`, `get_params_groups`, for `matrices`.
    """
    learned = {name: each for name, each in student.named_parameters() if each.requires_grad}
    if decays == "all":
        return [{"params": list(learned.values())}]
    spared = _tokens(student) if decays == "kernels" else set()
    spared |= {name for name, each in learned.items() if each.ndim == 1 or name.endswith(".bias")}
    parted = [[each for name, each in learned.items() if (name in spared) is apart] for apart in (False, True)]
    return [{"params": parted[0]}, {"params": parted[1], "weight_decay": 0.0, "decays": False}]


def set_rates(optimizer: TorchOptimizer, settings: Optimizer, step: int, *, steps: int, steps_per_epoch: int) -> float:
    """Set the learning rate and the weight decay of a step; give the learning rate."""
    rate = learning_rate(settings, step, steps=steps, steps_per_epoch=steps_per_epoch)
    decay = weight_decay(settings, step, steps=steps)
    for group in optimizer.param_groups:
        group["lr"] = rate
        group["weight_decay"] = decay if group.get("decays", True) else 0.0
    return rate


@torch.no_grad()
def clip_gradients(parameters: Iterable[nn.Parameter], settings: Optimizer) -> None:
    """Shrink gradients that are longer than `max_norm`: all together, or each by itself; nothing waits for the device."""
    if settings.max_norm is None:
        return
    if not settings.clip_each:
        torch.nn.utils.clip_grad_norm_(parameters, settings.max_norm)
        return
    gradients = [each.grad for each in parameters if each.grad is not None]
    shares = [(settings.max_norm / (norm + 1e-6)).clamp(max=1) for norm in torch._foreach_norm(gradients)]  # noqa: SLF001, as torch itself clips
    torch._foreach_mul_(gradients, shares)


def seed_step(seed: int, step: int, rank: int) -> None:
    """Make what a network draws by itself, such as dropped paths, a function of (seed, step, process)."""
    torch.manual_seed(((seed * 1_000_003 + step) * 4_099 + rank) & 0x7FFF_FFFF_FFFF_FFFF)


def train_step(
    fabric: Fabric,
    method: Method,
    optimizer: TorchOptimizer,
    parts: Sequence[Any],
    *,
    make: Callable[[Any], Any],
    config: TrainConfig,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Move the weights once.

    Args:
        fabric: Of the processes.
        method: What computes the loss.
        optimizer: What moves the weights.
        parts: The batch, in parts whose gradients are averaged.
        make: Makes of a part what the method sees, see `train.feeding`.
        config: Clipping.

    Returns:
        The loss terms, averaged over the parts, without gradient; and the method's diagnostics, scalars averaged alike, its
        features of the last part.
    """
    optimizer.zero_grad(set_to_none=True)
    totals: dict[str, Tensor] = {}
    found: dict[str, Tensor] = {}
    for number, part in enumerate(parts):
        views = make(part)
        student = cast("_FabricModule", method.student)
        with fabric.no_backward_sync(student, enabled=number < len(parts) - 1):
            terms = method(views, part)
            fabric.backward(torch.stack(list(terms.values())).sum() / len(parts))
        for name, value in terms.items():
            totals[name] = totals.get(name, 0) + value.detach() / len(parts)
        for name, value in method.diagnostics().items():
            found[name] = value if value.ndim else found.get(name, 0) + value / len(parts)
    for parameter in method.frozen():
        parameter.grad = None
    clip_gradients(method.student.parameters(), config.optimizer)
    optimizer.step()
    method.after_step()
    return totals, found


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
        parts = "the same batch in smaller parts" + (", each with fewer negatives to align with" if config.alignment else "")
        raise MemoryShortError(
            f"{_device_name(device)} cannot hold {config.batch_size // config.accumulate} locations at a time with "
            f"{config.backbone} and views of {config.views[0].crop.size_px} px. Pass --accumulate {2 * config.accumulate} "
            f"({parts}), or a smaller --batch-size, --size-px or --backbone, in another --out."
        ) from error


def _begin_momentum(optimizer: SGD) -> SGD:
    """Begin every weight's momentum at 0, which is what torch does at a weight's first step.

    Its fused kernel takes no weight that joins later than the others, as prototypes do that were frozen.
    """
    for group in optimizer.param_groups:
        for weight in group["params"] if group["momentum"] else ():
            optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
    return optimizer


def _tokens(student: nn.Module) -> set[str]:
    """Names of what a network says never decays: class token, position embeddings, tables of relative positions."""
    names = set()
    for path, module in student.named_modules():
        exempt: Any = getattr(module, "no_weight_decay", None)
        if exempt is not None:
            names |= {f"{path}.{name}".lstrip(".") for name in exempt()}
    return names


def _device_name(device: torch.device) -> str:
    if device.type != "cuda":
        return f"The {device.type}"
    properties: Any = torch.cuda.get_device_properties(device)
    return f"{properties.name} ({properties.total_memory / 2**30:.0f} GiB)"
