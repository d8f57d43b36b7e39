"""Positions that a network has learnt, for images of another size: as DINO's code makes them, and as timm does."""

from __future__ import annotations

from collections.abc import Mapping
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from train.resampling import axis_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

NAME = "pos_embed"
MARGIN = 0.1
"""Added to the number of patches on a side, so that rounding does not lose the last of them."""
_WEIGHTS: dict[tuple[int, int, torch.device], Tensor] = {}
"""Of lines before in lines after, once they were asked for."""


def resize_positions(table: Tensor, side: int) -> Tensor:
    """Interpolate the position embeddings of a ViT, bicubic, by a factor and without antialiasing.

    timm's own way, by size and antialiased, gives other numbers, and weights were trained with these.

    Args:
        table: (1, 1 + patches, length), the image's token first.
        side: Patches on a side that are wanted.

    Returns:
        (1, 1 + side * side, length); the table itself where it has that many.

    References:
        https://github.com/facebookresearch/dino, `vision_transformer.py`, `interpolate_pos_encoding`
    """
    before = round((table.shape[1] - 1) ** 0.5)
    if before == side:
        return table
    grid = table[:, 1:].reshape(1, before, before, -1).permute(0, 3, 1, 2)
    factor = (side + MARGIN) / before
    made = functional.interpolate(grid, scale_factor=(factor, factor), mode="bicubic")
    patches = made.permute(0, 2, 3, 1).reshape(1, side * side, -1)
    return torch.cat((table[:, :1], patches), dim=1)


def fit_positions(tensors: Mapping[str, Tensor], backbone: nn.Module) -> dict[str, Tensor]:
    """Tensors with position embeddings for the images that a backbone takes; the same tensors where that changes nothing.

    Args:
        tensors: By timm's names.
        backbone: What they are to go into.
    """
    own, theirs = dict(backbone.named_parameters()).get(NAME), tensors.get(NAME)
    if own is None or theirs is None or own.shape[1] == theirs.shape[1] or own.shape[2] != theirs.shape[2]:
        return dict(tensors)
    side = round((own.shape[1] - 1) ** 0.5)
    if side**2 + 1 != own.shape[1]:
        return dict(tensors)
    return {**tensors, NAME: resize_positions(theirs, side)}


def fit_to_size(tensors: Mapping[str, Tensor], backbone: nn.Module) -> dict[str, Tensor]:
    """Tensors with position embeddings for the images that a ViT takes, as timm makes them where it loads its own weights.

    They are interpolated bicubically to the new number of patches, antialiased, which is also how a ViT sees crops of another
    size while it is trained. What is of one shape stays.

    Args:
        tensors: By timm's names, of square images.
        backbone: What they are to go into.
    """
    from timm.layers.pos_embed import resample_abs_pos_embed

    vit: Any = backbone
    own, theirs = dict(backbone.named_parameters()).get(NAME), tensors.get(NAME)
    if own is None or theirs is None or own.shape == theirs.shape or own.shape[2] != theirs.shape[2]:
        return dict(tensors)
    prefix = 0 if vit.no_embed_class else vit.num_prefix_tokens
    return {**tensors, NAME: resample_abs_pos_embed(theirs, list(vit.patch_embed.grid_size), num_prefix_tokens=prefix)}


def resize_by_products(table: Tensor, size: tuple[int, int], *, before: tuple[int, int], prefix: int) -> Tensor:
    """Positions for another number of patches as timm makes them, bicubic and antialiased, as two products of matrices.

    On a GPU torch adds up the gradient of its own interpolation in any order, which no run can repeat, and refuses to where
    algorithms are to be deterministic.

    Args:
        table: (1, prefix + height * width, length).
        size: Patches down and across that are wanted.
        before: Patches down and across that there are.
        prefix: Tokens before those of patches, whose positions stay.

    Returns:
        (1, prefix + height * width, length) of the new size; the table itself where that is the old one.
    """
    if tuple(size) == tuple(before):
        return table
    down, across = (_weights(*sides, table.device) for sides in zip(before, size, strict=True))
    lines = table[:, prefix:].float().reshape(1, before[0], -1)
    with torch.autocast(table.device.type, enabled=False):  # timm interpolates in float32, too
        made = across @ (down @ lines).view(1, size[0], before[1], -1)
    return torch.cat((table[:, :prefix], made.flatten(1, 2).to(table.dtype)), dim=1)


def place_by_products(backbone: nn.Module) -> None:
    """Let a ViT that takes images of any size resize its positions by `resize_by_products`; other networks stay as they are.

    Args:
        backbone: As timm makes it; its class, its parameters and their names stay.
    """
    from timm.models.vision_transformer import VisionTransformer

    vit: Any = backbone
    if isinstance(backbone, VisionTransformer) and vit.dynamic_img_size and vit.pos_embed is not None:
        vit._pos_embed = MethodType(_place, vit)  # noqa: SLF001, timm has no public name for it


class _OfOneSize:
    """What timm sees of a ViT while it adds positions: those of the patches at hand."""

    dynamic_img_size = False

    def __init__(self, vit: Any, table: Tensor) -> None:
        self.vit, self.pos_embed = vit, table

    def __getattr__(self, name: str) -> Any:
        return getattr(self.vit, name)


def _place(vit: Any, patches: Tensor) -> Tensor:
    """What `_pos_embed` of timm gives of patches (batch, height, width, length)."""
    prefix = 0 if vit.no_embed_class else vit.num_prefix_tokens
    height, width = patches.shape[1:3]
    table = resize_by_products(vit.pos_embed, (height, width), before=vit.patch_embed.grid_size, prefix=prefix)
    tokens: Tensor = type(vit)._pos_embed(_OfOneSize(vit, table), patches.flatten(1, 2))  # noqa: SLF001, as above
    return tokens


def _weights(before: int, after: int, device: torch.device) -> Tensor:
    """What each of the lines before weighs in each of those after, (after, before)."""
    key = before, after, device
    if key not in _WEIGHTS:
        with torch.inference_mode(mode=False):  # nothing made in it can be learnt through later
            start, length = torch.zeros(1, device=device), torch.full((1,), float(before), device=device)
            _WEIGHTS[key] = axis_weights(start, length, pixels=before, size_px=after, interpolation="bicubic")[0]
    return _WEIGHTS[key]
