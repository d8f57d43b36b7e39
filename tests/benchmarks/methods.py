"""What each method learns from simulated France with one budget: `python -m tests.benchmarks.methods [FOLDER]`.

Builds squares of 600 m with Sentinel-2, Landsat and SPOT-like scenes of other dates and other radiometry, trains with every
method on the same locations, as often, with the same seed, and prints two tables: which of ten land covers fills most of a
Sentinel-2 patch that training has not seen, by nearest neighbours, beside random weights and band statistics; and how often a
token of one sensor finds its ground among the tokens of another, for X-STARS without its alignment and with it. X-STARS needs a
ViT, the others train a ResNet: each stands beside its own random weights. What is there already, in the folder, is not made
again, and refused where other words made it; a training that was interrupted goes on, and all its parts count.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from tests.benchmarks.machine import asked, describe_machine

SENSORS = ("sentinel-2-l2a", "landsat-c2-l2", "spot-ortho")
SAMPLE = ("--region", "france", "--count", "800", "--seed", "7", "--patch-m", "600", "--splits", "0.6,0.1,0.3")
DATES = ("--seasons", "4", "--start", "2023-01-01", "--end", "2024-01-01", "--bands", "B02,B03,B04,B08,blue,green,red,nir")
BUDGET = ("--batch-size", "16", "--epochs", "15", "--optimizer", "adamw", "--lr", "1e-3", "--seed", "0", "--workers", "1")
ONE = ("--sensor", SENSORS[0], "--bands", "B04,B03,B02", "--backbone", "resnet10t", "--size-px", "48")
SEVERAL = ("--sensors", ",".join(SENSORS), "--bands", "red,green,blue", "--backbone", "test_vit", "--size-px", "112")
SHORT = (
    "--out-dim", "1024", "--head-hidden", "512", "--bottleneck", "128", "--head-batch-norm", "--ema-momentum", "0.98",
    "--freeze-last-layer", "0", "--drop-path", "0", "--weight-decay", "0.01", "--warmup-epochs", "1",
)  # fmt: skip
"""Of DINO, where a training is short and the data are few."""
RUNS = {
    "moco": ("moco", *ONE),
    "moco-tp": ("moco-tp", *ONE),
    "seco": ("seco", *ONE),
    "dino": ("dino", *ONE, *SHORT),
    "dino-mc": ("dino-mc", *ONE, *SHORT),
    "dino-tp": ("dino-tp", *ONE, *SHORT),
    "x-stars, alpha 0": ("x-stars", *SEVERAL, *SHORT, "--local-sizes", "48,48", "--alignment-weight", "0"),
    "x-stars": ("x-stars", *SEVERAL, *SHORT, "--local-sizes", "48,48"),
}
"""Of each row of the table, the method and its own flags."""


@dataclass(slots=True)
class Notes:
    """What made a folder, kept in a file beside it."""

    words: list[str]
    """Of the command."""
    minutes: float | None = 0.0
    """CPU minutes of all its parts; none while one runs, and for good if nobody saw that one end."""
    finished: bool = False
    """Whether the folder is whole."""

    def write(self, made: Path) -> None:
        """Put them beside the folder."""
        _beside(made).parent.mkdir(parents=True, exist_ok=True)
        _beside(made).write_text(json.dumps(asdict(self)), encoding="utf-8")


def read_notes(made: Path, words: Sequence[str]) -> Notes:
    """The notes of a folder, or new ones where there is none.

    Raises:
        SystemExit: Other words made it, or nobody noted which.
    """
    if not _beside(made).exists() and not made.exists():
        return Notes(list(words))
    if not _beside(made).exists():
        raise SystemExit(f"{made} is there without {_beside(made)}, which says what made it. Remove it or give another FOLDER.")
    notes = Notes(**json.loads(_beside(made).read_text(encoding="utf-8")))
    if notes.words != list(words):
        raise SystemExit(
            f"{made} was made with other words: {' '.join(notes.words)}. Remove it and {_beside(made)} or give another FOLDER."
        )
    return notes


def _beside(made: Path) -> Path:
    return made.with_name(f"{made.name}.json")


def call(command: str, *words: str) -> str:
    """What a command of ours prints."""
    code = f"import sys; from {command}.cli import main; sys.exit(main(sys.argv[1:]))"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code, *words], stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return done.stdout


def minutes_of_commands() -> float:
    """CPU minutes that all commands so far took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) / 60


