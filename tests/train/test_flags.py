"""From what is typed to the configuration and the way of training."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from train.cli import main
from train.cli.flags import AlignmentFlags, ContrastFlags, DistillationFlags, TrainFlags, make_config
from train.cli.training import make_runtime
from train.errors import ConfigError
from train.loop import Runtime
from train.methods.crops import dino_mc_views
from train.recipes import RECIPES, with_batch_size, with_view_size


@pytest.fixture
def typed(monkeypatch):
    """Flags as the command line reads them, and the method that they are for."""

    def read(*words, method="seco"):
        heard = []
        monkeypatch.setattr("train.cli.training.run_training", lambda *arguments: heard.append(arguments) or 0)
        with pytest.raises(SystemExit) as ended:
            main([method, "--catalog", "data/france", *words])
        assert ended.value.code == 0, words
        ((heard_method, flags),) = heard
        assert heard_method == method
        return flags

    return read


SECO = RECIPES["seco"]()


def optimizer(**changes):
    return {"optimizer": replace(SECO.optimizer, **changes)}


def contrast(**changes):
    return {"contrast": replace(SECO.contrast, **changes)}


CONFIG = {
    (): {},
    ("--sensor", "spot-ortho"): {"sensor": "spot-ortho"},
    ("--bands", "B04,B03,B02"): {"bands": ("B04", "B03", "B02")},
    ("--bands", "B11, B04"): {"bands": ("B11", "B04")},
    ("--scaling", "native"): {"scaling": "native"},
    ("--backbone", "vit_small_patch16_224"): {"backbone": "vit_small_patch16_224"},
    ("--size-px", "48"): {"views": with_view_size(SECO, 48).views},
    ("--batch-size", "64"): {"batch_size": 64, **optimizer(lr=0.03 / 4)},
    ("--batch-size", "64", "--lr", "0.1"): {"batch_size": 64, **optimizer(lr=0.1)},
    ("--accumulate", "4"): {"accumulate": 4},
    ("--epochs", "3"): {"epochs": 3},
    ("--optimizer", "adamw", "--lr", "0.001"): optimizer(name="adamw", lr=0.001),
    ("--lr", "0.1"): optimizer(lr=0.1),
    ("--max-norm", "3"): optimizer(max_norm=3.0),
    ("--queue", "4096"): contrast(queue=4096),
    ("--queue", "4096", "--force-queue"): contrast(queue=4096, force_queue=True),
    ("--precision", "32-true"): {"precision": "32-true"},
    ("--compile",): {"compile": True},
    ("--deterministic",): {"deterministic": True},
    ("--seed", "7"): {"seed": 7},
}
MC = RECIPES["dino_mc"]()


def distillation(**changes):
    return {"distillation": replace(MC.distillation, **changes)}


DISTILLATION = {
    (): {},
    ("--local-sizes", "96, 80"): {"views": dino_mc_views(local_sizes=(96, 80))},
    ("--local-sizes", ",".join(["64"] * 8)): {"views": dino_mc_views(local_sizes=(64,) * 8)},
    ("--size-px", "64"): {"views": dino_mc_views(64, (52, 46, 41, 35, 29, 24))},
    ("--size-px", "64", "--local-sizes", "32"): {"views": dino_mc_views(64, (32,))},
    ("--out-dim", "4096"): distillation(out_dim=4096),
    ("--head-hidden", "512"): distillation(head_hidden=512),
    ("--bottleneck", "64"): distillation(bottleneck=64),
    ("--head-batch-norm",): distillation(head_batch_norm=True),
    ("--ema-momentum", "0.99"): distillation(ema_momentum=0.99),
    ("--teacher-temperature", "0.07"): distillation(teacher_temperature=0.07),
    ("--freeze-last-layer", "0"): distillation(freeze_last_layer=0),
    ("--pack-attention",): distillation(pack_attention=True),
    ("--drop-path", "0"): {"drop_path": 0.0},
    ("--warmup-epochs", "2.5"): {"optimizer": replace(MC.optimizer, warmup_epochs=2.5)},
    ("--weight-decay", "0.01"): {"optimizer": replace(MC.optimizer, weight_decay=0.01, final_weight_decay=0.1)},
    ("--optimizer", "sgd", "--lr", "0.03"): {
        "optimizer": replace(MC.optimizer, name="sgd", lr=0.03, weight_decay=1e-4, final_weight_decay=None)
    },
    ("--optimizer", "sgd", "--lr", "0.03", "--weight-decay", "0.001"): {
        "optimizer": replace(MC.optimizer, name="sgd", lr=0.03, weight_decay=1e-3, final_weight_decay=None)
    },
    ("--optimizer", "adamw", "--lr", "0.001"): {"optimizer": replace(MC.optimizer, lr=1e-3)},
    ("--batch-size", "64"): {"batch_size": 64, "optimizer": replace(MC.optimizer, lr=5e-4 / 4)},
    ("--seed", "7"): {"seed": 7},
}
X_STARS = RECIPES["x_stars"]()


def aligned(**changes):
    return {"alignment": replace(X_STARS.alignment, **changes)}


ALIGNMENT = {
    (): {},
    ("--sensors", "spot-ortho, landsat-c2-l2"): {"sensors": ("spot-ortho", "landsat-c2-l2")},
    ("--crop-m", "960"): aligned(crop_m=960.0),
    ("--alignment-weight", "0"): aligned(weight=0.0),
    ("--adapt-sensor", "spot-ortho", "--init", "runs/b"): aligned(adapt_sensor="spot-ortho"),
    ("--shared-patch-embedding",): aligned(shared_patch_embedding=True),
    ("--separate-patch-embeddings",): {},
    ("--bands", "red, green"): {"bands": ("red", "green")},
    ("--size-px", "112"): {"views": with_view_size(X_STARS, 112).views, **aligned(size_px=112)},
    ("--out-dim", "4096"): {"distillation": replace(X_STARS.distillation, out_dim=4096)},
}
RUNTIME = {
    (): {},
    ("--workers", "0"): {"workers": 0},
    ("--device", "cpu"): {"accelerator": "cpu"},
    ("--log-every", "5"): {"log_every": 5},
    ("--checkpoint-every", "9"): {"checkpoint_every": 9},
    ("--steps", "12"): {"steps": 12},
    ("--quiet",): {"quiet": True},
}
READ_BY_THE_COMMAND = {
    ("--out", "runs/a"): ("out", Path("runs/a")),
    ("--recipe", "seco_2021"): ("recipe", "seco_2021"),
    ("--init", "runs/b"): ("init", "runs/b"),
    ("--cache", "kept"): ("cache", Path("kept")),
    ("--hook", "a:b=c", "--hook", "d:e"): ("hook", ("a:b=c", "d:e")),
    ("--dry-run",): ("dry_run", True),
    ("--json",): ("json", True),
}


@pytest.mark.parametrize(("words", "changes"), CONFIG.items())
def test_a_flag_reaches_the_configuration_and_touches_nothing_else(typed, words, changes):
    assert make_config("seco", typed(*words)) == replace(SECO, **changes)


@pytest.mark.parametrize(("words", "changes"), DISTILLATION.items())
def test_a_flag_of_dino_reaches_the_configuration_and_touches_nothing_else(typed, words, changes):
    assert make_config("dino-mc", typed(*words, method="dino-mc")) == replace(MC, **changes)


@pytest.mark.parametrize(("words", "changes"), ALIGNMENT.items())
def test_a_flag_of_x_stars_reaches_the_configuration_and_touches_nothing_else(typed, words, changes):
    assert make_config("x-stars", typed(*words, method="x-stars")) == replace(X_STARS, **changes)


def test_one_patch_embedding_of_a_recipe_can_be_put_off(typed):
    flags = typed("--recipe", "x_stars_2025", "--separate-patch-embeddings", method="x-stars")
    assert not make_config("x-stars", flags).alignment.shared_patch_embedding
    assert make_config("x-stars", typed("--recipe", "x_stars_2025", method="x-stars")) == RECIPES["x_stars_2025"]()


@pytest.mark.parametrize(("words", "changes"), RUNTIME.items())
def test_a_flag_reaches_the_way_of_training_and_not_the_configuration(typed, words, changes):
    flags = typed(*words)
    assert make_runtime(flags) == replace(Runtime(), **changes)
    assert make_config("seco", flags) == SECO


@pytest.mark.parametrize(("words", "read"), READ_BY_THE_COMMAND.items())
def test_the_other_flags_are_read_as_they_are(typed, words, read):
    name, value = read
    assert getattr(typed(*words), name) == value


def test_no_flag_is_left_out_of_these_tables():
    tried = {word for table in (CONFIG, RUNTIME, READ_BY_THE_COMMAND) for words in table for word in words if word[:2] == "--"}
    assert tried == flags_of(ContrastFlags) - {"--catalog"}
    of_dino = {word for words in DISTILLATION for word in words if word[:2] == "--"}
    assert of_dino & flags_of(ContrastFlags) == {"--size-px", "--batch-size", "--seed", "--optimizer", "--lr"}
    assert of_dino - flags_of(TrainFlags) == flags_of(DistillationFlags) - flags_of(TrainFlags)
    of_x_stars = {word for words in ALIGNMENT for word in words if word[:2] == "--"}
    assert flags_of(AlignmentFlags) - flags_of(DistillationFlags) <= of_x_stars


def flags_of(kind):
    return {f"--{each.name.replace('_', '-')}" for each in fields(kind)}


@pytest.mark.parametrize(
    ("method", "recipe"),
    [
        ("seco", "seco"),
        ("moco", "moco"),
        ("moco-tp", "moco_tp"),
        ("dino", "dino"),
        ("dino-tp", "dino_tp"),
        ("x-stars", "x_stars"),
    ],
)
def test_a_method_has_its_default_recipe(typed, method, recipe):
    assert make_config(method, typed(method=method)) == RECIPES[recipe]()


def test_flags_change_the_recipe_that_is_named(typed):
    config = make_config("seco", typed("--recipe", "seco_2021", "--batch-size", "128", "--epochs", "2"))
    assert config == replace(with_batch_size(RECIPES["seco_2021"](), 128), epochs=2)
    assert config.contrast == RECIPES["seco_2021"]().contrast


def test_the_learning_rate_stays_when_it_is_given_in_whatever_order(typed):
    for words in (("--lr", "0.5", "--batch-size", "32"), ("--batch-size", "32", "--lr", "0.5")):
        assert make_config("seco", typed(*words)).optimizer.lr == 0.5


def test_hooks_are_found_in_their_order(typed):
    one, two = make_runtime(typed("--hook", "math:floor", "--hook", "math:ceil")).hooks
    assert (one(1.5), two(1.5)) == (1, 2)


@pytest.mark.parametrize(
    ("method", "words", "message"),
    [
        ("seco", ("--recipe", "seco_2012"), r"Unknown recipe of seco 'seco_2012'. Choose .* Did you mean 'seco_2021'\?"),
        ("moco", ("--recipe", "seco_2021"), "Unknown recipe of moco 'seco_2021'. Choose from: moco."),
        ("seco", ("--scaling", "natve"), r"Unknown scaling 'natve'. .* Did you mean 'native'\?"),
        ("seco", ("--precision", "fp16"), "Unknown precision 'fp16'. Choose from: auto, 32-true, bf16-mixed."),
        ("seco", ("--accumulate", "3"), "A batch of 256 does not divide into 3 equal parts"),
        ("seco", ("--optimizer", "adamw"), "adamw needs a rate of its own, for the recipe's is sgd's. Pass --lr too"),
        ("seco", ("--optimizer", "adam"), r"Unknown optimizer 'adam'. Choose from: sgd, adamw. Did you mean 'adamw'\?"),
        ("seco", ("--size-px", "0"), "A view of 0 px has no pixels"),
        ("dino", ("--local-sizes", "96,8o"), r"--local-sizes '96,8o' are no sizes. Expected whole numbers of pixels above 0"),
        ("dino", ("--local-sizes", "96,0"), "--local-sizes '96,0' are no sizes"),
        (
            "x-stars",
            ("--sensor", "spot-ortho"),
            r"x-stars trains on several sensors; named is spot-ortho alone. Give all \(--sen",
        ),
        ("x-stars", ("--sensors", "spot-ortho"), "spot-ortho cannot be aligned with another one. Name two sensors or more"),
        ("x-stars", ("--crop-m", "0"), "A box of 0 m shows no ground"),
        ("x-stars", ("--alignment-weight", "-1"), "alignment weight is -1.0; expected 0 or more"),
        (
            "x-stars",
            ("--sensors", "spot-ortho,landsat-c2-l2", "--adapt-sensor", "spot-orto", "--init", "runs/b"),
            "Adapting to spot-orto takes it and the one sensor that the initial weights are of; the sensors are spot-ortho, la",
        ),
        ("dino-tp", ("--out-dim", "0"), "out_dim is 0; expected 1 or more"),
        ("dino", ("--optimizer", "sgd"), "sgd needs a rate of its own, for the recipe's is adamw's. Pass --lr too; 0.03 is"),
        ("seco", ("--queue", "0"), "A queue of 0 keys is empty"),
        ("seco", ("--batch-size", "0"), "batch_size is 0; expected 1 or more"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_words(typed, method, words, message):
    flags = typed(*words, method=method)
    with pytest.raises(ConfigError, match=message):
        make_config(method, flags)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--device", "gpu"), "Unknown device 'gpu'. Choose from: auto, cpu, cuda."),
        (("--workers", "-1"), "--workers is -1; expected 0 or more."),
        (("--log-every", "0"), "--log-every is 0; expected 1 or more."),
        (("--checkpoint-every", "0"), "--checkpoint-every is 0; expected 1 or more."),
        (("--steps", "0"), "--steps is 0; expected 1 or more."),
        (("--hook", "nothing"), "--hook 'nothing' names no function"),
    ],
)
def test_a_way_of_training_that_cannot_be_is_refused_with_words(typed, words, message):
    flags = typed(*words)
    with pytest.raises(ConfigError, match=message):
        make_runtime(flags)
