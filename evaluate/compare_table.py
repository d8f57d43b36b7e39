"""Scores of one question as a table of a page, each with its interval drawn beside it. Pure functions.

What is drawn is placed in percent of its cell's width, so that text keeps its size on a telephone.
"""

from __future__ import annotations

from html import escape

from evaluate.compare import Entry, Ranking
from evaluate.result import Score
from evaluate.words import between, breakable, percent, to_best_words

TICKS = (0, 0.25, 0.5, 0.75, 1)


def score_table(ranking: Ranking) -> str:
    """Best first, chance last; what needs no training has hollow marks."""
    heads = "".join(
        f'<th scope="col" class="{kind}">{content}</th>'
        for kind, content in (
            ("name", "weights"), ("number", escape(ranking.metric)), ("number", "interval"), ("plot", _axis()),
            ("number", "to the best, points"), ("number", "features"),
        )
    )  # fmt: skip
    rows = [_row(entry, place, ranking.chance) for place, entry in enumerate(ranking.entries)]
    body = "\n".join([*rows, _chance_row(ranking.chance)])
    return f'<table class="scores">\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n{_note(ranking)}'


def is_untrained(score: Score) -> bool:
    """Whether nothing was learnt for it: random weights, or what stands in for weights."""
    return score.identity is None or score.name.startswith("random:")


def _row(entry: Entry, place: int, chance: float) -> str:
    score = entry.score
    kind = ' class="untrained"' if is_untrained(score) else ""
    doubt = "" if entry.to_best and entry.to_best.is_sure else " faint"
    cells = (
        f'<th scope="row" class="name">{breakable(score.name)}</th>',
        f'<td class="number score">{percent(score.value)}</td>',
        f'<td class="number faint">{between(score.interval)}</td>',
        f'<td class="plot">{_strip(score, chance)}</td>',
        f'<td class="number difference{doubt}">{to_best_words(place, entry.to_best)}</td>',
        f'<td class="number faint features">{score.features:,}</td>',
    )
    return f"<tr{kind}>{''.join(cells)}</tr>"


def _chance_row(chance: float) -> str:
    strip = f'<svg aria-hidden="true">{_ticks()}{_line("chance", chance)}</svg>'
    return (
        '<tr><th scope="row" class="name faint">chance</th>'
        f'<td class="number score faint">{percent(chance)}</td><td></td><td class="plot">{strip}</td><td></td><td></td></tr>'
    )


def _note(ranking: Ranking) -> str:
    told = ["Chance: to know how common classes are, and nothing of any item."]
    if any(is_untrained(entry.score) for entry in ranking.entries):
        told.append("Hollow marks: nothing was trained.")
    if any(entry.to_best for entry in ranking.entries[1:]):
        told.append("To the best: on the same items; those whose interval holds 0 are grey, and cannot be told from it.")
    if ranking.unpaired:
        told.append(escape(ranking.unpaired))
    return f'<p class="note">{" ".join(told)}</p>'


def _axis() -> str:
    labels = "".join(f'<text x="{100 * share:g}%" y="1em" text-anchor="middle">{share:.0%}</text>' for share in TICKS)
    return f'<svg aria-hidden="true">{labels}</svg>'


def _strip(score: Score, chance: float) -> str:
    """A value with its interval from 0 to 100 %, and a line for chance."""
    said = f"{score.name}: {percent(score.value)}" + (f", {between(score.interval)}" if score.interval else "")
    bar = ""
    if score.interval:
        bar = f'<line class="interval" x1="{_x(score.interval[0])}" x2="{_x(score.interval[1])}" y1="50%" y2="50%"/>'
    mark = f'<circle class="value" cx="{_x(score.value)}" cy="50%" r="5"/>'
    drawn = f"{_ticks()}{_line('chance', chance)}{bar}{mark}"
    return f'<svg role="img" aria-label="{escape(said)}"><title>{escape(said)}</title>{drawn}</svg>'


def _ticks() -> str:
    return "".join(_line("axis", share) for share in TICKS)


def _line(kind: str, share: float) -> str:
    return f'<line class="{kind}" x1="{_x(share)}" x2="{_x(share)}" y1="0" y2="100%"/>'


def _x(share: float) -> str:
    return f"{100 * share:.2f}%"
