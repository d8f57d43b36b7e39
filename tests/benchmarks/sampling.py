"""Time and memory of sampling: `python -m tests.benchmarks.sampling`.

A thousand locations of France, then 50,000 and 200,000 of the world, each in a process of its own, from a cold start to the
file on disk. Four times as many locations should take about four times as long; a quadratic sampler would take sixteen.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from curate.land import is_land
from curate.places import load_places
from curate.regions import find_region
from curate.sample import sample_locations
from curate.sample_folder import sample_section, write_sample
from curate.sample_request import SampleRequest
from tests.benchmarks.machine import asked, describe_machine

CASES = [
    ("france", 1000, {}),
    ("france", 1000, {"no_overlap": True}),
    ("world", 50_000, {}),
    ("world", 200_000, {}),
    ("world", 50_000, {"no_overlap": True}),
    ("world", 200_000, {"no_overlap": True}),
    ("world", 200_000, {"min_distance_m": 5000.0}),
    ("world", 200_000, {"strategy": "uniform", "no_overlap": True}),
]


def measure(region: str, count: int, flags: dict[str, object]) -> dict[str, float]:
    """Sample once, in this process."""
    start = time.monotonic()
    load_places()
    is_land([0.0], [0.0])
    loaded = time.monotonic()
    place = find_region(region)
    request = SampleRequest(slug=place.slug, region=place, count=count, **flags)
    sample = sample_locations(request)
    sampled = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        write_sample(Path(folder), sample_section(request, {}), sample)
        size = (Path(folder) / "locations.parquet").stat().st_size
    return {
        "load_s": loaded - start,
        "sample_s": sampled - loaded,
        "write_s": time.monotonic() - sampled,
        "candidates": sample.candidates,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "file_mb": size / 1e6,
    }


def main() -> None:
    """Measure all cases and print a table."""
    for case in asked(__doc__, "CASE"):
        print(json.dumps(measure(*json.loads(case))))
        return
    print(describe_machine())
    print(f"{'region':8} {'count':>8}  {'flags':45}   load   sample   write  candidates     peak     file")
    for region, count, flags in CASES:
        words = [sys.executable, "-m", "tests.benchmarks.sampling", json.dumps([region, count, flags])]
        told = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
        print(
            f"{region:8} {count:>8,}  {json.dumps(flags):45} {told['load_s']:5.1f}s {told['sample_s']:7.1f}s "
            f"{told['write_s']:6.1f}s {told['candidates']:>11,} {told['peak_gb']:5.2f} GB {told['file_mb']:5.1f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
