"""What looks at a training from aside, without a label: pictures and figures that the loss does not tell.

The first process alone looks. Monitors draw nothing at random and leave a method as it was, so that a training with them and
one without are the same, bit for bit.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from train.attention_pictures import AttentionPictures
from train.modes import in_evaluation
from train.retrieval_monitor import RetrievalMonitor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from train.hooks import Hook, HookContext
    from train.methods.protocol import Method
    from train.prepare import Training


class Monitor(Protocol):
    """What is called before the first step, and at the end of every epoch and of the training, on the first process."""

    def __call__(self, method: Method, context: HookContext) -> None:
        """Look at a method.

        Args:
            method: Left as it is.
            context: How far it is, and where to say what was seen.
        """


def make_monitors(training: Training, run: Path, hooks: Sequence[Hook] = ()) -> tuple[Monitor, ...]:
    """The monitors of a training: the same on every process, since all wait while the first one looks.

    Args:
        training: What on what. Nothing of its catalog is read before a monitor is called.
        run: The run folder.
        hooks: What the user adds.
    """
    ours: list[Monitor] = []
    if training.config.distillation is not None:
        ours.append(AttentionPictures(training, run))
    if training.config.alignment is not None:
        ours.append(RetrievalMonitor(training))
    return (*ours, HookCaller(hooks)) if hooks else tuple(ours)


class HookCaller:
    """Shows the student's backbone to the user's hooks, after every epoch; before the first step they are not called."""

    def __init__(self, hooks: Sequence[Hook]) -> None:
        """Keep the hooks, in their order."""
        self._hooks = tuple(hooks)

    def __call__(self, method: Method, context: HookContext) -> None:  # noqa: ARG002  every monitor is given it
        """Call them, once something was trained."""
        if context.step == 0:
            return
        with in_evaluation(context.backbone):
            for hook in self._hooks:
                hook(context)
