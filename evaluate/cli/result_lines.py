"""A result for people, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from catalogs.console import counted
from evaluate.cli.dense_words import DENSE, OPTIMIZERS, dense_method
from evaluate.result import Result, Score

CHANCE = "chance"
AUTHORS = {"seco": "SeCo", "dino": "DINO"}
"""How released codes are called whose solvers we have."""
SHORT = {"micro average precision": "micro AP", "F1 of changed": "F1", "F1 of changed, mean over batches": "batch F1"}
"""Metrics whose names are wider than their column."""


def result_lines(result: Result) -> Iterator[str]:
    """What was asked, then a table with a row for chance and one for each score."""
    protocol = result.protocol
    yield f"{result.catalog}, {result.sensor}: {len(result.classes)} classes ({', '.join(result.classes)})"
    tested = f"{counted(result.test_items, 'item')} of {counted(result.test_locations, 'location')}"
    left_out = f"; {counted(result.unused_items, 'item')} not used" if result.unused_items else ""
    yield f"{counted(result.train_items, 'training item')}, {tested} tested (split {protocol['test_split']}){left_out}"
    yield _method(protocol)
    if protocol.get("shuffled_labels"):
        yield "Control: the labels that teach are shuffled. What scores above chance now, leaks."
    yield ""
    width = max(len(name) for name in (CHANCE, *(score.name for score in result.scores)))
    with_shares = any("fraction" in score.details for score in result.scores)
    yield f"{'':{width}}  {'labels  ' if with_shares else ''}{_metric(result):>8}  95 % interval  bands  features"
    yield f"{CHANCE:{width}}  {' ' * 8 * with_shares}{result.chance:8.1%}"
    for score in result.scores:
        yield _row(score, width)
    yield from _seeds(result)


def _seeds(result: Result) -> Iterator[str]:
    """A line for each score of several trainings."""
    for score in result.scores:
        seeds = score.details.get("seeds")
        if seeds:
            each = ", ".join(f"{value:.1%}" for value in seeds["values"])
            yield f"{score.name} at each seed: {each}; standard deviation {100 * seeds['spread']:.1f} points"


def _metric(result: Result) -> str:
    """What is measured, as the head of a column."""
    metric = result.scores[0].metric if result.scores else "accuracy"
    return SHORT.get(metric, metric)


def _method(protocol: Mapping[str, Any]) -> str:
    """How features became answers."""
    if protocol["name"] == "knn":
        return f"kNN: cosine, k {protocol['k']}, temperature {protocol['temperature']:g}"
    if protocol["name"] == "finetune":
        return _fine_tuning(protocol)
    if protocol["name"] in DENSE:
        return dense_method(protocol, _where(protocol["tuned_on"]) if "tuned_on" in protocol else "nothing")
    if "tuned_on" not in protocol:
        return _descent(protocol)
    where = _where(protocol["tuned_on"])
    drawn = f", mean of {protocol['repeats']} draws below 100 %" if protocol["repeats"] > 1 else ""
    return f"Linear probe: L-BFGS, best of {len(protocol['c_values'])} regularisations on {where}{drawn}"


def _descent(protocol: Mapping[str, Any]) -> str:
    """How a linear layer was taught as released codes do it."""
    drawn = f", mean of {protocol['repeats']} draws" if protocol["repeats"] > 1 else ""
    authors, optimizer = AUTHORS[protocol["solver"]], OPTIMIZERS[protocol["optimizer"]]
    return (
        f"Linear probe as {authors}'s released code: {optimizer} {protocol['lr']:g}, "
        f"{protocol['epochs']} epochs in batches of {protocol['batch_size']}, the last one answers{drawn}"
    )


def _fine_tuning(protocol: Mapping[str, Any]) -> str:
    """How weights were fine-tuned."""
    which = f"the best one on {_where(protocol['tuned_on'])} answers" if protocol["tuned_on"] else "the last one answers"
    drawn = f", mean of {protocol['repeats']} repeats" if protocol["repeats"] > 1 else ""
    return (
        f"Fine-tuning: AdamW {protocol['lr']:g}, layer decay {protocol['layer_decay']:g}, "
        f"{counted(protocol['epochs'], 'epoch')} or {counted(protocol['min_steps'], 'step')}, {which}{drawn}"
    )


def _where(tuned: Mapping[str, Any]) -> str:
    """On what settings were chosen."""
    return f"{100 * tuned['locations']:g} % of the training locations" if "locations" in tuned else f"split {tuned['split']}"


def _row(score: Score, width: int) -> str:
    low_high = f"{score.interval[0]:.1%}".rstrip("%") + f" - {score.interval[1]:.1%}" if score.interval else "-"
    share = f"{100 * score.details['fraction']:4g} %  " if "fraction" in score.details else ""
    return f"{score.name:{width}}  {share}{score.value:8.1%}  {low_high:>13}  {len(score.bands):5}  {score.features:8,}"
