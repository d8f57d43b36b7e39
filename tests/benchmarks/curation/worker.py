"""One measurement in a fresh process: `python -m tests.benchmarks.curation.worker CONTENDER`, the task on stdin."""

from __future__ import annotations

import json
import re
import sys
import time
import warnings
from pathlib import Path

from tests.benchmarks.curation.contenders import CONTENDERS
from tests.benchmarks.curation.limits import LIMITS
from tests.benchmarks.curation.tasks import Task, checksum


def measure(contender: str, task: Task) -> dict[str, object]:
    """Run a contender once.

    Returns:
        `seconds` and `cpu_s` of the run, `peak_mb` of the process and what of it was there before the run (`base_mb`),
        `pixels`: a checksum per read.
    """
    run = (CONTENDERS | LIMITS)[contender](task)
    base_mb = peak_mb()
    wall, cpu = time.perf_counter(), time.process_time()
    arrays = run()
    seconds, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    found = {"seconds": seconds, "cpu_s": cpu_s, "peak_mb": peak_mb(), "base_mb": base_mb}
    return found | {"pixels": [checksum(array) for array in arrays]}


def peak_mb() -> float:
    """Most memory that this process ever had, MB."""
    return int(re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]) / 1000


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(measure(sys.argv[1], Task.from_json(json.load(sys.stdin)))))
