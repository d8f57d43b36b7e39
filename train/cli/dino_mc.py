"""`train dino-mc`: pre-train with DINO-MC."""

from __future__ import annotations

from train.cli.flags import DistillationFlags


def dino_mc(flags: DistillationFlags) -> int:
    r"""Pre-train with DINO-MC: as DINO, the small crops of six sizes and strongly recoloured.

    One date per location is enough; each epoch draws it anew. See train recipes for the paper's own constants.

        train dino-mc --catalog data/demo --backbone resnet18 --size-px 64 \
            --batch-size 64 --epochs 20 --out runs/dino-mc
    """
    from train.cli.training import run_training

    return run_training("dino-mc", flags)
