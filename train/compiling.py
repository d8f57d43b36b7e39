"""torch.compile, only where it computes the same loss.

A compiled network whose loss is slightly another one is found out after thousands of steps, if at all; so the first batch is
computed both ways before a weight moves, and the compiled way backward too, which is compiled by itself.
"""

from __future__ import annotations

import copy
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from timm.layers.drop import DropPath
from torch import nn

from train.errors import ConfigError

if TYPE_CHECKING:
    from train.methods.protocol import Drawn, Method

TOLERANCE = {"32-true": 1e-4, "bf16-mixed": 1e-2}
"""Relative difference of the two losses that rounding explains, by precision."""


def compile_student(method: Method, views: Any, batch: Drawn, *, precision: str) -> Any:
    """Compile the student of a method.

    Args:
        method: Nothing of it changes.
        views: Of the batch, as the method takes them.
        batch: The first one.
        precision: What it will be trained in.

    Returns:
        The compiled student, to be put in its place.

    Raises:
        ConfigError: It cannot be compiled on this machine, or the compiled loss is another one.
    """
    losses = []
    for compiles in (False, True):
        trial = _copy(method)
        draw_nothing(trial)
        if compiles:
            trial.student = torch.compile(trial.student)
        try:
            with torch.set_grad_enabled(compiles), method.autocast():
                loss = torch.stack(list(trial(views, batch).values())).sum()
            if compiles:
                torch.autograd.backward(loss)
            losses.append(loss.item())
        except (torch._dynamo.exc.TorchDynamoException, RuntimeError) as error:  # noqa: SLF001, it has no public name
            if not compiles:
                raise
            reason = str(error).strip().splitlines()[0]
            raise ConfigError(f"The student cannot be compiled on this machine: {reason} Leave --compile away.") from error
    eager, compiled = losses
    if not abs(compiled - eager) <= TOLERANCE[precision] * abs(eager):
        raise ConfigError(
            f"The compiled student's first loss is {compiled:.6g}, the uncompiled one's {eager:.6g}: more apart than rounding "
            f"explains in {precision}. Leave --compile away."
        )
    return torch.compile(method.student)


def _copy(method: Method) -> Any:
    """A method of its own, but for the device's context: it may hold processes, and they cannot be copied."""
    shared, method.autocast = method.autocast, nullcontext
    try:
        trial: Any = copy.deepcopy(method)
    finally:
        method.autocast = shared
    trial.autocast = shared
    return trial


def draw_nothing(method: nn.Module) -> None:
    """Drop no paths and no numbers: what is drawn anew in each trial is no difference of the compiler's."""
    for each in method.modules():
        if isinstance(each, DropPath):
            each.drop_prob = 0.0
        elif isinstance(each, nn.Dropout):
            each.p = 0.0
