"""What a training feeds its method: batches by their step, and what makes of them, on the device, what the method sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from train.dataset import Batches, Share
from train.sensor_batches import SensorBatches
from train.sensor_views import SensorViewMaker
from train.steps import make_views
from train.token_scale import count_tokens
from train.views import ViewMaker

if TYPE_CHECKING:
    from train.config import TrainConfig
    from train.prepare import Training


@dataclass(frozen=True, slots=True, eq=False)
class Feed:
    """Batches and their views."""

    batches: Batches | SensorBatches
    """By their step."""
    make: Callable[[Any], Any]
    """From a part of a batch, on the device, to what the method sees of it."""


def feed_training(training: Training, config: TrainConfig, share: Share) -> Feed:
    """Say how a training is fed; nothing is read.

    Args:
        training: What on what.
        config: Its configuration, as it is run.
        share: What this process computes.

    Raises:
        ConfigError: A batch does not divide among the processes.
    """
    if config.alignment is not None:
        tokens = count_tokens(config.alignment.size_px, config.backbone)
        return Feed(SensorBatches(training.inputs, config, share), SensorViewMaker(training.inputs, config, tokens=tokens))
    maker = ViewMaker(training.record.spec, training.stack.layers)
    batches = Batches(training.stack, training.samples, config, share)
    return Feed(batches, partial(make_views, maker=maker, config=config))
