"""What each class is worth, and taken for, as tables of a page. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import isnan

import numpy as np
from numpy.typing import NDArray

from evaluate.compare import Ranking
from evaluate.metrics import f1_per_class, shares
from evaluate.result import Score
from evaluate.words import breakable, percent

PER_CLASS = {"average_precision": "Average precision", "iou": "IoU"}
"""Details of a score that have a figure for each class by its name, and what it is called."""


def class_tables(ranking: Ranking) -> Iterator[str]:
    """Each class by score, then for each score, folded up, its confusion matrix; nothing where no file has any."""
    classes = ranking.result.classes
    scores = [(entry.score, class_figures(entry.score, classes)) for entry in ranking.entries]
    for figure in dict.fromkeys(found[0] for _, found in scores if found):
        columns = [(score.name, found[1]) for score, found in scores if found and found[0] == figure]
        yield f"<h3>{figure} of each class</h3>"
        yield _class_by_score(classes, columns)
    for score, _ in scores:
        if score.confusion is not None:
            table = _matrix(classes, np.array(score.confusion, np.int64))
            yield f"<details><summary>What each class is taken for by {escape(score.name)}</summary>\n{table}\n</details>"


def class_figures(score: Score, classes: Sequence[str]) -> tuple[str, NDArray[np.float64]] | None:
    """What a score is worth for each class.

    Returns:
        What the figure is called, and (classes,), NaN where nothing can be said: average precision or IoU where the details
        have them, else F1 of the confusion matrix; none where there is neither.
    """
    for key, figure in PER_CLASS.items():
        if key in score.details:
            told = [score.details[key].get(name) for name in classes]
            return figure, np.asarray([np.nan if value is None else value for value in told], np.float64)
    if score.confusion is None:
        return None
    return "F1", f1_per_class(np.array(score.confusion, np.int64))


def class_scores(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Recall, precision and F1 of each class.

    Args:
        confusion: Items of each class (row) by the class that was answered (column), (classes, classes).

    Returns:
        (classes, 3), 0 to 1; NaN where nothing can be said: recall of a class without an item, precision of one that was never
        answered, F1 of one that is neither there nor answered.

    Examples:
        >>> class_scores(np.array([[3, 1], [0, 4]])).round(2).tolist()
        [[0.75, 1.0, 0.86], [1.0, 0.8, 0.89]]
    """
    right, there, answered = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return np.stack([shares(right, there), shares(right, answered), f1_per_class(confusion)], axis=-1)


def _class_by_score(classes: tuple[str, ...], columns: Sequence[tuple[str, NDArray[np.float64]]]) -> str:
    """A row for each class; the darker, the better."""
    figures = np.stack([values for _, values in columns], axis=-1)
    rows = [(name, "".join(map(_shaded, shares))) for name, shares in zip(classes, figures.tolist(), strict=True)]
    return _grid("class", [name for name, _ in columns], rows)


def _matrix(classes: tuple[str, ...], confusion: NDArray[np.int64]) -> str:
    """Rows are what items are, columns what was answered; the darker, the larger the share of the row."""
    heads = (*classes, "count", "recall", "precision", "F1")
    rows = [
        (name, _row(counts, scores)) for name, counts, scores in zip(classes, confusion, class_scores(confusion), strict=True)
    ]
    return _grid("is, answered as", heads, rows)


def _row(counts: NDArray[np.int64], scores: NDArray[np.float64]) -> str:
    total = int(counts.sum())
    cells = [f'<td class="share" style="--share:{count / max(total, 1):.3f}">{count:,}</td>' for count in counts.tolist()]
    cells += [f'<td class="number">{words}</td>' for words in (f"{total:,}", *map(_words, scores.tolist()))]
    return "".join(cells)


def _shaded(share: float) -> str:
    return f'<td class="share" style="--share:{0 if isnan(share) else share:.3f}">{_words(share)}</td>'


def _words(share: float) -> str:
    return "-" if isnan(share) else percent(share)


def _grid(corner: str, heads: Sequence[str], rows: Sequence[tuple[str, str]]) -> str:
    """A table with names on both sides; those of its columns are written upright, so that many fit."""
    upright = "".join(
        f'<th scope="col"><span class="upright" title="{escape(name)}">{escape(name)}</span></th>' for name in heads
    )
    head = f'<thead><tr><th scope="col">{corner}</th>{upright}</tr></thead>'
    body = "\n".join(f'<tr><th scope="row">{breakable(name)}</th>{cells}</tr>' for name, cells in rows)
    return f'<div class="wide"><table class="classes">\n{head}\n<tbody>\n{body}\n</tbody>\n</table></div>'
