"""What the commands that score have in common: they run the protocol, then keep and show its result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from catalogs.console import counted, emit, emit_json, say
from evaluate.band_matching import shows_pictures
from evaluate.cli.result_lines import result_lines
from evaluate.errors import InputError
from evaluate.item_table import items_path
from evaluate.result import Result, write_result

RANDOM = "random:"
"""What starts the names of weights that were made for nothing."""


def score(run: Callable[[], Result], *, out: Path | None, as_json: bool, quiet: bool) -> None:
    """Run a protocol for a command.

    Args:
        run: The protocol with all that was typed.
        out: File to keep the result in.
        as_json: Print it as JSON.
        quiet: Say nothing but errors.

    Raises:
        InputError: `out` is a folder.
    """
    if out and out.is_dir():
        raise InputError(f"--out {out} is a folder; expected a file for the result, such as {out / 'result.json'}.")
    result = run()
    try:
        result = write_result(out, result) if out else result
    finally:  # hours of computing are shown, wherever they cannot be kept
        _show(result, as_json=as_json, quiet=quiet)
    if out:
        beside = f" and {items_path(out)}" if result.items_hash else ""
        say(f"Wrote {out}{beside}.", quiet=quiet)


def _show(result: Result, *, as_json: bool, quiet: bool) -> None:
    for line in (*foreign_sensors(result), *namesakes(result), *unfinished_probes(result)):
        say(line, quiet=quiet)
    if as_json:
        emit_json(result.to_json())
    else:
        emit("\n".join(result_lines(result)))


def foreign_sensors(result: Result) -> Iterator[str]:
    """A line for each weights that were made for another sensor: bands of one name need not hold the same numbers."""
    trained = [each for each in result.scores if not each.name.startswith(RANDOM)]
    made_for = {each.name: each.input["sensor"] for each in trained if each.input}
    for name, sensor in made_for.items():
        if sensor != result.sensor:
            words = f"Note: {name} was made for {sensor}, and reads bands of {result.sensor} by their names."
            yield words + _taken_for(sensor, result)


def _taken_for(sensor: str, result: Result) -> str:
    """What reflectance and display values are to each other, where weights were made for the other of the two."""
    if shows_pictures(sensor) == shows_pictures(result.sensor):
        return ""
    white = result.protocol["white"]
    return f" One shows reflectance, the other display values: white is taken for a reflectance of {white:g}; see --white."


def namesakes(result: Result) -> Iterator[str]:
    """A line for each name of weights that were fed in several ways, such as random ones beside two others."""
    fed: dict[str, list[Mapping[str, Any]]] = {}
    for each in result.scores:
        ways = fed.setdefault(each.name, [])
        if each.input and each.input not in ways:
            ways.append(each.input)
    for name, ways in fed.items():
        if len(ways) > 1:
            told = "; ".join(f"{','.join(way['bands'])} at {way['size_px']} pixels" for way in ways)
            yield f"Note: {name} is there {len(ways)} times, fed as the other weights are: {told}. --out keeps the scaling."


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
