"""X-STARS' networks: DINO's encoder of crops for several sensors, and the student, which also says where sensors agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from train.alignment_heads import AlignmentHeads
from train.crop_encoder import encode_crops
from train.packed_vit import can_pack
from train.sensor_backbones import ground_tokens


class SensorEncoder(nn.Module):
    """Crops of several sensors to scores over prototypes that all share. The teacher is one."""

    def __init__(self, backbones: nn.ModuleDict, head: nn.Module, *, pack: bool, pack_attention: bool = False) -> None:
        """Put one head on the backbones of all sensors.

        Args:
            backbones: Of each sensor, of one trunk; see `train.sensor_backbones.share_trunk`.
            head: From features to scores (batch, out_dim).
            pack: Run the crops of all sizes through a plain ViT together; see `train.packed_vit`.
            pack_attention: Compute their attention in one call too.
        """
        super().__init__()
        self.backbones, self.head = backbones, head
        self.packs = pack and all(can_pack(each) for each in backbones.values())
        self.packs_attention = self.packs and pack_attention

    def forward(self, crops: Sequence[Sequence[Tensor]]) -> tuple[Tensor, Tensor]:
        """Scores of all crops, (crops, sensors * batch, out_dim), float32; and the features of the first, without gradient.

        Args:
            crops: Of each sensor in turn, as many of each, (batch, bands of the sensor, height, width).
        """
        pairs = zip(self.backbones.values(), crops, strict=True)
        packs = {"pack": self.packs, "pack_attention": self.packs_attention}
        features = torch.cat([encode_crops(backbone, each, **packs) for backbone, each in pairs], 1)
        scores: Tensor = self.head(features.flatten(0, 1))
        return scores.view(*features.shape[:2], -1), features[0].detach()


class AlignedStudent(nn.Module):
    """What X-STARS trains: an encoder of crops, and the heads that tokens of ground are compared through.

    All of it is in one forward, so that processes exchange gradients once.
    """

    def __init__(self, encoder: SensorEncoder, alignment: AlignmentHeads, *, class_token: bool) -> None:
        """Put both together.

        Args:
            encoder: Of the sensors that are trained on.
            alignment: Heads of these sensors, and of one whose tokens are given.
            class_token: Compare the class token too.
        """
        super().__init__()
        self.encoder, self.alignment = encoder, alignment
        self.class_token = class_token

    def forward(
        self, crops: Sequence[Sequence[Tensor]], ground: Mapping[str, Tensor], given: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...], Tensor]:
        """What it says of crops and of ground.

        Args:
            crops: See `SensorEncoder.forward`.
            ground: Views of the same ground by each of its sensors, (batch, bands of the sensor, size, size).
            given: Tokens of that ground by any other sensor, (batch, tokens, features).

        Returns:
            Scores and features, see `SensorEncoder.forward`; embeddings of each sensor's tokens, (batch, tokens, dim), unit
            length, float32, in the order of the alignment's sensors; and the temperature that they are compared at, a scalar.
        """
        scores, features = self.encoder(crops)
        tokens = {**given}
        for sensor, images in ground.items():
            tokens[sensor] = ground_tokens(self.encoder.backbones[sensor], images, class_token=self.class_token)
        embeddings = self.alignment([tokens[sensor] for sensor in self.alignment.sensors])
        return scores, features, embeddings, self.alignment.temperature()
