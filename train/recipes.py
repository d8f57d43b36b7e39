"""Recipes: functions that return a whole configuration, named for what they reproduce."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from train.config import Alignment, Contrast, Distillation, Optimizer, TrainConfig, check_choice
from train.methods.crops import dino_mc_views, dino_tp_2024_views, dino_tp_views, dino_views
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
    Two things differ: the released code recolours a patch before it is cut, so its blur is measured in pixels of the patch; and
    its ResNet starts as torchvision draws it, while timm starts the last norm of each block at 0.

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


def dino() -> TrainConfig:
    """DINO with two global crops and eight local ones of one date, drawn anew each epoch: the default of `train dino`.

    The released constants, but for what was found since: a teacher that moves more slowly, as its authors advise for batches of
    256; no weight decay on class token and position embeddings; all gradients clipped together.

    References:
        Caron et al., DINO, ICCV 2021, https://arxiv.org/abs/2104.14294; released code, `main_dino.py` and its README.
    """
    return TrainConfig(
        method="dino",
        recipe="dino",
        views=dino_views(),
        contrast=None,
        distillation=Distillation(ema_momentum=0.9995),
        optimizer=Optimizer(
            "adamw",
            lr=5e-4,
            weight_decay=0.04,
            final_weight_decay=0.4,
            decays="kernels",
            warmup_epochs=10,
            final_lr=1e-6,
            max_norm=1.0,
        ),
        backbone="vit_small_patch16_224",
        drop_path=0.1,
        batch_size=256,
        epochs=100,
        sync_batch_norm=True,
    )


def dino_mc() -> TrainConfig:
    """DINO-MC: six local crops of six sizes, strongly jittered, of one date drawn anew each epoch.

    The default of `train dino-mc`. What `dino` puts right, and any bands, scaled by what is measured.
    """
    return replace(
        dino(), method="dino-mc", recipe="dino_mc", views=dino_mc_views(), backbone="vit_small_patch8_224", epochs=300
    )


def dino_mc_2024() -> TrainConfig:
    """DINO-MC as published: the constants of the paper and of its released code.

    Batches of 32 at a teacher momentum of 0.996; each gradient clipped by itself at 3; weight decay on class token and position
    embeddings too; B04, B03 and B02 as the preview images of SeCo's data show them, normalised as ImageNet is. What differs:
    the released code shows one date of each location for the whole training, and here a date is drawn anew each epoch; it
    computes in 16-bit floats of the other kind; its patch embedding loses the border of the crops of 164, 124 and 84 px, which
    are drawn at 160, 120 and 80 px here; position embeddings of local crops are resized as timm does it, antialiased; schedules
    reach their last value; a ResNet starts as timm draws it, with the last norm of each block at 0, and drops paths.

    References:
        Wanyan et al., Extending global-local view alignment, CVPR-W 2024, https://arxiv.org/abs/2303.06670; released code,
        `main_dino_mc.py`.
    """
    adamw = replace(dino().optimizer, lr=6.25e-5, decays="matrices", max_norm=3.0, clip_each=True)
    return replace(
        dino_mc(),
        recipe="dino_mc_2024",
        distillation=Distillation(),
        optimizer=adamw,
        bands=("B04", "B03", "B02"),
        scaling="preview",
        batch_size=32,
    )


def dino_tp() -> TrainConfig:
    """DINO-TP: three global crops of three different dates, local ones of the third, coloured; the default of `train dino-tp`.

    The crops and colours of `dino_mc`. Without colour augmentation, as published, convolutional backbones lose 9 to 15 points.
    """
    return replace(dino_mc(), method="dino-tp", recipe="dino_tp", views=dino_tp_views())


def dino_tp_2024() -> TrainConfig:
    """DINO-TP as published: dates drawn with replacement, crops of augmented and of plain dates without colours of their own.

    All else as of `dino_mc_2024`. One thing differs: the released code recolours a patch before it is cut.

    References:
        Wanyan et al., Extending global-local view alignment, section 3.3, CVPR-W 2024, https://arxiv.org/abs/2303.06670
    """
    views, constants = dino_tp_2024_views(), Distillation(distinct_dates=False)
    return replace(dino_mc_2024(), method="dino-tp", recipe="dino_tp_2024", views=views, distillation=constants)


def x_stars() -> TrainConfig:
    """X-STARS: DINO on each of several sensors, and tokens of the same ground found across them.

    The default of `train x-stars`. What `dino` puts right; a patch embedding for each sensor, with any bands; the tokens of the
    ground alone are compared, with those of all other locations of the batch, on all processes.
    """
    return replace(dino(), method="x-stars", recipe="x_stars", alignment=Alignment())


def x_stars_2025() -> TrainConfig:
    """X-STARS as published: the constants of its released code, with the alignment loss as the paper means it.

    The released code detaches that loss, so that it moves nothing, and leaves its projector and heads untrained: they are in no
    optimizer and in no checkpoint. If that code made the published weights, DINO alone trained them. Here the loss has its
    gradient, and differs further in what `train.alignment_loss` lists. Kept are its weight (for two sensors: the released code
    adds up the pairs of sensors, here they are averaged, so that for three --alignment-weight 0.3 is the published one), the
    widths and the dropout of its heads, the class token among the tokens, one patch embedding for red, green and blue of all
    sensors, the box of a whole square. A batch is what one of its processes has: four locations, or twelve where it adapts to a
    sensor (--batch-size, with which the learning rate goes). What differs besides: bands are scaled by what is measured, for
    the released code has 8-bit images of its own and normalises them twice; a location shows all of its sensors in one step;
    the released code computes in 16-bit floats of the other kind; position embeddings of local crops are resized as timm does
    it; schedules reach their last value.

    References:
        Marsocci and Audebert, Cross-sensor self-supervised training and alignment for remote sensing, IEEE JSTARS 18, 2025,
        https://arxiv.org/abs/2405.09922; released code, `pretraining.py` and its README.
    """
    adamw = replace(dino().optimizer, lr=5e-4 * 4 / 256, decays="matrices", max_norm=3.0, clip_each=True)
    return replace(
        x_stars(),
        recipe="x_stars_2025",
        alignment=Alignment(class_token=True, shared_patch_embedding=True),
        distillation=Distillation(),
        optimizer=adamw,
        backbone="vit_tiny_patch16_224",
        bands=("red", "green", "blue"),
        batch_size=4,
        epochs=400,
    )


RECIPES: dict[str, Callable[[], TrainConfig]] = {
    recipe.__name__: recipe
    for recipe in (
        seco, seco_2021, moco, moco_tp, dino, dino_mc, dino_mc_2024, dino_tp, dino_tp_2024, x_stars, x_stars_2025,
    )
}  # fmt: skip
"""Every recipe, by name."""

DEFAULTS = {
    "seco": "seco", "moco": "moco", "moco-tp": "moco_tp", "dino": "dino", "dino-mc": "dino_mc", "dino-tp": "dino_tp",
    "x-stars": "x_stars",
}  # fmt: skip
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
    """A configuration whose first view has another size, and all others in proportion, rounded down."""
    first = config.views[0].crop.size_px
    views = tuple(replace(view, crop=replace(view.crop, size_px=view.crop.size_px * size_px // first)) for view in config.views)
    aligned = config.alignment and replace(config.alignment, size_px=config.alignment.size_px * size_px // first)
    return replace(config, views=views, alignment=aligned)


def with_batch_size(config: TrainConfig, batch_size: int) -> TrainConfig:
    """A configuration with another batch size, its learning rate in proportion.

    References:
        Goyal et al., Accurate, Large Minibatch SGD, https://arxiv.org/abs/1706.02677
    """
    resized = replace(config, batch_size=batch_size)
    lr = config.optimizer.lr * batch_size / config.batch_size
    return replace(resized, optimizer=replace(config.optimizer, lr=lr))
