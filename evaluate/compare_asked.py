"""What was asked, and what each of the weights read, as parts of a page that are folded up. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from catalogs.console import counted
from evaluate.compare import Entry, Ranking, protocol_words

HEADS = ("weights", "bands", "pixels", "hash", "file")


def title_words(ranking: Ranking) -> str:
    """What a ranking is of: catalog, metric, protocol, and the share of the labels, or their shuffling, where there was one."""
    protocol = ranking.protocol
    labels = f", {100 * protocol['fraction']:g} % of the labels" if "fraction" in protocol else ""
    control = ", labels shuffled" if protocol.get("shuffled_labels") else ""
    return f"{ranking.result.catalog}: {ranking.metric}, {protocol.get('name', 'unnamed')}{labels}{control}"


def size_words(ranking: Ranking) -> str:
    """A sentence on how many items taught and were tested."""
    result = ranking.result
    tested = f"{counted(result.test_items, 'item')} of {counted(result.test_locations, 'location')}"
    return f"{len(result.classes)} classes, {counted(result.train_items, 'training item')}, {tested} tested."


def question(ranking: Ranking) -> str:
    """Every setting and hash, as a list of terms."""
    result = ranking.result
    left_out = f"; {counted(result.unused_items, 'item')} not used" if result.unused_items else ""
    terms = {
        "Protocol": protocol_words(ranking.protocol),
        "Catalog": f"{result.catalog}, {result.sensor}, index {result.catalog_hash[:12]}",
        "Split": f"hash {result.split_hash[:12]}{left_out}",
        "Classes": f"{len(result.classes)}: {', '.join(result.classes)}",
    }
    told = "\n".join(f"<dt>{term}</dt><dd>{escape(words)}</dd>" for term, words in terms.items())
    return f"<details><summary>What was asked</summary>\n<dl>\n{told}\n</dl>\n</details>"


def inputs(ranking: Ranking) -> str:
    """Bands, scaling, hash and files of each score."""
    head = "".join(f'<th scope="col">{name}</th>' for name in HEADS)
    rows = "\n".join(_row(entry) for entry in ranking.entries)
    table = f'<div class="wide"><table class="told">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>'
    return f"<details><summary>What each of the weights read</summary>\n{table}\n</details>"


def _row(entry: Entry) -> str:
    score = entry.score
    cells = (
        score.name,
        ", ".join(score.bands),
        input_words(score.input),
        (score.identity or "-")[:12],
        ", ".join(entry.files),
    )
    return "<tr>" + "".join(f"<td>{escape(words)}</td>" for words in cells) + "</tr>"


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
