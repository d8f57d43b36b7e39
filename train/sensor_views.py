"""What a method of several sensors sees of a batch: crops of each sensor for itself, and one ground that all of them show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from train.ground_validity import token_validity
from train.patches import Patches, Target
from train.steps import make_views
from train.views import ViewMaker

if TYPE_CHECKING:
    from train.config import TrainConfig
    from train.sensor_batches import SensorBatch
    from train.sensor_input import SensorInput


@dataclass(frozen=True, slots=True, eq=False)
class SensorViews:
    """Views of a batch; of each sensor, in the order of the batch's."""

    crops: tuple[tuple[Tensor, ...], ...]
    """As `TrainConfig.views` asks for, each (batch, bands of the sensor, height, width); there are none of a sensor that is not
    trained on."""
    ground: tuple[Tensor, ...]
    """Of the box that all sensors show, nothing else done to it, (batch, bands of the sensor, size, size)."""
    valid: tuple[Tensor, ...]
    """Whether at least half of each token's ground is valid in all bands, (batch, tokens), bool, row by row."""


class SensorViewMaker:
    """Makes views of batches of several sensors."""

    def __init__(self, inputs: Sequence[SensorInput], config: TrainConfig, *, tokens: int, batched: bool | None = None) -> None:
        """Say what comes in and what goes out.

        Args:
            inputs: Of each sensor.
            config: Crops and alignment.
            tokens: Along the side of the ground's view.
            batched: See `train.views.ViewMaker`.
        """
        assert config.alignment is not None, "a method of several sensors"
        self.config, self.tokens = config, tokens
        self.target = Target(config.alignment.size_px, "bilinear", beyond=True)
        adapted = config.alignment.adapt_sensor
        self.is_trained = [adapted in (None, each.stack.sensor) for each in inputs]
        self.layers = [each.stack.layers for each in inputs]
        self.makers = [ViewMaker(each.spec, each.stack.layers, batched=batched) for each in inputs]

    def __call__(self, batch: SensorBatch) -> SensorViews:
        """The views of a batch, where it is."""
        ground, valid = self.see_ground(batch)
        crops = tuple(
            tuple(make_views(part, maker=maker, config=self.config)) if trained else ()
            for part, maker, trained in zip(batch.parts, self.makers, self.is_trained, strict=True)
        )
        return SensorViews(crops, ground, valid)

    def see_ground(self, batch: SensorBatch) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """The ground of a batch alone.

        Returns:
            `SensorViews.ground` and `SensorViews.valid`.
        """
        seen, valid = [], []
        for part, parameters, maker, layers in zip(batch.parts, batch.ground, self.makers, self.layers, strict=True):
            pixels = [each[:, 0] for each in part.pixels]
            patches = Patches(pixels, part.scale[:, 0], part.offset[:, 0], part.all_valid)
            seen.append(maker.make(patches, self.target, parameters)[0])
            valid.append(token_validity(pixels, layers, parameters, all_valid=part.all_valid, tokens=self.tokens))
        return tuple(seen), tuple(valid)
