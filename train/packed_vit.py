"""A plain ViT on images of several sizes at once: what works on each token alone runs over the tokens of all of them.

Six local crops of six sizes and two global ones are seven forward passes in DINO-MC's released code. Here every linear layer,
normalisation and activation sees one long row of tokens; attention alone is computed size by size, exactly, without padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


@dataclass(frozen=True, slots=True, eq=False)
class Packing:
    """Which tokens of a row belong to which images."""

    shapes: tuple[tuple[int, int], ...]
    """Images and tokens per image of each size."""
    image: Tensor
    """The image of each token, (tokens,), int64."""

    @classmethod
    def of(cls, groups: Sequence[Tensor]) -> Packing:
        """Of tokens (images, tokens, dim) of each size."""
        shapes = tuple((int(each.shape[0]), int(each.shape[1])) for each in groups)
        starts = [sum(count for count, _ in shapes[:number]) for number in range(len(shapes))]
        device = groups[0].device
        images = [
            torch.arange(start, start + count, device=device).repeat_interleave(tokens, output_size=count * tokens)
            for start, (count, tokens) in zip(starts, shapes, strict=True)
        ]
        return cls(shapes, torch.cat(images))

    @property
    def images(self) -> int:
        """How many there are."""
        return sum(count for count, _ in self.shapes)

    def split(self, row: Tensor) -> list[Tensor]:
        """A row, (tokens, dim), as (images, tokens, dim) of each size."""
        parts = torch.split(row, [count * tokens for count, tokens in self.shapes])
        return [part.view(*shape, -1) for part, shape in zip(parts, self.shapes, strict=True)]


def can_pack(backbone: nn.Module) -> bool:
    """Whether a backbone is a ViT of nothing but what is known here: timm's own, with its plain blocks and attention."""
    from timm.layers.attention import Attention
    from timm.models.vision_transformer import Block, VisionTransformer

    return (
        type(backbone) is VisionTransformer
        and not backbone.grad_checkpointing
        and all(type(block) is Block and type(block.attn) is Attention for block in backbone.blocks)
        and all(getattr(block.attn, "gate", None) is None for block in backbone.blocks)
    )


def encode_packed(backbone: nn.Module, groups: Sequence[Tensor]) -> list[Tensor]:
    """Features of images of several sizes, as `backbone` gives them size by size.

    Args:
        backbone: One that `can_pack`.
        groups: The images of each size, (images, bands, height, width).

    Returns:
        (images, features) of each size. Dropped paths are drawn for each image apart.
    """
    vit: Any = backbone
    embedded = [_embed(vit, images) for images in groups]
    packing = Packing.of(embedded)
    row = torch.cat([tokens.flatten(0, 1) for tokens in embedded])
    for block in vit.blocks:
        row = _run_block(block, row, packing)
    return [vit.forward_head(tokens) for tokens in packing.split(vit.norm(row))]


def _embed(backbone: Any, images: Tensor) -> Tensor:
    """Tokens of images of one size, (images, tokens, dim)."""
    placed = backbone._pos_embed(backbone.patch_embed(images))  # noqa: SLF001, timm has no public name for it
    tokens: Tensor = backbone.norm_pre(backbone.patch_drop(placed))
    return tokens


def _run_block(block: Any, row: Tensor, packing: Packing) -> Tensor:
    attended = block.ls1(_attend(block.attn, block.norm1(row), packing))
    row = row + _drop_path(block.drop_path1, attended, packing)
    changed: Tensor = block.ls2(block.mlp(block.norm2(row)))
    return row + _drop_path(block.drop_path2, changed, packing)


def _attend(attention: Any, row: Tensor, packing: Packing) -> Tensor:
    """Attention of each image to itself; all but the weighing itself is token by token."""
    rate = attention.attn_drop.p if attention.training else 0.0
    seen = []
    for part in packing.split(attention.qkv(row)):
        heads = part.view(*part.shape[:2], 3, attention.num_heads, attention.head_dim).permute(2, 0, 3, 1, 4)
        query, key, value = heads.unbind(0)
        found = scaled_dot_product_attention(attention.q_norm(query), attention.k_norm(key), value, dropout_p=rate)
        seen.append(found.transpose(1, 2).flatten(2).flatten(0, 1))
    mixed = torch.cat(seen)
    normalise = getattr(attention, "norm", None)  # timm has it since 1.0.13
    projected: Tensor = attention.proj_drop(attention.proj(mixed if normalise is None else normalise(mixed)))
    return projected


def _drop_path(layer: nn.Module, row: Tensor, packing: Packing) -> Tensor:
    """Leave the tokens of some images out, all of an image or none."""
    if isinstance(layer, nn.Identity) or not layer.training:
        return row
    kept: Tensor = layer(row.new_ones(packing.images, 1))
    return row * kept[packing.image]
