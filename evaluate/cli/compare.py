"""`evaluate compare`: results side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluate.compare import Entry, Ranking


def compare(*results: Path, html: Path | None = None, json: bool = False, quiet: bool = False) -> None:
    """Show results side by side with their intervals, best first; those of different questions are never ranked together.

    A question is a catalog, its split, its labels, a protocol with all its settings, and a metric. Scores that were not asked
    the same one get a table each, and what the questions differ in is said.

        evaluate compare results/moco.json results/seco.json --html results/compare.html

    Args:
        results: Files that `evaluate ... --out` wrote, one or more.
        html: File to write a page to that needs nothing else: intervals, protocol, bands, scaling, weights.
        json: Print the rankings as one JSON object.
        quiet: Say nothing but errors.
    """
    from catalogs.console import emit, emit_json, say
    from evaluate.compare import read_rankings, to_json
    from evaluate.compare_page import write_page
    from evaluate.errors import ResultError

    if not results:
        raise ResultError("No result file was named. Name those that evaluate knn --out wrote: evaluate compare a.json b.json")
    rankings = read_rankings(results)
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

    result = ranking.result
    yield f"{result.catalog}, {result.sensor}: {counted(result.test_items, 'item')} tested (split {result.split_hash[:12]})"
    yield protocol_words(ranking.protocol)
    width = max(len(name) for name in ("chance", *(entry.score.name for entry in ranking.entries)))
    metric = f"{ranking.metric:>8}"
    yield f"{'':{width}}  {metric}  {'interval':>13}  bands  features  file"
    for entry in ranking.entries:
        yield _row(entry, width, len(metric))
    if ranking.chance is not None:
        yield f"{'chance':{width}}  {ranking.chance:{len(metric)}.1%}"


def _row(entry: Entry, width: int, metric_width: int) -> str:
    score = entry.score
    low_high = f"{score.interval[0]:.1%}".rstrip("%") + f" - {score.interval[1]:.1%}" if score.interval else "-"
    value = f"{score.value:{metric_width}.1%}"
    files = ", ".join(entry.files)
    return f"{score.name:{width}}  {value}  {low_high:>13}  {len(score.bands):5}  {score.features:8,}  {files}"
