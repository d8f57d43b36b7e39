"""What weights take for alike: some tested items, each beside its nearest training items. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from evaluate.errors import InputError
from evaluate.task import Part, Task

NEAREST = 5
"""Training items that are shown beside each tested one."""
THRESHOLD = 0.5
"""Least share of the votes at which a label counts as answered, where items have several."""


def check_count(count: int) -> None:
    """Refuse a number of tested items that is none.

    Raises:
        InputError: It is negative.
    """
    if count < 0:
        raise InputError(f"{count} pictures were asked for. Give --pictures 1 or more, or 0 for none.")


def neighbour_details(features: Tensor, task: Task, votes: Tensor, *, count: int, seed: int) -> dict[str, Any]:
    """What the details of a score keep of neighbours: `neighbours`, with `items`; nothing where none are asked for.

    Args:
        features: Of the items that teach, then of those that are tested, (items, features).
        task: Labels of both.
        votes: Share of the votes for each class, (tests, classes).
        count: How many tested items.
        seed: Of the draw of these.
    """
    if not count:
        return {}
    answers = (votes >= THRESHOLD if task.is_multilabel else votes.argmax(dim=1)).cpu().numpy()
    return {"neighbours": {"items": find_nearest(features, task, answers, count=count, seed=seed)}}


def find_nearest(
    features: Tensor, task: Task, answers: NDArray[Any], *, count: int, seed: int, nearest: int = NEAREST
) -> list[dict[str, Any]]:
    """Look up what is nearest to some of the tested items.

    Args:
        features: Of the items that teach, then of those that are tested, (items, features).
        task: Labels of both.
        answers: Class of each tested item, (tests,), or whether each class was answered, (tests, classes).
        count: How many tested items, half of them rightly answered and half wrongly as far as there are so many.
        seed: Of the draw.
        nearest: How many training items for each; all where there are fewer.

    Returns:
        For each tested item drawn `id`, `label`, `answer`, `right`, and `nearest`: `id`, `label` and `cosine` of the training
        items, nearest first. Wrongly answered ones come first; in each half in the order of the items. JSON's types.
    """
    is_right: NDArray[np.bool_] = (answers == task.test.labels).reshape(len(task.test), -1).all(axis=1)
    places = draw_halves(is_right, count, seed=seed)
    train, test = features[: len(task.train)], features[len(task.train) : len(task.train) + len(task.test)]
    asked = normalize(test[torch.from_numpy(places).to(test.device)].float(), dim=1)
    cosines, rows = (asked @ normalize(train.float(), dim=1).T).topk(min(nearest, len(train)), dim=1)
    return [
        {
            **_named(task.test, place, task.classes),
            "answer": label_words(answers[place], task.classes),
            "right": bool(is_right[place]),
            "nearest": [
                {**_named(task.train, row, task.classes), "cosine": round(cosine, 4)}
                for row, cosine in zip(mine, similarities, strict=True)
            ],
        }
        for place, mine, similarities in zip(places.tolist(), rows.tolist(), cosines.tolist(), strict=True)
    ]


def draw_halves(is_right: NDArray[np.bool_], count: int, *, seed: int) -> NDArray[np.int64]:
    """Draw places, half of them right and half wrong; where one kind is rare, more of the other.

    Args:
        is_right: Of each, (items,).
        count: How many; all where there are fewer.
        seed: Of the draw.

    Returns:
        (drawn,), the wrong ones first, ascending in each half.

    Examples:
        >>> draw_halves(np.array([True, True, True, False, True]), 4, seed=0)[0]
        np.int64(3)
    """
    order = np.random.default_rng(seed).permutation(len(is_right))
    wrong, right = order[~is_right[order]], order[is_right[order]]
    wrong_count = max(min(len(wrong), count // 2), min(len(wrong), count - len(right)))
    return np.concatenate([np.sort(wrong[:wrong_count]), np.sort(right[: count - wrong_count])])


def label_words(label: Any, classes: Sequence[str]) -> str:
    """Name of a class, by its place; names of several, by whether each is there."""
    if np.ndim(label) == 0:
        return classes[int(label)]
    return ", ".join(name for name, there in zip(classes, label, strict=True) if there) or "none"


def _named(part: Part, place: int, classes: Sequence[str]) -> dict[str, Any]:
    return {"id": str(part.ids[place]), "label": label_words(part.labels[place], classes)}
