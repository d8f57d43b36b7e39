"""Weighted k nearest neighbours: what features are worth without any training on top. Pure functions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from evaluate.errors import InputError
from evaluate.vectors import check_vectors

CHUNK = 1024
"""Test items whose similarities to all training items are held at once."""


def knn_votes(
    train: Tensor, labels: Tensor, test: Tensor, *, classes: int, k: int = 20, temperature: float | None = 0.07
) -> Tensor:
    """Let the k nearest training items vote for the class of each test item, or for each of its labels.

    Nearest is the greatest cosine. A neighbour's vote weighs ``exp(cosine / temperature)``, and the votes of one test item
    are scaled to add up to 1, so that no temperature overflows; a vector of zeros is equally far from everything.

    Args:
        train: Features of the training items, (items, features), any scale.
        labels: Their classes, (items,), int64 from 0 to classes - 1; or whether each has a label, (items, classes), bool.
        test: Features of the test items, (tests, features), on the same device.
        classes: How many classes there are.
        k: How many neighbours vote.
        temperature: Above 0; none lets all k votes weigh the same.

    Returns:
        Share of the vote for each class, (tests, classes), float32; where a neighbour has several labels, its whole vote goes
        to each of them, so that shares do not add up to 1.

    Raises:
        InputError: There are fewer training items than k, k or the temperature is not positive, the two kinds of features
            differ in length, or some are not finite.

    References:
        DINO's `eval_knn.py`, https://github.com/facebookresearch/dino; Wu et al., https://arxiv.org/abs/1805.01978, section 3.4

    Examples:
        >>> train, test = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[3.0, 0.1]])
        >>> knn_votes(train, torch.tensor([1, 0]), test, classes=2, k=1)
        tensor([[0., 1.]])
    """
    check_votes(len(train), k=k, temperature=temperature)
    check_vectors(train, test)
    toward = normalize(train.float(), dim=1).T
    ballots = (labels if labels.ndim == 2 else one_hot(labels, classes)).float()
    votes = [torch.zeros(0, classes, device=test.device)]
    for start in range(0, len(test), CHUNK):
        part = test[start : start + CHUNK]
        cosines, nearest = (normalize(part.float(), dim=1) @ toward).topk(k, dim=1)
        weights = torch.ones_like(cosines) if temperature is None else (cosines / temperature).softmax(dim=1)
        votes.append(torch.bmm(weights.unsqueeze(1), ballots[nearest]).squeeze(1))
    shares = torch.cat(votes)
    return shares / k if temperature is None else shares


def knn_predict(
    train: Tensor, labels: Tensor, test: Tensor, *, classes: int, k: int = 20, temperature: float | None = 0.07
) -> Tensor:
    """The class with the greatest share of the vote, the first of equals; arguments and errors as for `knn_votes`.

    Returns:
        Classes, (tests,), int64.
    """
    return knn_votes(train, labels, test, classes=classes, k=k, temperature=temperature).argmax(dim=1)


def check_votes(count: int, *, k: int, temperature: float | None) -> None:
    """Refuse a vote that cannot be held among so many training items.

    Raises:
        InputError: There are fewer than k, or k or the temperature is not positive.
    """
    if k < 1:
        raise InputError(f"k is {k}: nobody votes. Give 1 or more neighbours.")
    if temperature is not None and not temperature > 0:
        raise InputError(f"temperature is {temperature}; expected more than 0, such as 0.07.")
    if k > count:
        raise InputError(f"k is {k}, but there are {count} training items to vote. Lower --k, or take a larger catalog.")
