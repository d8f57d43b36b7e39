"""`train moco`: pre-train with MoCo-v2."""

from __future__ import annotations

from train.cli.flags import ContrastFlags


def moco(flags: ContrastFlags) -> int:
    r"""Pre-train with MoCo-v2: two augmented views of one date of a location attract, all others repel.

    One date per location is enough; each epoch draws it anew.

        train moco --catalog data/demo --backbone resnet18 --size-px 48 \
            --batch-size 64 --epochs 2 --out runs/moco
    """
    from train.cli.training import run_training

    return run_training("moco", flags)
