"""A result for people, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from catalogs.console import counted
from evaluate.result import Result, Score

CHANCE = "chance"


def result_lines(result: Result) -> Iterator[str]:
    """What was asked, then a table with a row for chance and one for each score."""
    protocol = result.protocol
    yield f"{result.catalog}, {result.sensor}: {len(result.classes)} classes ({', '.join(result.classes)})"
    tested = f"{counted(result.test_items, 'item')} of {counted(result.test_locations, 'location')}"
    left_out = f"; {counted(result.unused_items, 'item')} not used" if result.unused_items else ""
    yield f"{counted(result.train_items, 'training item')}, {tested} tested (split {protocol['test_split']}){left_out}"
    yield _method(protocol)
    yield ""
    width = max(len(name) for name in (CHANCE, *(score.name for score in result.scores)))
    with_shares = any("fraction" in score.details for score in result.scores)
    yield f"{'':{width}}  {'labels  ' if with_shares else ''}accuracy  95 % interval  bands  features"
    yield f"{CHANCE:{width}}  {' ' * 8 * with_shares}{result.chance:8.1%}"
    for score in result.scores:
        yield _row(score, width)


def _method(protocol: Mapping[str, Any]) -> str:
    """How features became answers."""
    if protocol["name"] == "knn":
        return f"kNN: cosine, k {protocol['k']}, temperature {protocol['temperature']:g}"
    tuned = protocol["tuned_on"]
    where = f"{100 * tuned['locations']:g} % of the training locations" if "locations" in tuned else f"split {tuned['split']}"
    drawn = f", mean of {protocol['repeats']} draws below 100 %" if protocol["repeats"] > 1 else ""
    return f"Linear probe: L-BFGS, best of {len(protocol['c_values'])} regularisations on {where}{drawn}"


def _row(score: Score, width: int) -> str:
    low_high = f"{score.interval[0]:.1%}".rstrip("%") + f" - {score.interval[1]:.1%}" if score.interval else "-"
    share = f"{100 * score.details['fraction']:4g} %  " if "fraction" in score.details else ""
    return f"{score.name:{width}}  {share}{score.value:8.1%}  {low_high:>13}  {len(score.bands):5}  {score.features:8,}"
