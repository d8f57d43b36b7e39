"""What was typed, made into settings: names and numbers that commas join."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from evaluate.errors import InputError
from evaluate.settings import Settings

Chosen = TypeVar("Chosen", bound=Settings)


def split_names(words: Sequence[str] | None) -> tuple[str, ...] | None:
    """Names as they were typed, one by one or joined by commas.

    Examples:
        >>> split_names(["B04,B03", "B02"])
        ('B04', 'B03', 'B02')
    """
    return tuple(name.strip() for word in words for name in word.split(",")) if words else None


def split_labels(words: Sequence[str] | None) -> tuple[str, ...] | None:
    """Labels as they were typed; a comma before a space is part of a name, as in BigEarthNet's.

    Examples:
        >>> split_labels(["Beaches, dunes, sands,Pastures"])
        ('Beaches, dunes, sands', 'Pastures')
    """
    return tuple(name.strip() for word in words for name in re.split(r",(?!\s)", word)) if words else None


def split_numbers(words: Sequence[str] | None, *, flag: str, expected: str, most: float = math.inf) -> tuple[float, ...]:
    """Numbers as they were typed, one by one or joined by commas, ascending and each once; none where nothing was.

    Args:
        words: As typed.
        flag: After which, such as `--fraction`.
        expected: What they are, with an example.
        most: The greatest that is possible; all have to be finite and above 0.

    Raises:
        InputError: One is no number, or out of range.

    Examples:
        >>> split_numbers(["0.1,1", "0.01"], flag="--fraction", expected="shares", most=1)
        (0.01, 0.1, 1.0)
    """
    return tuple(sorted({_read_number(word, flag, expected, most) for word in split_names(words) or ()}))


def _read_number(word: str, flag: str, expected: str, most: float) -> float:
    try:
        number = float(word)
    except ValueError as error:
        raise InputError(f"{flag} {word!r} is no number. Give {expected}.") from error
    if not (0 < number <= most and number < math.inf):
        bounds = "above 0" if most == math.inf else f"above 0 and at most {most:g}"
        raise InputError(f"{flag} {word} is out of range. Give {expected}; each is {bounds}.")
    return number


def split_shares(words: Sequence[str] | None) -> tuple[float, ...]:
    """Shares of the labels after `--fraction`, all labels where nothing was typed; see `split_numbers`."""
    expected = "shares of the labels, such as 0.01,0.1,1"
    return split_numbers(words, flag="--fraction", expected=expected, most=1) or (1.0,)


def split_rates(words: Sequence[str] | None) -> tuple[float, ...]:
    """Learning rates after `--lr`; see `split_numbers`."""
    return split_numbers(words, flag="--lr", expected="learning rates, such as 0.001,0.01")


def split_settings(settings: Chosen) -> Chosen:
    """Settings with names of bands, classes and fills apart that were typed together."""
    bands, fill = split_names(settings.bands), split_names(settings.fill)
    return replace(settings, bands=bands, classes=split_labels(settings.classes), fill=fill)
