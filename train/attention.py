"""Where a ViT looks: how its class token weighs the patches of an image in the last block, head by head.

```
RUN/attention/step-000123.png    a row per patch of the catalog: the patch, then one map per head of the network
```
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from catalogs.png import stretch

TILE_PX = 112
"""Side of a tile, about: maps are enlarged by a whole number."""
GAP_PX = 4
"""Between tiles."""
COLORS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
"""From little to much: matplotlib's viridis, whose lightness grows evenly; straight lines between these."""
DARKEST, BRIGHTEST = 2, 98
"""Percentiles of a patch's colours that are shown as black and as full."""


def shows_attention(backbone: nn.Module) -> bool:
    """Whether a backbone is a ViT whose class token weighs its patches as `class_attention` knows it."""
    from timm.layers.attention import Attention
    from timm.models.vision_transformer import VisionTransformer

    if not isinstance(backbone, VisionTransformer) or not backbone.has_class_token:
        return False
    return type(getattr(backbone.blocks[-1], "attn", None)) is Attention


@torch.no_grad()
def class_attention(backbone: nn.Module, images: Tensor) -> Tensor:
    """How much the class token takes of each patch, in the last block.

    Args:
        backbone: One that `shows_attention`, in evaluation mode.
        images: (batch, bands, size, size).

    Returns:
        Shares, (batch, heads, rows, columns). Those of an image and head sum to 1 less what the class token takes of itself and
        of registers.

    References:
        Caron et al., DINO, figure 1; released code, `visualize_attention.py`, https://arxiv.org/abs/2104.14294
    """
    vit: Any = backbone
    attention = vit.blocks[-1].attn
    seen: list[Tensor] = []
    handle = attention.register_forward_pre_hook(lambda _module, given: seen.append(given[0]))
    try:
        vit.forward_features(images)
    finally:
        handle.remove()
    tokens = seen[0]
    heads = attention.qkv(tokens).view(*tokens.shape[:2], 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
    query, key = attention.q_norm(heads[0][:, :, :1]), attention.k_norm(heads[1])
    shares = torch.softmax((query * attention.scale) @ key.mT, dim=-1)[:, :, 0, vit.num_prefix_tokens :]
    down, across = vit.patch_embed.patch_size
    return shares.view(*shares.shape[:2], images.shape[-2] // down, images.shape[-1] // across)


def draw_attention(images: Tensor, shares: Tensor) -> NDArray[np.uint8]:
    """A picture with a row per image: the image, then the map of each head, each from its least share to its greatest.

    Args:
        images: Red, green and blue, or grey, in any range, (batch, 3 or 1, height, width).
        shares: Of `class_attention`.

    Returns:
        (height, width, 3), white between the tiles.
    """
    scale = max(TILE_PX // shares.shape[-2], 1)
    tile = (shares.shape[-2] * scale, shares.shape[-1] * scale)
    shown = functional.interpolate(images.float(), tile, mode="bilinear", antialias=True).cpu().numpy()
    maps = shares.float().cpu().numpy()
    rows = []
    for image, heads in zip(shown, maps, strict=True):
        colored = [_paint(each).repeat(scale, 0).repeat(scale, 1) for each in heads]
        rows.append(_join([_brighten(image), *colored], axis=1))
    return _join(rows, axis=0)


def _brighten(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """An image, (3 or 1, height, width), its colours stretched together, (height, width, 3)."""
    low, high = np.percentile(image, (DARKEST, BRIGHTEST))
    return np.broadcast_to(stretch(image, low, high), (3, *image.shape[1:])).transpose(1, 2, 0)


def _paint(shares: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A map in colours, (rows, columns, 3)."""
    levels = stretch(shares, float(shares.min()), float(shares.max()))
    places = np.linspace(0, 255, len(COLORS))
    painted = np.stack([np.interp(levels, places, column) for column in zip(*COLORS, strict=True)], axis=-1)
    return np.rint(painted).astype(np.uint8)


def _join(tiles: list[NDArray[np.uint8]], *, axis: int) -> NDArray[np.uint8]:
    """Tiles beside each other (axis 1) or below each other (axis 0)."""
    shape = list(tiles[0].shape)
    shape[axis] = GAP_PX
    gap = np.full(shape, 255, np.uint8)
    parts = [part for tile in tiles for part in (gap, tile)][1:]
    return np.concatenate(parts, axis=axis)
