"""Words for a command line that is not understood: what was typed, what was expected, what to type instead.

cyclopts tells options that are unknown and choices that are none with a guess; its other words say neither what was expected
nor what to do, and are put in ours. This package does not import it: its errors are known by their names.
"""

from __future__ import annotations

from datetime import date
from typing import Any

EXPECTED = {date: "a day, such as 2023-06-30", int: "a whole number, such as 4", float: "a number, such as 0.5"}
"""What a value may look like, by its type."""


def usage_words(error: Any) -> str:
    """What to tell of an error of cyclopts.

    Args:
        error: What it raised.
    """
    rewrite = _REWRITES.get(type(error).__name__)
    return (rewrite(error) if rewrite else None) or str(error)


def _no_value(error: Any) -> str | None:
    """A value of another type than the option's."""
    token, expected = error.token, EXPECTED.get(error.target_type)
    if token is None or expected is None or error.msg is not None:
        return None
    name = token.keyword or error.argument.name.lstrip("-").upper()
    return f"{name} is {token.value!r}; expected {expected}."


def _too_many(error: Any) -> str:
    """Words beyond those that a command takes, as after a list with a space in it."""
    words, typed = error.unused_tokens or [], list(error.root_input_tokens or [])
    place = typed.index(words[0]) if words and words[0] in typed else 0
    before = typed[place - 1] if place else ""
    told = f"Nobody knows what to do with {' '.join(map(repr, words))}."
    if before.endswith(",") or words[0].startswith(","):
        return f"{told} A list has commas and no spaces: {before.rstrip(',')},{words[0].lstrip(',')}"
    return f"{told} What holds a space stands in quotation marks; an option begins with --."


def _missing(error: Any) -> str:
    """A required value that is not there, or an option at the end without one."""
    argument, command = error.argument, " ".join(error.command_chain or ())
    stand_in = argument.name.lstrip("-").upper()
    if error.keyword:
        return f"{error.keyword} is given without a value. Say {error.keyword} {stand_in}, or leave it out."
    wanted = stand_in if argument.field_info.is_positional else f"{argument.name} {stand_in}"
    return f"{wanted} is missing, and `{command}` needs it; `{command} --help` has an example."


def _twice(error: Any) -> str:
    """An option that takes one value and is given twice."""
    return f"{error.token.keyword} is given twice; expected once, as it takes one value."


_REWRITES = {
    "CoercionError": _no_value,
    "UnusedCliTokensError": _too_many,
    "MissingArgumentError": _missing,
    "RepeatArgumentError": _twice,
}
