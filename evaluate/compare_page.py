"""Rankings as one HTML page that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from catalogs.console import counted
from evaluate.compare import Entry, Ranking, apart, protocol_words
from evaluate.compare_classes import class_tables
from evaluate.compare_curves import curve_sections
from evaluate.errors import ResultError

STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --soft: #57606a; --line: #d0d7de; --page: #ffffff; --mark: #0a6ba8; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --soft: #9aa5b1; --line: #3d444d; --page: #12161b; --mark: #6cb6ff; }
}
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; color: var(--text);
  background: var(--page); }
h1, h2 { line-height: 1.2; } h2 { margin-top: 3rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem 0.75rem 0.3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
.number { text-align: right; white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1rem; } dt { color: var(--soft); } dd { margin: 0; }
dd, td { overflow-wrap: anywhere; }
.apart { border-left: 4px solid var(--mark); padding-left: 1rem; }
svg { width: 100%; height: auto; } svg text { fill: var(--text); font: 13px system-ui, sans-serif; }
.axis { stroke: var(--line); } .interval { stroke: var(--mark); stroke-width: 6; opacity: 0.45; } .value { fill: var(--mark); }
.share { background: color-mix(in srgb, var(--mark) calc(var(--share) * 70%), transparent); padding: 0.3rem 0.5rem; }
summary { cursor: pointer; margin-top: 1rem; }
.chance { stroke: var(--soft); stroke-dasharray: 4 4; }
"""
WIDTH, NAMES, ROW, TOP = 900, 260, 28, 24
PLOT = WIDTH - NAMES - 30
TICKS = (0, 0.25, 0.5, 0.75, 1)


def make_page(rankings: Sequence[Ranking]) -> str:
    """Make an HTML page, with a section for each question, and a chart for those that differ in the labels alone.

    A section has what was asked, a chart of the intervals, a table of the scores, and what each class is taken for.

    Args:
        rankings: What `evaluate.compare.rank_results` gives.
    """
    told = apart(rankings)
    note = f'<p class="apart">{escape(told)}</p>' if told else ""
    sections = "\n".join([*(_section(ranking) for ranking in rankings), *curve_sections(rankings)])
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>What the weights are worth</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>What the weights are worth</h1>\n{note}\n{sections}\n</body>\n</html>\n"
    )


def write_page(path: Path, rankings: Sequence[Ranking]) -> None:
    """Write what `make_page` gives, atomically.

    Raises:
        ResultError: It cannot be written there.
    """
    from catalogs.pixels import write_whole

    try:
        write_whole(path, make_page(rankings).encode())
    except OSError as error:
        raise ResultError(f"{path} cannot be written: {error.strerror or error}. Choose another --html.") from error


def _section(ranking: Ranking) -> str:
    protocol = ranking.protocol
    labels = f", {100 * protocol['fraction']:g} % of the labels" if "fraction" in protocol else ""
    title = f"{ranking.result.catalog}: {ranking.metric}, {protocol.get('name', 'unnamed')}{labels}"
    parts = (_question(ranking), _chart(ranking), _table(ranking), *class_tables(ranking))
    return f"<section>\n<h2>{escape(title)}</h2>\n" + "\n".join(parts) + "\n</section>"


def _question(ranking: Ranking) -> str:
    """What was asked, as a list of terms."""
    result = ranking.result
    tested = f"{counted(result.test_items, 'item')} of {counted(result.test_locations, 'location')}"
    left_out = f"; {counted(result.unused_items, 'item')} not used" if result.unused_items else ""
    terms = {
        "Protocol": protocol_words(ranking.protocol),
        "Catalog": f"{result.catalog}, {result.sensor}, index {result.catalog_hash[:12]}",
        "Split": f"{counted(result.train_items, 'training item')}, {tested} tested{left_out}; hash {result.split_hash[:12]}",
        "Classes": f"{len(result.classes)}: {', '.join(result.classes)}",
    }
    if ranking.chance is not None:
        terms["Chance"] = f"{_percent(ranking.chance)}: always the most common class"
    return "<dl>\n" + "\n".join(f"<dt>{term}</dt><dd>{escape(words)}</dd>" for term, words in terms.items()) + "\n</dl>"


