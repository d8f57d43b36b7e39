"""`train dino`: pre-train with DINO."""

from __future__ import annotations

from train.cli.flags import DistillationFlags


def dino(flags: DistillationFlags) -> int:
    r"""Pre-train with DINO: a student finds from any crop of a date what its teacher says of the two large ones.

    One date per location is enough; each epoch draws it anew.

        train dino --catalog data/demo --backbone resnet18 --size-px 64 \
            --batch-size 64 --epochs 20 --out runs/dino
    """
    from train.cli.training import run_training

    return run_training("dino", flags)
