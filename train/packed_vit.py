"""A plain ViT on images of several sizes at once: what works on each token alone runs over the tokens of all of them.

Six local crops of six sizes and two global ones are seven forward passes in DINO-MC's released code. Here every linear layer,
normalisation and activation sees one long row of tokens; attention alone is computed size by size, exactly, without padding.

Where asked for, attention too is one call over all sizes, see `train.jagged_attention`; no default until measured on a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from train.errors import ConfigError
from train.jagged_attention import Lengths, attend_jagged


@dataclass(frozen=True, slots=True, eq=False)
class Packing:
    """Which tokens of a row belong to which images."""

    shapes: tuple[tuple[int, int], ...]
    """Images and tokens per image of each size."""
    image: Tensor
    """The image of each token, (tokens,), int64."""
    lengths: Lengths | None = None
    """Where each image lies, for attention in one call; none for attention size by size."""

    @classmethod
    def of(cls, groups: Sequence[Tensor], *, attention: bool = False) -> Packing:
        """Of tokens (images, tokens, dim) of each size; `attention` in one call too."""
        shapes = tuple((int(each.shape[0]), int(each.shape[1])) for each in groups)
        starts = [sum(count for count, _ in shapes[:number]) for number in range(len(shapes))]
        device = groups[0].device
        images = [
            torch.arange(start, start + count, device=device).repeat_interleave(tokens, output_size=count * tokens)
            for start, (count, tokens) in zip(starts, shapes, strict=True)
        ]
        return cls(shapes, torch.cat(images), Lengths.of(shapes, device) if attention else None)

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


def check_packs(backbone: nn.Module, name: str) -> None:
    """Refuse a backbone whose attention cannot be computed over crops of all sizes.

    Args:
        backbone: Any.
        name: What to call it.

    Raises:
        ConfigError: It is no plain ViT.
    """
    if not can_pack(backbone):
        raise ConfigError(
            f"--pack-attention is for plain ViTs such as vit_small_patch16_224, whose crops of all sizes are packed; {name} is "
            "none. Leave it away."
        )


def encode_packed(backbone: nn.Module, groups: Sequence[Tensor], *, attention: bool = False) -> list[Tensor]:
    """Features of images of several sizes, as `backbone` gives them size by size.

    Args:
        backbone: One that `can_pack`.
        groups: The images of each size, (images, bands, height, width).
        attention: Compute attention in one call too.

    Returns:
        (images, features) of each size. Dropped paths are drawn for each image apart.
    """
    vit: Any = backbone
    embedded = [_embed(vit, images) for images in groups]
    packing = Packing.of(embedded, attention=attention)
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
    weigh = _weigh_by_size if packing.lengths is None else _weigh_together
    mixed = weigh(attention, attention.qkv(row), packing)
    normalise = getattr(attention, "norm", None)  # timm has it since 1.0.13
    projected: Tensor = attention.proj_drop(attention.proj(mixed if normalise is None else normalise(mixed)))
    return projected


def _weigh_by_size(attention: Any, row: Tensor, packing: Packing) -> Tensor:
    """Queries, keys and values in a row to what is found, a call for each size."""
    seen = []
    for part in packing.split(row):
        heads = part.view(*part.shape[:2], 3, attention.num_heads, attention.head_dim).permute(2, 0, 3, 1, 4)
        query, key, value = heads.unbind(0)
        found = scaled_dot_product_attention(
            attention.q_norm(query), attention.k_norm(key), value, dropout_p=_dropout(attention)
        )
        seen.append(found.transpose(1, 2).flatten(2).flatten(0, 1))
    return torch.cat(seen)


def _weigh_together(attention: Any, row: Tensor, packing: Packing) -> Tensor:
    """As `_weigh_by_size`, in one call."""
    assert packing.lengths is not None, "of the caller"
    query, key, value = row.view(-1, 3, attention.num_heads, attention.head_dim).unbind(1)
    query, key = attention.q_norm(query), attention.k_norm(key)
    return attend_jagged(query, key, value, packing.lengths, dropout=_dropout(attention)).flatten(1)


def _dropout(attention: Any) -> float:
    rate: float = attention.attn_drop.p if attention.training else 0.0
    return rate


def _drop_path(layer: nn.Module, row: Tensor, packing: Packing) -> Tensor:
    """Leave the tokens of some images out, all of an image or none."""
    if isinstance(layer, nn.Identity) or not layer.training:
        return row
    kept: Tensor = layer(row.new_ones(packing.images, 1))
    return row * kept[packing.image]
