"""Whether tokens of one sensor find those of another that show the same ground: measured, held out, at first and each epoch.

Columns of `metrics.csv` are `retrieval/features/A/B` and `retrieval/embeddings/A/B`, where tokens of sensor A are asked for
their own of sensor B at the same place of all locations, and `retrieval_within/...`, where they are asked for it within their
location. Of `features` before the heads and of `embeddings` after them, for the heads can agree while the backbone does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from statistics import mean
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.ground_boxes import GroundBoxes, box_side_m
from train.ground_validity import token_validity
from train.held_out import choose_scenes, read_parts
from train.modes import in_evaluation
from train.patches import Patches, Target
from train.retrieval import LOCATIONS, Retrieval, retrieve_across_locations, retrieve_within_images
from train.sensor_input import square_side_m
from train.token_scale import count_tokens
from train.views import ViewMaker

if TYPE_CHECKING:
    from train.config import TrainConfig
    from train.hooks import HookContext
    from train.methods.protocol import Method
    from train.prepare import Training
    from train.sensor_input import SensorInput

ENCODED = 16
"""Locations that go through the networks together."""
MEASURES: Mapping[str, Callable[[Tensor, Tensor, Tensor], Retrieval]] = {
    "retrieval": retrieve_across_locations,
    "retrieval_within": retrieve_within_images,
}
"""By the first word of their columns."""


class SeesGround(Protocol):
    """A method of several sensors."""

    sensors: tuple[str, ...]
    """Their ids."""

    def see_ground(self, ground: Sequence[Tensor]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Features and embeddings of each sensor's tokens, of views of the same ground."""


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """The same ground of some locations, as each sensor sees it."""

    views: tuple[Tensor, ...]
    """Of each sensor, (locations, bands of the sensor, size, size), in main memory."""
    valid: tuple[Tensor, ...]
    """See `train.sensor_views.SensorViews`, in main memory."""
    is_held_out: bool
    """Whether none of the locations is trained on."""

    def __len__(self) -> int:
        return len(self.views[0])


class RetrievalMonitor:
    """A monitor of methods of several sensors."""

    def __init__(self, training: Training) -> None:
        """Prepare; nothing is read.

        Args:
            training: What on what.
        """
        self._training = training
        self._ground: Ground | None = None

    def __call__(self, method: Method, context: HookContext) -> None:
        """Measure every ordered pair of sensors; say the means over them, beside chance."""
        if self._ground is None:
            self._ground = read_ground(self._training.inputs, self._training.config)
        ground, sees = self._ground, cast("SeesGround", method)
        with in_evaluation(cast("Any", method)):
            said = _encode(sees, ground, context.device)
        found: dict[tuple[str, str], list[Retrieval]] = {}
        for (one, query), (other, key) in permutations(enumerate(sees.sensors), 2):
            valid = (ground.valid[one] & ground.valid[other]).to(context.device)
            for measure, kind in product(_askable(valid), said):
                result = MEASURES[measure](said[kind][one], said[kind][other], valid)
                context.record(f"{measure}/{kind}/{query}/{key}", result.at_1)
                found.setdefault((measure, kind), []).append(result)
        context.say(f"Step {context.step}: {_words(ground, found, sensors=len(sees.sensors))}")


def read_ground(inputs: Sequence[SensorInput], config: TrainConfig) -> Ground:
    """Read the ground that is asked about: the box in the middle of each square, as large as those trained on, nothing drawn.

    Args:
        inputs: Of each sensor.
        config: Of the training.

    Returns:
        Of up to 64 locations of the `val` split; of the last ones trained on, where all sensors see fewer than two of it.
    """
    constants = config.alignment
    assert constants is not None, "a method of several sensors"
    stacks = [each.stack for each in inputs]
    chosen = choose_scenes(stacks, inputs[0].samples.locations, LOCATIONS, least=2)
    square_m = square_side_m(stacks)
    side_m = box_side_m(square_m, constants.crop_m)
    boxes = GroundBoxes(np.full((len(chosen.locations), 2), (square_m - side_m) / 2), side_m, np.zeros(len(chosen.locations)))
    tokens = count_tokens(constants.size_px, config.backbone)
    seen = [
        _see(each, items, boxes, size_px=constants.size_px, tokens=tokens)
        for each, items in zip(inputs, chosen.items, strict=True)
    ]
    return Ground(tuple(views for views, _ in seen), tuple(valid for _, valid in seen), chosen.is_held_out)


def _see(
    each: SensorInput, items: NDArray[np.int64], boxes: GroundBoxes, *, size_px: int, tokens: int
) -> tuple[Tensor, Tensor]:
    """Views of one sensor, and which of their tokens are valid."""
    stack, maker = each.stack, ViewMaker(each.spec, each.stack.layers)
    everything = boxes.parameters(stack.layers[0].gsd, bands=len(stack.bands))
    views, valid = [], []
    for rows, pixels in read_parts(stack, items):
        parameters, numbers = everything.part(rows), items[rows]
        scale, offset = (torch.from_numpy(factors[numbers]) for factors in (stack.scale, stack.offset))
        patches = Patches(pixels, scale, offset, all_valid=False)
        views.append(maker.make(patches, Target(size_px, "bilinear", beyond=True), parameters)[0])
        valid.append(token_validity(pixels, stack.layers, parameters, all_valid=False, tokens=tokens))
    return torch.cat(views), torch.cat(valid)


def _encode(method: SeesGround, ground: Ground, device: torch.device) -> dict[str, list[Tensor]]:
    """Features and embeddings of each sensor, (locations, tokens, length), on the device."""
    parts = [
        method.see_ground([views[first : first + ENCODED].to(device) for views in ground.views])
        for first in range(0, len(ground), ENCODED)
    ]
    return {
        kind: [torch.cat(of_sensor) for of_sensor in zip(*(part[number] for part in parts), strict=True)]
        for number, kind in enumerate(("features", "embeddings"))
    }


def _askable(valid: Tensor) -> list[str]:
    """Which measures some token has another one to be told from in."""
    rivals = {"retrieval": valid.sum(0), "retrieval_within": valid.sum(1)}
    return [measure for measure, counts in rivals.items() if bool((counts > 1).any())]


def _words(ground: Ground, found: Mapping[tuple[str, str], Sequence[Retrieval]], *, sensors: int) -> str:
    """What was found, as means over the pairs of sensors."""
    where = f"{len(ground)} {'held-out locations' if ground.is_held_out else 'locations that are trained on (too few in val)'}"
    if not found:
        return f"retrieval is not measured: over {where}, no two sensors have valid ground at two places."
    parts = []
    for measure, place in (("retrieval", f"over {where}"), ("retrieval_within", "within an image")):
        results = {kind: of_pairs for (its, kind), of_pairs in found.items() if its == measure}
        if not results:
            parts.append(f"{place} not measured")
            continue
        shares = [f"{kind} {mean(each.at_1 for each in of_pairs):.1%}" for kind, of_pairs in results.items()]
        chance = mean(each.chance for of_pairs in results.values() for each in of_pairs)
        parts.append(f"{place} {', '.join(shares)} (chance {chance:.1%})")
    measured = max(len(of_pairs) for of_pairs in found.values())
    pairs = sensors * (sensors - 1)
    lacking = f" {pairs - measured} of {pairs} pairs of sensors have too little valid ground." if measured < pairs else ""
    return f"retrieval@1 {'; '.join(parts)}.{lacking}"
