"""Where answers are right and where they are wrong, as maps of a page: no coast, no border. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from math import ceil, floor, log10, sqrt

import numpy as np

from catalogs.console import counted
from evaluate.compare import Entry, Ranking
from evaluate.compare_ground import Dot, Frame, dots_of, frame_of, nice_step
from evaluate.item_table import counts_pixels
from evaluate.words import percent

LINES = 6
"""Of a graticule to each side, about."""
RADII = (4.5, 10.0)
"""Of a dot of one location, and of the largest, pixels."""
LARGE = 15
"""Locations of the largest dot at least."""


def map_figures(ranking: Ranking) -> Iterator[str]:
    """A map for each score whose answers and ground are known, those after the best folded up."""
    drawn = [(entry, found) for entry in ranking.entries if (found := _map(entry))]
    if drawn:
        yield f"<h3>Where {_asked(drawn[0][0])} are right</h3>"
    for place, (entry, figure) in enumerate(drawn):
        summary = f"<summary>Map of {escape(entry.score.name)}</summary>"
        yield f"<details{'' if place else ' open'}>{summary}\n{figure}\n</details>"


def _map(entry: Entry) -> str | None:
    answers = entry.answers
    if answers is None:
        return None
    known = np.isfinite(answers.table.lonlat).all(axis=1)
    if not known.any():
        return None
    lonlat = answers.table.lonlat[known]
    frame = frame_of(lonlat)
    dots = dots_of(frame, lonlat, answers.table.locations[known], answers.right()[known])
    drawn = "\n".join([*_graticule(frame), *_dots(frame, dots), _scale(frame)])
    what = _asked(entry)
    name = f"Right {what} of {entry.score.name} by place"
    pooled = "; large dots are several locations" if any(dot.locations > 1 for dot in dots) else ""
    left_out = f"; of {counted(int((~known).sum()), 'item')} nobody knows the ground" if not known.all() else ""
    return (
        f'<div class="map" style="--aspect: {frame.aspect:.3f}">'
        f'<svg role="img" aria-label="{escape(name)}">\n{drawn}\n</svg></div>\n'
        f'<p class="note">Right {what}: 0% <span class="ramp"></span> 100%{pooled}{left_out}</p>'
    )


def _asked(entry: Entry) -> str:
    """What is right or wrong."""
    return "pixels" if entry.answers and counts_pixels(entry.answers.table.truth) else "answers"


def _graticule(frame: Frame) -> Iterator[str]:
    step = nice_step(frame.width, lines=LINES)
    for number in range(ceil(frame.west / step), floor((frame.west + frame.width) / step) + 1):
        x = frame.x(number * step - frame.west)
        lon = (number * step + 180) % 360 - 180
        yield f'<line class="axis" x1="{x}" x2="{x}" y1="0" y2="100%"/>'
        yield f'<text x="{x}" y="100%" dy="18" text-anchor="middle">{_degrees(lon, step, "EW")}</text>'
    step = nice_step(frame.height, lines=LINES)
    for number in range(ceil(frame.south / step), floor((frame.south + frame.height) / step) + 1):
        y = frame.y(number * step)
        yield f'<line class="axis" x1="0" x2="100%" y1="{y}" y2="{y}"/>'
        yield f'<text x="0" dx="-6" y="{y}" dy="4" text-anchor="end">{_degrees(number * step, step, "NS")}</text>'


def _degrees(value: float, step: float, sides: str) -> str:
    digits = max(0, -floor(log10(step)))
    side = sides[0] if value > 0 else sides[1]
    return f"{abs(value):.{digits}f}°{'' if abs(value) < step / 2 else side}"


def _dots(frame: Frame, dots: list[Dot]) -> Iterator[str]:
    most = max(dot.locations for dot in dots)
    for dot in dots:
        radius = RADII[0] + (RADII[1] - RADII[0]) * sqrt((dot.locations - 1) / max(most - 1, LARGE))
        told = f"{counted(dot.locations, 'location')}: {percent(dot.right)} right"
        yield (
            f'<circle class="place" style="--right: {dot.right:.3f}" cx="{frame.x(dot.lon)}" cy="{frame.y(dot.lat)}" '
            f'r="{radius:.1f}"><title>{told}</title></circle>'
        )


def _scale(frame: Frame) -> str:
    """A bar of a round number of kilometres, at the lower right."""
    length = nice_step(frame.width_km, lines=6)
    start = 97 - 100 * length / frame.width_km
    return (
        f'<line class="scale" x1="{start:.2f}%" x2="97%" y1="100%" y2="100%" transform="translate(0 -12)"/>'
        f'<text x="97%" y="100%" dy="-18" text-anchor="end">{length:,g} km</text>'
    )
