"""What a training says while it runs: rows, curves, words, and the share of time spent waiting."""

import csv
import sys
import time
from dataclasses import replace

import pytest
import torch

from train.errors import DivergedError
from train.journal import Journal
from train.recipes import RECIPES
from train.run_folder import LOG, METRICS

CONFIG = replace(RECIPES["seco"](), batch_size=32)


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr("train.journal.time", made)
    return made


@pytest.fixture
def no_board(monkeypatch):
    """A machine without TensorBoard."""
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)


def make_journal(run, *, start=0, steps=8, log_every=2, quiet=True, silent=False):
    return Journal(run, start=start, steps=steps, config=CONFIG, uniform={}, log_every=log_every, quiet=quiet, silent=silent)


def step(journal, number, *, season=1.0, both=2.0, rate=0.01, **diagnostics):
    terms = {"season": torch.tensor(season), "both": torch.tensor(both)}
    journal.after_step(number, terms, {name: torch.tensor(value) for name, value in diagnostics.items()}, rate=rate)


def rows_of(run):
    with (run / METRICS).open(newline="") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]


def test_a_row_has_the_mean_of_each_term_and_their_sum(tmp_path, clock, no_board):
    with make_journal(tmp_path) as journal:
        for number, season in enumerate((1.0, 3.0, 5.0, 7.0), 1):
            clock.sleep(2)
            step(journal, number, season=season, rate=0.1 * number)
    one, two = rows_of(tmp_path)
    assert (one["step"], one["season"], one["both"], one["loss"]) == (2, 2.0, 2.0, 4.0)
    assert (two["step"], two["season"], two["both"], two["loss"]) == (4, 6.0, 2.0, 8.0)
    assert (one["lr"], two["lr"]) == (0.2, 0.4), "of the last step"
    assert one["samples_per_s"] == 2 * 32 / 4
    assert journal.figures == pytest.approx(two)


def test_nothing_is_written_between_two_looks(tmp_path, no_board):
    with make_journal(tmp_path, log_every=4) as journal:
        for number in (1, 2, 3):
            step(journal, number)
        assert rows_of(tmp_path) == []
        journal.look()
        assert [row["step"] for row in rows_of(tmp_path)] == [3]
        journal.look()
        assert len(rows_of(tmp_path)) == 1, "nothing new since"


def test_diagnostics_are_in_the_row_and_features_are_judged(tmp_path, no_board):
    features = torch.randn(32, 8, generator=torch.Generator().manual_seed(0))
    with make_journal(tmp_path) as journal:
        for number in (1, 2):
            step(journal, number, **{"separation/season": 0.25, "queue_age": 3.0}, features=features.tolist())
    (row,) = rows_of(tmp_path)
    assert (row["separation/season"], row["queue_age"]) == (0.25, 3.0)
    assert row["spread"] == pytest.approx(1, abs=0.3)
    assert "features" not in row


def test_waiting_for_data_is_counted_and_begins_anew_after_every_look(tmp_path, clock, no_board):
    with make_journal(tmp_path) as journal:
        for number, wait in enumerate((1.0, 2.0, 0.0, 0.0, 4.0, 4.0), 1):
            with journal.waiting():
                clock.sleep(wait)
            clock.sleep(4.0 - wait)
            step(journal, number)
    assert [row["wait_percent"] for row in rows_of(tmp_path)] == [37.5, 0.0, 100.0]


def test_what_hooks_log_is_in_the_next_row(tmp_path, no_board):
    with make_journal(tmp_path) as journal:
        step(journal, 1)
        journal.log("knn", torch.tensor(0.75))
        step(journal, 2)
        step(journal, 3)
        step(journal, 4)
    one, two = rows_of(tmp_path)
    assert one["knn"] == 0.75
    assert "knn" not in two


def test_what_hooks_log_after_the_last_look_is_not_lost(tmp_path, no_board):
    with make_journal(tmp_path) as journal:
        step(journal, 1)
        step(journal, 2)
        journal.log("knn", 0.75)
        journal.look()
        journal.look()
    (row,) = rows_of(tmp_path)
    assert (row["step"], row["season"], row["knn"]) == (2, 1.0, 0.75)
    assert journal.figures["knn"] == 0.75
    assert journal.figures["season"] == 1.0


def test_a_loss_that_is_not_finite_stops_when_it_is_looked_at(tmp_path, no_board):
    with make_journal(tmp_path) as journal:
        step(journal, 1, season=float("nan"))
        with pytest.raises(DivergedError, match="Loss term season is nan at step 1"):
            journal.look()
    assert rows_of(tmp_path) == []


def test_a_run_that_goes_on_keeps_its_rows_up_to_there_and_counts_from_there(tmp_path, clock, no_board):
    with make_journal(tmp_path) as journal:
        for number in range(1, 5):
            clock.sleep(1)
            step(journal, number)
    with make_journal(tmp_path, start=2) as journal:
        for number in (3, 4):
            clock.sleep(2)
            step(journal, number, season=9.0)
    one, two = rows_of(tmp_path)
    assert (one["step"], one["season"], one["samples_per_s"]) == (2, 1.0, 32.0)
    assert (two["step"], two["season"], two["samples_per_s"]) == (4, 9.0, 16.0)


