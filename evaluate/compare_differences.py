"""How far each score of a ranking is from the best one, on the same items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from catalogs.console import progress
from evaluate.compare import Entry, Ranking
from evaluate.pairs import Difference
from evaluate.weighted import MEASURES

PATIENCE = 1_000_000
"""Answers of a score, one number for each item, label (or class and answer of its pixels) and repeat, above which people see
how far it is."""


def tell_apart(rankings: Sequence[Ranking], *, quiet: bool = True) -> tuple[Ranking, ...]:
    """Set `Entry.to_best` of all entries but the best, where the answers of both to each item are known.

    Args:
        rankings: What `evaluate.compare.read_rankings` gives.
        quiet: Show no progress, which is shown only where there is something to wait for: average precision of a million
            labels is some seconds for each score.
    """
    pairs = [entry for ranking in rankings for entry in ranking.entries[1:] if entry.answers]
    is_quick = all(entry.answers is None or entry.answers.found.size < PATIENCE for entry in pairs)
    with progress(len(pairs), "Differences", quiet=quiet or is_quick) as job:
        return tuple(_tell(ranking, job.advance) for ranking in rankings)


def _tell(ranking: Ranking, advance: Callable[[], None]) -> Ranking:
    best, *others = ranking.entries
    seed = int(ranking.protocol.get("seed", 0))
    told = []
    for entry in others:
        told.append(replace(entry, to_best=_difference(entry, best, seed=seed)))
        if entry.answers:
            advance()
    return replace(ranking, entries=(best, *told))


def _difference(entry: Entry, best: Entry, *, seed: int) -> Difference | None:
    if entry.answers is None or best.answers is None or entry.score.metric not in MEASURES:
        return None
    return entry.answers.less(best.answers, metric=entry.score.metric, seed=seed)
