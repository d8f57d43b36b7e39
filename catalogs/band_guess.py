"""Which band somebody means who writes it in another way: as a number, by its colour, or with a slip of the hand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from catalogs.records import Band

_NUMBERED = re.compile(r"(?:sr_)?(?:band|b)?[ _-]?0*(?P<number>\d{1,2}a?)", re.IGNORECASE)
"""`2`, `B2`, `b02`, `SR_B2`, `band 2`, `8a`."""


def guess_band(name: str, bands: Iterable[Band]) -> str | None:
    """The band that may be meant by a name that none of them has.

    A number is never taken for one that only looks like it: `B2` is `B02` or nothing, and not `B12`.

    Args:
        name: As the user wrote it.
        bands: Of one sensor, or of several, one after the other.

    Returns:
        Our name of it; none where nothing is near.
    """
    names, colours = [], []
    for band in bands:
        names.append(band.name)
        colours.append(band.common_name or "")
    return guess_name(name, names, colours)


def guess_name(name: str, names: Iterable[str], colours: Iterable[str] = ()) -> str | None:
    """The name that may be meant by another; see `guess_band`.

    Args:
        name: As the user wrote it.
        names: Those that there are.
        colours: STAC's common names of these, in their order, where they are known; an empty one stands for none.

    Examples:
        >>> known = ["B01", "B02", "B08", "B8A", "B12"]
        >>> guess_name("B2", known), guess_name("8a", known), guess_name("B1", known), guess_name("B7", known)
        ('B02', 'B8A', 'B01', None)
    """
    known = list(names)
    number = _number(name)
    if number:
        return next((each for each in known if _number(each) == number), None)
    word = name.lower()
    coloured = list(zip(known, colours, strict=False))
    of_colour = [each for each, colour in coloured if word and colour == word]
    of_colour += [each for each, colour in coloured if len(word) > 2 and colour.startswith(word)]
    folded = {each.lower(): each for each in reversed(known)}
    near = [folded[each] for each in get_close_matches(word, folded, 1, 0.5)]
    return next(iter([*of_colour, *near]), None)


def _number(name: str) -> str | None:
    """What tells a numbered band from the others, such as `8a`; none of a name that is no number."""
    found = _NUMBERED.fullmatch(name)
    return found["number"].lower() if found else None
