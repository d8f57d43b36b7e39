"""What scores are without the tested items that pre-training saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from catalogs.reader import Catalog, open_catalog
from evaluate.confidence import LEVEL, REPEATS, draw_times, percentile_interval
from evaluate.errors import InputError, ResultError
from evaluate.item_table import ItemTable, read_items
from evaluate.leakage import Leakage
from evaluate.metrics import CHANGED
from evaluate.result import Result, Score, read_result
from evaluate.task import CHANGE_F1
from evaluate.weighted import MEASURES, Measure

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Cleared:
    """A score with and without the items that were seen."""

    name: str
    """Of the weights."""
    metric: str
    """Such as `accuracy`."""
    fraction: float | None
    """Share of the labels that taught, where that was a condition."""
    value: float
    """Of all tested items, as in the result."""
    interval: Interval | None
    """Of `value`, as in the result."""
    cleared: float
    """Of the items that were not seen."""
    cleared_interval: Interval | None
    """Of `cleared`, over locations, or the images that they are tiles of; none of fewer than two."""
    difference: float
    """`cleared` less `value`: below 0 where what was seen flattered."""
    difference_interval: Interval | None
    """Of `difference`, the same locations drawn for both."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A result with and without the items that were seen."""

    file: str
    """Name of the result file."""
    items: int
    """Tested."""
    seen: int
    """Of these, those on ground that pre-training read, or alike to an image that it read."""
    unknown: int
    """Of the others, those that cannot be told: nobody knows their ground, and no pixels were compared."""
    scores: tuple[Cleared, ...]
    """In the order of the result."""


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A result whose scores can be computed anew."""

    path: Path
    """Of its file."""
    result: Result
    """Its scores."""
    items: ItemTable
    """What was answered to each item."""


def open_results(catalog: str, paths: Sequence[Path]) -> tuple[Opened, ...]:
    """Read result files of a catalog, each with its table of items.

    Raises:
        ResultError: One is no result file, of another catalog, without a table, or of a metric that tables do not give.
        CatalogError: The catalog cannot be read.
    """
    opened = open_catalog(catalog)
    return tuple(_open(opened, path) for path in paths)


def score_without_seen(found: Leakage, catalog: str, results: Sequence[Opened]) -> tuple[Scored, ...]:
    """Compute the scores of results anew without the items that pre-training saw.

    An item was seen where its location shares ground with one that pre-training reads (of its training split, or of a catalog
    without splits any), or where its image looks like one that pre-training reads, if images were compared; of a pair the
    later image.

    Args:
        found: What `measure_leakage` found of the catalog, and the images that look alike.
        catalog: Path or address of the labelled catalog.
        results: What `open_results` gives.

    Raises:
        InputError: All items of a result were seen, or nothing can be told of any.
        CatalogError: The catalog cannot be read.
    """
    locations = open_catalog(catalog).locations()
    nowhere = locations.filter(pc.is_null(locations["epsg"]))["id"].to_pylist()
    return tuple(_score(found, set() if found.alike else set(nowhere), each) for each in results)


def is_seen(found: Leakage, items: ItemTable) -> NDArray[np.bool_]:
    """Whether pre-training saw each item, (items,); see `score_without_seen`."""
    trained = found.locations.filter(pc.greater(found.locations["trained"], 0))
    seen = np.isin(items.locations, trained["location"].to_pylist())
    if found.alike:
        pairs = found.alike.pairs
        seen |= np.isin(items.ids, pairs.filter(pairs["trained"])["item"].to_pylist())
    return seen


def clear(score: Score, measure: Measure, keep: NDArray[np.bool_], groups: NDArray[np.str_], *, seed: int) -> Cleared:
    """A score with and without some items.

    Args:
        score: As the result has it.
        measure: From how many times each item counts to the figure of each repeat.
        keep: Which items stay, (items,), one at least.
        groups: What is drawn as a whole, as in `ItemTable.groups`, (items,).
        seed: Of the draws behind the intervals.
    """
    once = np.ones(len(keep), np.int64)
    without = float(measure(once * keep).mean())
    members = len(score.details.get("seeds", {}).get("weights", [score.name]))
    intervals: tuple[Interval | None, Interval | None] = (None, None)
    if len(np.unique(groups[keep])) > 1:
        intervals = _intervals(measure, keep, groups, members=members, seed=seed)
    return Cleared(
        name=score.name,
        metric=score.metric,
        fraction=score.details.get("fraction"),
        value=score.value,
        interval=score.interval,
        cleared=without,
        cleared_interval=intervals[0],
        difference=without - score.value,
        difference_interval=intervals[1],
    )


def _intervals(
    measure: Measure, keep: NDArray[np.bool_], groups: NDArray[np.str_], *, members: int, seed: int
) -> tuple[Interval, Interval]:
    """Of the figure without the other items, and of what it has less or more than that of all; seeds are drawn as well."""
    _, group = np.unique(groups, return_inverse=True)
    drawn = np.full((REPEATS, 2), np.nan)
    for place, (times, rng) in enumerate(draw_times(group, repeats=REPEATS, seed=seed)):
        if (times * keep).any():
            figures = np.stack([measure(times * keep), measure(times)]).reshape(2, members, -1)
            if members > 1:
                figures = figures[:, rng.integers(members, size=members)]
            kept, whole = figures.mean(axis=(1, 2))
            drawn[place] = kept, kept - whole
    return percentile_interval(drawn[:, 0], LEVEL), percentile_interval(drawn[:, 1], LEVEL)


def _open(catalog: Catalog, path: Path) -> Opened:
    result = read_result(path)
    index = catalog.index_hash(result.sensor) if result.sensor in catalog.sensors else "absent"
    if index != result.catalog_hash:
        raise ResultError(
            f"{path} was scored on another catalog: its index of {result.sensor} is {result.catalog_hash[:12]}, "
            f"that of {catalog} is {index[:12]}. Give the catalog that was scored, or score this one."
        )
    foreign = sorted({score.metric for score in result.scores} - set(MEASURES))
    if foreign:
        raise ResultError(
            f"{path} has scores of {', '.join(foreign)}, which cannot be computed anew without some items. "
            f"Expected {', '.join(MEASURES)}: leave it out."
        )
    items = read_items(path)
    if items is None:
        raise ResultError(
            f"{path} does not say what was answered to each item, so nothing can be left out of it. "
            "Expected a table of items beside it: score again with --out."
        )
    return Opened(path, result, items)


def _score(found: Leakage, nowhere: set[str], opened: Opened) -> Scored:
    """Scores of one result; `nowhere` are locations of which nothing can be told."""
    items, protocol = opened.items, opened.result.protocol
    seen = is_seen(found, items)
    unknown = int((np.isin(items.locations, list(nowhere)) & ~seen).sum())
    _check_left(seen, unknown, opened)
    scores = [
        clear(score, MEASURES[score.metric](items.truth, answers), ~seen, items.groups, seed=int(protocol.get("seed", 0)))
        for score, answers in zip(opened.result.scores, items.found, strict=True)
    ]
    return Scored(str(opened.path), len(seen), int(seen.sum()), unknown, tuple(scores))


def _lacking(truth: NDArray[Any], metrics: set[str]) -> str | None:
    """What keeps the items that were not seen from being scored; none where they can be."""
    if not len(truth):
        return "nothing is left to score"
    if truth.ndim == 2 and not truth.any():
        return f"the {len(truth):,} others have no label"
    if CHANGE_F1 in metrics and not truth[:, CHANGED].any():
        return f"the {len(truth):,} others show no pixel that changed"
    return None


def _check_left(seen: NDArray[np.bool_], unknown: int, opened: Opened) -> None:
    left = _lacking(opened.items.truth[~seen], {score.metric for score in opened.result.scores})
    if left:
        raise InputError(
            f"Pre-training saw {seen.sum():,} of {len(seen):,} items that {opened.path} tested: {left}. "
            "Lower --buffer-m, or score another catalog."
        )
    if unknown == len(seen):
        raise InputError(
            f"Of none of the {unknown:,} items that {opened.path} tested the ground is known, so that none can be left out. "
            "Compare images: --pixels with the name of a band."
        )
