"""`train dino-tp`: pre-train with DINO-TP."""

from __future__ import annotations

from train.cli.flags import DistillationFlags


def dino_tp(flags: DistillationFlags) -> int:
    r"""Pre-train with DINO-TP: as DINO-MC, the large crops of three different dates of a location.

    Three different dates per location; see train recipes for the paper's own constants.

        train dino-tp --catalog data/demo --backbone resnet18 --size-px 64 \
            --batch-size 64 --epochs 20 --out runs/dino-tp
    """
    from train.cli.training import run_training

    return run_training("dino-tp", flags)
