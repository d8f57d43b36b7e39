"""Positions that a network has learnt, for images of another size: as DINO's code makes them, and as timm does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor, nn

NAME = "pos_embed"
MARGIN = 0.1
"""Added to the number of patches on a side, so that rounding does not lose the last of them."""


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
