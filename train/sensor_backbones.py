"""One ViT for several sensors: a trunk that all share, and for each the layer that cuts its images into tokens."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from train.backbones import family_of
from train.errors import ConfigError

VITS = ("vision_transformer", "deit")
"""timm's families of plain ViTs."""
REMEDY = "Choose a ViT with a class token, such as vit_small_patch16_224 or vit_tiny_patch16_224."


def share_trunk(
    backbone: nn.Module,
    bands: Mapping[str, int],
    *,
    shared: bool = False,
    encoded: str | None = None,
    embeddings: Mapping[str, nn.Module] | None = None,
) -> nn.ModuleDict:
    """Backbones of several sensors that are one but for their patch embeddings.

    Each is a ViT as timm makes it and works like any other: it holds the very same modules and parameters as its siblings, in a
    table of its own, where the patch embedding is another. What moves the trunk of one moves that of all. Together they have
    every parameter once, and copies and state dicts of them keep that; their state dict names the trunk once per sensor.

    Args:
        backbone: A ViT with a class token. It becomes a part of what is returned.
        bands: Of each sensor, by its id.
        shared: Take its patch embedding for all sensors: all backbones are one module.
        encoded: The sensor that its patch embedding is for, and stays with; the first where none.
        embeddings: Patch embeddings that other sensors begin with a copy of, by their ids, such as learnt ones; those that are
            not among them begin with one drawn as timm draws it.

    Returns:
        A backbone for each sensor, by its id, in the order of `bands`.

    Raises:
        ConfigError: It is no ViT with a class token, or its one patch embedding cannot take the bands of a sensor.
    """
    vit = as_vit(backbone)
    own = vit.patch_embed.proj.in_channels
    if shared:
        _check_same_bands(bands, own)
        return nn.ModuleDict(dict.fromkeys(bands, backbone))
    encoded, given = encoded or next(iter(bands)), embeddings or {}
    backbones = {}
    for sensor, count in bands.items():
        takes_own = sensor == encoded and count == own
        embedding = vit.patch_embed if takes_own else _like(vit.patch_embed, count, given.get(sensor))
        backbones[sensor] = _with_embedding(backbone, embedding)
    return nn.ModuleDict(backbones)


def as_vit(backbone: nn.Module) -> Any:
    """A backbone, known to be a ViT that tokens of ground can be had of.

    Raises:
        ConfigError: It is another network, or has no class token.
    """
    from timm.layers.patch_embed import PatchEmbed
    from timm.models.vision_transformer import VisionTransformer

    is_vit = isinstance(backbone, VisionTransformer) and type(backbone.patch_embed) is PatchEmbed
    if not is_vit or cast("Any", backbone).cls_token is None:
        kind = f"{type(backbone).__name__}{' without a class token' if is_vit else ''}"
        raise ConfigError(f"A {kind} has no tokens that several sensors can share. {REMEDY}")
    return backbone


def check_trunk(name: str) -> None:
    """Refuse the name of a backbone that is no ViT, before it is made.

    Args:
        name: One that timm knows.

    Raises:
        ConfigError: It is of another family.
    """
    if family_of(name) not in VITS:
        raise ConfigError(f"{name} has no tokens that several sensors can share. {REMEDY}")


def ground_tokens(backbone: nn.Module, images: Tensor, *, class_token: bool = False) -> Tensor:
    """What a ViT says of each patch of images, (batch, tokens, features), row by row from the top left.

    Args:
        backbone: One of `share_trunk`.
        images: (batch, bands, height, width).
        class_token: Put the class token before them.
    """
    vit = as_vit(backbone)
    found: Tensor = vit.forward_features(images)
    ground = found[:, vit.num_prefix_tokens :]
    return torch.cat([found[:, :1], ground], 1) if class_token else ground


def _like(embedding: Any, bands: int, given: nn.Module | None) -> nn.Module:
    """A patch embedding for other bands, with the weights of one that is given, or drawn anew."""
    made = copy.deepcopy(embedding)
    old = embedding.proj
    made.proj = nn.Conv2d(bands, old.out_channels, old.kernel_size, old.stride, bias=old.bias is not None)
    if given is not None:
        made.load_state_dict(given.state_dict())
    return cast("nn.Module", made)


def _with_embedding(backbone: nn.Module, embedding: nn.Module) -> nn.Module:
    """A backbone with the very modules, parameters and buffers of another one but for its patch embedding."""
    sibling = copy.copy(backbone)
    sibling._modules = {**backbone._modules, "patch_embed": embedding}  # noqa: SLF001, a table of its own
    return sibling


def _check_same_bands(bands: Mapping[str, int], own: int) -> None:
    if set(bands.values()) != {own}:
        counts = ", ".join(f"{sensor} {count}" for sensor, count in bands.items())
        raise ConfigError(
            f"One patch embedding for all sensors needs as many bands of each, and there are of {counts}. Name bands that all "
            "have, such as --bands red,green,blue, or give each sensor its own (--separate-patch-embeddings)."
        )
