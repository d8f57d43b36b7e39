"""The benchmark of methods: what is there is taken only where the same words made it, and all its parts count."""

import json
import subprocess

import pytest

from tests.benchmarks import methods


@pytest.fixture
def commands(monkeypatch):
    """Stand in for our commands: what was called, each three CPU minutes of a clock of its own."""
    called, clock = [], [100.0]

    def call(command, *words):
        clock[0] += 3.0
        called.append((command, *words))
        return ""

    monkeypatch.setattr(methods, "call", call)
    monkeypatch.setattr(methods, "minutes_of_commands", lambda: clock[0])
    return called


def interrupt(monkeypatch, *, seen=True):
    """Let the next command end early; as an error, or so that nothing more happens here at all."""
    whole = methods.call

    def end_early(command, *words):
        whole(command, *words)
        monkeypatch.setattr(methods, "call", whole)
        if not seen:
            monkeypatch.setattr(methods.Notes, "write", lambda notes, made: None)
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(methods, "call", end_early)


def test_a_training_that_is_there_is_not_made_again(tmp_path, commands):
    first = methods.train(tmp_path, tmp_path / "france", "x-stars, alpha 0")
    assert first == (tmp_path / "runs" / "x-stars-alpha-0", 3.0)
    assert methods.train(tmp_path, tmp_path / "france", "x-stars, alpha 0") == first
    (words,) = commands
    assert words[:4] == ("train", "x-stars", "--catalog", str(tmp_path / "france"))
    assert words[-2:] == ("--alignment-weight", "0")


def test_the_minutes_of_all_parts_count(tmp_path, commands, monkeypatch):
    interrupt(monkeypatch)
    with pytest.raises(subprocess.CalledProcessError):
        methods.train(tmp_path, tmp_path / "france", "seco")
    assert methods.train(tmp_path, tmp_path / "france", "seco") == (tmp_path / "runs" / "seco", 6.0)
    assert methods.told_minutes(6.0) == "6.0"
    assert len(commands) == 2


@pytest.mark.usefixtures("commands")
def test_minutes_of_a_part_that_nobody_saw_end_are_not_known(tmp_path, monkeypatch):
    with monkeypatch.context() as killed:
        interrupt(killed, seen=False)
        with pytest.raises(subprocess.CalledProcessError):
            methods.train(tmp_path, tmp_path / "france", "seco")
    for _ in range(2):
        assert methods.told_minutes(methods.train(tmp_path, tmp_path / "france", "seco")[1]) == "not known"


@pytest.mark.parametrize("constant", ["BUDGET", "RUNS"])
def test_a_training_of_other_words_is_refused_by_the_name_of_its_folder(tmp_path, commands, monkeypatch, constant):
    run, _ = methods.train(tmp_path, tmp_path / "france", "dino")
    changed = (*methods.BUDGET, "--lr", "1") if constant == "BUDGET" else {**methods.RUNS, "dino": ("dino", *methods.ONE)}
    monkeypatch.setattr(methods, constant, changed)
    with pytest.raises(SystemExit, match=rf"{run} was made with other words: dino .*-dim 1024.* Remove it and {run}\.json"):
        methods.train(tmp_path, tmp_path / "france", "dino")
    assert len(commands) == 1


def test_a_folder_that_nobody_noted_anything_of_is_refused(tmp_path, commands):
    (tmp_path / "runs" / "dino").mkdir(parents=True)
    with pytest.raises(SystemExit, match=r"runs/dino is there without .*runs/dino\.json, which says what made it\. Remove it"):
        methods.train(tmp_path, tmp_path / "france", "dino")
    assert commands == []


def test_a_catalog_is_made_once_and_of_the_same_words(tmp_path, commands, monkeypatch):
    interrupt(monkeypatch)
    with pytest.raises(subprocess.CalledProcessError):
        methods.make_catalog(tmp_path)
    assert methods.make_catalog(tmp_path) == methods.make_catalog(tmp_path) == tmp_path / "france"
    assert [words[1] for words in commands] == ["sample", "sample", "build", "pack"]
    assert json.loads((tmp_path / "france.json").read_text())["finished"]
    monkeypatch.setattr(methods, "DATES", ("--seasons", "2"))
    with pytest.raises(SystemExit, match=r"france was made with other words: --region france"):
        methods.make_catalog(tmp_path)
