"""The recipes against what the papers say, and what is changed of one."""

from dataclasses import replace

import pytest

from train.config import Alignment, Contrast, Distillation, Optimizer, Photometric
from train.errors import ConfigError
from train.methods import METHODS, check_method
from train.recipes import DEFAULTS, RECIPES, find_recipe, with_batch_size, with_view_size

JITTER = {"jitter": 0.8, "brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}
AUGMENTED = Photometric(**JITTER, grayscale=0.2, blur=0.5, blur_sigma=(0.1, 2.0))
PLAIN = Photometric()


def test_seco_2021_has_the_constants_of_the_paper():
    config = RECIPES["seco_2021"]()
    assert config.optimizer == Optimizer(
        "sgd", 0.03, momentum=0.9, weight_decay=1e-4, schedule="step", milestones=(120 / 200, 160 / 200), gamma=0.1
    )
    assert (config.optimizer.warmup_epochs, config.optimizer.max_norm) == (0.0, None)
    assert (config.batch_size, config.epochs, config.accumulate) == (256, 200, 1)
    assert (config.bands, config.scaling) == (("B04", "B03", "B02"), "seco")
    assert config.contrast == Contrast(
        dim=128,
        queue=16384,
        temperature=0.07,
        ema_momentum=0.999,
        distinct_dates=False,
        mask_same_date=False,
        mask_own_location=False,
        gather_negatives=False,
        shuffle_batch_norm=True,
    )


@pytest.mark.parametrize("name", ["seco", "seco_2021"])
def test_the_views_of_seco_are_the_papers(name):
    """methods.md 1.1: q = t0, k0 = aug(t1), k1 = t2, k2 = aug(t0); flips and colours belong to aug."""
    views = RECIPES[name]().views
    assert [(view.name, view.scene) for view in views] == [("query", 0), ("key_0", 1), ("key_1", 2), ("key_2", 0)]
    assert [view.photometric for view in views] == [PLAIN, AUGMENTED, PLAIN, AUGMENTED]
    assert [view.crop.flip for view in views] == [0.0, 0.5, 0.0, 0.5]
    assert {(view.crop.size_px, view.crop.scale, view.crop.ratio) for view in views} == {(224, (0.2, 1.0), (3 / 4, 4 / 3))}


@pytest.mark.parametrize(("name", "scenes"), [("moco", [0, 0]), ("moco_tp", [0, 1])])
def test_both_views_of_moco_are_augmented(name, scenes):
    views = RECIPES[name]().views
    assert [view.scene for view in views] == scenes
    assert [(view.photometric, view.crop.flip) for view in views] == [(AUGMENTED, 0.5)] * 2


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_says_its_name_and_fits_its_method(name):
    config = RECIPES[name]()
    assert config.recipe == name
    assert config.method in METHODS
    check_method(config)
    assert RECIPES[name].__doc__.splitlines()[0]
    assert config is not RECIPES[name]()


def test_every_method_has_a_default_recipe_of_its_own():
    assert tuple(sorted(DEFAULTS)) == tuple(sorted(METHODS))
    for method, name in DEFAULTS.items():
        assert find_recipe(name, method=method) == RECIPES[name]()


def test_dino_mc_2024_has_the_constants_of_the_paper():
    """methods.md 2.1 and 2.3."""
    config = RECIPES["dino_mc_2024"]()
    assert config.optimizer == Optimizer(
        "adamw",
        lr=5e-4 * 32 / 256,
        weight_decay=0.04,
        final_weight_decay=0.4,
        decays="matrices",
        warmup_epochs=10,
        final_lr=1e-6,
        max_norm=3.0,
        clip_each=True,
    )
    assert config.distillation == Distillation(
        out_dim=65_536,
        head_layers=3,
        head_hidden=2048,
        bottleneck=256,
        norm_last_layer=True,
        teacher_temperature=0.04,
        first_teacher_temperature=0.04,
        teacher_warmup_epochs=0,
        student_temperature=0.1,
        center_momentum=0.9,
        ema_momentum=0.996,
        final_ema_momentum=1.0,
        freeze_last_layer=1,
    )
    assert (config.batch_size, config.epochs, config.drop_path) == (32, 300, 0.1)
    assert (config.backbone, config.bands, config.scaling) == ("vit_small_patch8_224", ("B04", "B03", "B02"), "preview")
    assert config.sync_batch_norm


def test_dino_tp_2024_differs_from_dino_mc_2024_by_its_views_and_dates_alone():
    mc, tp = RECIPES["dino_mc_2024"](), RECIPES["dino_tp_2024"]()
    same = replace(mc, method="dino-tp", recipe="dino_tp_2024", views=tp.views)
    assert replace(same, distillation=replace(mc.distillation, distinct_dates=False)) == tp


def test_x_stars_2025_has_the_constants_of_the_released_code():
    """methods.md 3.3 and 3.4, of one process; the temperature is the paper's."""
    config = RECIPES["x_stars_2025"]()
    assert config.optimizer == replace(RECIPES["dino_mc_2024"]().optimizer, lr=5e-4 * 4 / 256)
    assert config.distillation == RECIPES["dino_mc_2024"]().distillation == Distillation()
    assert config.alignment == Alignment(
        weight=0.1, dim=1024, dropout=0.2, temperature=0.07, crop_m=None, size_px=224, class_token=True,
        shared_patch_embedding=True, adapt_sensor=None,
    )  # fmt: skip
    assert (config.batch_size, config.epochs, config.drop_path) == (4, 400, 0.1)
    assert (config.backbone, config.bands) == ("vit_tiny_patch16_224", ("red", "green", "blue"))
    assert [view.crop.size_px for view in config.views] == [224] * 2 + [96] * 8
    assert [view.crop.scale for view in config.views] == [(0.4, 1.0)] * 2 + [(0.05, 0.4)] * 8


def test_the_docstring_of_x_stars_2025_says_that_the_released_code_detaches_its_loss():
    words = " ".join(RECIPES["x_stars_2025"].__doc__.split())
    assert (
        "The released code detaches that loss, so that it moves nothing, and leaves its projector and heads untrained" in words
    )


def test_x_stars_is_dino_with_ground_tokens_and_a_patch_embedding_for_each_sensor():
    config = RECIPES["x_stars"]()
    assert replace(config, method="dino", recipe="dino", alignment=None) == RECIPES["dino"]()
    assert (config.alignment.class_token, config.alignment.shared_patch_embedding) == (False, False)
    assert (config.sensors, config.bands, config.scenes) == ((), (), 1)


def test_the_aligned_view_goes_with_the_size_of_the_global_crops():
    small = with_view_size(RECIPES["x_stars"](), 112)
    assert (small.alignment.size_px, small.sizes) == (112, (112, 48))
    other = replace(small, alignment=replace(small.alignment, size_px=64))
    assert other.sizes == (112, 48, 64), "the backbone has to take it too"


@pytest.mark.parametrize("name", ["dino", "dino_mc", "dino_tp", "x_stars"])
def test_the_recipes_of_today_follow_what_was_found_since(name):
    config = RECIPES[name]()
    assert (config.batch_size, config.distillation.ema_momentum) == (256, 0.9995)
    assert (config.optimizer.decays, config.optimizer.clip_each, config.optimizer.max_norm) == ("kernels", False, 1.0)
    assert config.distinct_dates
    assert (config.bands, config.scaling, config.precision) == ((), "measured", "auto")


def test_local_crops_go_with_the_size_of_the_global_ones():
    small = with_view_size(RECIPES["dino_mc"](), 64)
    assert [view.crop.size_px for view in small.views] == [64, 64, 52, 46, 41, 35, 29, 24]


def test_the_default_draws_different_dates_and_leaves_false_negatives_out():
    contrast = RECIPES["seco"]().contrast
    assert contrast.distinct_dates
    assert contrast.mask_same_date
    assert contrast.mask_own_location
    assert contrast.gather_negatives
    assert contrast.queue is None
    assert RECIPES["seco"]().bands == ()


@pytest.mark.parametrize(
    ("name", "method", "words"),
    [
        ("seco2021", "seco", r"Unknown recipe of seco 'seco2021'. Choose from: seco, seco_2021. Did you mean 'seco_2021'\?"),
        ("seco", "moco", "Unknown recipe of moco 'seco'. Choose from: moco."),
        ("dino_mc_2014", "dino-mc", r"recipe of dino-mc 'dino_mc_2014'. Choose from: dino_mc, dino_mc_2024. Did you mean"),
        ("dino", "moco-tp", "Unknown recipe of moco-tp 'dino'. Choose from: moco_tp."),
    ],
)
def test_an_unknown_recipe_is_answered_with_those_there_are(name, method, words):
    with pytest.raises(ConfigError, match=words):
        find_recipe(name, method=method)


def test_views_of_another_size_change_nothing_else():
    config = RECIPES["seco"]()
    small = with_view_size(config, 48)
    assert {view.crop.size_px for view in small.views} == {48}
    assert with_view_size(small, 224) == config


def test_the_learning_rate_goes_with_the_batch_and_nothing_else_does():
    config = RECIPES["seco"]()
    small = with_batch_size(config, 64)
    assert small.batch_size == 64
    assert small.optimizer.lr == pytest.approx(0.03 / 4)
    assert replace(small, batch_size=256, optimizer=config.optimizer) == config
    assert with_batch_size(config, 512).optimizer.lr == pytest.approx(0.06)
