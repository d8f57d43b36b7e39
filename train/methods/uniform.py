"""What each term of a method's loss is worth where nothing is told apart: the plateau that a collapsed training stands on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from train.collapse import uniform_loss
from train.health import ENTROPY

if TYPE_CHECKING:
    from train.config import TrainConfig


def uniform_terms(config: TrainConfig, *, queue: int, processes: int) -> dict[str, float]:
    """The uniform value of each loss term, and of the entropy of a teacher that has one, nats.

    Args:
        config: Of the training.
        queue: Keys that are kept, of the MoCo family.
        processes: That train together.
    """
    if config.distillation is not None:
        return dict.fromkeys(("distillation", ENTROPY), math.log(config.distillation.out_dim))
    if config.method != "seco":
        return {"contrast": uniform_loss(queue)}
    assert config.contrast is not None, "checked when made"
    at_once = config.batch_size // config.accumulate
    others = 2 * (at_once if config.contrast.gather_negatives else at_once // processes)
    return {"all": uniform_loss(queue), "season": uniform_loss(queue + others), "synthetic": uniform_loss(queue + others)}