def make_catalog(folder: Path) -> Path:
    """Simulated France, packed."""
    catalog = folder / "france"
    notes = read_notes(catalog, (*SAMPLE, *SENSORS, *DATES))
    if not notes.finished:
        notes.write(catalog)
        call("curate", "sample", *SAMPLE, "--out", str(catalog), "--quiet")
        call("curate", "build", str(catalog), "--source", "simulated", *(f"--sensor={name}" for name in SENSORS), *DATES)
        call("curate", "pack", str(catalog), "--quiet")
        notes.finished = True
        notes.write(catalog)
    return catalog


def train(folder: Path, catalog: Path, name: str) -> tuple[Path, float | None]:
    """The run folder of a row, and the CPU minutes that its training took, if they are known."""
    run = folder / "runs" / name.replace(", ", "-").replace(" ", "-")
    method, *own = RUNS[name]
    notes = read_notes(run, (method, *BUDGET, *own))
    if notes.finished:
        return run, notes.minutes
    minutes, before = notes.minutes, minutes_of_commands()
    notes.minutes = None
    notes.write(run)
    try:
        call("train", method, "--catalog", str(catalog), "--out", str(run), *BUDGET, *own)
        notes.finished = True
    finally:
        notes.minutes = None if minutes is None else minutes + minutes_of_commands() - before
        notes.write(run)
    return run, notes.minutes


def score(folder: Path, catalog: Path, runs: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """Accuracy of each row and of what it is shown beside, with its interval: `value`, `low`, `high`."""
    weights = (word for run in runs.values() for word in ("--weights", str(run)))
    asked = ("--catalog", str(catalog), "--sensor", SENSORS[0], "--out", str(folder / "knn.json"), "--json", "--quiet")
    printed = call("evaluate", "knn", *weights, *asked)
    names = {str(run): name for name, run in runs.items()}
    return {names.get(each["name"], each["name"]): each for each in json.loads(printed)["scores"]}


def retrieval(run: Path, step: int) -> dict[str, float]:
    """What a run measured of retrieval@1 at its first (0) or last (-1) look, the mean over ordered pairs of sensors.

    Returns:
        By the first two words of the columns of `metrics.csv`, such as `retrieval/features`.
    """
    with (run / "metrics.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            {name: float(text) for name, text in row.items() if "retrieval" in name and text} for row in csv.DictReader(file)
        ]
    row = [each for each in rows if each][step]
    kinds = dict.fromkeys("/".join(name.split("/")[:2]) for name in row)
    return {kind: fmean(share for name, share in row.items() if name.startswith(f"{kind}/")) for kind in kinds}


def told_minutes(minutes: float | None) -> str:
    """Minutes in words."""
    return "not known" if minutes is None else f"{minutes:.1f}"


def main() -> None:
    """Print both tables."""
    given = asked(__doc__, "FOLDER")
    folder = Path(*given) if given else Path(tempfile.mkdtemp(prefix="methods-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(describe_machine(), f"\nin {folder}")
    catalog = make_catalog(folder)
    done = {name: train(folder, catalog, name) for name in RUNS}
    scores = score(folder, catalog, {name: run for name, (run, _) in done.items()})
    print("\n| features | kNN | 95 % interval | CPU minutes |\n| --- | --- | --- | --- |")
    for name, each in scores.items():
        minutes = told_minutes(done[name][1]) if name in done else ""
        low, high = each["interval"]
        print(f"| {name} | {100 * each['value']:.1f} % | {100 * low:.1f} - {100 * high:.1f} % | {minutes} |")
    alone, aligned = (done[name][0] for name in ("x-stars, alpha 0", "x-stars"))
    looks = [retrieval(run, step) for run, step in ((aligned, 0), (alone, -1), (aligned, -1))]
    print("\n| retrieval@1, mean of six pairs | random weights | alpha 0 | alignment |\n| --- | --- | --- | --- |")
    for kind in looks[0]:
        print(f"| {kind} | " + " | ".join(f"{100 * look[kind]:.1f} %" for look in looks) + " |")


if __name__ == "__main__":
    main()
