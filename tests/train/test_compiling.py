"""torch.compile, only where it computes the same loss."""

import shutil
import sysconfig
from pathlib import Path

import pytest
import timm
import torch

from tests.train.trainings import prepare_tiny, runtime, tiny_catalog
from train.compiling import compile_student, draw_nothing
from train.dataset import Batches, Share
from train.errors import ConfigError
from train.loop import fit
from train.methods import make_method
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


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None or not HEADERS.exists(), reason="torch.compile needs g++ and Python's headers")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_a_compiled_training_runs_to_its_end(tmp_path):
    catalog = tiny_catalog(tmp_path / "tiny")
    training = prepare_tiny(catalog, tmp_path / "run", epochs=1, compile=True)
    assert fit(training, tmp_path / "run", runtime()).finished


def test_what_is_drawn_in_each_trial_is_left_out_of_it():
    network = timm.create_model(
        "vit_tiny_patch16_224", num_classes=0, img_size=32, drop_path_rate=0.5, proj_drop_rate=0.5
    ).train()
    images = torch.ones(4, 3, 32, 32)
    assert not torch.equal(network(images), network(images))
    draw_nothing(network)
    assert torch.equal(network(images), network(images))
