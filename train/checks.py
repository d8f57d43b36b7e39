"""Checks that the records of a training share, and the words of their errors."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from train.errors import ConfigError


def check_choice(what: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a word that is not among a few.

    Raises:
        ConfigError: It is not; the message lists them and guesses.
    """
    if value not in choices:
        raise ConfigError(f"Unknown {what} {value!r}. Choose from: {', '.join(choices)}.{guess_name(value, choices)}")


def guess_name(name: str, known: Iterable[str]) -> str:
    """The question whether one of some names is meant, after a space; nothing where none is near."""
    close = get_close_matches(name, list(known), 1, 0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def check_probability(name: str, value: float) -> None:
    """Refuse what is no probability.

    Raises:
        ConfigError: It is outside 0 to 1.
    """
    if not 0 <= value <= 1:
        raise ConfigError(f"{name} is {value}; expected a probability from 0 to 1.")


def check_range(name: str, value: tuple[float, float], low: float, high: float) -> None:
    """Refuse what is no range.

    Raises:
        ConfigError: The two are not in order, the first is not above `low`, or the second is above `high`.
    """
    if not low < value[0] <= value[1] <= high:
        raise ConfigError(f"{name} is {value}; expected two numbers in order, above {low:g} and up to {high:g}.")
