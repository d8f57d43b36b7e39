"""The records of a training: what they refuse, and that they come back from JSON as they were."""

import json
from dataclasses import replace
from functools import partial

import pytest

from train.config import (
    Alignment,
    Contrast,
    Crop,
    Distillation,
    InputSpec,
    Optimizer,
    Photometric,
    TrainConfig,
    View,
    from_json,
    to_json,
)
from train.errors import ConfigError, TrainError
from train.recipes import RECIPES

SPEC = InputSpec("sentinel-2-l2a", ("B04", "B11"), (0.0, 0.05), (0.3, 0.4), (0.45, 0.5), (0.2, 0.25), 64)
MADE = {
    "Crop": partial(Crop, size_px=32),
    "Photometric": Photometric,
    "InputSpec": partial(replace, SPEC),
    "Optimizer": Optimizer,
    "Contrast": Contrast,
    "Distillation": Distillation,
    "TrainConfig": partial(replace, RECIPES["seco"]()),
    "Alignment": Alignment,
    "Aligned": partial(replace, RECIPES["dino"](), method="x-stars", alignment=Alignment()),
}


def through_text(record):
    return from_json(type(record), json.loads(json.dumps(to_json(record))))


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_comes_back_from_json_text_exactly(name):
    config = RECIPES[name]()
    back = through_text(config)
    assert back == config
    assert hash(back) == hash(config), "a list where a tuple was"


def test_settings_far_from_the_defaults_come_back_from_json_text_exactly():
    view = View(
        "only", 4, Crop(17, (0.25, 0.5), (0.5, 2.0), "bicubic", 0.125), Photometric(1.0, hue=0.5, blur_sigma=(0.3, 0.7))
    )
    config = replace(
        RECIPES["moco"](),
        views=(view,),
        contrast=Contrast(dim=7, queue=96, force_queue=True, distinct_dates=False),
        optimizer=Optimizer("adamw", 1e-4, milestones=(0.5, 0.75), schedule="step", max_norm=3.0),
        sensor="landsat-c2-l2",
        bands=("B04",),
        seed=12,
    )
    assert through_text(config) == config
    assert through_text(SPEC) == SPEC


def test_fields_that_are_absent_have_their_defaults():
    assert from_json(Crop, {"size_px": 9}) == Crop(9)
    assert from_json(Optimizer, {}) == Optimizer()
    content = to_json(RECIPES["seco"]())
    del content["views"][2]["photometric"], content["seed"]
    assert from_json(TrainConfig, content) == RECIPES["seco"]()


def test_a_null_stays_none():
    assert from_json(Optimizer, {"max_norm": None}).max_norm is None
    assert from_json(Contrast, {"queue": None}).queue is None


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        (
            Optimizer,
            {"momentun": 0.9},
            r"Unknown setting 'momentun' of Optimizer. Did you mean 'momentum'\? Was it written by an",
        ),
        (Contrast, {"zzz": 0.9}, r"Unknown setting 'zzz' of Contrast. Was it written by another version\?"),
        (Crop, {"flip": 0.1}, r"Crop lacks size_px. Was it written by another version\?"),
        (View, {}, "View lacks name, scene, crop"),
        (Crop, {"size_px": 9, "scale": [0.2]}, r"\[0.2\] has 1 values; expected 2. Was it written by another version\?"),
    ],
)
def test_a_setting_that_is_unknown_or_lacking_is_named(kind, content, words):
    with pytest.raises(ConfigError, match=words):
        from_json(kind, content)


