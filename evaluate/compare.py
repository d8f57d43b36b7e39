"""Results of several files side by side: one ranking for each question, never one across two."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evaluate.result import Result, Score, read_result


@dataclass(frozen=True, slots=True)
class Entry:
    """A score, and where it comes from."""

    score: Score
    """As it is in the files."""
    files: tuple[str, ...]
    """Names of the files that have it: band statistics may be in several."""


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
    def chance(self) -> float | None:
        """Accuracy of always answering the most common class; none of other metrics."""
        return self.result.chance if self.metric == "accuracy" else None


def read_rankings(paths: Sequence[Path]) -> tuple[Ranking, ...]:
    """Read result files and put those of one question together.

    Args:
        paths: Files that `evaluate ... --out` wrote.

    Raises:
        ResultError: One is no result file.
    """
    return rank_results([(str(path), read_result(path)) for path in paths])


def rank_results(results: Sequence[tuple[str, Result]]) -> tuple[Ranking, ...]:
    """Part results into questions, and order the scores of each.

    Args:
        results: Names of files, and what they hold.

    Returns:
        In the order in which their questions come up. A score that several files have alike is there once.
    """
    asked: dict[str, tuple[Result, dict[str, Any], dict[str, tuple[Score, list[str]]]]] = {}
    for file, result in results:
        for score in result.scores:
            question = ask(result, score)
            found = asked.setdefault(_text(question), (result, question, {}))[2]
            found.setdefault(_text(asdict(score)), (score, []))[1].append(file)
    return tuple(Ranking(result, question, _ordered(found.values())) for result, question, found in asked.values())


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
        f"the questions differ in {', '.join(differences(rankings))}."
    )


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


def _ordered(found: Iterable[tuple[Score, list[str]]]) -> tuple[Entry, ...]:
    entries = [Entry(score, tuple(dict.fromkeys(files))) for score, files in found]
    return tuple(sorted(entries, key=lambda entry: -entry.score.value))


def _ranking_json(ranking: Ranking) -> dict[str, Any]:
    asked = asdict(ranking.result) | {**ranking.question, "chance": ranking.chance}
    scores = [{**asdict(entry.score), "files": entry.files} for entry in ranking.entries]
    plain: dict[str, Any] = json.loads(json.dumps({**asked, "scores": scores}))
    return plain


def _flatten(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values of a nested object, names joined by dots."""
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _text(content: Any) -> str:
    return json.dumps(content, sort_keys=True)