def _chart(ranking: Ranking) -> str:
    """Values with their intervals on an axis from 0 to 100 %, and a line for chance."""
    height = TOP + ROW * len(ranking.entries) + 8
    drawn = "\n".join(
        [
            *(_tick(share, height) for share in TICKS),
            *([] if ranking.chance is None else [_chance(ranking.chance, height)]),
            *(_mark(entry, TOP + ROW * place + ROW // 2) for place, entry in enumerate(ranking.entries)),
        ]
    )
    label = f"{ranking.metric} with intervals; the same numbers are in the table below"
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">\n{drawn}\n</svg>'


def _tick(share: float, height: int) -> str:
    return (
        f'<line class="axis" x1="{_x(share)}" x2="{_x(share)}" y1="{TOP}" y2="{height}"/>'
        f'<text x="{_x(share)}" y="{TOP - 8}" text-anchor="middle">{share:.0%}</text>'
    )


def _chance(chance: float, height: int) -> str:
    return (
        f'<line class="chance" x1="{_x(chance)}" x2="{_x(chance)}" y1="{TOP}" y2="{height}">'
        f"<title>chance {_percent(chance)}</title></line>"
    )


def _mark(entry: Entry, y: int) -> str:
    score = entry.score
    name = score.name if len(score.name) <= 34 else f"…{score.name[-33:]}"
    said = f"{score.name}: {_percent(score.value)}" + (f", {_interval(score.interval)}" if score.interval else "")
    bar = ""
    if score.interval:
        bar = f'<line class="interval" x1="{_x(score.interval[0])}" x2="{_x(score.interval[1])}" y1="{y}" y2="{y}"/>'
    return (
        f'<g><title>{escape(said)}</title><text x="{NAMES - 16}" y="{y + 4}" text-anchor="end">{escape(name)}</text>{bar}'
        f'<circle class="value" cx="{_x(score.value)}" cy="{y}" r="5"/></g>'
    )


def _x(share: float) -> float:
    return round(NAMES + PLOT * share, 2)


def _table(ranking: Ranking) -> str:
    heads = ("weights", ranking.metric, "interval", "features", "bands", "input", "hash", "file")
    head = "".join(f'<th scope="col"{_class(place)}>{escape(name)}</th>' for place, name in enumerate(heads))
    rows = "\n".join(_row(entry) for entry in ranking.entries)
    return f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>'


def _row(entry: Entry) -> str:
    score = entry.score
    cells = (
        score.name,
        _percent(score.value),
        _interval(score.interval) if score.interval else "-",
        f"{score.features:,}",
        ", ".join(score.bands),
        input_words(score.input),
        (score.identity or "-")[:12],
        ", ".join(entry.files),
    )
    return "<tr>" + "".join(f"<td{_class(place)}>{escape(words)}</td>" for place, words in enumerate(cells)) + "</tr>"


def _class(place: int) -> str:
    return ' class="number"' if place in (1, 2, 3) else ""


def input_words(spec: Mapping[str, Any] | None) -> str:
    """How pixels were scaled and resized before the weights saw them; `reflectance` where they were taken as they are."""
    if not spec:
        return "reflectance"
    size = f"{spec['size_px']} px" if "size_px" in spec else "size not said"
    ranges = [f"{low:.3g} to {high:.3g}" for low, high in zip(spec.get("low", ()), spec.get("high", ()), strict=True)]
    if not ranges:
        return f"{size}, scaling not said"
    if len(set(ranges)) == 1:
        return f"{size}, reflectance {ranges[0]}"
    told = ", ".join(f"{band} {each}" for band, each in zip(spec["bands"], ranges, strict=True))
    return f"{size}, reflectance of {told}"


def _interval(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.1%} - {interval[1]:.1%}"


def _percent(share: float) -> str:
    return f"{share:.1%}"
