"""What an evaluation found: scores of one question side by side, and the file that keeps them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluate.errors import ResultError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evaluate.item_table import ItemTable

FORMAT = "seastars:result"
FORMAT_VERSION = 3
OLDER = (1, 2)
"""Versions that are read as well: 2 has no `items_hash`, 1 neither `confusion` nor `details`."""
EXPECTED = "Expected what evaluate wrote with --out."
NOT_WRITTEN = ("found", "items")
"""Fields that the JSON file does not hold: they are in the table beside it."""


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
    """Such as `accuracy`, or `micro average precision` where items have several labels."""
    value: float
    """0 to 1."""
    interval: tuple[float, float] | None
    """Percentile interval of `value`; none of fewer than two locations."""
    confusion: tuple[tuple[int, ...], ...] | None = None
    """Items of each class (row) by the class that was answered (column), all repeats together; none in a file of version 1."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What else is to be known of it, such as the `fraction` of the labels that taught; JSON's types."""
    found: NDArray[Any] | None = field(default=None, compare=False, repr=False)
    """Its answers, as in `ItemTable.found`, on their way to the table of items; none in a result."""


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
    """What it is worth to know how common the test part's labels are, and nothing else; see `Task.chance`."""
    scores: tuple[Score, ...]
    """In the order asked for."""
    items_hash: str | None = None
    """SHA-256 of the table of items beside the file; none where there is none."""
    items: ItemTable | None = field(default=None, compare=False, repr=False)
    """What was answered to each tested item; of a file it is read by `read_items`."""

    def to_json(self) -> dict[str, Any]:
        """As JSON, with the format's name and version, and the version of seastars."""
        head = {FORMAT: FORMAT_VERSION, "version": version("seastars")}
        bare = replace(self, items=None, scores=tuple(replace(score, found=None) for score in self.scores))
        content = json.loads(json.dumps(asdict(bare)))
        for each in (content, *content["scores"]):
            for name in NOT_WRITTEN:
                each.pop(name, None)
        return {**head, **content}


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
        values = {each.name: content[each.name] for each in fields(Result) if each.name not in (*NOT_WRITTEN, "items_hash")}
        scores = tuple(_score(each) for each in values.pop("scores"))
        return Result(**{**values, "classes": tuple(values["classes"])}, scores=scores, items_hash=content.get("items_hash"))
    except (KeyError, TypeError) as error:
        raise ResultError(f"A result is damaged: {error}. Write it again with evaluate ... --out.") from error


def write_result(path: Path, result: Result) -> Result:
    """Write a result, atomically, and before it the table of its items where it has one.

    Returns:
        The result as it is in the file: with the table's SHA-256.

    Raises:
        ResultError: It cannot be written there.
    """
    from catalogs.pixels import write_whole
    from evaluate.item_table import write_items

    if result.items is not None:
        result = replace(result, items_hash=write_items(path, result.items))
    try:
        write_whole(path, (json.dumps(result.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())
    except OSError as error:
        raise ResultError(f"{path} cannot be written: {error.strerror or error}. Choose another --out.") from error
    return result


def read_result(path: Path) -> Result:
    """Read what `write_result` wrote.

    Raises:
        ResultError: It is not there, not JSON, or no result.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ResultError(f"{path} is no result file: {error.strerror}. {EXPECTED}") from error
    except ValueError as error:
        raise ResultError(f"{path} is no result file: it is no JSON. {EXPECTED}") from error
    if not isinstance(content, dict) or FORMAT not in content:
        raise ResultError(f"{path} is no result file: it has no {FORMAT}. {EXPECTED}")
    try:
        return from_json(content)
    except ResultError as error:
        raise ResultError(f"{path} cannot be read. {error}") from error


def _score(content: Mapping[str, Any]) -> Score:
    interval, confusion = content["interval"], content.get("confusion")
    shaped = {
        "bands": tuple(content["bands"]),
        "interval": tuple(interval) if interval else None,
        "confusion": tuple(tuple(row) for row in confusion) if confusion else None,
    }
    return Score(**{**content, **shaped})
