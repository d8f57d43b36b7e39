"""Projectors: from features of a backbone to the embeddings that a loss compares."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


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
