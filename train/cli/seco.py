"""`train seco`: pre-train with SeCo."""

from __future__ import annotations

from train.cli.flags import ContrastFlags


def seco(flags: ContrastFlags) -> int:
    r"""Pre-train with SeCo: three subspaces, blind to the season, to augmentation, and to both.

    Three different dates per location; see train recipes for the paper's own constants.

        train seco --catalog data/demo --backbone resnet18 --size-px 48 \
            --batch-size 64 --epochs 2 --out runs/seco
    """
    from train.cli.training import run_training

    return run_training("seco", flags)
