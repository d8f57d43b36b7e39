"""`evaluate compare`: results side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluate.compare import Entry, Ranking

TO_BEST = "to the best, points"


def compare(*results: Path, html: Path | None = None, json: bool = False, quiet: bool = False) -> None:
    r"""Show results side by side with their intervals, best first; those of different questions are never ranked together.

    How far each is from the best, on the same items, has an interval of its own, from the tables of items beside the files:
    where it holds 0, the two cannot be told apart.

    A question is a catalog, its split, its labels, a protocol with all its settings, and a metric. Scores that were not asked
    the same one get a table each, and what the questions differ in is said.

        evaluate compare results/moco.json results/seco.json \
            --html results/compare.html

    Args:
        results: Files that `evaluate ... --out` wrote, one or more.
        html: File to write a page to that needs nothing else: intervals, what each class is
            taken for, curves by labels, maps, neighbours as pictures, and what was asked.
        json: Print the rankings as one JSON object.
        quiet: Say nothing but errors.
    """
    from catalogs.console import emit, emit_json, say
    from evaluate.compare import read_rankings, to_json
    from evaluate.compare_differences import tell_apart
    from evaluate.compare_page import write_page
    from evaluate.errors import ResultError

    if not results:
        raise ResultError("No result file was named. Name those that evaluate knn --out wrote: evaluate compare a.json b.json")
    rankings = tell_apart(read_rankings(results), quiet=quiet)
    if json:
        emit_json(to_json(rankings))
    else:
        emit("\n".join(ranking_lines(rankings)))
    if html:
        write_page(html, rankings)
        say(f"Wrote {html}.", quiet=quiet)


def ranking_lines(rankings: Sequence[Ranking]) -> Iterator[str]:
    """Rankings for people: what keeps them apart, then a table for each question."""
    from evaluate.compare import apart

    told = apart(rankings)
    if told:
        yield told
        yield ""
    for number, ranking in enumerate(rankings):
        if number:
            yield ""
        yield from _table(ranking)


def _table(ranking: Ranking) -> Iterator[str]:
    from catalogs.console import counted
    from evaluate.compare import protocol_words
    from evaluate.words import to_best_words

    result = ranking.result
    yield f"{result.catalog}, {result.sensor}: {counted(result.test_items, 'item')} tested (split {result.split_hash[:12]})"
    yield protocol_words(ranking.protocol)
    width = max(len(name) for name in ("chance", *(entry.score.name for entry in ranking.entries)))
    metric = f"{ranking.metric:>8}"
    told = [to_best_words(place, entry.to_best) for place, entry in enumerate(ranking.entries)]
    wide = max(len(words) for words in (TO_BEST, *told))
    yield f"{'':{width}}  {metric}  {'interval':>13}  {TO_BEST:>{wide}}  bands  features  file"
    for entry, words in zip(ranking.entries, told, strict=True):
        yield _row(entry, f"{words:>{wide}}", width, len(metric))
    yield f"{'chance':{width}}  {ranking.chance:{len(metric)}.1%}"
    if ranking.unpaired:
        yield ranking.unpaired


def _row(entry: Entry, to_best: str, width: int, metric_width: int) -> str:
    from evaluate.words import between

    score = entry.score
    value = f"{score.value:{metric_width}.1%}"
    read = f"{len(score.bands):5}  {score.features:8,}  {', '.join(entry.files)}"
    return f"{score.name:{width}}  {value}  {between(score.interval):>13}  {to_best}  {read}"