def test_an_unknown_setting_is_found_at_any_depth():
    content = to_json(RECIPES["seco"]())
    content["views"][1]["crop"]["sizes"] = 3
    with pytest.raises(ConfigError, match=r"Unknown setting 'sizes' of Crop. Did you mean 'size_px'\?"):
        from_json(TrainConfig, content)


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        ("Crop", {"size_px": 0}, "A view of 0 px has no pixels. Give a size above 0."),
        ("Crop", {"scale": (0.0, 1.0)}, r"crop scale is \(0.0, 1.0\); expected two numbers in order, above 0 and up to 1."),
        ("Crop", {"scale": (0.5, 0.2)}, "in order, above 0 and up to 1"),
        ("Crop", {"scale": (0.5, 1.5)}, "above 0 and up to 1"),
        (
            "Crop",
            {"ratio": (2.0, 0.5)},
            r"Crop ratio \(2.0, 0.5\) is no range of width over height. Give two positive numbers in",
        ),
        ("Crop", {"ratio": (0.0, 0.5)}, "Give two positive numbers"),
        (
            "Crop",
            {"interpolation": "cubic"},
            "Unknown interpolation 'cubic'. Choose from: bilinear, bicubic. Did you mean 'bicu",
        ),
        ("Crop", {"flip": 1.5}, "flip is 1.5; expected a probability from 0 to 1."),
        ("Photometric", {"jitter": -0.1}, "jitter is -0.1; expected a probability from 0 to 1."),
        ("Photometric", {"grayscale": 2}, "grayscale is 2; expected a probability"),
        ("Photometric", {"blur": 2}, "blur is 2; expected a probability"),
        ("Photometric", {"solarize": 2}, "solarize is 2; expected a probability"),
        ("Photometric", {"drop_band": 2}, "drop_band is 2; expected a probability"),
        ("Photometric", {"contrast": -1.0}, "contrast is -1.0; expected 0 or more."),
        ("Photometric", {"band_offset": -1.0}, "band_offset is -1.0; expected 0 or more."),
        ("Photometric", {"hue": 0.6}, "hue is 0.6; expected at most 0.5, half a turn."),
        ("Photometric", {"blur_sigma": (0.0, 2.0)}, r"blur_sigma is \(0.0, 2.0\); expected two positive numbers in order."),
        ("InputSpec", {"low": (0.0,)}, "low has 1 values for 2 bands: give one per band."),
        ("InputSpec", {"std": (0.1,) * 3}, "std has 3 values for 2 bands"),
        ("InputSpec", {"high": (0.3, 0.05)}, "Band B11 is scaled from 0.05 to 0.05; expected a low value below the high one."),
        (
            "InputSpec",
            {"std": (0.1, 0.0)},
            r"Band B11 has standard deviation 0.0; expected more than 0. Is the band",
        ),
        ("InputSpec", {"std": (float("nan"), 0.1)}, "Band B04 has standard deviation nan"),
        ("InputSpec", {"interpolation": "nearest"}, "Unknown interpolation 'nearest'. Choose from: bilinear, bicubic"),
        ("Optimizer", {"name": "adam"}, r"Unknown optimizer 'adam'. Choose from: sgd, adamw. Did you mean 'adamw'\?"),
        ("Optimizer", {"schedule": "cosin"}, r"Unknown schedule 'cosin'. .* Did you mean 'cosine'\?"),
        ("Optimizer", {"lr": 0.0}, "lr is 0.0; expected more than 0."),
        ("Optimizer", {"lr": float("nan")}, "lr is nan; expected more than 0."),
        ("Optimizer", {"momentum": 1.0}, "momentum is 1.0; expected 0 or more and below 1."),
        ("Optimizer", {"weight_decay": -1e-4}, "weight_decay is -0.0001; expected 0 or more."),
        ("Optimizer", {"warmup_epochs": -1}, "warmup_epochs is -1; expected 0 or more."),
        ("Optimizer", {"milestones": (0.6, 1.2)}, r"milestones are \(0.6, 1.2\); expected shares of the training, from 0 to 1"),
        ("Optimizer", {"final_lr": float("nan")}, "final_lr is nan; expected 0 or more."),
        ("Optimizer", {"max_norm": 0.0}, "max_norm is 0.0; expected more than 0, or none for no clipping."),
        ("Contrast", {"dim": 0}, "dim is 0; expected 1 or more."),
        ("Contrast", {"queue": 0}, "A queue of 0 keys is empty. Give 1 or more, or leave it away for the largest that fits."),
        ("Contrast", {"temperature": 0.0}, "temperature is 0.0; expected more than 0."),
        ("Contrast", {"ema_momentum": 1.0}, "ema_momentum is 1.0; expected 0 or more and below 1."),
        ("Optimizer", {"decays": "matrix"}, r"Unknown decays 'matrix'. .* Did you mean 'matrices'\?"),
        ("Optimizer", {"final_weight_decay": -1.0}, "final_weight_decay is -1.0; expected 0 or more, or none."),
        ("Distillation", {"out_dim": 0}, "out_dim is 0; expected 1 or more."),
        ("Distillation", {"head_layers": 0}, "head_layers is 0; expected 1 or more."),
        ("Distillation", {"bottleneck": 0}, "bottleneck is 0; expected 1 or more."),
        ("Distillation", {"teacher_temperature": 0.0}, "teacher_temperature is 0.0; expected more than 0."),
        ("Distillation", {"student_temperature": float("nan")}, "student_temperature is nan; expected more than 0."),
        ("Distillation", {"freeze_last_layer": -1}, "freeze_last_layer is -1; expected 0 or more."),
        ("Distillation", {"center_momentum": 1.1}, "center_momentum is 1.1; expected a probability from 0 to 1."),
        ("Distillation", {"pack_attention": True, "pack_crops": False}, "pack_attention without pack_crops: attention is"),
        ("Distillation", {"final_ema_momentum": 0.9}, "ema_momentum falls from 0.996 to 0.9; expected it to stay or to rise."),
        ("TrainConfig", {"contrast": None}, r"seco has constants of no family; expected either contrast \(MoCo\) or"),
        ("TrainConfig", {"distillation": Distillation()}, "seco has constants of both families; expected either"),
        ("TrainConfig", {"alignment": Alignment()}, r"seco has constants of alignment without distillation \(DINO\). Start"),
        ("TrainConfig", {"sensors": ("a", "b")}, r"seco trains on one sensor; named are a, b. Give one \(--sensor\)."),
        ("Aligned", {"sensor": "a"}, r"x-stars trains on several sensors; named is a alone. Give all \(--sensors\)."),
        ("Aligned", {"sensors": ("a",)}, "a cannot be aligned with another one. Name two sensors or more, of a catalog that"),
        ("Aligned", {"sensors": ("a", "b", "a")}, "Sensor a is there twice. Name each sensor once."),
        (
            "Aligned",
            {"sensors": ("a", "b"), "alignment": Alignment(adapt_sensor="c")},
            "Adapting to c takes it and the one sensor that the initial weights are of; the sensors are a, b. Choose two",
        ),
        ("Aligned", {"sensors": ("a", "b", "c"), "alignment": Alignment(adapt_sensor="c")}, "the sensors are a, b, c. Choose"),
        (
            "Aligned",
            {"batch_size": 4, "accumulate": 4},
            "A part of one location has no other one to tell it from: its alignment",
        ),
        ("Aligned", {"batch_size": 1}, "Choose a --batch-size of at least twice --accumulate"),
        ("Alignment", {"weight": -0.1}, "alignment weight is -0.1; expected 0 or more."),
        ("Alignment", {"weight": float("nan")}, "alignment weight is nan; expected 0 or more."),
        ("Alignment", {"dim": 0}, "alignment dim is 0; expected 1 or more."),
        ("Alignment", {"size_px": 0}, "alignment size_px is 0; expected 1 or more."),
        ("Alignment", {"dropout": 1.0}, "alignment dropout is 1.0; expected 0 or more and below 1."),
        ("Alignment", {"temperature": 0.001}, "alignment temperature is 0.001; expected 0.01 to 1."),
        ("Alignment", {"crop_m": 0.0}, "A box of 0 m shows no ground. Give a side above 0, or none for the whole square."),
        ("TrainConfig", {"batch_size": 0}, "batch_size is 0; expected 1 or more."),
        ("TrainConfig", {"accumulate": 0}, "accumulate is 0; expected 1 or more."),
        ("TrainConfig", {"epochs": -1}, "epochs is -1; expected 1 or more."),
        (
            "TrainConfig",
            {"accumulate": 3},
            "A batch of 256 does not divide into 3 equal parts. Choose accumulate among",
        ),
        ("TrainConfig", {"drop_path": 1.0}, "drop_path is 1.0; expected 0 or more and below 1."),
        ("TrainConfig", {"precision": "16"}, "Unknown precision '16'. Choose from: auto, 32-true, bf16-mixed."),
        ("TrainConfig", {"scaling": "measure"}, r"Unknown scaling 'measure'. .* Did you mean 'measured'\?"),
        ("TrainConfig", {"views": ()}, "A method without views sees nothing. Give one or more."),
    ],
)
def test_a_setting_out_of_range_is_refused_with_words(kind, settings, words):
    with pytest.raises(ConfigError, match=words):
        MADE[kind](**settings)


