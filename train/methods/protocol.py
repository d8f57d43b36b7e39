"""What the loop asks of a method, and what a method asks of a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, Self

from torch import Tensor, nn


class Drawn(Protocol):
    """What a method reads of a batch, beside its views."""

    @property
    def locations(self) -> Tensor:
        """Number of each location, (batch,), int64."""

    @property
    def scenes(self) -> Tensor:
        """Date of each scene that was drawn, (batch, scenes), int64: equal numbers of one location are the same date."""


class Method(Protocol):
    """A way to learn from views, such as SeCo. A module too: its state dict is all that it carries from step to step."""

    student: nn.Module
    """What is trained: backbone and projectors. The loop may put a wrapper in its place; only its forward is called."""
    autocast: Callable[[], AbstractContextManager[Any]]
    """The precision that the teacher computes in; set by the loop."""

    def __call__(self, views: Any, batch: Drawn) -> dict[str, Tensor]:
        """Named terms of the loss, each already weighted; their sum is the loss.

        Args:
            views: As `TrainConfig.views` asks for, a sequence of (batch, bands, height, width); of a method of several sensors,
                `train.sensor_views.SensorViews`.
            batch: What the views are of.
        """

    def at_step(self, step: int, *, steps: int, steps_per_epoch: int) -> None:
        """Settle what hangs on how far training is; called before a step.

        Args:
            step: Of the optimizer, from 0.
            steps: Of the whole training.
            steps_per_epoch: Of those.
        """

    def frozen(self) -> Sequence[nn.Parameter]:
        """Parameters of the student that this step leaves as they are."""

    def after_step(self) -> None:
        """Let the teacher follow, once the optimizer has moved the student."""

    def backbone(self) -> nn.Module:
        """The student's backbone, unwrapped: what is exported."""

    def diagnostics(self) -> dict[str, Tensor]:
        """What the last call found: `features` (batch, features) and named scalars, on the device, without gradient."""

    def to(self, *args: Any, **options: Any) -> Self:
        """Move everything to a device or memory format."""

    def state_dict(self) -> dict[str, Any]:
        """All that it carries from step to step."""

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> object:
        """Go on from there."""
