"""The loop: that it learns, goes on exactly, stops well, and says what it does."""

import csv
import json
import math
import os
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import timm
import torch

from tests.train.trainings import prepare_tiny, runtime, tiny_catalog, tiny_config
from train.checkpoint import batch_statistics, list_checkpoints, load_checkpoint, read_state
from train.config import Contrast, Optimizer
from train.errors import CheckpointError, ConfigError, DivergedError, MemoryShortError
from train.exporting import export_run
from train.hooks import HookContext
from train.loop import fit, synchronise
from train.methods import make_method
from train.prepare import prepare_training
from train.recipes import RECIPES
from train.run_folder import write_record
from train.steps import make_optimizer
from train.weights import load_backbone


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return tiny_catalog(tmp_path_factory.mktemp("catalog") / "tiny")


def train(catalog, run, *, recipe="seco", options=None, **changes):
    return fit(prepare_tiny(catalog, run, recipe, **changes), run, runtime(**(options or {})))


def state_of(run):
    return read_state(list_checkpoints(run)[-1])


def tensors_of(state, prefix=""):
    for name, value in state.items():
        if isinstance(value, dict):
            yield from tensors_of(value, f"{prefix}{name}.")
        elif isinstance(value, torch.Tensor):
            yield f"{prefix}{name}", value


def assert_same_state(one, other):
    ours, theirs = dict(tensors_of(one)), dict(tensors_of(other))
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


@pytest.mark.parametrize("recipe", ["seco", "moco", "moco_tp", "dino", "dino_mc", "dino_tp"])
def test_every_method_trains_to_the_end(catalog, tmp_path, recipe):
    outcome = train(catalog, tmp_path, recipe=recipe, epochs=2)
    assert (outcome.steps, outcome.finished) == (6, True)
    assert outcome.figures["step"] == 6
    assert state_of(tmp_path)["step"] == 6


@pytest.mark.parametrize("recipe", ["seco_2021", "dino_mc_2024", "dino_tp_2024"])
def test_recipes_of_papers_take_their_steps(catalog, tmp_path, recipe):
    changes = {"bands": ("B04", "B03", "B02"), "epochs": 20}
    if recipe == "seco_2021":
        changes["contrast"] = replace(RECIPES[recipe]().contrast, queue=4)
    outcome = train(catalog, tmp_path, recipe=recipe, options={"steps": 2}, **changes)
    assert (outcome.steps, math.isfinite(outcome.figures["loss"])) == (2, True)


@pytest.mark.parametrize("recipe", ["moco", "moco_tp", "dino", "dino_mc", "dino_tp"])
def test_stopped_within_an_epoch_and_resumed_ends_in_the_same_bits(catalog, tmp_path, recipe):
    train(catalog, tmp_path / "whole", recipe=recipe, options={"steps": 4})
    for steps in (2, 4):
        train(catalog, tmp_path / "parts", recipe=recipe, options={"steps": steps})
    assert_same_state(state_of(tmp_path / "whole"), state_of(tmp_path / "parts"))


def test_training_lowers_the_loss_and_holds_it_below_what_it_costs_to_tell_nothing(tmp_path):
    catalog = tiny_catalog(tmp_path / "tiny", seasons=1, count=48)
    losses = {}
    for lr in (1e-9, 1e-3):
        run = tmp_path / str(lr)
        constants = {"contrast": Contrast(ema_momentum=0.9, temperature=0.2), "optimizer": Optimizer(name="adamw", lr=lr)}
        training = prepare_tiny(catalog, run, "moco", epochs=15, batch_size=8, **constants)
        training.stack.scale[:] *= np.random.default_rng(0).uniform(0.2, 1.5, training.stack.scale.shape)
        fit(training, run, runtime(log_every=30))
        with (run / "metrics.csv").open(newline="") as file:
            losses[lr] = float(list(csv.DictReader(file))[-1]["contrast"])
    assert losses[1e-3] < 0.95 * losses[1e-9]
    assert losses[1e-3] < 0.75 * math.log(1 + 24)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_two_and_two_steps_are_four_bit_for_bit(catalog, tmp_path, workers, precision):
    """Three steps are an epoch, so the run goes on in the middle of the first one."""
    changes = {"precision": precision, "epochs": 2}
    train(catalog, tmp_path / "whole", options={"steps": 4}, **changes)
    train(catalog, tmp_path / "parts", options={"steps": 2, "workers": workers}, **changes)
    assert state_of(tmp_path / "parts")["step"] == 2
    train(catalog, tmp_path / "parts", options={"steps": 4, "workers": workers}, **changes)
    assert_same_state(state_of(tmp_path / "whole"), state_of(tmp_path / "parts"))


