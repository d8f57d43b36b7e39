"""How scores grow with the labels that teach, as charts of a page. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from math import log10
from typing import Any

from evaluate.compare import Ranking, protocol_words
from evaluate.result import Score
from evaluate.words import percent

TICKS = (0, 0.25, 0.5, 0.75, 1)
HUES = (205, 25, 140, 320, 50, 265)
"""Of the curves in turn, degrees."""
BAR = 5
"""Width of a bar, pixels: those of one fraction stand side by side."""


@dataclass(frozen=True, slots=True)
class Curve:
    """What one kind of features is worth by the fraction of the labels."""

    name: str
    """Of the weights."""
    points: tuple[tuple[float, Score], ...]
    """Fractions, ascending, and scores; two or more."""


def find_curves(rankings: Sequence[Ranking]) -> Iterator[tuple[Ranking, tuple[Curve, ...]]]:
    """Curves of questions that differ in the fraction of the labels alone.

    Yields:
        The first ranking of such questions, and a curve for all features with scores at two fractions or more, by name.
    """
    families: dict[str, list[Ranking]] = {}
    for ranking in rankings:
        if "fraction" in ranking.protocol:
            families.setdefault(_family(ranking), []).append(ranking)
    for family in families.values():
        found: dict[tuple[str, str], list[tuple[float, Score]]] = {}
        for ranking in family:
            for score in (entry.score for entry in ranking.entries):
                key = (score.name, json.dumps([score.identity, score.bands, score.input]))
                found.setdefault(key, []).append((ranking.protocol["fraction"], score))
        curves = [Curve(name, tuple(sorted(points, key=lambda each: each[0]))) for (name, _), points in sorted(found.items())]
        curves = [curve for curve in curves if curve.points[0][0] < curve.points[-1][0]]
        if curves:
            yield family[0], tuple(curves)


def curve_sections(rankings: Sequence[Ranking]) -> Iterator[str]:
    """A section with a chart for each family of questions."""
    for ranking, curves in find_curves(rankings):
        protocol = {name: value for name, value in ranking.protocol.items() if name != "fraction"}
        title = f"{ranking.result.catalog}: {ranking.metric} by labels, {protocol.get('name', 'unnamed')}"
        asked = f"{protocol_words(protocol)}; split {ranking.result.split_hash[:12]}"
        folded = f"<details><summary>What was asked</summary>\n<p>{escape(asked)}</p>\n</details>"
        parts = (f"<h2>{escape(title)}</h2>", _chart(curves, ranking), _legend(curves), folded)
        yield "<section>\n" + "\n".join(parts) + "\n</section>"


def _family(ranking: Ranking) -> str:
    protocol = {**ranking.protocol, "fraction": None}
    question: Mapping[str, Any] = {**ranking.question, "protocol": protocol}
    return json.dumps(question, sort_keys=True)


def _chart(curves: Sequence[Curve], ranking: Ranking) -> str:
    """Fractions on a logarithmic axis, scores from 0 to 100 %, and a line for chance."""
    fractions = sorted({fraction for curve in curves for fraction, _ in curve.points})
    middle = (len(curves) - 1) / 2
    lines = [
        *(
            f'<line class="axis" x1="0%" x2="100%" y1="{_y(share)}" y2="{_y(share)}"/>'
            f'<text x="0%" dx="-8" y="{_y(share)}" dy="4" text-anchor="end">{share:.0%}</text>'
            for share in TICKS
        ),
        *(
            f'<text x="{_x(fraction, fractions)}" y="100%" dy="22" text-anchor="middle">{100 * fraction:g} %</text>'
            for fraction in fractions
        ),
        f'<line class="chance" x1="0%" x2="100%" y1="{_y(ranking.chance)}" y2="{_y(ranking.chance)}"/>',
        *(_curve(curve, number, fractions, aside=BAR * (number - middle)) for number, curve in enumerate(curves)),
    ]
    label = f"{ranking.metric} by share of the labels that taught"
    drawn = "\n".join(lines)
    return (
        f'<p class="note">{escape(label)}, with intervals; dashed: chance</p>\n'
        f'<div class="curves"><svg role="img" aria-label="{escape(label)}">\n{drawn}\n</svg></div>'
    )


def _legend(curves: Sequence[Curve]) -> str:
    """Name and last score of each curve, best first."""
    ends = [(curve.points[-1][1].value, number, curve.name) for number, curve in enumerate(curves)]
    lines = "\n".join(
        f'<li style="--hue: {_hue(number)}"><i></i>{escape(name)}, {percent(value)}</li>'
        for value, number, name in sorted(ends, key=lambda end: -end[0])
    )
    return f'<ul class="legend">\n{lines}\n</ul>'


def _curve(curve: Curve, number: int, fractions: Sequence[float], *, aside: float) -> str:
    """A line through the scores, a dot for each, a bar for its interval."""
    places = [(_x(fraction, fractions), score) for fraction, score in curve.points]
    lines = "".join(
        f'<line class="way" x1="{x}" x2="{other_x}" y1="{_y(score.value)}" y2="{_y(other.value)}"/>'
        for (x, score), (other_x, other) in pairwise(places)
    )
    bars = "".join(
        f'<line class="spread" x1="{x}" x2="{x}" y1="{_y(score.interval[0])}" y2="{_y(score.interval[1])}"/>'
        for x, score in places
        if score.interval
    )
    dots = "".join(
        f'<circle class="point" cx="{x}" cy="{_y(score.value)}" r="4"><title>{escape(curve.name)}: '
        f"{percent(score.value)}</title></circle>"
        for x, score in places
    )
    return f'<g class="curve" style="--hue: {_hue(number)}" transform="translate({aside:g} 0)">{lines}{bars}{dots}</g>'


def _hue(number: int) -> int:
    return HUES[number % len(HUES)]


def _x(fraction: float, fractions: Sequence[float]) -> str:
    """Place of a fraction, in percent of the chart's width."""
    share = log10(fraction / fractions[0]) / log10(fractions[-1] / fractions[0])
    return f"{4 + 92 * share:.2f}%"


def _y(share: float) -> str:
    return f"{100 - 100 * share:.2f}%"
