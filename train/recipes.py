"""Recipes: functions that return a whole configuration, named for what they reproduce."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from train.config import Contrast, Optimizer, TrainConfig, check_choice
from train.methods.views import moco_tp_views, moco_views, seco_views

SIZE_PX = 224


def seco() -> TrainConfig:
    """SeCo with what its released code left open put right: the default of `train seco`.

    Three different dates; negatives of the query's own date or location are left out; the extra negatives come from all
    processes; cosine schedule; the largest queue that fits the data; any bands, scaled by what is measured.
    """
    return TrainConfig(
        method="seco", recipe="seco", views=seco_views(SIZE_PX), contrast=Contrast(), optimizer=Optimizer(), epochs=200
    )


def seco_2021() -> TrainConfig:
    """SeCo as published: the constants of the paper and of its released code.

    Dates drawn with replacement, so that half of the samples repeat one; 16,384 keys; step schedule at 60 and 80 %; the extra
    negatives of each process alone; B04, B03 and B02 stretched by its quantiles and normalised as ImageNet is; 32-bit numbers.
    One thing differs: the released code recolours a patch before it is cut, so its blur is measured in pixels of the patch.

    References:
        Mañas et al., Seasonal Contrast, ICCV 2021, section 4, https://arxiv.org/abs/2103.16607
    """
    return replace(
        seco(),
        recipe="seco_2021",
        contrast=Contrast(
            queue=16384, distinct_dates=False, mask_same_date=False, mask_own_location=False, gather_negatives=False
        ),
        optimizer=Optimizer(schedule="step", milestones=(0.6, 0.8)),
        bands=("B04", "B03", "B02"),
        scaling="seco",
        precision="32-true",
    )


def moco() -> TrainConfig:
    """MoCo-v2: two augmented views of one date, drawn anew each epoch; the default of `train moco`.

    References:
        Chen et al., Improved Baselines with Momentum Contrastive Learning, https://arxiv.org/abs/2003.04297
    """
    return replace(seco(), method="moco", recipe="moco", views=moco_views(SIZE_PX))


def moco_tp() -> TrainConfig:
    """MoCo-v2 with temporal positives: two augmented views of two dates; the default of `train moco-tp`.

    References:
        Mañas et al., Seasonal Contrast, ICCV 2021, section 4.1, https://arxiv.org/abs/2103.16607
    """
    return replace(seco(), method="moco-tp", recipe="moco_tp", views=moco_tp_views(SIZE_PX))


RECIPES: dict[str, Callable[[], TrainConfig]] = {recipe.__name__: recipe for recipe in (seco, seco_2021, moco, moco_tp)}
"""Every recipe, by name."""

DEFAULTS = {"seco": "seco", "moco": "moco", "moco-tp": "moco_tp"}
"""The recipe of each method, where none is named."""


def find_recipe(name: str, *, method: str) -> TrainConfig:
    """The configuration of a recipe.

    Args:
        name: Of the recipe.
        method: That it must be of.

    Raises:
        ConfigError: There is none of that name for the method; the message lists those there are.
    """
    check_choice(f"recipe of {method}", name, tuple(known for known, make in RECIPES.items() if make().method == method))
    return RECIPES[name]()


def with_view_size(config: TrainConfig, size_px: int) -> TrainConfig:
    """A configuration with views of another size."""
    views = tuple(replace(view, crop=replace(view.crop, size_px=size_px)) for view in config.views)
    return replace(config, views=views)


def with_batch_size(config: TrainConfig, batch_size: int) -> TrainConfig:
    """A configuration with another batch size, its learning rate in proportion.

    References:
        Goyal et al., Accurate, Large Minibatch SGD, https://arxiv.org/abs/1706.02677
    """
    resized = replace(config, batch_size=batch_size)
    lr = config.optimizer.lr * batch_size / config.batch_size
    return replace(resized, optimizer=replace(config.optimizer, lr=lr))
