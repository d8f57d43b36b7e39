"""X-STARS' projector and heads: from a backbone's tokens to embeddings that are compared between sensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from train.alignment_config import Alignment
from train.alignment_loss import LogTemperature


class ResidualProjection(nn.Module):
    """A linear layer, a second one on its GELU added to it, layer normalisation.

    References:
        Marsocci and Audebert, X-STARS, released code, `ProjectionHead`, https://arxiv.org/abs/2405.09922
    """

    def __init__(self, features: int, dim: int, *, dropout: float) -> None:
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

    def __init__(self, features: int, sensors: Sequence[str], constants: Alignment) -> None:
        """Make the layers.

        Args:
            features: Length of a backbone's tokens.
            sensors: Their ids, two or more.
            constants: Length of an embedding, also between projector and head; dropout; where the temperature begins.

        Raises:
            ValueError: There are fewer than two sensors, or one comes twice.
        """
        super().__init__()
        if len(sensors) < 2 or len(set(sensors)) < len(sensors):
            raise ValueError(f"Sensors {list(sensors)} cannot be aligned. Give two different ones or more.")
        self.sensors = tuple(sensors)
        dim, dropout = constants.dim, constants.dropout
        self.projector = ResidualProjection(features, dim, dropout=dropout)
        self.heads = nn.ModuleDict({sensor: ResidualProjection(dim, dim, dropout=dropout) for sensor in sensors})
        self.temperature = LogTemperature(constants.temperature)

    def forward(self, tokens: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Embeddings of each sensor, (samples, tokens, dim), unit length, float32 under autocast too.

        Args:
            tokens: A backbone's of each sensor, in the order of `sensors`, (samples, tokens, features); without its class
                token where masks are to be per token.
        """
        projected = torch.split(self.projector(torch.cat(list(tokens))), [len(each) for each in tokens])
        pairs = zip(self.heads.values(), projected, strict=True)
        return tuple(normalize(head(each).float(), dim=-1) for head, each in pairs)
