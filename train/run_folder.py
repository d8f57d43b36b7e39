"""A run folder: what was trained, how far it is, and what it measured on the way.

```
runs/seco-france/
  config.json      every setting, the catalog and the hash of its index, versions, git commit
  metrics.csv      one row per look at the loss          events.out.tfevents...   the same for TensorBoard
  checkpoints/     where it goes on                      weights/                 the export
  log.txt          what was said                         attention/               where a ViT looks, at first and every epoch
```
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from train.config import InputSpec, TrainConfig, from_json, to_json
from train.errors import CheckpointError, ConfigError

CONFIG = "config.json"
METRICS = "metrics.csv"
LOG = "log.txt"
WEIGHTS = "weights"
CHECKPOINTS = "checkpoints"
PACKAGES = ("seastars", "torch", "timm", "lightning", "numpy")


@dataclass(frozen=True, slots=True)
class Identity:
    """What a checkpoint belongs to: it is refused anywhere else."""

    catalog: str
    """Id of the catalog and hash of the index trained on."""
    config: str
    """The configuration, as JSON text with sorted keys."""

    def settings(self) -> dict[str, Any]:
        """What `config` says; a setting that it does not name has its default.

        Raises:
            ConfigError: It names a setting that is unknown here.
        """
        content = json.loads(self.config)
        init = content.pop("init", None)
        return {**to_json(from_json(TrainConfig, content)), "init": init}


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What a run folder says of its training."""

    config: TrainConfig
    """Every setting."""
    spec: InputSpec
    """What the weights expect of their input; of several sensors, of the first."""
    catalog: str
    """Path or address of the catalog; it may move, `index_hash` tells whether it is the same."""
    catalog_id: str
    """Its id."""
    index_hash: str
    """SHA-256 of the index of the sensor's collection; of several sensors, each in turn, with `+` between."""
    locations: int
    """Locations trained on."""
    queue: int
    """Keys kept as negatives; 0 of a method without a queue."""
    versions: dict[str, str]
    """Of the packages that matter, when the run began."""
    git_commit: str | None = None
    """Of the working tree, when the run began."""
    init: str | None = None
    """Weights that training started from."""
    license: str = "other"
    """Of the collection trained on."""
    attribution: str = ""
    """What the collection says of its sources."""
    bbox: tuple[float, float, float, float] | None = None
    """West, south, east, north of the collection, degrees."""
    interval: tuple[str, str] | None = None
    """First and last instant of the collection."""
    further_specs: tuple[InputSpec, ...] = ()
    """What the weights expect of the sensors after the first."""

    @property
    def specs(self) -> tuple[InputSpec, ...]:
        """What the weights expect of each sensor."""
        return (self.spec, *self.further_specs)

    @property
    def short_hash(self) -> str:
        """The first 12 characters of the hash of each sensor's index, in turn."""
        return "+".join(each[:12] for each in self.index_hash.split("+"))

    @property
    def channels(self) -> int | dict[str, int]:
        """Channels of an image; of a method of several sensors, by sensor."""
        return len(self.spec.bands) if self.config.alignment is None else {each.sensor: len(each.bands) for each in self.specs}

    @property
    def identity(self) -> Identity:
        """What its checkpoints belong to."""
        return Identity(f"{self.catalog_id} {self.index_hash}", json.dumps(self.settings, sort_keys=True))

    @property
    def settings(self) -> dict[str, Any]:
        """What the user chose, as JSON."""
        return {**to_json(self.config), "init": self.init}