@pytest.mark.parametrize("recipe", ["dino", "dino_mc", "dino_tp"])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_every_method_of_dino_goes_on_bit_for_bit(catalog, tmp_path, recipe, precision):
    """In the middle of the warm-up, with the prototypes still frozen, and with paths that are dropped."""
    changes = {"epochs": 2, "backbone": "test_vit", "drop_path": 0.3, "precision": precision}
    train(catalog, tmp_path / "whole", recipe=recipe, options={"steps": 4}, **changes)
    train(catalog, tmp_path / "parts", recipe=recipe, options={"steps": 2}, **changes)
    train(catalog, tmp_path / "parts", recipe=recipe, options={"steps": 4}, **changes)
    whole = state_of(tmp_path / "whole")
    assert_same_state(whole, state_of(tmp_path / "parts"))
    assert whole["method"]["center.mean"].any()


@pytest.fixture
def deterministic(monkeypatch):
    """Let torch refuse what it refuses on a GPU: the gradient of antialiased interpolation; as it was, afterwards."""
    interpolate = torch.nn.functional.interpolate

    def refuse(pixels, *args, **options):
        made = interpolate(pixels, *args, **options)
        if made.requires_grad and options.get("antialias") and torch.are_deterministic_algorithms_enabled():
            raise RuntimeError("_upsample_bicubic2d_aa_backward_out_cuda does not have a deterministic implementation")
        return made

    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    monkeypatch.setattr(torch.nn.functional, "interpolate", refuse)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else it would stay
    yield
    torch.use_deterministic_algorithms(before[0])
    torch.backends.cudnn.benchmark = before[1]


@pytest.mark.usefixtures("deterministic")
@pytest.mark.parametrize("pack_crops", [False, True])
def test_a_vit_with_crops_of_several_sizes_trains_deterministically(catalog, tmp_path, pack_crops):
    constants = tiny_config("dino_mc").distillation
    changes = {"backbone": "test_vit", "distillation": replace(constants, pack_crops=pack_crops), "deterministic": True}
    for name in ("one", "other"):
        outcome = train(catalog, tmp_path / name, recipe="dino_mc", options={"steps": 4}, **changes)
        assert (outcome.steps, math.isfinite(outcome.figures["loss"])) == (4, True)
    assert torch.are_deterministic_algorithms_enabled()
    assert_same_state(state_of(tmp_path / "one"), state_of(tmp_path / "other"))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_frozen_prototypes_stay_and_then_move(catalog, tmp_path, optimizer):
    """Three steps are an epoch; the teacher's are what the student's were."""
    name = "head.prototypes.parametrizations.weight.original1"
    for steps, moved in ((3, False), (5, True)):
        train(catalog, tmp_path, recipe="dino", options={"steps": steps}, optimizer=Optimizer(optimizer, lr=1e-3))
        method = state_of(tmp_path)["method"]
        assert torch.equal(method[f"student.{name}"], method[f"teacher.{name}"]) is not moved


