"""What the commands that score have in common: they run the protocol, then keep and show its result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from catalogs.console import counted, emit, emit_json, say
from evaluate.cli.result_lines import result_lines
from evaluate.errors import InputError
from evaluate.result import Result, write_result
from evaluate.settings import Settings

Chosen = TypeVar("Chosen", bound=Settings)


def score(run: Callable[[], Result], *, out: Path | None, as_json: bool, quiet: bool) -> None:
    """Run a protocol for a command.

    Args:
        run: The protocol with all that was typed.
        out: File to keep the result in.
        as_json: Print it as JSON.
        quiet: Say nothing but errors.
    """
    result = run()
    for line in (*foreign_sensors(result), *unfinished_probes(result)):
        say(line, quiet=quiet)
    if as_json:
        emit_json(result.to_json())
    else:
        emit("\n".join(result_lines(result)))
    if out:
        write_result(out, result)
        say(f"Wrote {out}.", quiet=quiet)


def foreign_sensors(result: Result) -> Iterator[str]:
    """A line for each weights that were made for another sensor: bands of one name need not hold the same numbers."""
    made_for = {each.name: each.input["sensor"] for each in result.scores if each.input}
    for name, sensor in made_for.items():
        if sensor != result.sensor:
            yield f"Note: {name} was made for {sensor}, and reads bands of {result.sensor} by their names."


def unfinished_probes(result: Result) -> Iterator[str]:
    """A line for each score with linear probes that did not converge."""
    for each in result.scores:
        converged = each.details.get("trials", {}).get("converged", [])
        if not all(converged):
            yield (
                f"Warning: {converged.count(False)} of {counted(len(converged), 'linear probe')} of {each.name} at "
                f"{100 * each.details['fraction']:g} % of the labels did not converge in {result.protocol['steps']:,} steps. "
                "The score hangs on where they stopped: its features may be nearly copies of one another."
            )


def split_names(words: Sequence[str] | None) -> tuple[str, ...] | None:
    """Names as they were typed, one by one or joined by commas.

    Examples:
        >>> split_names(["B04,B03", "B02"])
        ('B04', 'B03', 'B02')
    """
    return tuple(name.strip() for word in words for name in word.split(",")) if words else None


def split_shares(words: Sequence[str]) -> tuple[float, ...]:
    """Shares as they were typed, one by one or joined by commas, ascending and each once.

    Raises:
        InputError: One is no number.

    Examples:
        >>> split_shares(["0.1,1", "0.01"])
        (0.01, 0.1, 1.0)
    """
    found = set()
    for word in split_names(words) or ():
        try:
            found.add(float(word))
        except ValueError as error:
            raise InputError(f"--fraction {word!r} is no number. Give shares of the labels, such as 0.01,0.1,1.") from error
    return tuple(sorted(found))


def with_names(settings: Chosen) -> Chosen:
    """Settings with names of bands and classes apart that were typed together."""
    return replace(settings, bands=split_names(settings.bands), classes=split_names(settings.classes))
