"""X-STARS: DINO on several sensors, and the tokens of one sensor find those of another that show the same ground."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from train.alignment_heads import AlignmentHeads
from train.alignment_loss import SensorTokens, multi_sensor_alignment
from train.backbones import feature_size
from train.config import Alignment, Distillation
from train.errors import ConfigError
from train.gathering import gather_tokens
from train.heads import PrototypeHead
from train.methods.crops import GLOBAL_SCENES
from train.methods.dino import distill
from train.methods.protocol import Drawn
from train.schedules import teacher_pace
from train.sensor_backbones import as_vit, ground_tokens, share_trunk
from train.sensor_encoder import AlignedStudent, SensorEncoder
from train.state import Center, copy_teacher, update_ema

if TYPE_CHECKING:
    from train.sensor_views import SensorViews

VALID_GROUND = 0.5
"""Least share of a box's tokens that are valid, so that its class token is."""


class XStars(nn.Module):
    """Cross-sensor self-supervised training and alignment.

    From scratch, one trunk encodes every sensor. Where it adapts to a sensor, that one alone is trained on, and a frozen copy
    of the initial backbone, in evaluation mode, says what the other one sees.

    The released code mixes images of all sensors in a batch, each with its own crops, under one head and one center. So does
    this, with every sensor of a location in the same step: the distillation is the mean over the sensors.

    References:
        Marsocci and Audebert, Cross-sensor self-supervised training and alignment for remote sensing, IEEE JSTARS 18, 2025,
        https://arxiv.org/abs/2405.09922. Its released code detaches the alignment loss; what else this changes is in
        `train.alignment_loss` and in `train.recipes.x_stars_2025`.
    """

    def __init__(
        self,
        backbone: nn.Module,
        bands: Mapping[str, int],
        *,
        distillation: Distillation,
        alignment: Alignment,
        embeddings: Mapping[str, nn.Module] | None = None,
    ) -> None:
        """Make student, teacher, center, and where it adapts the frozen copy.

        Args:
            backbone: A ViT with a class token: for the first sensor's bands, or, where it adapts, for the other sensor's.
            bands: Of each sensor, by its id.
            distillation: Head, temperatures, momenta.
            alignment: Heads, weight, and which sensor to adapt to.
            embeddings: Patch embeddings that sensors begin with, by their ids, see `train.sensor_backbones.share_trunk`.

        Raises:
            ConfigError: The sensors cannot be aligned, or the backbone cannot encode them.
        """
        super().__init__()
        alignment.check_sensors(tuple(bands))
        self.constants, self.alignment, self.sensors = distillation, alignment, tuple(bands)
        self.global_crops = len(GLOBAL_SCENES["x-stars"])
        self.source = _source(backbone, bands, alignment)
        trained = {sensor: count for sensor, count in bands.items() if alignment.adapt_sensor in (None, sensor)}
        encoded = alignment.first_encoded(tuple(bands))
        shared = alignment.shared_patch_embedding
        backbones = share_trunk(backbone, trained, shared=shared, encoded=encoded, embeddings=embeddings)
        features = feature_size(backbone)
        packs = {"pack": distillation.pack_crops, "pack_attention": distillation.pack_attention}
        encoder = SensorEncoder(backbones, PrototypeHead(features, distillation), **packs)
        heads = AlignmentHeads(features, self.sensors, alignment)
        student = AlignedStudent(encoder, heads, class_token=alignment.class_token)
        self.student: nn.Module = student
        self.teacher = copy_teacher(encoder, drop_path=False)
        self.center = Center(distillation.out_dim, distillation.center_momentum)
        self.autocast: Callable[[], AbstractContextManager[Any]] = nullcontext
        self._bare = (student,)  # the student without a wrapper; in a tuple, so that it is not saved twice
        self._diagnostics: dict[str, Tensor] = {}
        self.at_step(0, steps=1, steps_per_epoch=1)

    def at_step(self, step: int, *, steps: int, steps_per_epoch: int) -> None:
        """Settle the teacher's momentum and temperature, and whether the prototypes are frozen."""
        self._pace = teacher_pace(self.constants, step, steps=steps, steps_per_epoch=steps_per_epoch)

    def forward(self, views: SensorViews, batch: Drawn) -> dict[str, Tensor]:
        """DINO's cross-entropy of every sensor's crops, and the alignment of all sensors' tokens, times its weight.

        Diagnostics are those of `train.methods.dino.distill`, over all sensors, and `alignment_temperature`.

        Args:
            views: Crops, the global ones first, and un-augmented views of one ground, of each sensor in its order.
            batch: Which locations they are of; two samples of one location are never each other's negatives.
        """
        backbones = self.backbones()
        trained = [number for number, sensor in enumerate(self.sensors) if sensor in backbones]
        crops = [views.crops[number] for number in trained]
        ground = {self.sensors[number]: views.ground[number] for number in trained}
        scores, features, embeddings, temperature = self.student(crops, ground, self._given(views))
        self._diagnostics = {"features": features, "alignment_temperature": temperature.detach()}
        return {
            "distillation": self._distill(scores, crops),
            "alignment": self.alignment.weight * self._align(embeddings, temperature, views, batch),
        }

    def frozen(self) -> Sequence[nn.Parameter]:
        """The prototypes, in the first epochs; and the alignment's heads at weight 0, where decay alone would move them."""
        student: Any = self._bare[0]
        prototypes = tuple(student.encoder.head.prototypes.parameters()) if self._pace.is_first else ()
        return prototypes if self.alignment.weight else (*prototypes, *student.alignment.parameters())

    def after_step(self) -> None:
        """Let the teacher follow, and move the center."""
        update_ema(self.teacher, self._bare[0].encoder, self._pace.momentum)
        self.center.update()

    def backbone(self) -> nn.Module:
        """The student's backbone of the first sensor that is trained on."""
        return next(iter(self.backbones().values()))

    def backbones(self) -> dict[str, nn.Module]:
        """The student's backbone of each sensor that is trained on, by its id; their trunk is one."""
        return dict(self._bare[0].encoder.backbones.items())

    def diagnostics(self) -> dict[str, Tensor]:
        """What the last call found."""
        return self._diagnostics

    @torch.no_grad()
    def see_ground(self, ground: Sequence[Tensor]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """What it says of views of the same ground, of each sensor in its order; in evaluation mode, nothing is drawn.

        Args:
            ground: See `SensorViews.ground`.

        Returns:
            Features of its tokens, (batch, tokens, features); and their embeddings, (batch, tokens, dim), unit length.
        """
        encoders = self.backbones() if self.source is None else {**dict.fromkeys(self.sensors, self.source), **self.backbones()}
        tokens = tuple(ground_tokens(encoders[sensor], images) for sensor, images in zip(self.sensors, ground, strict=True))
        return tokens, self._bare[0].alignment(tokens)

    @torch.no_grad()
    def _given(self, views: SensorViews) -> dict[str, Tensor]:
        """What the frozen copy says of the ground, by its sensor; nothing where there is none."""
        if self.source is None:
            return {}
        sensor = self.alignment.first_encoded(self.sensors)
        images = views.ground[self.sensors.index(sensor)]
        with self.autocast():
            return {sensor: ground_tokens(self.source.eval(), images, class_token=self.alignment.class_token)}

    def _distill(self, scores: Tensor, crops: Sequence[Sequence[Tensor]]) -> Tensor:
        """DINO's loss, with all sensors side by side in the batch."""
        with torch.no_grad(), self.autocast():
            teacher, _ = self.teacher([each[: self.global_crops] for each in crops])
        loss, found = distill(scores, teacher, self.center, constants=self.constants, pace=self._pace)
        self._diagnostics |= found
        return loss

    def _align(self, embeddings: tuple[Tensor, ...], temperature: Tensor, views: SensorViews, batch: Drawn) -> Tensor:
        """The alignment loss over the tokens of all processes; of a batch in parts, of one part at a time."""
        valid = tuple(_with_class_token(each) if self.alignment.class_token else each for each in views.valid)
        own = SensorTokens(embeddings, valid, batch.locations)
        everyone, first = gather_tokens(own)
        return multi_sensor_alignment(own, temperature=temperature, everyone=everyone, first=first)


def _source(backbone: nn.Module, bands: Mapping[str, int], alignment: Alignment) -> nn.Module | None:
    """A frozen copy for the sensor that is not trained on; none where all are.

    Raises:
        ConfigError: The backbone is of other bands.
    """
    if alignment.adapt_sensor is None:
        return None
    sensor = alignment.first_encoded(tuple(bands))
    own = as_vit(backbone).patch_embed.proj.in_channels
    if own != bands[sensor]:
        raise ConfigError(
            f"The initial weights read {own} bands, and {sensor}, which a frozen copy of them encodes, has {bands[sensor]}. "
            "Name the bands that they were trained with (--bands), or take weights of this sensor."
        )
    return copy.deepcopy(backbone).requires_grad_(requires_grad=False).eval()


def _with_class_token(valid: Tensor) -> Tensor:
    """Which of the class token and the tokens of ground are valid, (batch, 1 + tokens): it is where half of the others are."""
    return torch.cat([valid.float().mean(1, keepdim=True) >= VALID_GROUND, valid], 1)
