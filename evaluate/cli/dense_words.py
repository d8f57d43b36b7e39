"""Segmentation and change detection in words: what is typed for them, and what is said of how they were scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from catalogs.console import counted
from evaluate.errors import InputError

DENSE = ("segment", "change")
"""Names of the protocols that score pixels."""


def dense_method(protocol: Mapping[str, Any], tuned_on: str) -> str:
    """How feature maps became answers.

    Args:
        protocol: Of a result, of a name in `DENSE`.
        tuned_on: On what was chosen, in words.
    """
    drawn = f", mean of {protocol['repeats']} repeats" if protocol["repeats"] > 1 else ""
    rates = " or ".join(f"{lr:g}" for lr in protocol["lr"])
    taught = f"{protocol['optimizer']} at {rates}, {counted(protocol['epochs'], 'epoch')}"
    if protocol["name"] == "segment":
        return f"Segmentation: {protocol['head']} head on frozen maps, {taught}, best on {tuned_on}{drawn}"
    if protocol["variant"] == "seco":
        return f"Change detection as SeCo's released code does it: {taught}, the last one answers{drawn}"
    return f"Change detection: U-Net on |first - second| of frozen maps, {taught}, best on {tuned_on}{drawn}"


def split_rates(words: Sequence[str] | None) -> tuple[float, ...]:
    """Learning rates as they were typed, one by one or joined by commas, ascending and each once.

    Raises:
        InputError: One is no number.

    Examples:
        >>> split_rates(["0.01,0.001"])
        (0.001, 0.01)
    """
    found = set()
    for word in (each for typed in words or () for each in typed.split(",")):
        try:
            found.add(float(word))
        except ValueError as error:
            raise InputError(f"--lr {word!r} is no number. Give learning rates, such as 0.001,0.01.") from error
    return tuple(sorted(found))