def test_errors_of_training_are_builtin_errors_with_exit_codes():
    assert issubclass(ConfigError, (TrainError, ValueError))
    assert ConfigError.exit_code == 2


def test_a_sample_needs_as_many_scenes_as_its_views_show():
    assert [RECIPES[name]().scenes for name in ("seco", "moco_tp", "moco", "dino_tp", "dino_mc")] == [3, 2, 1, 3, 1]


def test_dates_are_drawn_as_the_constants_of_the_family_say():
    assert [name for name, make in RECIPES.items() if not make().distinct_dates] == ["seco_2021", "dino_tp_2024"]


def test_a_configuration_of_before_there_was_dino_is_read_as_it_was():
    """Version 0.4 wrote no `distillation`, and of the optimizer none of what DINO brought."""
    content = to_json(RECIPES["seco_2021"]())
    del content["distillation"]
    for name in ("clip_each", "final_weight_decay", "decays"):
        del content["optimizer"][name]
    assert from_json(TrainConfig, content) == RECIPES["seco_2021"]()


def test_a_configuration_of_before_there_was_x_stars_is_read_as_it_was():
    """Version 0.5 wrote neither `alignment` nor `sensors`."""
    content = to_json(RECIPES["dino"]())
    del content["alignment"], content["sensors"]
    assert from_json(TrainConfig, content) == RECIPES["dino"]()


def test_aligned_sensors_come_back_from_json_text_exactly():
    constants = Alignment(weight=0.5, dim=32, crop_m=960.0, class_token=True, adapt_sensor="spot-ortho")
    config = replace(
        RECIPES["dino"](),
        method="x-stars",
        alignment=constants,
        sensors=("spot-ortho", "landsat-c2-l2"),
        bands=("red", "green"),
    )
    assert through_text(config) == config


def test_the_sizes_of_views_are_told_once_each():
    assert RECIPES["dino_mc"]().sizes == (224, 184, 164, 144, 124, 104, 84)
    assert RECIPES["seco"]().sizes == (224,)


@pytest.mark.parametrize(
    "kind", [Alignment, Crop, Photometric, View, InputSpec, Optimizer, Contrast, Distillation, TrainConfig]
)
def test_records_are_frozen(kind):
    assert kind.__dataclass_params__.frozen
