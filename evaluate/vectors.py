"""Feature vectors: whether two parts of them can be compared, and how they are brought to one scale. Pure functions."""

from __future__ import annotations

from torch import Tensor

from evaluate.errors import InputError


def standardise(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Shift and scale features so that those of the training part have mean 0 and standard deviation 1.

    Args:
        train: (items, features); NaN where there is no value.
        test: (tests, features), treated by the numbers of the training part.

    Returns:
        Both, float32; 0, the training part's mean, where there is no value or the training part has but one.
    """
    known = train.isfinite()
    count = known.sum(dim=0).clamp(min=1)
    mean = train.double().where(known, 0).sum(dim=0) / count
    std = (((train.double() - mean).where(known, 0) ** 2).sum(dim=0) / count).sqrt()
    steady = std <= 1e-9 * mean.abs()
    scale = std.where(~steady, 1)
    made = [((part - mean) / scale).where(part.isfinite() & ~steady, 0).float() for part in (train, test)]
    return made[0], made[1]


def check_vectors(train: Tensor, test: Tensor) -> None:
    """Refuse features that cannot be compared.

    Args:
        train: Features of the training items, (items, features).
        test: Features of the test items, (tests, features).

    Raises:
        InputError: The two kinds differ in length, or some are not finite.
    """
    if train.shape[1:] != test.shape[1:]:
        raise InputError(
            f"Training features have {train.shape[1]} numbers, test features {test.shape[1]}. Take both from the same weights."
        )
    for what, features in (("training", train), ("test", test)):
        broken = int((~features.isfinite()).any(dim=1).sum())
        if broken:
            raise InputError(
                f"Features of {broken} of {len(features)} {what} items are not finite. The weights may have diverged, "
                "or read numbers that they were not made for: check their bands and scaling."
            )
