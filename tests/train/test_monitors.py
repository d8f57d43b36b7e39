"""What looks at a training from aside sees what it should, and leaves no trace in the weights."""

import math
import random
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

import train.journal
import train.loop
from catalogs.testing import make_catalog
from tests.catalogs.test_png import decode
from tests.train.test_loop import assert_same_state, state_of
from tests.train.trainings import prepare_tiny, runtime, tiny_catalog, tiny_config, tiny_pairs
from train.attention_pictures import AttentionPictures
from train.health import HealthLimits
from train.hooks import HookContext
from train.loop import fit
from train.methods import make_method
from train.methods.crops import with_local_sizes
from train.modes import in_evaluation
from train.monitors import make_monitors

RGB = ("B04", "B03", "B02")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return tiny_catalog(tmp_path_factory.mktemp("catalog") / "tiny", seasons=1)


def go(catalog, run, *, recipe="dino", options=None, **changes):
    changes = {"backbone": "test_vit", "epochs": 2, "bands": RGB} | changes
    return fit(prepare_tiny(catalog, run, recipe, **changes), run, runtime(**(options or {})))


def pictures(run):
    return {path.name: path.read_bytes() for path in (run / "attention").glob("*")}


@pytest.fixture(scope="module")
def run(catalog, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    go(catalog, folder)
    return folder


def test_a_vit_of_dino_is_drawn_before_the_first_step_and_at_the_end_of_every_epoch(run):
    found = pictures(run)
    assert sorted(found) == ["step-000000.png", "step-000003.png", "step-000006.png"]
    assert len(set(found.values())) == 3
    image = decode(found["step-000003.png"])
    assert image.shape == (3, 4 * 112 + 3 * 4, 3 * 112 + 2 * 4)  # four locations; the image and two heads


def test_the_run_says_once_what_its_pictures_show(run):
    said = [line for line in (run / "log.txt").read_text().splitlines() if "class token" in line]
    shown = "locations that it is trained on (there is no val split): test-000009, test-000010, test-000011, test-000012"
    assert said == [f"Pictures in attention/ show where the class token looks on {shown}."]


def test_held_out_locations_are_drawn_where_there_are_some(tmp_path):
    """`make_catalog` splits its locations."""
    catalog = make_catalog(tmp_path / "mixed", seasons=1, json_items=False)
    go(catalog, tmp_path / "run", epochs=2, batch_size=1)
    said = (tmp_path / "run" / "log.txt").read_text()
    assert "looks on held-out locations: " in said


def test_a_training_with_pictures_has_the_bits_of_one_without(run, catalog, tmp_path, monkeypatch):
    monkeypatch.setattr(train.loop, "make_monitors", lambda *_: ())
    go(catalog, tmp_path)
    assert not pictures(tmp_path)
    assert_same_state(state_of(run), state_of(tmp_path))
    assert (run / "metrics.csv").read_text().count("\n") == (tmp_path / "metrics.csv").read_text().count("\n")


def test_a_run_that_was_cut_off_draws_the_same_pictures_and_removes_those_of_later_steps(run, catalog, tmp_path):
    go(catalog, tmp_path, options={"steps": 4})
    early = pictures(tmp_path)
    assert sorted(early) == ["step-000000.png", "step-000003.png", "step-000004.png"]
    (tmp_path / "attention" / "step-000000.png").write_bytes(early["step-000000.png"] + b"as it was")
    (tmp_path / "attention" / "step-000099.png").write_bytes(b"of a run that went further and was not saved")
    (tmp_path / "attention" / "step-by-step.png").write_bytes(b"the user's own")
    go(catalog, tmp_path)
    found = pictures(tmp_path)
    assert found.pop("step-by-step.png") == b"the user's own"
    assert found.pop("step-000000.png") == early["step-000000.png"] + b"as it was", "looked at again, though nothing is new"
    assert found == {name: png for name, png in (early | pictures(run)).items() if name != "step-000000.png"}


@pytest.mark.parametrize(("recipe", "backbone"), [("dino", "test_resnet"), ("moco", "test_vit")])
def test_other_networks_and_methods_are_not_drawn(catalog, tmp_path, recipe, backbone):
    go(catalog, tmp_path, recipe=recipe, backbone=backbone, epochs=2)
    assert not (tmp_path / "attention").exists()


def test_bands_without_colours_are_drawn_in_grey(catalog, tmp_path):
    go(catalog, tmp_path, bands=("B08", "B04"), epochs=2)
    image = decode(pictures(tmp_path)["step-000003.png"])[:, :112, :112]
    assert (image == image[:1]).all()
    assert len(np.unique(image)) > 10


def test_sensors_with_and_without_colours_are_drawn_in_one_picture(tmp_path):
    radar = "sentinel-1-rtc"
    training = prepare_tiny(
        tiny_pairs(tmp_path / "pairs", seasons=1, count=4, sensors=(radar, "sentinel-2-l2a")), tmp_path, "x_stars", bands=()
    )
    method = make_method(training.config, training.record.channels, queue=0)
    context = HookContext(0, 0, method.backbone(), training.record.spec, torch.device("cpu"), lambda *_: None)
    AttentionPictures(training, tmp_path)(method, context)
    image = decode(pictures(tmp_path)["step-000000.png"])[:, :, :112]
    rows = [image[:, top : top + 112] for top in range(0, 8 * 116, 116)]
    assert [bool((row == row[:1]).all()) for row in rows] == [True, False] * 4


def test_a_picture_draws_nothing_at_random_and_keeps_every_mode(catalog, tmp_path):
    training = prepare_tiny(catalog, tmp_path, "dino", backbone="test_vit", bands=RGB)
    method = make_method(training.config, 3, queue=0)
    method.backbone().blocks[0].eval()
    modes = [part.training for part in method.modules()]
    states = (torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate())  # noqa: NPY002  others may draw from it
    weights = {name: value.clone() for name, value in method.state_dict().items()}
    context = HookContext(7, 1, method.backbone(), training.record.spec, torch.device("cpu"), lambda *_: None)
    AttentionPictures(training, tmp_path)(method, context)
    assert sorted(pictures(tmp_path)) == ["step-000007.png"]
    assert [part.training for part in method.modules()] == modes
    assert torch.get_rng_state().equal(states[0])
    assert (np.random.get_state()[1] == states[1]).all()  # noqa: NPY002
    assert random.getstate() == states[2]
    assert all(value.equal(weights[name]) for name, value in method.state_dict().items())


def test_hooks_are_called_after_our_own_monitors_with_the_backbone_in_evaluation_mode(catalog, tmp_path):
    training = prepare_tiny(catalog, tmp_path, "dino", backbone="test_vit", bands=RGB)
    method = make_method(training.config, 3, queue=0)
    seen = []
    context = HookContext(7, 1, method.backbone(), training.record.spec, torch.device("cpu"), lambda *_: None)
    monitors = make_monitors(
        training, tmp_path, [lambda given: seen.append((given.backbone.training, torch.is_grad_enabled()))]
    )
    assert len(monitors) == 2
    monitors[1](method, replace(context, step=0))
    assert seen == [], "nothing was trained yet"
    monitors[1](method, context)
    assert seen == [(False, False)]
    assert method.backbone().training


def test_a_run_on_the_plateau_is_told_so_with_what_to_do_and_its_figures_show_it(catalog, tmp_path, monkeypatch):
    """A teacher so warm that it finds all prototypes alike; an epoch is three steps."""
    monkeypatch.setattr(train.journal, "HealthLimits", partial(HealthLimits, settling=6))
    dull = replace(tiny_config("dino").distillation, teacher_temperature=1e4, first_teacher_temperature=1e4)
    outcome = go(catalog, tmp_path, distillation=dull, epochs=3)
    warnings = [line for line in (tmp_path / "log.txt").read_text().splitlines() if line.startswith("Warning")]
    (words,) = (line for line in warnings if "teacher" in line)
    assert words.startswith(
        "Warning: The teacher has told nothing apart for 6 steps, up to step 6: the entropy of what it says is 4.159"
    )
    assert "Lower the teacher's temperature (--teacher-temperature)" in words
    figures = outcome.figures
    assert figures["teacher_entropy"] == pytest.approx(math.log(64), abs=1e-3)
    assert figures["teacher_kl"] == pytest.approx(0, abs=1e-3)
    assert figures["student_kl"] == pytest.approx(figures["distillation"] - figures["teacher_entropy"])
    assert "student_kl" in (tmp_path / "metrics.csv").read_text().partition("\n")[0].split(",")


@pytest.mark.slow
def test_a_run_of_200_steps_that_learns_nothing_is_told_so_though_it_was_cut_off(catalog, tmp_path):
    """Under the limits of any user."""
    dull = replace(tiny_config("dino").distillation, teacher_temperature=1e4, first_teacher_temperature=1e4)
    views = with_local_sizes(tiny_config("dino").views, (16,), method="dino")
    changes = {"backbone": "test_resnet", "distillation": dull, "views": views, "epochs": 40, "batch_size": 2}
    for steps in (120, 200):
        go(catalog, tmp_path, options={"steps": steps, "log_every": 50}, **changes)
    (words,) = (line for line in (tmp_path / "log.txt").read_text().splitlines() if "told nothing apart" in line)
    assert words.startswith("Warning: The teacher has told nothing apart for 200 steps, up to step 200: the entropy")


def test_modes_are_put_back_when_looking_fails():
    module = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.BatchNorm1d(2).eval())
    seen = []

    def fail():
        seen.extend(part.training for part in module.modules())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), in_evaluation(module):
        fail()
    assert seen == [False, False, False]
    assert [part.training for part in module.modules()] == [True, True, False]
    assert torch.is_grad_enabled()
