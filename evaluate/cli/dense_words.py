"""Segmentation and change detection in words: what is said of how they were scored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalogs.console import counted

DENSE = ("segment", "change")
"""Names of the protocols that score pixels."""
OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD"}
"""How their authors write them."""


def dense_method(protocol: Mapping[str, Any], tuned_on: str) -> str:
    """How feature maps became answers.

    Args:
        protocol: Of a result, of a name in `DENSE`.
        tuned_on: On what was chosen, in words.
    """
    drawn = f", mean of {protocol['repeats']} repeats" if protocol["repeats"] > 1 else ""
    rates = " or ".join(f"{lr:g}" for lr in protocol["lr"])
    optimizer = OPTIMIZERS.get(protocol["optimizer"], protocol["optimizer"])
    taught = f"{optimizer} at {rates}, {counted(protocol['epochs'], 'epoch')}"
    if protocol["name"] == "segment":
        return f"Segmentation: {protocol['head']} head on frozen maps, {taught}, best on {tuned_on}{drawn}"
    if protocol["variant"] == "seco":
        return f"Change detection as SeCo's released code does it: {taught}, the last one answers{drawn}"
    return f"Change detection: U-Net on |first - second| of frozen maps, {taught}, best on {tuned_on}{drawn}"
