"""Learning rates by depth: the nearer a layer is to the pixels, the less fine-tuning moves it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from torch import nn


def layer_groups(
    backbone: nn.Module, head: nn.Module, *, lr: float, layer_decay: float, weight_decay: float
) -> list[dict[str, Any]]:
    """Parameters of a backbone and its head, grouped for an optimizer.

    A layer's learning rate is ``lr * layer_decay ** (layers between it and the head, it included)``; the head's own is `lr`.
    What a layer is, timm says of each of its networks: a block of a ResNet, a ViT or a Swin, and what comes before the first
    block; a norm that belongs to the head learns as the head does. Biases, norms and whatever else has one dimension, and what
    a network names itself (position embeddings, class tokens), have no weight decay.

    Args:
        backbone: One of timm's.
        head: What was put on it.
        lr: Learning rate of the head.
        layer_decay: Above 0 and at most 1; 1 moves all layers alike.
        weight_decay: Of the others.

    Returns:
        Groups with `params`, `lr`, `weight_decay` and `lr_scale`, which is `lr` over the head's; each parameter is in one.

    References:
        ELECTRA, https://arxiv.org/abs/2003.10555, and BEiT, https://arxiv.org/abs/2106.08254, where it comes from.
    """
    from timm.optim import param_groups_layer_decay  # type: ignore[attr-defined]  # timm does not declare what it re-exports

    spared: Collection[str] = getattr(backbone, "no_weight_decay", tuple)()
    groups: list[dict[str, Any]] = param_groups_layer_decay(
        backbone, weight_decay=weight_decay, no_weight_decay_list=spared, layer_decay=layer_decay
    )
    has_norm_above = any(name.startswith(("head.", "fc_norm.")) for name, _ in backbone.named_parameters())
    for group in groups:
        group["lr_scale"] *= 1.0 if has_norm_above else layer_decay  # timm counts such a norm as a part of the head
    for flat in (False, True):
        params = [each for each in head.parameters() if (each.ndim <= 1) == flat]
        groups.append({"params": params, "lr_scale": 1.0, "weight_decay": 0.0 if flat else weight_decay})
    return [{**group, "lr": lr * group["lr_scale"]} for group in groups]
