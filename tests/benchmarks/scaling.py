"""A build of many simulated patches: rate per core, resident memory over time, one process against two.

    python -m tests.benchmarks.scaling [--patches 100000] [--ways threads,local:1,local:2]

Each way of building is a `curate build` of its own, of the same locations into a folder of its own: one thread, or a Dask
cluster of one or two processes on this machine. Patches are of 600 m and one 60 m band with its mask, four per location, rows
of the index alone: the least to render, so that what is measured is the build's bookkeeping as much as it can be. Processor
seconds are those of the build and all of its processes. Memory is sampled twice a second, of the process that keeps the
catalog and of its largest worker, and told as the mean of each quarter of the run, the first of which holds the imports. What
the simulation remembers of its landscape is cut to a few MB in the process that is started, so that it is full early; the
workers of a cluster keep its 176 MB, and grow until these are full.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil

from catalogs import layout, open_catalog
from catalogs.locations import write_locations
from catalogs.recipe import write_section
from catalogs.testing import make_locations
from tests.benchmarks.machine import describe_machine
from tests.conftest import ROOT

SEASONS = 4
QUARTERS = 4
ROW = 200
"""Locations of a row, 15 degrees of longitude."""
SAMPLE_S = 0.5
THREADS = "threads"
BUILD = ("--source", "simulated", "--bands", "B01", "--seasons", str(SEASONS), "--start", "2023-01-01", "--end", "2024-01-01")
PROGRAM = """
from curate.simulation import world
world.GROUND_BYTES = world.PIXEL_BYTES = 4 << 20
from curate.cli import main
main()
"""


@dataclass(frozen=True)
class Run:
    """How one way of building went."""

    way: str
    """`threads`, or the scheduler."""
    patches: int
    """Items that it wrote."""
    wall_s: float
    """From start to end of the command."""
    cpu_s: float
    """Of all of its processes."""
    keeper_mb: Sequence[float]
    """Resident memory of the process that keeps the catalog, mean of each quarter of the run."""
    worker_mb: Sequence[float]
    """The same of the largest other process; zeros where there is none."""


def measure(folder: Path, way: str, patches: int) -> Run:
    """Build so many patches in a way."""
    make_sampled(folder, patches // SEASONS)
    command = [sys.executable, "-c", PROGRAM, "build", str(folder), *BUILD]
    more = ("--workers", "1") if way == THREADS else ("--scheduler", way)
    cpu, began = _cpu_of_children(), time.perf_counter()
    with subprocess.Popen([*command, "--items", "parquet", "--quiet", *more], cwd=ROOT) as process:
        samples = sample_memory(process)
    wall = time.perf_counter() - began
    assert process.returncode == 0, f"the build with {way} left with {process.returncode}"
    keeper, worker = zip(*samples, strict=True)
    count = len(open_catalog(folder).items())
    return Run(way, count, wall, _cpu_of_children() - cpu, quarters(keeper), quarters(worker))


def make_sampled(folder: Path, count: int) -> None:
    """A folder as `curate sample` makes it, of so many squares, in rows over 40 degrees of latitude at most."""
    folder.mkdir(parents=True)
    write_section(folder, "sample", {"region": "benchmark", "seed": 3})
    step = min(0.9, 40 * ROW / count)
    rows = (
        make_locations(min(ROW, count - start), lat=20 + step * number, slug=f"row{number:03d}")
        for number, start in enumerate(range(0, count, ROW))
    )
    write_locations(folder / layout.LOCATIONS, [location for row in rows for location in row])


def sample_memory(process: subprocess.Popen[bytes]) -> list[tuple[float, float]]:
    """Resident memory of a process and of its largest child, MB, until it ends."""
    root = psutil.Process(process.pid)
    samples = []
    while process.poll() is None:
        with suppress(psutil.Error):
            children = [resident_mb(child) for child in root.children(recursive=True)]
            samples.append((resident_mb(root), max(children, default=0.0)))
        time.sleep(SAMPLE_S)
    return samples


def resident_mb(process: psutil.Process) -> float:
    """Resident memory, 0 of a process that is gone."""
    with suppress(psutil.Error):
        return float(process.memory_info().rss) / 1e6
    return 0.0


def quarters(samples: Sequence[float]) -> list[float]:
    """Means of the quarters of a run."""
    edges = [len(samples) * number // QUARTERS for number in range(QUARTERS + 1)]
    return [sum(samples[start:end]) / max(1, end - start) for start, end in pairwise(edges)]


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tell(run: Run) -> str:
    """A line of the table."""
    memory = "  ".join(f"{keeper:4.0f} {worker:4.0f}" for keeper, worker in zip(run.keeper_mb, run.worker_mb, strict=True))
    return (
        f"{run.way:<8} {run.patches:7,d} {run.wall_s:8.1f} s {run.cpu_s:8.1f} s {run.patches / run.wall_s:8.1f}/s "
        f"{run.patches / run.cpu_s:8.1f}/s  {memory}"
    )


def main() -> None:
    """Measure every way, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patches", type=int, default=100_000)
    parser.add_argument("--ways", default=f"{THREADS},local:1,local:2")
    asked = parser.parse_args()
    print(describe_machine())
    print("way      patches       wall        CPU     rate   per core  MB of keeper and largest worker, by quarter of the run")
    for way in asked.ways.split(","):
        with tempfile.TemporaryDirectory() as home:
            print(tell(measure(Path(home) / "cat", way, asked.patches)), flush=True)


if __name__ == "__main__":
    main()
