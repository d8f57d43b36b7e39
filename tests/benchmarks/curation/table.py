"""From rows to what is said of them: medians, ratios of pairs, floors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import median
from typing import NamedTuple

from tests.benchmarks.curation.run import Row

OURS = "ours"
HEADER_BYTES = 16 << 10
HEAD = ("contender", "patches/s", "CPU s", "requests", "MB", "x needed", "peak MB", "connections", "server CPU s")
FAST_MS = 20
"""Latency up to which the lower of two floors holds."""


class Floor(NamedTuple):
    """What ours must reach in a cell of the benchmark."""

    density: str
    """Its name."""
    latency_ms: int
    """Of each request."""
    what: str
    """In words."""
    found: float
    """Median over the pairs."""
    floor: float
    """Least or most, see `least`."""
    least: bool
    """Whether the floor is the least; else the most."""
    pairs: int
    """That were compared."""

    @property
    def met(self) -> bool:
        """Whether ours reaches it."""
        return self.found >= self.floor if self.least else self.found <= self.floor


def speed_floor(density: str, latency_ms: int, against: str) -> float | None:
    """Times as many patches per second as another contender; none where none is asked."""
    if density == "crowded":
        return 5.0 if against == "rasterio" else None
    if density == "dense":
        return 1.9 if against == "rasterio" else 2.8
    slow = latency_ms > FAST_MS
    return (2.2 if slow else 1.5) if against == "rasterio" else (2.7 if slow else 2.0)


CPU_FLOORS = {"sparse": 0.6, "dense": 0.5}
"""Client CPU seconds of ours over rasterio's, at most."""


def floors(rows: Sequence[Row]) -> Iterator[Floor]:
    """All floors that the rows allow to judge."""
    for density, latency_ms in dict.fromkeys((row.density, row.latency_ms) for row in rows):
        cell = [row for row in rows if (row.density, row.latency_ms) == (density, latency_ms)]
        others = [
            name for name in dict.fromkeys(row.contender for row in cell) if name in {"rasterio", "odc-stac", "stackstac"}
        ]
        for other in others:
            floor = speed_floor(density, latency_ms, other)
            ratios = _ratios(cell, other, lambda mine, theirs: theirs.seconds / mine.seconds)
            if floor and ratios:
                yield Floor(
                    density, latency_ms, f"patches/s over {other}", median(ratios), floor, least=True, pairs=len(ratios)
                )
        ratios = _ratios(cell, "rasterio", lambda mine, theirs: mine.cpu_s / theirs.cpu_s)
        if density in CPU_FLOORS and ratios:
            yield Floor(
                density, latency_ms, "CPU s over rasterio", median(ratios), CPU_FLOORS[density], least=False, pairs=len(ratios)
            )
        mine = [row for row in cell if row.contender == OURS]
        if mine:
            yield from _counted(density, latency_ms, mine)


def _counted(density: str, latency_ms: int, mine: Sequence[Row]) -> Iterator[Floor]:
    needed = mine[0].needed
    most = {
        "bytes": (max(row.bytes for row in mine), 1.02 * needed.bytes + HEADER_BYTES * needed.files),
        "requests": (max(row.requests for row in mine), 1.02 * (needed.files + needed.blocks)),
        "connections": (max(row.connections for row in mine), 64 + 2),
        "wrong pixels": (max(row.wrong for row in mine), 0),
    }
    for what, (found, floor) in most.items():
        yield Floor(density, latency_ms, what, found, floor, least=False, pairs=len(mine))


def _ratios(cell: Iterable[Row], other: str, ratio: Callable[[Row, Row], float]) -> list[float]:
    by_turn = {(row.contender, row.turn): row for row in cell}
    turns = [turn for contender, turn in by_turn if contender == OURS and (other, turn) in by_turn]
    return [ratio(by_turn[OURS, turn], by_turn[other, turn]) for turn in turns]


def tables(rows: Sequence[Row]) -> Iterator[str]:
    """A Markdown table per density and latency, medians over the turns; then the floors."""
    for density, latency_ms in dict.fromkeys((row.density, row.latency_ms) for row in rows):
        cell = [row for row in rows if (row.density, row.latency_ms) == (density, latency_ms)]
        needed = cell[0].needed
        yield (
            f"\n{density}: {cell[0].patches} patches, {latency_ms} ms; needed are {needed.blocks} blocks "
            f"of {needed.files} files, {needed.bytes / 1e6:.0f} MB; median of {max(row.turn for row in cell) + 1}\n"
        )
        yield from (_line(HEAD), _line(["---"] * len(HEAD)))
        for contender in sorted({row.contender for row in cell}, key=lambda name: _middle(cell, name, lambda row: row.seconds)):
            yield _line(_cells([row for row in cell if row.contender == contender]))
    if rows:
        yield from _judgement(rows)


def _judgement(rows: Sequence[Row]) -> Iterator[str]:
    yield from ("\n", _line(("density", "ms", "what", "found", "floor", "pairs", "")), _line(["---"] * 7))
    for floor in floors(rows):
        bound = f"{'>=' if floor.least else '<='} {_figure(floor.floor)}"
        judged = "met" if floor.met else "MISSED"
        yield _line((floor.density, str(floor.latency_ms), floor.what, _figure(floor.found), bound, str(floor.pairs), judged))


def _cells(rows: Sequence[Row]) -> list[str]:
    def middle(value: Callable[[Row], float]) -> float:
        return median(value(row) for row in rows)

    return [
        rows[0].contender + (" (WRONG PIXELS)" if any(row.wrong for row in rows) else ""),
        f"{middle(lambda row: row.patches / row.seconds):.1f}",
        f"{middle(lambda row: row.cpu_s):.2f}",
        f"{middle(lambda row: row.requests):.0f}",
        f"{middle(lambda row: row.bytes / 1e6):.0f}",
        f"{middle(lambda row: row.bytes / row.needed.bytes):.2f}",
        f"{middle(lambda row: row.peak_mb):.0f}",
        f"{middle(lambda row: row.connections):.0f}",
        f"{middle(lambda row: row.server_cpu_s):.2f}",
    ]


def _middle(cell: Iterable[Row], contender: str, value: Callable[[Row], float]) -> float:
    return median(value(row) for row in cell if row.contender == contender)


def _figure(number: float) -> str:
    return f"{number:.2f}" if number < 100 else f"{number:,.0f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
