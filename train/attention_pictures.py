"""Pictures of where a ViT looks, of a few scenes, at first and after every epoch: `RUN/attention/step-000123.png`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from catalogs.png import encode_png
from train.attention import class_attention, draw_attention, shows_attention
from train.held_out import choose_scenes, read_views
from train.modes import in_evaluation
from train.photometric import find_rgb

if TYPE_CHECKING:
    from torch import Tensor, nn

    from train.config import InputSpec
    from train.hooks import HookContext
    from train.methods.protocol import Method
    from train.prepare import Training

FOLDER = "attention"
"""Of the pictures, in a run folder."""
SHOWN = 4
"""Locations of a picture, each with a row for every sensor."""


class AttentionPictures:
    """A monitor of ViTs; of other networks it draws nothing."""

    def __init__(self, training: Training, run: Path) -> None:
        """Prepare; nothing is read.

        Args:
            training: What on what.
            run: The run folder.
        """
        self._training, self._folder = training, run / FOLDER
        self._views: dict[str, Tensor] = {}

    def __call__(self, method: Method, context: HookContext) -> None:
        """Write the picture of this step, and remove those of later steps, which a run that was cut off left behind."""
        backbones = _backbones(method, self._training)
        if not all(shows_attention(each) for each in backbones.values()):
            return
        if not self._views:
            self._views = self._read(backbones, context)
        shares, shown = [], []
        specs = {each.spec.sensor: each.spec for each in self._training.inputs}
        for sensor, backbone in backbones.items():
            with in_evaluation(backbone):
                shares.append(class_attention(backbone, self._views[sensor].to(context.device)))
            shown.append(_colors(self._views[sensor], specs[sensor]))
        self._write(encode_png(draw_attention(_by_location(shown), _by_location(shares))), context.step)

    def _read(self, backbones: dict[str, nn.Module], context: HookContext) -> dict[str, Tensor]:
        """The views of each sensor; says which locations they are of."""
        inputs = [each for each in self._training.inputs if each.spec.sensor in backbones]
        chosen = choose_scenes([each.stack for each in inputs], self._training.samples.locations, SHOWN)
        kind = "held-out locations" if chosen.is_held_out else "locations that it is trained on (there is no val split)"
        sensors = f" by {', then '.join(backbones)}" if len(backbones) > 1 else ""
        context.say(
            f"Pictures in {FOLDER}/ show where the class token looks on {kind}: {', '.join(chosen.locations)}{sensors}."
        )
        return {
            each.spec.sensor: read_views(each.stack, items, each.spec) for each, items in zip(inputs, chosen.items, strict=True)
        }

    def _write(self, picture: bytes, step: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"step-{step:06d}.png"
        for path in self._folder.glob("step-*.png"):
            if _step_of(path) > step:
                path.unlink()
        part = self._folder / f"{name}.part"
        part.write_bytes(picture)
        part.replace(self._folder / name)


def _backbones(method: Any, training: Training) -> dict[str, nn.Module]:
    """The student's, by sensor."""
    if training.config.alignment is None:
        return {training.record.spec.sensor: method.backbone()}
    found: dict[str, nn.Module] = method.backbones()
    return found


def _by_location(of_sensors: list[Tensor]) -> Tensor:
    """What each sensor shows of the same locations, location by location."""
    return torch.stack(of_sensors, dim=1).flatten(0, 1)


def _colors(views: Tensor, spec: InputSpec) -> Tensor:
    """Red, green and blue of views, or their first band in grey, scaled but not normalised, (batch, 3, size, size)."""
    channels = list(find_rgb(spec.sensor, spec.bands) or (0,))
    mean, std = (torch.tensor(each)[channels, None, None] for each in (spec.mean, spec.std))
    return (views[:, channels] * std + mean).expand(-1, 3, -1, -1)


def _step_of(path: Path) -> int:
    """The step of a picture; -1 of a file that is none of ours."""
    number = path.stem.removeprefix("step-")
    return int(number) if number.isdecimal() else -1
