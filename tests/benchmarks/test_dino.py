"""DINO's benchmark: what the loop adds to the parts of a step, and that what it prints is what it measured."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from tests.benchmarks import dino
from train.methods.crops import with_local_sizes
from train.recipes import with_view_size


def tiny():
    config = with_view_size(dino.make_config("dino_mc", "test_vit", 2, patch=16), 64)
    small = replace(config.distillation, out_dim=64, head_hidden=32, bottleneck=16)
    return replace(config, distillation=small, views=with_local_sizes(config.views, (48, 32), method="dino-mc"))


@pytest.mark.slow
@pytest.mark.benchmark
@pytest.mark.usefixtures("one_thread")
def test_the_loop_adds_no_more_than_a_tenth_of_a_step(tmp_path):
    """Of the step less views, forwards, loss, backward, clipping, optimiser and EMA: reading is the loop's."""
    found = dino.loop_overhead(tmp_path)
    assert -0.1 < found.share_beside_reading < found.share <= 0.1


def test_shares_are_of_the_step_and_reading_is_the_loops(capsys):
    found = dino.Overhead(2.0, {"read": 0.1, "student": 1.5, "EMA": 0.3})
    assert found.share == pytest.approx(0.1)
    assert found.share_beside_reading == pytest.approx(0.05)
    dino.print_overhead(found)
    assert "10.0 % of the step with reading, 5.0 % without; 0.50 steps/s" in capsys.readouterr().out


def test_steps_and_parts_take_turns_and_the_quickest_of_each_is_kept(tmp_path, monkeypatch):
    """The first step, with what is made once, and the first parts do not count; nor do parts count as the loop's."""
    clock, told = [0.0], [{"read": 0.1, "student": value} for value in (0.5, 1.7, 1.5, 1.6)]

    def make_parts(_training):
        for each in told:
            clock[0] += 100.0
            yield each

    def train(_training, _run, runtime):
        for seconds in (9.0, 4.0, 2.0, 3.0)[: runtime.steps]:
            clock[0] += seconds
            runtime.hooks[0](None)

    monkeypatch.setattr(dino, "prepare", lambda folder: SimpleNamespace(record=None))
    monkeypatch.setattr(dino, "write_record", lambda run, record: None)
    monkeypatch.setattr(dino, "time_parts", make_parts)
    monkeypatch.setattr(dino, "fit", train)
    monkeypatch.setattr(dino, "time", SimpleNamespace(process_time=lambda: clock[0]))
    assert dino.loop_overhead(tmp_path, rounds=3) == dino.Overhead(2.0, {"read": 0.1, "student": 1.5})
    assert clock[0] == 9 + 4 + 2 + 3 + 400


@torch.no_grad()
def test_crops_are_made_as_training_makes_them_and_each_batch_others(tmp_path):
    config = tiny()
    make = dino.make_crops(config, "cpu", tmp_path)
    batches = [make() for _ in range(4)]
    assert [tuple(crop.shape) for crop in batches[0]] == [(2, 3, size, size) for size in (64, 64, 48, 32)]
    assert not batches[0][0].equal(batches[1][0])
    assert batches[0][0].equal(batches[3][0])
    assert batches[0][0].std() == pytest.approx(1, abs=0.7)


@pytest.mark.usefixtures("one_thread")
def test_steps_alone_are_told_from_those_that_make_their_views(tmp_path, capsys):
    taken = dino.compare_packing(tiny(), "cpu", tmp_path, repeats=1)
    assert list(taken) == [*dino.WAYS, dino.VIEWS_TOO]
    assert min(taken.values()) > 0
    dino.print_steps({"packed": 0.5, "by size": 1.0, dino.VIEWS_TOO: 2.0}, 4)
    packed, by_size, views_too = capsys.readouterr().out.splitlines()
    assert " ".join(packed.split()) == "packed 500.0 ms, 8.0 images/s, step alone, 2.00 x"
    assert " ".join(by_size.split()) == "by size 1000.0 ms, 4.0 images/s, step alone, 1.00 x"
    assert " ".join(views_too.split()) == "views and step 2000.0 ms, 2.0 images/s, packed; nothing is read"
