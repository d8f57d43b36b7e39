"""What each class is taken for, as tables of a page. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np
from numpy.typing import NDArray

from evaluate.compare import Ranking
from evaluate.metrics import f1_per_class, shares


def class_tables(ranking: Ranking) -> Iterator[str]:
    """For each score whose file has it, the confusion matrix with recall, precision and F1 of each class, folded up."""
    for entry in ranking.entries:
        if entry.score.confusion is not None:
            table = _table(ranking.result.classes, np.array(entry.score.confusion, np.int64))
            yield f"<details><summary>Classes of {escape(entry.score.name)}</summary>\n{table}\n</details>"


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


def _table(classes: tuple[str, ...], confusion: NDArray[np.int64]) -> str:
    """Rows are what items are, columns what was answered; the darker, the larger the share of the row."""
    heads = (*classes, "items", "recall", "precision", "F1")
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    rows = "\n".join(
        _row(name, counts, scores) for name, counts, scores in zip(classes, confusion, class_scores(confusion), strict=True)
    )
    corner = '<th scope="col">is, answered as</th>'
    return f'<div class="wide"><table>\n<thead><tr>{corner}{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>'


def _row(name: str, counts: NDArray[np.int64], scores: NDArray[np.float64]) -> str:
    total = int(counts.sum())
    cells = [f'<td class="share" style="--share:{count / max(total, 1):.3f}">{count:,}</td>' for count in counts.tolist()]
    cells += [
        f"<td>{words}</td>" for words in (f"{total:,}", *("-" if np.isnan(score) else f"{score:.1%}" for score in scores))
    ]
    return f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>'
