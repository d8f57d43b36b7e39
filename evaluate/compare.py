"""Results of several files side by side: one ranking for each question, never one across two."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from evaluate.compare_answers import Answered
from evaluate.item_table import items_path, read_items
from evaluate.pairs import Difference
from evaluate.result import Result, Score, read_result
from evaluate.weighted import MEASURES

UNPAIRED = "A dash: how far from the best is not known, as what was answered to each item is not beside its file."
PROTOCOL = "protocol.name"
TOLD = {
    "catalog_hash": "catalog",
    "split_hash": "split",
    PROTOCOL: "protocol",
    "protocol.fraction": "share of the labels",
}
"""Parts of a question that people call otherwise."""
NO_FIGURE = "A dash: no difference is told of {metric}, which cannot be computed of the items that a bootstrap draws."


@dataclass(frozen=True, slots=True)
class Entry:
    """A score, and where it comes from."""

    score: Score
    """As it is in the files."""
    files: tuple[str, ...]
    """Names of the files that have it: band statistics may be in several."""
    answers: Answered | None = field(default=None, compare=False)
    """What was answered to each item, where a file has it."""
    to_best: Difference | None = field(default=None, compare=False)
    """What it has less than the best of its ranking, by `compare_differences.tell_apart`; none of the best itself, and where
    nobody knows."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Scores of one question, of which one may be said to be better than another."""

    result: Result
    """The first result of the question; its own scores apart, it says what all of them were asked."""
    question: Mapping[str, Any]
    """What all of them have in common: `catalog_hash`, `split_hash`, `sensor`, `protocol`, and `metric`."""
    entries: tuple[Entry, ...]
    """Best first; in the order of the files where equal."""

    @property
    def metric(self) -> str:
        """Such as `accuracy`."""
        return str(self.question["metric"])

    @property
    def protocol(self) -> Mapping[str, Any]:
        """Every setting, with the one `fraction` of the labels that taught, where there were several."""
        protocol: Mapping[str, Any] = self.question["protocol"]
        return protocol

    @property
    def chance(self) -> float:
        """What it is worth to know how common classes are, and nothing of any item."""
        return self.result.chance

    @property
    def unpaired(self) -> str | None:
        """Why some score cannot be told from the best on the same items; none where all can."""
        if all(entry.to_best for entry in self.entries[1:]):
            return None
        return UNPAIRED if self.metric in MEASURES else NO_FIGURE.format(metric=self.metric)


def read_rankings(paths: Sequence[Path]) -> tuple[Ranking, ...]:
    """Read result files, each with its table of items where that lies beside it, and put those of one question together.

    Args:
        paths: Files that `evaluate ... --out` wrote.

    Raises:
        ResultError: One is no result file, or the table beside it is another's.
    """
    return rank_results([(str(path), _read(path)) for path in paths])


def rank_results(results: Sequence[tuple[str, Result]]) -> tuple[Ranking, ...]:
    """Part results into questions, and order the scores of each.

    Args:
        results: Names of files, and what they hold.

    Returns:
        In the order in which their questions come up. A score that several files have alike is there once.
    """
    asked: dict[str, _Question] = {}
    for file, result in results:
        for number, score in enumerate(result.scores):
            question = ask(result, score)
            entries = asked.setdefault(_text(question), _Question(result, question, {})).entries
            key = _text(_plain(score))
            answers = _answers(result, number)
            known = entries.get(key, Entry(score, (), answers))
            entries[key] = replace(known, files=tuple(dict.fromkeys([*known.files, file])), answers=known.answers or answers)
    return tuple(_rank(each) for each in asked.values())


def ask(result: Result, score: Score) -> dict[str, Any]:
    """What a score answers: the same catalog, items, labels, protocol, fraction of the labels and metric are one question."""
    protocol = dict(result.protocol)
    if "fraction" in score.details:
        protocol.pop("fractions", None)  # which others were scored in the same run changes nothing
        protocol["fraction"] = score.details["fraction"]
    shared = {"catalog_hash": result.catalog_hash, "split_hash": result.split_hash, "sensor": result.sensor}
    return {**shared, "protocol": protocol, "metric": score.metric}


