"""An encoder of crops: a backbone with DINO's head. The student is one, the teacher is another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from train.packed_vit import can_pack, encode_packed


class CropEncoder(nn.Module):
    """Crops of one size or of several to scores over prototypes."""

    def __init__(self, backbone: nn.Module, head: nn.Module, *, pack: bool = False, pack_attention: bool = False) -> None:
        """Put a head on a backbone.

        Args:
            backbone: From images (batch, bands, height, width) of any size that crops have to features (batch, features).
            head: From features to scores (batch, out_dim).
            pack: Run the crops of all sizes through a plain ViT together; see `train.packed_vit`.
            pack_attention: Compute their attention in one call too.
        """
        super().__init__()
        self.packs = pack and can_pack(backbone)
        self.packs_attention = self.packs and pack_attention
        self.backbone = backbone
        self.head = head

    def forward(self, crops: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Scores of all crops, (crops, batch, out_dim), float32; and the features of the first, without gradient.

        Args:
            crops: Of the same samples, each (batch, bands, height, width).
        """
        features = self.encode(crops)
        scores: Tensor = self.head(features.flatten(0, 1))
        return scores.view(len(crops), -1, scores.shape[-1]), features[0].detach()

    def encode(self, crops: Sequence[Tensor]) -> Tensor:
        """Features of all crops, (crops, batch, features); see `encode_crops`."""
        return encode_crops(self.backbone, crops, pack=self.packs, pack_attention=self.packs_attention)


def encode_crops(backbone: nn.Module, crops: Sequence[Tensor], *, pack: bool, pack_attention: bool = False) -> Tensor:
    """Features of all crops, (crops, batch, features): crops of one size go through the backbone together.

    Args:
        backbone: See `CropEncoder`.
        crops: Of the same samples, each (batch, bands, height, width).
        pack: Whether it is a plain ViT that crops of several sizes go through together.
        pack_attention: Whether their attention is computed in one call then.

    References:
        Caron et al., DINO, released code, `utils.py`, `MultiCropWrapper`.
    """
    groups = by_size(crops)
    together = [torch.cat([crops[number] for number in numbers]) for numbers in groups]
    packs = pack and len(groups) > 1
    if packs:
        features = encode_packed(backbone, together, attention=pack_attention)
    else:
        features = [backbone(images) for images in together]
    found: dict[int, Tensor] = {}
    for numbers, each in zip(groups, features, strict=True):
        found |= zip(numbers, each.view(len(numbers), -1, each.shape[-1]).unbind(0), strict=True)
    return torch.stack([found[number] for number in range(len(crops))])


def by_size(crops: Sequence[Tensor]) -> list[list[int]]:
    """The numbers of the crops of each size, in the order in which sizes first appear."""
    groups: dict[torch.Size, list[int]] = {}
    for number, crop in enumerate(crops):
        groups.setdefault(crop.shape[-2:], []).append(number)
    return list(groups.values())