@pytest.mark.parametrize(("frozen", "told"), [(1, 200), (8, 250)])
def test_a_run_that_is_cut_off_again_and_again_is_told_that_it_learns_nothing(tmp_path, no_board, frozen, told):
    """An epoch is 30 steps, and limits are those of any user; with prototypes frozen for longer it is given as long."""
    config = RECIPES["dino"]()
    config = replace(config, distillation=replace(config.distillation, freeze_last_layer=frozen))
    uniform = dict.fromkeys(("distillation", "teacher_entropy"), 4.0)
    for start in (0, 70, 140, 210):
        plan = {"start": start, "steps": 280, "config": config, "uniform": uniform, "log_every": 50, "epoch": 30}
        with Journal(tmp_path, quiet=True, **plan) as journal:
            for number in range(start + 1, start + 71):
                terms = {"distillation": torch.tensor(4.0)}
                journal.after_step(number, terms, {"teacher_entropy": torch.tensor(4.0)}, rate=0.1)
            journal.look()
    warnings = [line for line in (tmp_path / LOG).read_text().splitlines() if line.startswith("Warning: The teacher")]
    steps = [int(line.partition(" for ")[2].split()[0]) for line in warnings]
    assert steps[0] == told
    assert rows_of(tmp_path)[0]["teacher_kl"] == 0


def test_words_for_people_tell_the_loss_the_rate_the_waiting_and_the_time_left(tmp_path, clock, no_board, capsys):
    with make_journal(tmp_path, steps=4, quiet=False) as journal:
        for number in (1, 2):
            with journal.waiting():
                clock.sleep(1)
            clock.sleep(9)
            step(journal, number)
    *_, last = capsys.readouterr().err.splitlines()
    assert last == "Training: step 2/4, loss 3.000, 3 locations/s, 10 % waiting for data, 20 s left"
    with make_journal(tmp_path, start=2, steps=4, quiet=False) as journal:
        for number in (3, 4):
            clock.sleep(10)
            step(journal, number)
    *_, last = capsys.readouterr().err.splitlines()
    assert last == "Training: step 4/4, loss 3.000, 3 locations/s, 0 % waiting for data, took 20 s"


def test_warnings_and_figures_are_said_and_kept(tmp_path, no_board, capsys):
    with make_journal(tmp_path, quiet=False) as journal:
        capsys.readouterr()
        (tmp_path / LOG).unlink()
        journal.warn("The loss does not move.")
        step(journal, 1)
        journal.log("knn", 0.12345)
    told = "Warning: The loss does not move.\nStep 1: knn 0.1235\n"
    assert capsys.readouterr().err.startswith(told)
    assert (tmp_path / LOG).read_text() == told


def test_figures_that_are_many_are_kept_without_a_word_and_sentences_are_said(tmp_path, no_board, capsys):
    with make_journal(tmp_path, quiet=False) as journal:
        step(journal, 1)
        journal.record("retrieval/features/a/b", 0.25)
        assert journal.owes_figures
        journal.tell("Step 1: retrieval@1 25.0%.")
        journal.look()
        assert not journal.owes_figures
    assert rows_of(tmp_path)[-1]["retrieval/features/a/b"] == 0.25
    told = capsys.readouterr().err
    assert "Step 1: retrieval@1 25.0%." in told
    assert "retrieval/features" not in told
    assert "Step 1: retrieval@1 25.0%." in (tmp_path / LOG).read_text().splitlines()


def test_quiet_says_nothing_and_writes_everything(tmp_path, no_board, capsys):
    with make_journal(tmp_path, quiet=True) as journal:
        journal.warn("The loss does not move.")
        for number in (1, 2):
            step(journal, number)
    assert capsys.readouterr() == ("", "")
    assert "The loss does not move." in (tmp_path / LOG).read_text()
    assert len(rows_of(tmp_path)) == 1


def test_a_process_that_is_not_the_first_writes_and_says_nothing_and_still_stops(tmp_path, capsys):
    run = tmp_path / "run"
    with make_journal(run, quiet=False, silent=True) as journal:
        journal.warn("The loss does not move.")
        journal.log("knn", 0.5)
        step(journal, 1)
        step(journal, 2)
        assert journal.figures["loss"] == 3.0
        step(journal, 3, both=float("inf"))
        with pytest.raises(DivergedError, match="both is inf"):
            journal.look()
    assert capsys.readouterr() == ("", "")
    assert not run.exists()


def test_a_machine_without_tensorboard_is_said_once(tmp_path, no_board, capsys):
    with make_journal(tmp_path, quiet=False) as journal:
        for number in range(1, 7):
            step(journal, number)
    words = "TensorBoard is not installed: curves are in metrics.csv alone. pip install tensorboard adds them.\n"
    assert capsys.readouterr().err.count(words) == 1
    assert (tmp_path / LOG).read_text() == words
    assert len(rows_of(tmp_path)) == 3


def test_curves_are_written_for_tensorboard_and_go_on_where_a_run_does(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with make_journal(tmp_path) as journal:
        for number in range(1, 5):
            step(journal, number, season=float(number))
        journal.log("knn", 0.75)
        journal.look()
    time.sleep(1.1)  # TensorBoard sorts its files by the second in their names, then by a count whose 10 comes before its 9
    with make_journal(tmp_path, start=2) as journal:
        for number in (3, 4):
            step(journal, number, season=9.0)
    board = EventAccumulator(str(tmp_path))
    board.Reload()
    assert [(event.step, event.value) for event in board.Scalars("season")] == [(2, 1.5), (4, 9.0)]
    assert "knn" not in board.Tags()["scalars"] or board.Scalars("knn") == []
