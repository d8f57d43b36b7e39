"""Time and memory of a plan: `python -m tests.benchmarks.planning [--region france] [--counts 12500 50000]`.

Locations of a region (they may overlap) in four seasons of 2023. The scenes are those of the simulated source, all of a year
over every grid square, saved as the answers of a search before the clock starts: what a provider's search takes is its own.
Then each plan is made in a process of its own, which reads the answers, orders the candidates of every location and season and
counts blocks. Four times as many locations in the same squares take less than four times as long.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from catalogs import layout
from catalogs.console import progress
from catalogs.foreign import SourceScene
from catalogs.locations import read_locations, write_locations
from curate.build_request import BuildRequest, read_wanted, resolve_request
from curate.file_shapes import usual_shapes
from curate.plan import forecast
from curate.regions import find_region
from curate.sample import sample_locations
from curate.sample_request import SampleRequest
from curate.search import Searches
from curate.sources.protocol import LonLatBox
from curate.sources.simulated import SimulatedSource
from tests.benchmarks.machine import describe_machine

SENSOR = "sentinel-2-l2a"
REQUEST = BuildRequest(source="recorded", seasons="4", start=date(2023, 1, 1), end=date(2024, 1, 1))
TODAY = date(2024, 6, 1)


class Recorded:
    """The simulated source as a provider whose answers are kept."""

    name = "recorded"
    simulated = False

    def __init__(self) -> None:
        self.skipped: dict[str, str] = {}
        self._inner = SimulatedSource()

    def sensors(self) -> Sequence[str]:
        """Those that are simulated."""
        return self._inner.sensors()

    def search(self, sensor: str, box: LonLatBox, start: datetime, end: datetime) -> list[SourceScene]:
        """All scenes that touch a box."""
        return self._inner.search(sensor, box, start, end)

    def open(self, band: Any) -> Any:
        """Nothing is read to make a plan."""
        raise AssertionError(f"{band.href} was read")


class Planned(NamedTuple):
    """What a plan took and told."""

    seconds: float
    """On the clock."""
    cpu_s: float
    """Of the processor."""
    peak_gb: float
    """Greatest memory of the process, Python and its libraries among it."""
    base_gb: float
    """What it had before the plan began."""
    squares: int
    """Grid squares."""
    scenes: int
    """Candidates."""
    patches: float
    """Expected."""
    gigabytes: float
    """Expected to be fetched."""


def prepare(folder: Path, region: str, count: int) -> None:
    """Sample locations into a folder, and save the answers of all searches."""
    place = find_region(region)
    sample = sample_locations(SampleRequest(slug=place.slug, region=place, count=count))
    folder.mkdir(parents=True)
    write_locations(folder / layout.LOCATIONS, sample.locations)
    searches = _searches(folder)
    for square in searches.squares:
        searches.ensure(SENSOR, square)


def plan(folder: Path) -> Planned:
    """Make the plan of a prepared folder in a fresh process."""
    words = [sys.executable, "-m", "tests.benchmarks.planning", "--plan", str(folder)]
    told = subprocess.run(words, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]).stdout
    return Planned(**json.loads(told))


def _plan_here(folder: Path) -> Planned:
    searches = _searches(folder)
    locations = searches.locations
    wanted = read_wanted(resolve_request(REQUEST, None, today=TODAY, locations=len(locations)), 0)
    shapes = {sensor: usual_shapes(sensor, bands) for sensor, bands in wanted.sensors.items()}
    base = _peak_gb()
    start, cpu = time.perf_counter(), time.process_time()
    told = forecast(searches, wanted, dict.fromkeys(locations), shapes, watch=_silent, as_json=False)
    return Planned(
        seconds=time.perf_counter() - start,
        cpu_s=time.process_time() - cpu,
        peak_gb=_peak_gb(),
        base_gb=base,
        squares=len(searches.squares),
        scenes=told.sensors[SENSOR].candidates,
        patches=told.total("patches"),
        gigabytes=told.bytes / 1e9,
    )


def _searches(folder: Path) -> Searches:
    span = datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
    return Searches(Recorded(), folder, read_locations(folder / layout.LOCATIONS), span)


def _silent(total: int, description: str) -> Any:
    return progress(total, description, quiet=True)


def _peak_gb() -> float:
    """Peak memory of this process; Linux keeps it apart from that of the process it was forked from, `getrusage` does not."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0]) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--region", default="france")
    parser.add_argument("--counts", type=int, nargs="+", default=[12_500, 50_000])
    parser.add_argument("--plan", type=Path, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.plan:
        print(json.dumps(_plan_here(words.plan)._asdict()))
        return
    print(describe_machine())
    print(f"{'locations':>9}  squares  scenes     plan     CPU     peak  before   patches    to fetch")
    for count in words.counts:
        with tempfile.TemporaryDirectory() as home:
            prepare(Path(home) / "catalog", words.region, count)
            told = plan(Path(home) / "catalog")
        print(
            f"{count:>9,} {told.squares:>8,} {told.scenes:>7,} {told.seconds:>6.1f} s {told.cpu_s:>5.1f} s "
            f"{told.peak_gb:>5.2f} GB {told.base_gb:>4.2f} GB {told.patches:>9,.0f} {told.gigabytes:>8,.1f} GB",
            flush=True,
        )


if __name__ == "__main__":
    main()
