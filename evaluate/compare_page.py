"""Rankings as one HTML page that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from evaluate.compare import Ranking, apart
from evaluate.compare_asked import inputs, question, size_words, title_words
from evaluate.compare_classes import class_tables
from evaluate.compare_curves import curve_sections
from evaluate.compare_map import map_figures
from evaluate.compare_pictures import picture_rows
from evaluate.compare_style import STYLE
from evaluate.compare_table import score_table
from evaluate.errors import ResultError
from evaluate.words import percent

TITLE = "What the weights are worth"


def make_page(rankings: Sequence[Ranking]) -> str:
    """Make an HTML page, with a chart for questions that differ in the labels alone, and a section for each question.

    A section has a table of the scores with their intervals drawn, what each class is worth and taken for, and, folded up,
    what was asked and what the weights read.

    Args:
        rankings: What `evaluate.compare.rank_results` gives, and `evaluate.compare_differences.tell_apart` after it.
    """
    told = apart(rankings)
    note = f'<p class="apart">{escape(told)}</p>\n{_contents(rankings)}' if told else ""
    sections = "\n".join([*curve_sections(rankings), *(_section(ranking, place) for place, ranking in enumerate(rankings, 1))])
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{TITLE}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{TITLE}</h1>\n{note}\n{sections}\n</body>\n</html>\n"
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


def _contents(rankings: Sequence[Ranking]) -> str:
    """The questions, each with its best score."""
    lines = "\n".join(
        f'<li><a href="#q{place}">{escape(title_words(ranking))}</a>: {_best_words(ranking)}</li>'
        for place, ranking in enumerate(rankings, 1)
    )
    return f"<nav><ol>\n{lines}\n</ol></nav>"


def _best_words(ranking: Ranking) -> str:
    best = ranking.entries[0].score
    return f"{percent(best.value)}, {escape(best.name)}"


def _section(ranking: Ranking, place: int) -> str:
    parts = "\n".join(_parts(ranking))
    return f'<section id="q{place}">\n<h2>{escape(title_words(ranking))}</h2>\n{parts}\n</section>'


def _parts(ranking: Ranking) -> Iterator[str]:
    yield f"<p>{escape(size_words(ranking))}</p>"
    yield score_table(ranking)
    yield from class_tables(ranking)
    yield from picture_rows(ranking)
    yield from map_figures(ranking)
    yield question(ranking)
    yield inputs(ranking)
