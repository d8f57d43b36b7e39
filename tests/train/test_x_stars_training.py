"""X-STARS from a catalog to weights: trained, resumed, adapted, exported for each sensor, and taken up again by sensor."""

import json
from dataclasses import replace

import pytest
import timm
import torch

from tests.train.forked import train_in_processes
from tests.train.test_cli import run as run_command
from tests.train.test_loop import assert_same_state
from tests.train.test_resume import last_state
from tests.train.trainings import PAIR, prepare_tiny, runtime, tiny_config, tiny_pairs
from train.checkpoint import list_checkpoints, read_state
from train.errors import CheckpointError
from train.exporting import export_checkpoint
from train.loop import _make_method, fit
from train.prepare import prepare_training
from train.run_folder import write_record
from train.weights import load_backbone

SMALL = (
    "--backbone", "test_vit", "--bands", "red,green", "--size-px", "32", "--local-sizes", "16,16", "--batch-size", "4",
    "--epochs", "2", "--warmup-epochs", "1", "--out-dim", "64", "--head-hidden", "32", "--bottleneck", "16", "--device", "cpu",
    "--workers", "0", "--checkpoint-every", "2", "--log-every", "2",
)  # fmt: skip
"""Three steps are an epoch; checkpoints after 2, 4 and 6."""
LANDSAT, SENTINEL = PAIR


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return tiny_pairs(tmp_path_factory.mktemp("catalog") / "pairs")


