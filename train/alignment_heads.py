"""X-STARS' projector and heads: from a backbone's tokens to embeddings that are compared between sensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from train.alignment_loss import FIRST_TEMPERATURE, LogTemperature

DIM = 1024
"""Length of an embedding, also between projector and head."""
DROPOUT = 0.2
"""Share of the residual branch that is dropped in training."""


class ResidualProjection(nn.Module):
    """A linear layer, a second one on its GELU added to it, layer normalisation.

    References:
        Marsocci and Audebert, X-STARS, released code, `ProjectionHead`, https://arxiv.org/abs/2405.09922
    """

    def __init__(self, features: int, dim: int, *, dropout: float = DROPOUT) -> None:
        """Make the layers.

        Args:
            features: Length of what comes in.
            dim: Length of what goes out.
            dropout: Share of the second layer's outputs that is dropped in training.
        """
        super().__init__()
        self.first, self.second = nn.Linear(features, dim), nn.Linear(dim, dim)
        self.activation, self.dropout, self.norm = nn.GELU(), nn.Dropout(dropout), nn.LayerNorm(dim)

    def forward(self, features: Tensor) -> Tensor:
        """(..., dim) of (..., features)."""
        projected = self.first(features)
        normalised: Tensor = self.norm(projected + self.dropout(self.second(self.activation(projected))))
        return normalised


class AlignmentHeads(nn.Module):
    """One projector for all sensors, a head for each, onto the unit sphere; and the temperature of the loss.

    All of it is trained and kept: in the released code it is in no optimizer and in no checkpoint. There an embedding ends in
    the layer normalisation; here it is brought to unit length after it, so that similarities are cosines.
    """

    def __init__(
        self,
        features: int,
        sensors: Sequence[str],
        *,
        dim: int = DIM,
        dropout: float = DROPOUT,
        temperature: float = FIRST_TEMPERATURE,
    ) -> None:
        """Make the layers.

        Args:
            features: Length of a backbone's tokens.
            sensors: Their ids, two or more.
            dim: Length of an embedding.
            dropout: See `ResidualProjection`.
            temperature: Where it begins, from 0.01 to 1.

        Raises:
            ValueError: There are fewer than two sensors, one comes twice, or the temperature is out of range.
        """
        super().__init__()
        if len(sensors) < 2 or len(set(sensors)) < len(sensors):
            raise ValueError(f"Sensors {list(sensors)} cannot be aligned. Give two different ones or more.")
        self.sensors = tuple(sensors)
        self.projector = ResidualProjection(features, dim, dropout=dropout)
        self.heads = nn.ModuleDict({sensor: ResidualProjection(dim, dim, dropout=dropout) for sensor in sensors})
        self.temperature = LogTemperature(temperature)

    def forward(self, tokens: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Embeddings of each sensor, (samples, tokens, dim), unit length, float32 under autocast too.

        Args:
            tokens: A backbone's of each sensor, in the order of `sensors`, (samples, tokens, features); without its class
                token where masks are to be per token.
        """
        projected = torch.split(self.projector(torch.cat(list(tokens))), [len(each) for each in tokens])
        pairs = zip(self.heads.values(), projected, strict=True)
        return tuple(normalize(head(each).float(), dim=-1) for head, each in pairs)
