"""`train x-stars`: pre-train with X-STARS."""

from __future__ import annotations

from train.cli.flags import AlignmentFlags


def x_stars(flags: AlignmentFlags) -> int:
    r"""Pre-train with X-STARS: DINO on each of several sensors, while tokens of the same ground find each other across them.

    The catalog has two sensors or more, of the same locations. The backbone is a ViT with a class token. See train recipes for
    the paper's own constants.

        train x-stars --catalog data/pairs --backbone vit_tiny_patch16_224 \
            --batch-size 64 --epochs 20 --out runs/x-stars
        train x-stars --catalog data/pairs --init runs/sentinel \
            --adapt-sensor spot-ortho --out runs/spot
    """
    from train.cli.training import run_training

    return run_training("x-stars", flags)