@pytest.fixture(scope="module")
def trained(catalog, tmp_path_factory):
    """A run of an epoch with its weights."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    fit(prepare_tiny(catalog, folder, "x_stars", epochs=2), folder, runtime(steps=3))
    export_checkpoint(folder)
    return folder


def prepare_adapting(catalog, folder, trained, sensor=SENTINEL):
    config = tiny_config("x_stars", epochs=2)
    config = replace(config, alignment=replace(config.alignment, adapt_sensor=sensor))
    training = prepare_training(config, str(catalog), init=str(trained))
    write_record(folder, training.record)
    return training


def state_of(folder):
    return read_state(list_checkpoints(folder)[-1])


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_stopped_and_resumed_ends_in_the_same_bits(catalog, tmp_path, precision):
    changes = {"epochs": 2, "precision": precision}
    whole, parts = (prepare_tiny(catalog, tmp_path / name, "x_stars", **changes) for name in ("whole", "parts"))
    fit(whole, tmp_path / "whole", runtime(steps=4))
    for steps in (2, 4):
        fit(parts, tmp_path / "parts", runtime(steps=steps))
    ours, theirs = state_of(tmp_path / "whole"), state_of(tmp_path / "parts")
    assert "student.alignment.temperature.logarithm" in ours["method"]
    assert_same_state(ours, theirs)


def test_adapting_stopped_and_resumed_ends_in_the_same_bits_and_its_frozen_copy_is_the_initial_backbone(
    catalog, trained, tmp_path
):
    for name, stops in (("whole", (4,)), ("parts", (2, 4))):
        training = prepare_adapting(catalog, tmp_path / name, trained)
        assert [spec.sensor for spec in training.record.specs] == [SENTINEL, LANDSAT], "hooks see the one that is trained on"
        for steps in stops:
            fit(training, tmp_path / name, runtime(steps=steps))
    ours = state_of(tmp_path / "whole")
    assert_same_state(ours, state_of(tmp_path / "parts"))
    initial = load_backbone(trained, sensors=(LANDSAT,)).module.state_dict()
    assert {name: ours["method"][f"source.{name}"].equal(value) for name, value in initial.items()} == dict.fromkeys(
        initial, True
    )
    assert not ours["method"][f"student.encoder.backbones.{SENTINEL}.norm.weight"].equal(initial["norm.weight"])


def test_adapting_exports_the_trained_sensor_alone(catalog, trained, tmp_path):
    fit(prepare_adapting(catalog, tmp_path, trained), tmp_path, runtime(steps=1))
    folder = export_checkpoint(tmp_path)
    assert load_backbone(tmp_path).spec.sensor == SENTINEL
    assert sorted(each.name for each in folder.iterdir()) == ["README.md", "config.json", "item.json", "model.safetensors"]


def test_adapting_keeps_the_scaling_of_the_initial_weights(catalog, trained, tmp_path):
    training = prepare_adapting(catalog, tmp_path, trained)
    assert training.record.further_specs[0] == load_backbone(trained, sensors=(LANDSAT,)).spec


def test_each_sensor_has_its_weights_in_a_folder_of_its_own(trained):
    state = state_of(trained)["method"]
    for sensor in PAIR:
        loaded = load_backbone(trained, sensors=(sensor,))
        assert (loaded.spec.sensor, loaded.spec.bands) == (sensor, ("B04", "B03"))
        for name, value in loaded.module.state_dict().items():
            assert value.equal(state[f"student.encoder.backbones.{sensor}.{name}"])
        opened = timm.create_model(f"local-dir:{trained / 'weights' / sensor}", pretrained=True).eval()
        images = torch.rand(1, 2, 32, 32)
        assert torch.equal(opened(images), loaded.module(images))
    one, other = (load_backbone(trained / "weights" / sensor).module for sensor in PAIR)
    assert torch.equal(one.pos_embed, other.pos_embed)
    assert not torch.equal(one.patch_embed.proj.weight, other.patch_embed.proj.weight)


def test_the_teacher_is_exported_for_each_sensor_too(trained):
    folder = export_checkpoint(trained, part="teacher")
    assert folder == trained / "weights-teacher"
    state = state_of(trained)["method"]
    found = load_backbone(folder, sensors=(SENTINEL,)).module.patch_embed.proj.weight
    assert found.equal(state[f"teacher.backbones.{SENTINEL}.patch_embed.proj.weight"])


def test_the_papers_recipe_trains_one_patch_embedding_and_exports_it_for_each_sensor(catalog, tmp_path):
    training = prepare_tiny(catalog, tmp_path, "x_stars_2025", epochs=20)
    assert (training.config.alignment.class_token, training.config.alignment.shared_patch_embedding) == (True, True)
    outcome = fit(training, tmp_path, runtime(steps=2))
    assert outcome.figures["alignment"] > 0
    export_checkpoint(tmp_path)
    one, other = (load_backbone(tmp_path, sensors=(sensor,)) for sensor in PAIR)
    assert [each.spec.sensor for each in (one, other)] == list(PAIR)
    assert one.spec.high != other.spec.high
    assert one.module.patch_embed.proj.weight.equal(other.module.patch_embed.proj.weight)


def test_names_of_weights_tell_their_sensors_apart(trained):
    names = [json.loads((trained / "weights" / sensor / "item.json").read_text())["id"] for sensor in PAIR]
    assert names[0] != names[1]
    assert all(sensor in name for sensor, name in zip(PAIR, names, strict=True))


@pytest.mark.parametrize(
    ("sensors", "words"),
    [
        (
            (),
            r"holds weights of 2 sensors, landsat-c2-l2, sentinel-2-l2a\. Name those of one, such as .*weights/landsat-c2-l2;",
        ),
        (PAIR, r"sentinel-2-l2a, and asked for are landsat-c2-l2 and sentinel-2-l2a\. Name those of one"),
        (("naip",), r"and asked for are naip\. Name those of one"),
    ],
)
def test_weights_of_several_sensors_are_never_guessed(trained, sensors, words):
    with pytest.raises(CheckpointError, match=words):
        load_backbone(trained, sensors=sensors)


def test_folders_that_are_no_sensors_are_no_weights_of_several(trained, tmp_path):
    (tmp_path / "one").symlink_to(trained / "weights" / SENTINEL)
    with pytest.raises(CheckpointError, match=r"holds no weights: there is neither model\.safetensors nor"):
        load_backbone(tmp_path)


def test_frozen_weights_of_other_bands_are_refused(catalog, trained, tmp_path):
    config = tiny_config("x_stars", bands=("red", "green", "blue"))
    config = replace(config, alignment=replace(config.alignment, adapt_sensor=SENTINEL))
    words = r"with 2 bands \(red, green\); asked for are 3 \(red, green, blue\)\. Pass --bands red,green, in this order"
    with pytest.raises(CheckpointError, match=words):
        prepare_training(config, str(catalog), init=str(trained))


@pytest.mark.parametrize("shared", [False, True])
def test_a_training_goes_on_from_the_weights_and_scalings_of_every_sensor(catalog, trained, shared):
    config = tiny_config("x_stars", sensors=PAIR[::-1])
    config = replace(config, alignment=replace(config.alignment, shared_patch_embedding=shared))
    training = prepare_training(config, str(catalog), init=str(trained))
    method = _make_method(training, fresh=True)
    for spec in training.record.specs:
        loaded = load_backbone(trained, sensors=(spec.sensor,))
        assert spec == loaded.spec
        for part in (method.student.encoder, method.teacher):
            ours = part.backbones[spec.sensor].state_dict()
            same = {name for name, value in loaded.module.state_dict().items() if ours[name].equal(value)}
            apart = {"patch_embed.proj.weight", "patch_embed.proj.bias"} if shared and spec.sensor == LANDSAT else set()
            assert set(ours) - same == apart, spec.sensor
    assert not any("patch embedding" in note or "scaling" in note for note in training.notes)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--backbone", "resnet18"), "resnet18 has no tokens that several sensors can share. Choose a ViT with a class token"),
        (("--sensors", f"{LANDSAT},sentinel-2"), "has no scenes of 'sentinel-2': it has landsat-c2-l2, sentinel-2-l2a."),
        (("--crop-m", "5000"), "A box of 5000 m does not fit squares of 960 m"),
        (("--adapt-sensor", "landsat", "--init", "random:test_vit"), "Adapting to landsat takes it and the one sensor that"),
        (("--adapt-sensor", LANDSAT), f"--adapt-sensor {LANDSAT} needs weights of the other sensor: training starts from them"),
        (("--bands", "red,nir"), "landsat-c2-l2 has no band with the common name 'nir'"),
        (("--backbone", "test_vit3"), "A VisionTransformer without a class token has no tokens that several sensors can share"),
        (("--init", "random:test_resnet"), "random:test_resnet lacks "),
        (("--accumulate", "4"), "A part of one location has no other one to tell it from: its alignment would be 0"),
        (("--size-px", "40"), "Aligned views of 40 px do not divide into the 16 px patches of test_vit. Choose --size-px 32."),
    ],
)
def test_a_command_that_cannot_be_is_answered_with_words(catalog, tmp_path, capsys, words, message):
    rest = [flag for flag in zip(SMALL[::2], SMALL[1::2], strict=True) if flag[0] != words[0]]
    flags = [part for flag in rest for part in flag]
    assert run_command("x-stars", "--catalog", catalog, "--out", tmp_path / "run", *words, *flags) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_dry_run_names_every_sensor(catalog, tmp_path, capsys):
    assert run_command("x-stars", "--catalog", catalog, "--out", tmp_path / "run", "--dry-run", *SMALL) == 0
    words = capsys.readouterr().err
    assert "on 13 locations of landsat-c2-l2 and sentinel-2-l2a: 2 and 2 bands, views of 32 and 16 px, batches of 4" in words
    assert "A token is 480 m: 16.0 px of landsat-c2-l2, 48.0 px of sentinel-2-l2a." in words
    assert words.count("   B04 ") == 2


def test_the_sensors_that_were_found_are_in_the_record(catalog, tmp_path):
    record = prepare_tiny(catalog, tmp_path, "x_stars").record
    assert (record.config.sensors, record.config.sensor, record.config.bands) == (PAIR, None, ("red", "green"))


@pytest.mark.slow
def test_killed_on_two_processes_and_resumed_ends_in_the_same_bits(catalog, tmp_path):
    def start(*words):
        return train_in_processes(words, tmp_path / "log", 2)

    words = ("x-stars", "--catalog", catalog, *SMALL)
    whole = start(*words, "--out", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    hook = f"tests.train.test_resume:kill_once={tmp_path / 'marker'}"
    killed = start(*words, "--out", tmp_path / "parts", "--hook", hook)
    assert killed.returncode != 0
    assert [folder.name for folder in list_checkpoints(tmp_path / "parts")] == ["step-00000002"], killed.stderr
    resumed = start("resume", tmp_path / "parts", "--workers", "0", "--device", "cpu")
    assert resumed.returncode == 0, resumed.stderr
    ours, theirs = last_state(tmp_path / "whole"), last_state(tmp_path / "parts")
    assert ours["state.pt"]["method"]["center.mean"].any()
    assert_same_state(ours, theirs)
    weights = [(tmp_path / name / "weights" / LANDSAT / "model.safetensors").read_bytes() for name in ("whole", "parts")]
    assert weights[0] == weights[1]
