"""Several seeds of one training as one entry: what is asked of each, and what they answer together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from evaluate.answers import Answers
from evaluate.errors import InputError
from train.checkpoint import LoadedBackbone

SEPARATOR = ","


def split_seeds(name: str) -> tuple[str, ...]:
    """Names of weights that were typed as one entry.

    Raises:
        InputError: One is named twice, or one has no name.

    Examples:
        >>> split_seeds("runs/a-seed0,runs/a-seed1")
        ('runs/a-seed0', 'runs/a-seed1')
    """
    names = tuple(each.strip() for each in name.split(SEPARATOR))
    twice = [each for number, each in enumerate(names) if each in names[:number]]
    if twice or not all(names):
        what = f"{twice[0]} is there twice" if twice else "one of them has no name"
        raise InputError(
            f"--weights {name}: {what}. Commas join different seeds of one training, such as runs/a-seed0,runs/a-seed1; "
            "repeat --weights to see several trainings side by side."
        )
    return names


def join_answers(group: Sequence[LoadedBackbone], answers: Sequence[Answers]) -> Answers:
    """Answers of several seeds under one condition, as one.

    Args:
        group: The weights, with their input.
        answers: Of each of them.

    Returns:
        The answers of the first seed, then those of the second, and so on; details that are lists, such as those of trials,
        joined in the same order. Of one seed, its own answers.
    """
    if len(group) == 1:
        return answers[0]
    first = answers[0]
    seeds = {"weights": [each.name for each in group], "identities": [each.identity for each in group]}
    details = {name: _join([each.details[name] for each in answers]) for name in first.details}
    found = None if first.found is None else np.concatenate([each.found for each in answers if each.found is not None])
    scores = None if first.scores is None else np.concatenate([each.scores for each in answers if each.scores is not None])
    return Answers(found, {**details, "seeds": seeds}, scores, first.threshold, members=len(group))


def join_identities(group: Sequence[LoadedBackbone]) -> str:
    """One hash of all weights: of one, its own; of several, SHA-256 of theirs, whatever their order."""
    if len(group) == 1:
        return group[0].identity
    return hashlib.sha256("\n".join(sorted(each.identity for each in group)).encode()).hexdigest()


def check_seeds(group: Sequence[LoadedBackbone]) -> None:
    """Refuse weights that are no seeds of one training.

    Raises:
        InputError: They are of different backbones, are fed differently, or are the same weights.
    """
    first = group[0]
    for number, other in enumerate(group[1:], start=1):
        told, like = None, first
        same = next((each for each in group[:number] if each.identity == other.identity), None)
        if other.timm_name != first.timm_name:
            told = f"the one is a {first.timm_name}, the other a {other.timm_name}"
        elif other.spec != first.spec:
            told = "they are fed differently: their bands, size, scaling or normalisation differ"
        elif same is not None:
            told, like = "they are the same weights", same
        if told:
            raise InputError(
                f"{like.name} and {other.name} are no seeds of one training: {told}. "
                "Commas join seeds; repeat --weights to see several trainings side by side."
            )


def _join(values: Sequence[Any]) -> Any:
    """What each seed says of itself, such as lists of its trials, one after the other; what all say alike, once."""
    if all(isinstance(each, dict) for each in values):
        return {name: _join([each[name] for each in values]) for name in values[0]}
    if all(isinstance(each, list) for each in values):
        return [each for value in values for each in value]
    return values[0] if all(each == values[0] for each in values) else list(values)
