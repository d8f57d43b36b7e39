"""X-STARS without a catalog: a small configuration, and views of sensors drawn at random."""

from dataclasses import replace
from types import SimpleNamespace

import torch

from train.config import TrainConfig
from train.methods.crops import with_local_sizes
from train.recipes import RECIPES, with_view_size

BANDS = {"landsat-c2-l2": 3, "sentinel-2-l2a": 2}
"""Of each sensor."""
SIZE_PX, PATCH_PX = 32, 16


def aligned_config(recipe="x_stars", *, weight=0.1, **aligned: object) -> TrainConfig:
    """The recipe with a small ViT, small heads, two local crops and no dropout; further settings are the alignment's."""
    config = with_view_size(RECIPES[recipe](), SIZE_PX)
    return replace(
        config,
        backbone="test_vit",
        views=with_local_sizes(config.views, (16, 16), method="x-stars"),
        batch_size=4,
        drop_path=0.0,
        distillation=replace(config.distillation, out_dim=32, head_hidden=16, bottleneck=8, freeze_last_layer=0),
        alignment=replace(config.alignment, weight=weight, dim=16, dropout=0.0, **aligned),
    )


def draw_sensors(config, bands=BANDS, *, batch=4, step=0, device="cpu"):
    """Crops and ground of each sensor, all of it valid."""
    generator = torch.Generator().manual_seed(step)

    def images(count, size_px):
        return torch.randn(batch, count, size_px, size_px, generator=generator).to(device)

    tokens = (config.alignment.size_px // PATCH_PX) ** 2
    return SimpleNamespace(
        crops=tuple(tuple(images(count, view.crop.size_px) for view in config.views) for count in bands.values()),
        ground=tuple(images(count, config.alignment.size_px) for count in bands.values()),
        valid=tuple(torch.ones(batch, tokens, dtype=torch.bool, device=device) for _ in bands),
    )
