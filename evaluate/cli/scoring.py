"""What the commands that score have in common: they run the protocol, then keep and show its result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from catalogs.console import emit, emit_json, say
from evaluate.cli.result_lines import result_lines
from evaluate.protocol import run_knn
from evaluate.result import Result, write_result
from evaluate.settings import Settings


def score(
    catalog: str,
    weights: Sequence[str],
    settings: Settings,
    *,
    statistics: bool,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run the kNN protocol for a command.

    Args:
        catalog: See the commands.
        weights: See the commands.
        settings: As typed: names of bands and classes may be joined by commas.
        statistics: Score band statistics too.
        out: File to keep the result in.
        as_json: Print it as JSON.
        quiet: Say nothing but errors.
    """
    settings = replace(settings, bands=split_names(settings.bands), classes=split_names(settings.classes))
    result = run_knn(catalog, weights, settings, statistics=statistics, quiet=quiet)
    for line in foreign_sensors(result):
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
    for each in result.scores:
        if each.input and each.input["sensor"] != result.sensor:
            yield f"Note: {each.name} was made for {each.input['sensor']}, and reads bands of {result.sensor} by their names."


def split_names(words: Sequence[str] | None) -> tuple[str, ...] | None:
    """Names as they were typed, one by one or joined by commas.

    Examples:
        >>> split_names(["B04,B03", "B02"])
        ('B04', 'B03', 'B02')
    """
    return tuple(name.strip() for word in words for name in word.split(",")) if words else None
