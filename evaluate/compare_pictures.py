"""Nearest neighbours as pictures of a page. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from evaluate.compare import Ranking
from evaluate.words import breakable

IN_PLACE = "data:image/jpeg;base64,"
"""Start of the only pictures that are shown: a page fetches nothing, whatever a result file says."""


def picture_rows(ranking: Ranking) -> Iterator[str]:
    """For each score that has them, tested items beside their nearest training items; those after the best folded up."""
    shown = [(entry.score.name, found) for entry in ranking.entries if (found := entry.score.details.get("neighbours"))]
    shown = [(name, found) for name, found in shown if found.get("pictures")]
    if shown:
        yield "<h3>What is taken for alike</h3>"
        yield (
            '<p class="note">Tested items, half of them wrongly answered where there are so many, '
            "each before its nearest training items and their cosines.</p>"
        )
    for place, (name, found) in enumerate(shown):
        rows = "\n".join(_row(item, found["pictures"]) for item in found["items"])
        bands = ", ".join(found.get("bands", ()))
        summary = f"<summary>Neighbours of {escape(name)}, bands {escape(bands)}</summary>"
        yield f'<details{"" if place else " open"}>{summary}\n<div class="pictures">\n{rows}\n</div>\n</details>'


def _row(item: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    label, answer = item["label"], "right" if item["right"] else f"taken for {item['answer']}"
    first = f"<strong>{breakable(label)}</strong><br>{_colored(answer, is_right=item['right'])}"
    figures = [_figure(item, pictures, first)]
    for each in item["nearest"]:
        told = f"{_colored(each['label'], is_right=each['label'] == label)}<br>{each['cosine']:.3f}"
        figures.append(_figure(each, pictures, told))
    return f'<div class="asked">{"".join(figures)}</div>'


def _colored(words: str, *, is_right: bool) -> str:
    return f'<span class="{"right" if is_right else "wrong"}">{breakable(words)}</span>'


def _figure(item: Mapping[str, Any], pictures: Mapping[str, str], caption: str) -> str:
    """A picture with its caption, which is HTML already."""
    picture, name = pictures.get(item["id"], ""), escape(item["id"])
    source = escape(picture if picture.startswith(IN_PLACE) else "")
    return f'<figure><img src="{source}" alt="{name}" title="{name}"><figcaption>{caption}</figcaption></figure>'
