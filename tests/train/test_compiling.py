"""torch.compile, only where it computes the same loss."""

import shutil
import sysconfig
import threading
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import timm
import torch

from tests.train.forked import train_in_processes
from tests.train.trainings import prepare_tiny, runtime, tiny_catalog, tiny_config, tiny_pairs
from train.checkpoint import list_checkpoints, read_state
from train.compiling import compile_student, draw_nothing
from train.config import Optimizer
from train.dataset import Batches, Share
from train.errors import ConfigError
from train.loop import fit
from train.methods import make_method
from train.methods.crops import with_local_sizes
from train.prepare import prepare_training
from train.run_folder import write_record
from train.steps import make_views
from train.views import ViewMaker

HEADERS = Path(sysconfig.get_path("include")) / "Python.h"


@pytest.fixture
def training(tmp_path):
    return prepare_tiny(tiny_catalog(tmp_path / "tiny"), tmp_path / "run")


def first_views(training):
    config = training.config
    batch = Batches(training.stack, training.samples, config, Share())[0][0]
    maker = ViewMaker(training.record.spec, training.stack.layers)
    return make_views(batch, maker=maker, config=config), batch


def compile_with(monkeypatch, wrong):
    """Stand in for the compiler: the same network, but for what `wrong` does to its output."""

    class Compiled(torch.nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

        def forward(self, images):
            embeddings, features = self.module(images)
            return wrong(embeddings), features

    monkeypatch.setattr(torch, "compile", Compiled)


def compile_first(training):
    method = make_method(training.config, len(training.config.bands), queue=training.record.queue)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    views, batch = first_views(training)
    student = compile_student(method, views, batch, precision="32-true")
    assert all(torch.equal(before[name], value) for name, value in method.state_dict().items())
    return student


def test_a_student_that_computes_the_same_is_taken_and_nothing_moves(training, monkeypatch):
    compile_with(monkeypatch, lambda embeddings: embeddings * (1 + 1e-7))
    assert isinstance(compile_first(training), torch.nn.Module)


def test_a_student_that_computes_something_else_is_refused(training, monkeypatch):
    compile_with(monkeypatch, lambda embeddings: embeddings.roll(1, dims=1))
    with pytest.raises(ConfigError, match=r"compiled student's first loss is .* Leave --compile away"):
        compile_first(training)


def test_a_machine_that_cannot_compile_says_so(training, monkeypatch):
    def fail(_embeddings):
        raise RuntimeError("no compiler found\nsecond line")

    compile_with(monkeypatch, fail)
    with pytest.raises(ConfigError, match="cannot be compiled on this machine: no compiler found Leave --compile away"):
        compile_first(training)


def test_a_machine_that_can_compile_the_way_forward_alone_says_so(training, monkeypatch):
    def fail(_gradient):
        raise RuntimeError("no compiler of gradients found")

    def watch(embeddings):
        if embeddings.requires_grad:
            embeddings.register_hook(fail)
        return embeddings

    compile_with(monkeypatch, watch)
    with pytest.raises(ConfigError, match="cannot be compiled on this machine: no compiler of gradients found Leave"):
        compile_first(training)


@pytest.fixture(scope="module")
def compiled_code(tmp_path_factory):
    """A cache that nobody left half written, and that the methods share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("inductor")))
        yield


def step_of(training, run):
    """The state of the method after one step, and its row of figures."""
    write_record(run, training.record)
    figures = fit(training, run, runtime(steps=1, log_every=1)).figures
    return read_state(list_checkpoints(run)[-1])["method"], figures


def undrawn(recipe):
    """A recipe of which nothing is drawn but samples, and whose steps are as long as its gradients; sizes of few crops."""
    config = tiny_config(recipe)
    changes = {"optimizer": Optimizer("sgd", lr=0.01), "drop_path": 0.0}
    if config.distillation is not None:
        changes |= {"backbone": "test_vit", "views": with_local_sizes(config.views, (16,), method=config.method)}
    if config.alignment is not None:
        changes["alignment"] = replace(config.alignment, dropout=0.0)
    return replace(config, **changes)


NEEDS_COMPILER = pytest.mark.skipif(
    shutil.which("g++") is None or not HEADERS.exists(), reason="torch.compile needs g++ and Python's headers"
)
IN_PARTS = {"accumulate": 2, "precision": "bf16-mixed"}


@pytest.mark.slow
@NEEDS_COMPILER
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize(("recipe", "changes"), [("seco", {}), ("dino_mc", {}), ("x_stars", {}), ("dino_mc", IN_PARTS)])
def test_a_compiled_step_is_the_step(tmp_path, monkeypatch, compiled_code, recipe, changes):
    torch._dynamo.reset()
    if recipe != "seco":
        monkeypatch.setattr(timm, "create_model", partial(timm.create_model, depth=1))  # each block is compiled by itself
    make = tiny_pairs if recipe == "x_stars" else tiny_catalog
    catalog = str(make(tmp_path / "catalog", seasons=3, count=8))
    training = prepare_training(replace(undrawn(recipe), **changes), catalog)
    compiled = replace(training, config=replace(training.config, compile=True))
    (expected, eager), (found, figures) = (
        step_of(each, tmp_path / name) for name, each in (("eager", training), ("compiled", compiled))
    )
    coarse = 100 if changes else 1  # roundings of bf16
    assert figures["loss"] == pytest.approx(eager["loss"], rel=1e-4 * coarse)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3 * coarse, atol=1e-4 * coarse, msg=name)


@pytest.mark.slow
@NEEDS_COMPILER
def test_two_processes_that_compile_take_the_steps_of_two_that_do_not(tmp_path, compiled_code):
    catalog = str(tiny_catalog(tmp_path / "catalog", seasons=3, count=8))
    states = []
    for compiles in (False, True):
        run = tmp_path / str(compiles)
        training = prepare_training(replace(undrawn("moco"), backbone="test_vit", epochs=1, compile=compiles), catalog)
        write_record(run, training.record)
        ended = train_in_processes(("resume", run, "--workers", "0", "--device", "cpu"), tmp_path / "log", 2)
        assert ended.returncode == 0, ended.stderr
        states.append(read_state(list_checkpoints(run)[-1]))
    eager, compiled = states
    assert eager["step"] == compiled["step"] == 2
    for name, value in eager["method"].items():
        torch.testing.assert_close(compiled["method"][name], value, rtol=1e-3, atol=1e-4, msg=name)


def test_what_holds_processes_is_not_copied_with_the_method(training, monkeypatch):
    """Fabric's, where it has started the other processes itself."""

    class Holding:
        def __init__(self):
            self.lock = threading.Lock()

        def autocast(self):
            return nullcontext()

    compile_with(monkeypatch, lambda embeddings: embeddings)
    method = make_method(training.config, len(training.config.bands), queue=training.record.queue)
    method.autocast = shared = Holding().autocast
    assert isinstance(compile_student(method, *first_views(training), precision="32-true"), torch.nn.Module)
    assert method.autocast == shared


def test_what_is_drawn_in_each_trial_is_left_out_of_it():
    network = timm.create_model(
        "vit_tiny_patch16_224", num_classes=0, img_size=32, drop_path_rate=0.5, proj_drop_rate=0.5
    ).train()
    images = torch.ones(4, 3, 32, 32)
    assert not torch.equal(network(images), network(images))
    draw_nothing(network)
    assert torch.equal(network(images), network(images))