def package_versions() -> dict[str, str]:
    """Versions of the packages that matter, as far as they are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write_record(run: Path, record: RunRecord) -> None:
    """Write `config.json`, whole or not at all."""
    run.mkdir(parents=True, exist_ok=True)
    part = run / f"{CONFIG}.part"
    part.write_text(json.dumps(to_json(record), indent=2) + "\n", encoding="utf-8")
    part.replace(run / CONFIG)


def read_record(run: Path) -> RunRecord:
    """The record of a run folder.

    Raises:
        CheckpointError: The folder holds no run, or one of another version.
    """
    path = run / CONFIG
    if not path.is_file():
        raise CheckpointError(f"{run} holds no run: it has no {CONFIG}. Expected a folder that train wrote.")
    try:
        return from_json(RunRecord, json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        stop = "" if str(error).endswith((".", "?")) else "."
        raise CheckpointError(f"{path} cannot be read: {error}{stop} Resume it with the seastars that wrote it.") from error


def refuse_other_run(run: Path, known: RunRecord, asked: RunRecord) -> None:
    """Refuse to go on with a run under other settings, or on another catalog.

    Raises:
        ConfigError: They differ; the message names the first setting that does.
    """
    if known.identity == asked.identity:
        return
    if known.identity.catalog != asked.identity.catalog:
        raise ConfigError(
            f"{run} was trained on catalog {known.catalog_id} with index {known.short_hash}; {asked.catalog} is "
            f"{asked.catalog_id} with index {asked.short_hash}. Give another --out, or start from it: --init {run}."
        )
    name, theirs, ours = next(differences(known.settings, asked.settings))
    raise ConfigError(
        f"{run} holds a run with {name} {theirs!r}; asked for is {ours!r}. Give another --out, or continue it as it is: "
        f"train resume {run}."
    )


def differences(theirs: Mapping[str, Any], ours: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Settings that differ, by their dotted names; of records in a row, such as views, the number is a part of the name."""
    for name, value in theirs.items():
        other = ours.get(name)
        if isinstance(value, dict) and isinstance(other, dict):
            yield from differences(value, other, f"{path}{name}.")
        elif (several := _numbered(value)) and (others := _numbered(other)) and len(several) == len(others):
            yield from differences(several, others, f"{path}{name}.")
        elif value != other:
            yield f"{path}{name}", value, other


def _numbered(value: Any) -> dict[str, Any]:
    """Records in a row by their number; nothing of anything else."""
    is_row = isinstance(value, tuple) and all(isinstance(each, dict) for each in value)
    return {str(number): record for number, record in enumerate(value)} if is_row else {}


def last_metrics(run: Path) -> dict[str, float]:
    """The last row of `metrics.csv`; empty where there is none."""
    path = run / METRICS
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return _figures(rows[-1]) if rows else {}


def _figures(row: Mapping[str, str]) -> dict[str, float]:
    """What a row has, as numbers."""
    return {name: float(value) for name, value in row.items() if value}


class Metrics:
    """`metrics.csv`: one row per look at the loss, a column per figure; figures that come later get a column then."""

    def __init__(self, run: Path, *, step: int) -> None:
        """Open the file; rows after `step`, written by a run that was cut off, are removed, and one that is not whole."""
        self.path = run / METRICS
        self.rows: list[dict[str, str]] = []
        if self.path.is_file():
            with self.path.open(newline="", encoding="utf-8") as file:
                text = file.read().rpartition("\n")[0]
            columns, *lines = list(csv.reader(text.splitlines(keepends=True))) or [[]]
            whole = [dict(zip(columns, line, strict=True)) for line in lines if len(line) == len(columns)]
            self.rows = [row for row in whole if int(row["step"]) <= step]
        self.columns = list(dict.fromkeys(name for row in self.rows for name in row)) or ["step"]
        self._rewrite()

    def add(self, row: Mapping[str, float]) -> None:
        """Append a row, or add to the last one if that is of the same step; `step` is among its figures."""
        text = {name: f"{value:.9g}" for name, value in row.items()}
        known = bool(self.rows) and self.rows[-1]["step"] == text["step"]
        if known:
            self.rows[-1].update(text)
        else:
            self.rows.append(text)
        new = [name for name in text if name not in self.columns]
        self.columns += new
        if known or new:
            self._rewrite()
            return
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self.columns).writerow(text)

    def figures(self) -> list[dict[str, float]]:
        """Every row as numbers, without what it lacks."""
        return [_figures(row) for row in self.rows]

    def _rewrite(self) -> None:
        part = self.path.with_suffix(".csv.part")
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(self.rows)
        part.replace(self.path)
