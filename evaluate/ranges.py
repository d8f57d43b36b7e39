"""What numbers a setting may have: one rule for each name, whichever protocol has it. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from evaluate.errors import InputError
from train.config import PRECISIONS


@dataclass(frozen=True, slots=True)
class Rule:
    """What a setting may be."""

    holds: Callable[[Any], bool]
    """Of one value; where a setting has several, of each."""
    expected: str
    """The same in words."""


def _at_least(least: int) -> Rule:
    return Rule(lambda value: value >= least, f"{least} or more")


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("season", "workers", "seed", "min_steps", "keep_gb"), _at_least(0)),
    **dict.fromkeys(("size_px", "batch_size", "k", "repeats", "epochs", "samples_per_step"), _at_least(1)),
    "white": Rule(lambda value: 0 < value < math.inf, "a reflectance above 0, such as 0.3"),
    "temperature": Rule(lambda value: 0 < value < math.inf, "more than 0, such as 0.07"),
    "fraction": Rule(lambda value: 0 < value <= 1, "shares of the labels above 0 and at most 1, such as 0.1,1"),
    "lr": Rule(lambda value: 0 < value < math.inf, "more than 0, such as 1e-3"),
    "layer_decay": Rule(lambda value: 0 < value <= 1, "more than 0 and at most 1, such as 0.75"),
    "weight_decay": Rule(lambda value: 0 <= value < math.inf, "0 or more, such as 0.05"),
    "label_smoothing": Rule(lambda value: 0 <= value < 1, "0 or more and below 1"),
    "precision": Rule(PRECISIONS.__contains__, ", ".join(PRECISIONS)),
}
"""Of each setting that not everything will do for, by its name."""


def check_ranges(settings: Iterable[tuple[str, Any]]) -> None:
    """Refuse settings that are out of their range, with the flag that sets them.

    Args:
        settings: Names and values; of a tuple each has to hold, and one has to be there. None is left open, and may be.

    Raises:
        InputError: One is out of range.
    """
    for name, value in settings:
        rule = RULES.get(name)
        if rule is None or value is None:
            continue
        values = value if isinstance(value, tuple) else (value,)
        if not values or not all(map(rule.holds, values)):
            shown = list(value) if isinstance(value, tuple) else value
            raise InputError(f"--{name.replace('_', '-')} is {shown}; expected {rule.expected}.")
