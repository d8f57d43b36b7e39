"""Many small patches out of remote scenes: ours beside rasterio, odc-stac and stackstac, and beside what no reader can pass.

    python -m tests.benchmarks.curation FOLDER [--quick] [--turns 3] [--densities sparse dense crowded] [--latencies 0 20 80]
        [--contenders ours rasterio odc-stac stackstac gets] [--whole 100 800] [--json FILE]

FOLDER keeps the scenes (1.9 GB; `--quick`: 30 MB), which are made where they lack. A server in a process of its own on the same
machine serves them, each request after the latency; each measurement is a fresh process, contenders take turns. Pixels of all
are compared with what GDAL reads from the files themselves. Wall clock on a shared machine varies by a factor of two: believe
CPU seconds and counts first, and ratios of one turn before figures of different ones.

It ends with 1 where a floor is missed.

`--json FILE` keeps every measurement, and takes up those it already holds. `--whole` builds catalogs of so many patches on disk
from the same scenes, at 20 ms, after all (`--densities` without a value: instead).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.curation.contenders import CONTENDERS
from tests.benchmarks.curation.limits import LIMITS
from tests.benchmarks.curation.run import Row, measure, prepare
from tests.benchmarks.curation.scenes import FULL, QUICK, make_scenes, scene_folder
from tests.benchmarks.curation.table import floors, tables
from tests.benchmarks.curation.tasks import DENSITIES, Needed
from tests.benchmarks.curation.whole import build
from tests.benchmarks.machine import describe_machine
from tests.range_server import ROOT

WHOLE_MS = 20
TOLD = "{0.density:8} {0.latency_ms:3} ms  {0.contender:10} {1:7.1f} patches/s {0.cpu_s:7.2f} CPU s {0.requests:6} requests"


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    """Make the scenes, measure, print."""
    asked = _parse(arguments)
    layout = QUICK if asked.quick else FULL
    make_scenes(asked.folder, layout)
    print(describe_machine())
    speeds = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.curation.limits", str(scene_folder(asked.folder, 0) / "B02.tif")],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    print("decoded MB per CPU second of one core:", json.loads(speeds.stdout))
    rows = _kept(asked.json)
    for density in asked.densities:
        prepared = prepare(asked.folder, layout, density)
        for latency_ms in asked.latencies:
            done = {(row.contender, row.turn) for row in rows if (row.density, row.latency_ms) == (density, latency_ms)}
            for row in measure(prepared, latency_ms, asked.contenders, asked.turns, done=done):
                print(TOLD.format(row, row.patches / row.seconds), flush=True)
                rows.append(row)
                _keep(asked.json, rows)
    print(*tables(rows), sep="\n")
    for patches in asked.whole:
        print(build(asked.folder, layout, patches=patches, latency_ms=WHOLE_MS), flush=True)
    return rows


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=lambda path: Path(path).resolve())
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--whole", nargs="+", type=int, default=[])
    parser.add_argument("--densities", nargs="*", choices=DENSITIES[FULL], default=list(DENSITIES[FULL]))
    parser.add_argument("--latencies", nargs="+", type=int, default=[0, 20, 80])
    parser.add_argument("--contenders", nargs="+", choices=[*CONTENDERS, *LIMITS], default=[*CONTENDERS, *LIMITS])
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)


def _kept(path: Path | None) -> list[Row]:
    records = json.loads(path.read_text()) if path and path.exists() else []
    return [Row(**record | {"needed": Needed(**record["needed"])}) for record in records]


def _keep(path: Path | None, rows: Sequence[Row]) -> None:
    if path:
        path.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    missed = [floor for floor in floors(main()) if not floor.met]
    sys.exit(f"Missed: {len(missed)} of the floors above." if missed else 0)
