"""Figures and names as commands and pages say them. Pure functions."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluate.pairs import Difference


def percent(share: float) -> str:
    """A share as a percentage.

    Examples:
        >>> percent(0.8751)
        '87.5%'
    """
    return f"{share:.1%}"


def between(interval: tuple[float, float] | None) -> str:
    """An interval of shares; a dash where there is none.

    Examples:
        >>> between((0.75, 0.9375))
        '75.0 - 93.8%'
    """
    return f"{100 * interval[0]:.1f} - {interval[1]:.1%}" if interval else "-"


def points(difference: float, interval: tuple[float, float] | None) -> str:
    """A difference of two shares in percentage points, with its interval where it has one.

    Examples:
        >>> points(-0.0321, (-0.05, 0.002))
        '-3.2 (-5.0 to +0.2)'
    """
    told = f"{100 * difference:+.1f}"
    return told if interval is None else f"{told} ({100 * interval[0]:+.1f} to {100 * interval[1]:+.1f})"


def to_best_words(place: int, difference: Difference | None) -> str:
    """How far a score is from the best one: `best` of the first, points of the others, a dash where nobody knows."""
    if not place:
        return "best"
    return points(difference.value, difference.interval) if difference else "-"


def breakable(name: str) -> str:
    """A name as HTML, that may go on in the next line where a new word starts.

    Examples:
        >>> breakable("PermanentCrop & forest")
        'Permanent<wbr>Crop &amp; forest'
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[_/])", "<wbr>", escape(name))