def differences(rankings: Sequence[Ranking]) -> tuple[str, ...]:
    """What keeps rankings apart: names of the question's parts, of a protocol `protocol.k` and its like, sorted.

    Where protocols have different names, a setting that some of them do not have is no difference by itself.
    """
    flat = [dict(_flatten(ranking.question)) for ranking in rankings]
    names = sorted({name for each in flat for name in each})
    is_one_protocol = len({each.get("protocol.name") for each in flat}) == 1
    having = {name: [each for each in flat if is_one_protocol or name in each] for name in names}
    return tuple(name for name in names if len({_text(each.get(name)) for each in having[name]}) > 1)


def apart(rankings: Sequence[Ranking]) -> str | None:
    """A sentence about what is not compared, and why; none where all scores answer one question."""
    if len(rankings) < 2:
        return None
    return (
        f"These scores answer {len(rankings)} questions, and are ranked for each by itself: "
        f"the questions differ in {', '.join(_told(differences(rankings)))}."
    )


def _told(names: Sequence[str]) -> Iterator[str]:
    """Parts of a question in words; where protocols differ, their settings go without saying."""
    for name in names:
        if name == PROTOCOL or PROTOCOL not in names or not name.startswith("protocol."):
            yield TOLD.get(name, name.removeprefix("protocol.").replace("_", " ").replace(".", " "))


def to_json(rankings: Sequence[Ranking]) -> dict[str, Any]:
    """Rankings as JSON: `differ_in`, and for each of `rankings` what was asked, and its scores, best first."""
    return {"differ_in": list(differences(rankings)), "rankings": [_ranking_json(ranking) for ranking in rankings]}


def protocol_words(protocol: Mapping[str, Any]) -> str:
    """Every setting of a protocol on one line, its name first.

    Examples:
        >>> protocol_words({"name": "knn", "k": 20, "season": None, "interval": {"level": 0.95}})
        'knn: k 20, season all, interval.level 0.95'
    """
    settings = [(name, value) for name, value in _flatten(protocol) if name != "name"]
    told = ", ".join(f"{name} {_value_words(value, name)}" for name, value in settings)
    return f"{protocol.get('name', 'unnamed')}: {told}" if told else str(protocol.get("name", "unnamed"))


def _value_words(value: Any, name: str) -> str:
    if value is None:
        return "all" if name == "season" else "none"
    if isinstance(value, list | tuple):
        return " ".join(_value_words(each, name) for each in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True)
class _Question:
    """What was found of a question so far."""

    result: Result
    question: dict[str, Any]
    entries: dict[str, Entry]


def _read(path: Path) -> Result:
    result = read_result(path)
    return replace(result, items=read_items(path)) if items_path(path).exists() else result


def _answers(result: Result, number: int) -> Answered | None:
    if result.items is None:
        return None
    details = result.scores[number].details
    members = len(details.get("seeds", {}).get("weights", ())) or 1
    return Answered(result.items, number, details.get("threshold", 0.5), members)


def _rank(found: _Question) -> Ranking:
    return Ranking(found.result, found.question, tuple(sorted(found.entries.values(), key=lambda entry: -entry.score.value)))


def _plain(score: Score) -> dict[str, Any]:
    """A score as JSON's types, without pictures: how many were kept changes nothing of it."""
    content = asdict(replace(score, found=None, details={**score.details, "neighbours": None}))
    content["details"].pop("neighbours")
    content.pop("found")
    return content


def _ranking_json(ranking: Ranking) -> dict[str, Any]:
    asked = asdict(replace(ranking.result, scores=(), items=None)) | {**ranking.question, "chance": ranking.chance}
    for name in ("items", "items_hash"):
        asked.pop(name)
    scores = [{**_plain(entry.score), "files": entry.files, "to_best": _difference_json(entry)} for entry in ranking.entries]
    plain: dict[str, Any] = json.loads(json.dumps({**asked, "scores": scores}))
    return plain


def _difference_json(entry: Entry) -> dict[str, Any] | None:
    return asdict(entry.to_best) if entry.to_best else None


def _flatten(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values of a nested object, names joined by dots."""
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _text(content: Any) -> str:
    return json.dumps(content, sort_keys=True)
