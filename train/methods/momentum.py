"""What MoCo and SeCo have in common: a student, a teacher that follows it, and a queue of the teacher's keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import Tensor, nn

from train.config import Contrast
from train.encoder import Encoder
from train.state import Queue, Teacher


class MomentumContrast(nn.Module):
    """The state of a method of the MoCo family, and how it moves from step to step; the loss is its children's.

    References:
        He et al., Momentum Contrast, https://arxiv.org/abs/1911.05722, section 3.2
    """

    def __init__(
        self, backbone: nn.Module, constants: Contrast, *, spaces: int, queue: int, batch_size: int, seed: int
    ) -> None:
        """Make student, teacher and queue.

        Args:
            backbone: The student's.
            constants: Temperature, momentum, masks; its `queue` is not read.
            spaces: Subspaces, each with its projector and its queue.
            queue: Keys that are kept in each.
            batch_size: Locations per step, of all processes together.
            seed: Of the first keys, and of the order in Shuffle-BN.

        Raises:
            ConfigError: The batch does not divide the queue.
        """
        super().__init__()
        encoder = Encoder(backbone, spaces=spaces, dim=constants.dim)
        self.constants = constants
        self.student: nn.Module = encoder
        self.teacher = Teacher(encoder, seed=seed, shuffle=constants.shuffle_batch_norm)
        self.queue = Queue(spaces=spaces, capacity=queue, dim=constants.dim, batch_size=batch_size, seed=seed)
        self.autocast: Callable[[], AbstractContextManager[Any]] = nullcontext
        self._encoder = (encoder,)  # the student without a wrapper; in a tuple, so that it is not saved twice
        self._diagnostics: dict[str, Tensor] = {}

    def at_step(self, step: int, *, steps: int, steps_per_epoch: int) -> None:
        """Nothing hangs on how far training is."""

    def frozen(self) -> Sequence[nn.Parameter]:
        """None: every step moves all."""
        return ()

    def after_step(self) -> None:
        """Let the teacher follow. The released codes do so before the next forward pass, which is the same."""
        self.teacher.follow(self._encoder[0], self.constants.ema_momentum)

    def backbone(self) -> nn.Module:
        """The student's backbone, unwrapped: what is exported."""
        return self._encoder[0].backbone

    def diagnostics(self) -> dict[str, Tensor]:
        """What the last forward pass found, on the device and without gradient; `forward` tells what.

        `features` are the backbone's of the query, (batch, features); all else are scalars.
        """
        return self._diagnostics
