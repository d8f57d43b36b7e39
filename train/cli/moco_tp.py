"""`train moco-tp`: pre-train with MoCo-v2 with temporal positives."""

from __future__ import annotations

from train.cli.flags import ContrastFlags


def moco_tp(flags: ContrastFlags) -> int:
    r"""Pre-train with MoCo-v2 with temporal positives: two augmented views of two dates of a location attract.

    Two different dates per location.

        train moco-tp --catalog data/demo --backbone resnet18 --size-px 48 \
            --batch-size 64 --epochs 2 --out runs/moco-tp
    """
    from train.cli.training import run_training

    return run_training("moco-tp", flags)