def test_a_batch_of_dino_in_parts_moves_the_center_as_the_whole_does_and_says_the_same(catalog, tmp_path):
    centers, said = [], []
    for parts in (1, 2):
        run = tmp_path / str(parts)
        changes = {"backbone": "test_vit", "accumulate": parts, "drop_path": 0.0}
        outcome = train(catalog, run, recipe="dino_tp", options={"steps": 1}, **changes)
        centers.append(state_of(run)["method"]["center.mean"])
        said.append([outcome.figures[name] for name in ("distillation", "teacher_entropy", "teacher_kl", "student_kl")])
    torch.testing.assert_close(*centers, rtol=1e-4, atol=1e-6)
    assert said[0] == pytest.approx(said[1], rel=1e-5), "of all parts, and not of the last one"


def test_another_seed_gives_other_weights(catalog, tmp_path):
    train(catalog, tmp_path / "a", options={"steps": 1})
    train(catalog, tmp_path / "b", options={"steps": 1}, seed=4)
    with pytest.raises(AssertionError):
        assert_same_state(state_of(tmp_path / "a"), state_of(tmp_path / "b"))


def test_dropped_paths_hang_on_the_step_alone(catalog, tmp_path):
    """What a network draws by itself is drawn from torch's global generator, which another program may have moved."""
    train(catalog, tmp_path / "a", options={"steps": 3}, backbone="test_convnext", drop_path=0.3)
    train(catalog, tmp_path / "b", options={"steps": 2}, backbone="test_convnext", drop_path=0.3)
    torch.rand(100)
    train(catalog, tmp_path / "b", options={"steps": 3}, backbone="test_convnext", drop_path=0.3)
    assert_same_state(state_of(tmp_path / "a"), state_of(tmp_path / "b"))


def test_a_batch_in_parts_sees_the_same_samples(catalog, tmp_path):
    whole = prepare_tiny(catalog, tmp_path / "a", backbone="test_vit", epochs=1)
    parts = prepare_tiny(catalog, tmp_path / "b", backbone="test_vit", epochs=1, accumulate=2)
    one = fit(whole, tmp_path / "a", runtime(steps=1))
    other = fit(parts, tmp_path / "b", runtime(steps=1))
    assert other.steps == one.steps == 1
    locations = [state_of(tmp_path / name)["method"]["queue.locations"] for name in "ab"]
    assert torch.equal(*locations)


def test_ctrl_c_ends_the_step_and_leaves_a_checkpoint_to_go_on_from(catalog, tmp_path):
    def interrupt(context):
        if context.step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    outcome = train(catalog, tmp_path, options={"hooks": (interrupt,)})
    assert (outcome.steps, outcome.finished) == (3, False)
    assert state_of(tmp_path)["step"] == 3
    assert train(catalog, tmp_path).finished


def test_hooks_see_the_backbone_at_rest_after_every_epoch(catalog, tmp_path):
    seen = []

    def look(context: HookContext):
        assert not context.backbone.training
        features = context.backbone(torch.zeros(2, 2, 32, 32))
        assert not features.requires_grad
        seen.append((context.step, context.epoch))
        context.log("width", features.shape[1])

    outcome = train(catalog, tmp_path, epochs=2, options={"hooks": (look,), "log_every": 1})
    assert seen == [(3, 1), (6, 2)]
    assert outcome.figures["width"] > 0


def test_checkpoints_come_as_often_as_asked_and_two_stay(catalog, tmp_path):
    train(catalog, tmp_path, options={"checkpoint_every": 1, "steps": 5})
    assert [folder.name for folder in list_checkpoints(tmp_path)] == ["step-00000004", "step-00000005"]


def test_a_loss_that_is_not_finite_stops_and_says_what_to_look_at(catalog, tmp_path):
    training = prepare_tiny(catalog, tmp_path)
    training.stack.scale[:] = float("nan")
    with pytest.raises(DivergedError, match=r"Loss term .*nan at step \d, with learning rate"):
        fit(training, tmp_path, runtime())
    assert list_checkpoints(tmp_path) == []


