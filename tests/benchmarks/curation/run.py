"""Measure each contender in a fresh process, in turns, so that a spell of the machine strikes all alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.curation.limits import FOLDER
from tests.benchmarks.curation.scenes import Layout
from tests.benchmarks.curation.tasks import DENSITIES, Needed, Task, draw_task, needed, true_pixels
from tests.range_server import ROOT, RangeServer, serve_ranges

PATIENCE_S = 1800
"""For one measurement."""


@dataclass(frozen=True)
class Row:
    """One contender, measured once."""

    contender: str
    """Its name in `CONTENDERS` or `LIMITS`."""
    density: str
    """Its name in `DENSITIES`."""
    latency_ms: int
    """Of each request."""
    turn: int
    """Rows of one turn are compared with each other."""
    patches: int
    """That were read."""
    seconds: float
    """Wall clock, from addresses to arrays."""
    cpu_s: float
    """Of the client in that time, all threads."""
    peak_mb: float
    """Most memory of the client's process, the arrays among it."""
    base_mb: float
    """The same before it began: Python and its libraries."""
    requests: int
    """As the server counted."""
    bytes: int
    """Of bodies."""
    connections: int
    """Opened in all."""
    most_open: int
    """Connections at a time."""
    most_in_flight: int
    """Requests at a time."""
    server_cpu_s: float
    """Of the server, on the same machine."""
    wrong: int
    """Reads whose pixels are not as GDAL reads them from the file itself."""
    needed: Needed
    """The least that it could be done with."""


@dataclass(frozen=True)
class Prepared:
    """A task, and what is known of it."""

    folder: Path
    """Of the scenes."""
    density: str
    """Its name."""
    task: Task
    """Without the server's address."""
    truth: list[int]
    """Checksum of each read."""
    needed: Needed
    """The least that it can be done with."""


def prepare(folder: Path, layout: Layout, density: str) -> Prepared:
    """Draw the patches and read them from the files themselves."""
    task = draw_task("", layout, DENSITIES[layout][density])
    return Prepared(folder, density, task, true_pixels(folder, task), needed(folder, task))


def measure(
    prepared: Prepared, latency_ms: int, contenders: Sequence[str], turns: int, *, done: Container[tuple[str, int]] = ()
) -> Iterator[Row]:
    """Run each contender so many times, interleaved; the order is turned round each time.

    Args:
        prepared: What is asked.
        latency_ms: Of each request.
        contenders: Names in `CONTENDERS` or `LIMITS`.
        turns: How many times.
        done: Contenders and turns that are left out.

    Raises:
        RuntimeError: A contender failed; its last words are in the message.
    """
    with serve_ranges(prepared.folder, latency_s=latency_ms / 1000) as server:
        for turn in range(turns):
            for contender in list(contenders)[:: -1 if turn % 2 else 1]:
                if (contender, turn) not in done:
                    yield _measured(prepared, server, contender, (latency_ms, turn))


def _measured(prepared: Prepared, server: RangeServer, contender: str, place: tuple[int, int]) -> Row:
    task = Task(server.url, prepared.task.patches, prepared.task.sides)
    command = [sys.executable, "-m", "tests.benchmarks.curation.worker", contender]
    environment = os.environ | {FOLDER: str(prepared.folder)}
    server.reset()
    done = subprocess.run(
        command,
        input=json.dumps(task.to_json()),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        timeout=PATIENCE_S,
        check=False,
    )
    counts = server.counts()
    if done.returncode:
        raise RuntimeError(f"{contender} failed at {prepared.density}, {place[0]} ms: {done.stderr[-2000:]}")
    found = json.loads(done.stdout)
    pixels = found.pop("pixels")
    compared = zip(pixels, prepared.truth, strict=True) if pixels else ()
    return Row(
        contender=contender,
        density=prepared.density,
        latency_ms=place[0],
        turn=place[1],
        patches=len(task.patches),
        requests=counts.requests,
        bytes=counts.bytes,
        connections=counts.connections,
        most_open=counts.most_open,
        most_in_flight=counts.most_in_flight,
        server_cpu_s=counts.cpu_s,
        wrong=sum(one != other for one, other in compared),
        needed=prepared.needed,
        **found,
    )
