"""Projectors and heads: from features of a backbone to the embeddings, or the scores, that a loss compares."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from train.config import Distillation


class Projector(nn.Module):
    """Two layers without normalisation between them, onto the unit sphere.

    References:
        MoCo-v2, section 3, https://arxiv.org/abs/2003.04297; SeCo uses one per subspace.
    """

    def __init__(self, features: int, dim: int) -> None:
        """Make the layers.

        Args:
            features: Length of a backbone's features, also of the layer between.
            dim: Length of an embedding.
        """
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, dim))

    def forward(self, features: Tensor) -> Tensor:
        """Embeddings of unit length, (batch, dim), float32 under autocast too, from features (batch, features)."""
        embedding: Tensor = self.layers(features)
        return functional.normalize(embedding.float(), dim=-1)


class PrototypeHead(nn.Module):
    """DINO's head: a few layers onto the unit sphere, then the similarity to each of many prototypes.

    References:
        Caron et al., DINO, section 3.1 and appendix C, https://arxiv.org/abs/2104.14294; released code,
        `vision_transformer.py`, `DINOHead`.
    """

    def __init__(self, features: int, constants: Distillation) -> None:
        """Draw the layers as the released code does: the first ones narrow, the prototypes as torch draws a linear layer.

        Args:
            features: Length of a backbone's features.
            constants: Widths, and whether the prototypes have unit length.
        """
        super().__init__()
        hidden = [constants.head_hidden] * (constants.head_layers - 1)
        layers: list[nn.Module] = []
        for inside, outside in pairwise([features, *hidden]):
            normed = [nn.BatchNorm1d(outside)] if constants.head_batch_norm else []
            layers += [_narrow(nn.Linear(inside, outside)), *normed, nn.GELU()]
        self.layers = nn.Sequential(*layers, _narrow(nn.Linear([features, *hidden][-1], constants.bottleneck)))
        self.prototypes = weight_norm(nn.Linear(constants.bottleneck, constants.out_dim, bias=False))
        lengths: Any = self.prototypes.parametrizations.weight.original0
        with torch.no_grad():
            lengths.fill_(1)
        lengths.requires_grad_(not constants.norm_last_layer)

    def forward(self, features: Tensor) -> Tensor:
        """Scores of features, (batch, features): (batch, out_dim), float32 under autocast too.

        With prototypes of unit length a score is a cosine, and a temperature of 0.04 would make a rounding to 8 bits of
        mantissa an error of 10 %.
        """
        embedding: Tensor = self.layers(features)
        with torch.autocast(features.device.type, enabled=False):
            scores: Tensor = self.prototypes(functional.normalize(embedding.float(), dim=-1))
        return scores


def _narrow(layer: nn.Linear) -> nn.Linear:
    nn.init.trunc_normal_(layer.weight, std=0.02)
    nn.init.zeros_(layer.bias)
    return layer