def test_a_checkpoint_of_other_settings_is_refused(catalog, tmp_path):
    train(catalog, tmp_path, options={"steps": 1})
    with pytest.raises(CheckpointError, match="is of other settings: seed was 3, this run has 9"):
        train(catalog, tmp_path, options={"steps": 1}, seed=9)


def test_a_checkpoint_of_another_catalog_is_refused(catalog, tmp_path):
    train(catalog, tmp_path / "run", options={"steps": 1})
    other = tiny_catalog(tmp_path / "other", count=14)
    with pytest.raises(
        CheckpointError, match=r"is of another catalog: of tiny [0-9a-f]{64}, this run is of other [0-9a-f]{64}"
    ):
        train(other, tmp_path / "run", options={"steps": 1})


def test_a_checkpoint_of_another_version_is_refused(catalog, tmp_path):
    train(catalog, tmp_path, options={"steps": 1})
    path = list_checkpoints(tmp_path)[-1] / "state.pt"
    torch.save({"version": 99}, path)
    with pytest.raises(CheckpointError, match=r"has version 99; this seastars reads version 1\. Upgrade seastars"):
        train(catalog, tmp_path, options={"steps": 1})


def test_each_of_more_processes_takes_the_batch_statistics_of_one_that_there_was(catalog, tmp_path):
    """Process 3 of any number goes on from a checkpoint of two."""
    training = prepare_tiny(catalog, tmp_path)
    fit(training, tmp_path, runtime(steps=1))
    (folder,) = list_checkpoints(tmp_path)
    torch.save(state_of(tmp_path) | {"processes": 2}, folder / "state.pt")
    own = torch.load(folder / "rank-00000.pt", weights_only=True)
    other = {name: value + 1 for name, value in own.items()}
    torch.save(other, folder / "rank-00001.pt")
    method = make_method(training.config, 2, queue=training.record.queue)
    optimizer = make_optimizer(training.config.optimizer, method.student)
    load_checkpoint(folder, SimpleNamespace(global_rank=3), method, optimizer, identity=training.record.identity)
    assert len(other) > 10
    assert_same_state(batch_statistics(method), other)


def test_a_broken_checkpoint_says_which_folder_to_remove(catalog, tmp_path):
    train(catalog, tmp_path, options={"steps": 1})
    path = list_checkpoints(tmp_path)[-1] / "state.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"cannot be read .* Remove its folder"):
        train(catalog, tmp_path, options={"steps": 1})


def test_running_out_of_memory_says_what_to_lower(catalog, tmp_path, monkeypatch):
    def exhaust(*_arguments, **_options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("train.loop.train_step", exhaust)
    with pytest.raises(MemoryShortError, match=r"cannot hold 4 locations at a time with test_resnet .* --accumulate 2"):
        train(catalog, tmp_path)


def test_a_killed_checkpoint_leaves_the_one_before(catalog, tmp_path):
    train(catalog, tmp_path, options={"steps": 1})
    (tmp_path / "checkpoints" / "step-00000002.part").mkdir()
    (tmp_path / "checkpoints" / "step-00000003").mkdir()
    assert train(catalog, tmp_path, options={"steps": 2}).steps == 2


def test_a_checkpoint_is_on_the_disk_before_it_has_its_name(catalog, tmp_path, monkeypatch):
    """As `rename` itself may be before what the files hold, when power is lost."""
    done, flush, rename = [], os.fsync, Path.rename
    monkeypatch.setattr(os, "fsync", lambda file: (flush(file), done.append(os.fstat(file).st_ino)))
    monkeypatch.setattr(Path, "rename", lambda path, target: (rename(path, target), done.append(target.name)))
    train(catalog, tmp_path, options={"steps": 1})
    (folder,) = list_checkpoints(tmp_path)
    files = {path.stat().st_ino for path in (folder, folder / "state.pt", folder / "rank-00000.pt")}
    named = done.index(folder.name)
    assert files <= set(done[:named])
    assert folder.parent.stat().st_ino in done[named:], "the name itself"


def test_batch_statistics_are_synchronised_on_gpus_alone_and_that_is_said(capsys):
    student = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.BatchNorm2d(3))
    synchronise(student, torch.device("cpu"))
    assert type(student[1]) is torch.nn.BatchNorm2d
    assert "each process's own" in capsys.readouterr().err
    synchronise(student, torch.device("cuda"))
    assert type(student[1]) is torch.nn.SyncBatchNorm


