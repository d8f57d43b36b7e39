"""Batches of several sensors: the same locations for each, and one box on the ground of every location for all of them.

As of one sensor, a batch is a pure function of its step. Locations come in the same order as for one sensor; dates and crops
of each sensor are drawn apart, for they hang on its id too; the box and its flip hang on the location alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from train.dataset import Batch, Batches, Share
from train.ground_boxes import GroundBoxes, box_side_m, draw_ground_boxes, kernel_margin_m
from train.sensor_input import square_side_m

if TYPE_CHECKING:
    import torch

    from train.config import TrainConfig
    from train.parameters import ViewParameters
    from train.sensor_input import SensorInput


@dataclass(frozen=True, slots=True)
class SensorBatch:
    """Some locations as each sensor saw them."""

    parts: tuple[Batch, ...]
    """Of each sensor, with the same locations in the same order."""
    ground: tuple[ViewParameters, ...]
    """Of each sensor, where the location's box lies in pixels of its finest layer, and whether it is flipped."""

    def __len__(self) -> int:
        return len(self.parts[0])

    @property
    def locations(self) -> Tensor:
        """Number of each location among those trained on, (batch,), int64."""
        return self.parts[0].locations

    @property
    def scenes(self) -> Tensor:
        """Day of each scene of the first sensor, (batch, scenes), int64."""
        return self.parts[0].scenes

    def to(self, device: torch.device) -> SensorBatch:
        """The batch on a device; a pinned one is copied without waiting."""
        parts = tuple(part.to(device) for part in self.parts)
        return SensorBatch(parts, tuple(each.to(device, non_blocking=True) for each in self.ground))

    def pin_memory(self) -> SensorBatch:
        """The batch in page-locked memory."""
        parts = tuple(part.pin_memory() for part in self.parts)
        return SensorBatch(parts, tuple(each.pin_memory() for each in self.ground))


class SensorBatches(Dataset[list[SensorBatch]]):
    """The batches of a training on several sensors by their step, each as the parts that this process computes."""

    def __init__(self, inputs: Sequence[SensorInput], config: TrainConfig, share: Share) -> None:
        """Prepare; nothing is read.

        Args:
            inputs: Of each sensor, with the same locations.
            config: Views, alignment, batch size, seed.
            share: What this process computes.

        Raises:
            ConfigError: A batch is larger than the data, or does not divide among the processes; the box is larger than a
                square.
            DataError: Squares differ in size.
        """
        assert config.alignment is not None, "a method of several sensors"
        assert len({each.samples.locations for each in inputs}) == 1, "sensors have different locations"
        stacks = [each.stack for each in inputs]
        self.sensors = [Batches(each.stack, each.samples, config, share, sensor=each.stack.sensor) for each in inputs]
        self.config, self.samples = config, inputs[0].samples
        self.steps_per_epoch = self.sensors[0].steps_per_epoch
        self.square_m = square_side_m(stacks)
        self.crop_m = box_side_m(self.square_m, config.alignment.crop_m)
        size_px, gsd_m = config.alignment.size_px, [layer.gsd for stack in stacks for layer in stack.layers]
        self._margin_m = max(kernel_margin_m(each, crop_m=self.crop_m, size_px=size_px) for each in gsd_m)

    def __len__(self) -> int:
        return len(self.sensors[0])

    def __getitem__(self, step: int) -> list[SensorBatch]:
        """The parts of the batch of an optimizer step."""
        epoch, parts = self.sensors[0].choose(step)
        return [self.read(chosen, self.draw_boxes(chosen, epoch), epoch) for chosen in parts]

    def draw_boxes(self, chosen: NDArray[np.int64], epoch: int) -> GroundBoxes:
        """What is shown of each of some locations in an epoch; see `train.ground_boxes`.

        Args:
            chosen: Numbers of the locations, (batch,).
            epoch: Each epoch draws anew.
        """
        keys = self.samples.keys[chosen]
        place: dict[str, float] = {"square_m": self.square_m, "crop_m": self.crop_m, "margin_m": self._margin_m}
        return draw_ground_boxes(self.config.seed, epoch=epoch, locations=keys, **place)

    def read(self, chosen: NDArray[np.int64], boxes: GroundBoxes, epoch: int) -> SensorBatch:
        """Draw and read a scene of each of some locations, of each sensor.

        Args:
            chosen: Numbers of the locations, (batch,).
            boxes: What is shown of each.
            epoch: Each epoch draws anew.
        """
        ground = (boxes.parameters(each.stack.layers[0].gsd, bands=len(each.stack.bands)) for each in self.sensors)
        return SensorBatch(tuple(each.read(chosen, epoch) for each in self.sensors), tuple(ground))
