"""What a user adds to a training: a function that is called after every epoch, such as an online kNN.

`--hook evaluate.online:knn=data/labelled` calls `knn(context, "data/labelled")` of the module `evaluate.online`: so the trainer
scores weights without importing the evaluator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

from train.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from train.config import InputSpec


def _stay_silent(*_: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class HookContext:
    """What a hook may look at."""

    step: int
    """Optimizer steps done."""
    epoch: int
    """Epochs done."""
    backbone: nn.Module
    """The student's, in evaluation mode, without gradient; (batch, bands, height, width) to (batch, features)."""
    spec: InputSpec
    """What the backbone expects of its input."""
    device: torch.device
    """Where the backbone is."""
    log: Callable[[str, float], None]
    """Writes a figure beside the loss, and says it."""
    record: Callable[[str, float], None] = _stay_silent
    """Writes a figure beside the loss, of those that are many."""
    say: Callable[[str], None] = _stay_silent
    """Says a sentence to people, and to `log.txt`."""


Hook = Callable[[HookContext], Any]


def find_hook(text: str) -> Hook:
    """The function that `module:function=ARGUMENT` names, ready to be called with a context.

    Args:
        text: The argument and its equals sign may be absent; the function then takes the context alone.

    Raises:
        ConfigError: It is not of that form, or there is no such module or function.
    """
    name, equals, argument = text.partition("=")
    module_name, _, function_name = name.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), function_name)):
        raise ConfigError(f"--hook {text!r} names no function. Expected MODULE:FUNCTION or MODULE:FUNCTION=ARGUMENT.")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError(f"--hook {text!r}: there is no module {error.name!r}. Install it, or correct the name.") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        guess = get_close_matches(function_name, dir(module), 1, 0.5)
        raise ConfigError(
            f"--hook {text!r}: module {module_name} has no function {function_name!r}."
            f"{f' Did you mean {guess[0]!r}?' if guess else ''}"
        )
    return (lambda context: function(context, argument)) if equals else function