def test_synchronising_keeps_the_activations_that_timm_keeps_in_its_norms():
    network = timm.create_model("efficientnet_b0", num_classes=0).eval()
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    before = network(images)
    synchronise(network, torch.device("cuda"))
    torch.testing.assert_close(network(images), before)


def test_training_starts_from_weights_and_keeps_their_scaling(catalog, tmp_path):
    first = prepare_tiny(catalog, tmp_path / "first", epochs=1)
    outcome = fit(first, tmp_path / "first", runtime())
    weights = export_run(tmp_path / "first", first.record, outcome.backbone, step=outcome.steps)
    second = prepare_training(tiny_config("moco", epochs=1, optimizer=Optimizer(lr=1e-12)), str(catalog), init=str(weights))
    write_record(tmp_path / "second", second.record)
    assert second.record.spec == first.record.spec
    trained = fit(second, tmp_path / "second", runtime()).backbone
    for (name, ours), theirs in zip(trained.named_parameters(), outcome.backbone.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6), name


def test_a_vit_of_another_size_is_a_start(catalog, tmp_path):
    """`test_vit` is made for images of 160 px; the views have 32."""
    config = tiny_config("dino", backbone="test_vit", epochs=2, optimizer=Optimizer(name="adamw", lr=1e-12))
    training = prepare_training(config, str(catalog), init="random:test_vit")
    trained = fit(training, tmp_path, runtime(steps=1)).backbone.state_dict()
    wanted = load_backbone("random:test_vit", bands=training.config.bands, size_px=32).module.state_dict()
    assert all(torch.allclose(trained[name], value, atol=1e-6) for name, value in wanted.items())


def test_weights_of_other_bands_are_no_start(catalog, tmp_path):
    first = prepare_tiny(catalog, tmp_path / "first", epochs=1)
    outcome = fit(first, tmp_path / "first", runtime(steps=1))
    weights = export_run(tmp_path / "first", first.record, outcome.backbone, step=1)
    with pytest.raises((CheckpointError, ConfigError), match="bands"):
        fit(
            prepare_training(tiny_config("moco", bands=("B04", "B03", "B02")), str(catalog), init=str(weights)),
            tmp_path / "second",
            runtime(steps=1),
        )


def test_only_what_is_trained_is_wrapped(catalog, tmp_path):
    """Buffers of what is wrapped are sent to all processes before every forward pass; the queue must not be among them."""
    training = prepare_tiny(catalog, tmp_path, epochs=1)
    method = make_method(training.config, 2, queue=training.record.queue)
    names = {name.split(".")[0] for name, _ in method.student.named_buffers()}
    assert names == {"backbone"}
    assert {name.split(".")[0] for name, _ in method.named_buffers()} == {"student", "teacher", "queue"}


def test_a_checkpoint_from_before_a_setting_was_there_goes_on(catalog, tmp_path):
    train(catalog, tmp_path, options={"steps": 1})
    path = list_checkpoints(tmp_path)[-1] / "state.pt"
    state = torch.load(path, weights_only=True)
    settings = json.loads(state["config"])
    del settings["sync_batch_norm"]
    torch.save(state | {"config": json.dumps(settings, sort_keys=True)}, path)
    assert train(catalog, tmp_path, options={"steps": 2}).steps == 2
