"""X-STARS from a catalog on two processes against one process: a batch in parts, adapting to a sensor."""

from dataclasses import replace

import pytest

from tests.train.forked import train_in_processes
from tests.train.test_loop import assert_same_state
from tests.train.test_resume import last_state
from tests.train.trainings import PAIR, prepare_tiny, runtime, tiny_config, tiny_pairs
from train.checkpoint import list_checkpoints, read_state
from train.config import Optimizer
from train.exporting import export_checkpoint
from train.loop import fit
from train.prepare import prepare_training
from train.run_folder import write_record
from train.weights import load_backbone

LANDSAT, SENTINEL = PAIR
STEPS = 3
SMALL = (
    "--backbone", "test_vit", "--bands", "red,green", "--size-px", "32", "--local-sizes", "16,16", "--batch-size", "4",
    "--epochs", "1", "--warmup-epochs", "0.5", "--out-dim", "64", "--head-hidden", "32", "--bottleneck", "16",
)  # fmt: skip
"""An epoch of three steps."""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return tiny_pairs(tmp_path_factory.mktemp("catalog") / "pairs")


@pytest.fixture(scope="module")
def landsat(catalog, tmp_path_factory):
    """A run of one step on both sensors, with its weights."""
    run = tmp_path_factory.mktemp("initial") / "run"
    fit(prepare_tiny(catalog, run, "x_stars"), run, runtime(steps=1))
    export_checkpoint(run)
    return run


def begin(catalog, run, *, init=None, adapt_sensor=None, weight=1.0, **changes):
    """A training of which nothing is drawn but samples, and whose steps are as long as its gradients; its run folder begun."""
    optimizer = Optimizer("sgd", lr=0.05)
    config = tiny_config("x_stars", batch_size=8, epochs=STEPS, drop_path=0.0, optimizer=optimizer, **changes)
    aligned = replace(config.alignment, weight=weight, dropout=0.0, adapt_sensor=adapt_sensor)
    training = prepare_training(replace(config, alignment=aligned), str(catalog), init=init and str(init))
    write_record(run, training.record)
    return training


def state_of_one(catalog, run, **settings):
    fit(begin(catalog, run, **settings), run, runtime())
    return state_of(run)


def state_of_two(catalog, run, **settings):
    begin(catalog, run, **settings)
    command("resume", run)
    return state_of(run)


def command(name, run, *words):
    """`train` on two processes."""
    given = (name, *words, "--out", run) if name != "resume" else (name, run)
    ended = train_in_processes((*given, "--workers", "0", "--device", "cpu"), run.with_suffix(".log"), 2)
    assert ended.returncode == 0, ended.stderr


def state_of(run):
    state = read_state(list_checkpoints(run)[-1])
    assert state["step"] == STEPS
    return state["method"]


def farthest(one, other):
    """The greatest difference of two states, and the name of the tensor that has it."""
    assert one.keys() == other.keys()
    return max(((one[name] - other[name]).abs().max().item(), name) for name in one)


@pytest.mark.slow
def test_each_part_of_a_batch_has_the_negatives_of_both_processes(catalog, tmp_path):
    """So it is the same as on one process; the whole batch, not in parts, has more of them."""
    one = state_of_one(catalog, tmp_path / "one", accumulate=2)
    two = state_of_two(catalog, tmp_path / "two", accumulate=2)
    assert farthest(one, two) < (1e-5, "")
    assert farthest(one, state_of_one(catalog, tmp_path / "whole")) > (1e-3, "")


@pytest.mark.slow
def test_distillation_of_a_batch_in_parts_on_two_processes_is_that_of_the_whole(catalog, tmp_path):
    whole = state_of_one(catalog, tmp_path / "whole", weight=0.0)
    two = state_of_two(catalog, tmp_path / "two", weight=0.0, accumulate=2)
    assert two["center.mean"].any()
    assert farthest(whole, two) < (1e-5, "")


@pytest.mark.slow
def test_adapting_on_two_processes_is_adapting_on_one(catalog, landsat, tmp_path):
    settings = {"init": landsat, "adapt_sensor": SENTINEL}
    one, two = state_of_one(catalog, tmp_path / "one", **settings), state_of_two(catalog, tmp_path / "two", **settings)
    assert farthest(one, two) < (1e-5, "")
    initial = load_backbone(str(landsat), sensors=(LANDSAT,)).module.state_dict()
    for name, value in initial.items():
        assert two[f"source.{name}"].equal(value), "the copy is frozen on every process"
    trunk = f"student.encoder.backbones.{SENTINEL}.blocks.0.mlp.fc1.weight"
    assert not two[trunk].equal(initial["blocks.0.mlp.fc1.weight"])


@pytest.mark.slow
def test_adapting_on_two_processes_stopped_and_resumed_ends_in_the_same_bits(catalog, landsat, tmp_path):
    words = ("--catalog", catalog, "--init", landsat, "--adapt-sensor", SENTINEL, *SMALL)
    command("x-stars", tmp_path / "whole", *words)
    command("x-stars", tmp_path / "parts", *words, "--steps", "2")
    stopped = read_state(list_checkpoints(tmp_path / "parts")[-1])
    assert stopped["step"] == 2
    command("resume", tmp_path / "parts")
    assert_same_state(last_state(tmp_path / "whole"), last_state(tmp_path / "parts"))
    weights = [tmp_path / name / "weights" / "model.safetensors" for name in ("whole", "parts")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert load_backbone(str(tmp_path / "parts")).spec.sensor == SENTINEL, "the one that was trained, and no other"
