"""What an evaluation found: scores of one question side by side, and the file that keeps them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evaluate.errors import ResultError

FORMAT = "seastars:result"
FORMAT_VERSION = 2
OLDER = (1,)
"""Versions that are read as well: 1 has neither `confusion` nor `details`."""


@dataclass(frozen=True, slots=True)
class Score:
    """What one kind of features is worth."""

    name: str
    """Weights as they were given, or what stands in for weights: `band statistics`."""
    identity: str | None
    """Hash of the weights; none where there are none."""
    bands: tuple[str, ...]
    """What the features were computed from."""
    input: Mapping[str, Any] | None
    """How pixels were scaled, resized and normalised, an `InputSpec`; none where reflectance was taken as it is."""
    features: int
    """Numbers per item."""
    metric: str
    """Such as `accuracy`."""
    value: float
    """0 to 1."""
    interval: tuple[float, float] | None
    """Percentile interval of `value`; none of fewer than two locations."""
    confusion: tuple[tuple[int, ...], ...] | None = None
    """Items of each class (row) by the class that was answered (column), all repeats together; none in a file of version 1."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What else is to be known of it, such as the `fraction` of the labels that taught; JSON's types."""


@dataclass(frozen=True, slots=True)
class Result:
    """Scores of one question, comparable with every other result of the same hashes and protocol."""

    protocol: Mapping[str, Any]
    """Every setting that a score hangs on, beside weights and items; JSON's types."""
    catalog: str
    """Name of the labelled catalog."""
    catalog_hash: str
    """SHA-256 of its index."""
    split_hash: str
    """SHA-256 of which item teaches or is tested, and of its label."""
    sensor: str
    """Id of the sensor."""
    classes: tuple[str, ...]
    """Labels."""
    train_items: int
    """Items that teach."""
    test_items: int
    """Items that are tested."""
    test_locations: int
    """Locations of these, which intervals are drawn from."""
    unused_items: int
    """Items that were left out: without a label, of another split, or of a class that was not asked for."""
    chance: float
    """Accuracy of always answering the test part's most common class."""
    scores: tuple[Score, ...]
    """In the order asked for."""

    def to_json(self) -> dict[str, Any]:
        """As JSON, with the format's name and version, and the version of seastars."""
        head = {FORMAT: FORMAT_VERSION, "version": version("seastars")}
        return {**head, **json.loads(json.dumps(asdict(self)))}


def from_json(content: Mapping[str, Any]) -> Result:
    """The inverse of `Result.to_json`.

    Raises:
        ResultError: It is no result, or of a version that is not known.
    """
    if content.get(FORMAT) not in (FORMAT_VERSION, *OLDER):
        raise ResultError(
            f"This is no result of version {FORMAT_VERSION}: its {FORMAT} is {content.get(FORMAT)!r}. "
            "Expected a file that evaluate wrote with --out; write it again with this version."
        )
    try:
        values = {each.name: content[each.name] for each in fields(Result)}
        scores = tuple(_score(each) for each in values.pop("scores"))
        return Result(**{**values, "classes": tuple(values["classes"])}, scores=scores)
    except (KeyError, TypeError) as error:
        raise ResultError(f"A result is damaged: {error}. Write it again with evaluate ... --out.") from error


def write_result(path: Path, result: Result) -> None:
    """Write a result, atomically.

    Raises:
        ResultError: It cannot be written there.
    """
    from catalogs.pixels import write_whole

    try:
        write_whole(path, (json.dumps(result.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())
    except OSError as error:
        raise ResultError(f"{path} cannot be written: {error.strerror or error}. Choose another --out.") from error


def read_result(path: Path) -> Result:
    """Read what `write_result` wrote.

    Raises:
        ResultError: It is not there, not JSON, or no result.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ResultError(f"{path} is no result file: {error}. Expected what evaluate wrote with --out.") from error
    return from_json(content if isinstance(content, dict) else {})


def _score(content: Mapping[str, Any]) -> Score:
    interval, confusion = content["interval"], content.get("confusion")
    shaped = {
        "bands": tuple(content["bands"]),
        "interval": tuple(interval) if interval else None,
        "confusion": tuple(tuple(row) for row in confusion) if confusion else None,
    }
    return Score(**{**content, **shaped})
