"""How scores grow with the labels that teach, as charts of a page. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import log10
from typing import Any

from evaluate.compare import Ranking, protocol_words
from evaluate.result import Score

WIDTH, HEIGHT, LEFT, NAMES, TOP, BOTTOM = 900, 420, 60, 260, 16, 40
TICKS = (0, 0.25, 0.5, 0.75, 1)
HUES = (205, 25, 140, 320, 50, 265)
"""Of the curves in turn, degrees."""
APART = 16
"""Least distance of two names, pixels."""


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
        yield f"<section>\n<h2>{escape(title)}</h2>\n<p>{escape(asked)}</p>\n{_chart(curves, ranking.metric)}\n</section>"


def _family(ranking: Ranking) -> str:
    protocol = {**ranking.protocol, "fraction": None}
    question: Mapping[str, Any] = {**ranking.question, "protocol": protocol}
    return json.dumps(question, sort_keys=True)


def _chart(curves: Sequence[Curve], metric: str) -> str:
    """Fractions on a logarithmic axis, scores from 0 to 100 %."""
    fractions = sorted({fraction for curve in curves for fraction, _ in curve.points})
    places = _places(curves)
    lines = [
        *(
            f'<line class="axis" x1="{LEFT}" x2="{WIDTH - NAMES}" y1="{_y(share)}" y2="{_y(share)}"/>'
            f'<text x="{LEFT - 8}" y="{_y(share) + 4}" text-anchor="end">{share:.0%}</text>'
            for share in TICKS
        ),
        *(
            f'<text x="{_x(fraction, fractions)}" y="{HEIGHT - BOTTOM + 24}" text-anchor="middle">'
            f"{100 * fraction:g} % of the labels</text>"
            for fraction in fractions
        ),
        *(_curve(curve, number, fractions) for number, curve in enumerate(curves)),
        *(_name(curve, number, places[number]) for number, curve in enumerate(curves)),
    ]
    height = round(max(HEIGHT, max(places) + APART))
    head = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(metric)} by fraction of the labels">'
    return head + "\n" + "\n".join(lines) + "\n</svg>"


def _curve(curve: Curve, number: int, fractions: Sequence[float]) -> str:
    """A line through the scores, a dot for each, a bar for its interval."""
    color = _color(number)
    places = [(_x(fraction, fractions), score) for fraction, score in curve.points]
    line = " ".join(f"{x},{_y(score.value)}" for x, score in places)
    bars = "".join(
        f'<line x1="{x}" x2="{x}" y1="{_y(score.interval[0])}" y2="{_y(score.interval[1])}" stroke="{color}" stroke-width="3" '
        'class="spread"/>'
        for x, score in places
        if score.interval
    )
    dots = "".join(
        f'<circle class="point" cx="{x}" cy="{_y(score.value)}" r="4" fill="{color}"><title>{escape(curve.name)}: '
        f"{score.value:.1%}</title></circle>"
        for x, score in places
    )
    return f'<g><polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>{bars}{dots}</g>'


def _name(curve: Curve, number: int, y: float) -> str:
    name = curve.name if len(curve.name) <= 34 else f"…{curve.name[-33:]}"
    return f'<text x="{WIDTH - NAMES + 12}" y="{y + 4}" style="fill: {_color(number)}">{escape(name)}</text>'


def _places(curves: Sequence[Curve]) -> list[float]:
    """Heights of the names: at the ends of the curves, from the top, moved down where they would cover each other."""
    ends = sorted((_y(curve.points[-1][1].value), number) for number, curve in enumerate(curves))
    found = [0.0] * len(curves)
    lowest = float(TOP - APART)
    for end, number in ends:
        lowest = found[number] = round(max(end, lowest + APART), 2)
    return found


def _color(number: int) -> str:
    return f"hsl({HUES[number % len(HUES)]} 65% 45%)"


def _x(fraction: float, fractions: Sequence[float]) -> float:
    share = log10(fraction / fractions[0]) / log10(fractions[-1] / fractions[0])
    return round(LEFT + 50 + (WIDTH - NAMES - LEFT - 100) * share, 2)


def _y(share: float) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share, 2)
