"""Words on standard error, results on standard output, progress on both kinds of standard error."""

import json
import os
import pty
import re
import subprocess
import sys
from threading import Thread

import pytest

from catalogs.console import Progress, emit, emit_json, progress, say
from tests.conftest import ROOT


class Clock:
    """A clock that stands until it is moved."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_words_go_to_standard_error_unless_quiet(capsys):
    say("words")
    say("nothing", quiet=True)
    assert capsys.readouterr() == ("", "words\n")


def test_results_go_to_standard_output(capsys):
    emit("12 items")
    assert capsys.readouterr() == ("12 items\n", "")


def test_json_keeps_order_and_letters(capsys):
    emit_json({"b": "Orléans", "a": [1, None]})
    output, words = capsys.readouterr()
    assert words == ""
    assert list(json.loads(output).items()) == [("b", "Orléans"), ("a", [1, None])]
    assert "Orléans" in output


def test_json_refuses_what_a_reader_could_not_parse():
    with pytest.raises(ValueError, match="not JSON compliant"):
        emit_json({"share": float("nan")})
    with pytest.raises(TypeError, match="not JSON serializable"):
        emit_json({"path": ROOT})


def test_progress_counts_and_tells_rate_and_time_left():
    clock = Clock()
    job = Progress(1000, clock=clock)
    assert str(job) == "0/1000, 0.0/s, time left unknown"
    clock.seconds = 100.0
    job.advance(197)
    job.advance(0, failed=3)
    assert str(job) == "200/1000, 2.0/s, 3 failed, 6 min 40 s left"
    job.advance(800)
    assert str(job) == "1000/1000, 10.0/s, 3 failed, took 1 min 40 s"


def test_what_an_earlier_run_did_does_not_count_for_the_rate():
    clock = Clock()
    job = Progress(1000, 900, clock=clock)
    clock.seconds = 10.0
    job.advance(10)
    assert str(job) == "910/1000, 1.0/s, 1 min 30 s left"


def test_hours_are_told_in_hours():
    clock = Clock()
    job = Progress(7381, clock=clock)
    clock.seconds = 1.0
    job.advance()
    assert str(job).endswith(", 2 h 3 min left")


def test_no_advance_is_lost_between_threads():
    job = Progress(4000)
    threads = [Thread(target=lambda: [job.advance() for _ in range(1000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert job.ok == 4000


def test_without_a_terminal_progress_is_a_line_now_and_then_and_one_at_the_end(capsys):
    with progress(100, "Building") as bar:
        for _ in range(99):
            bar.advance()
        bar.advance(0, failed=1)
    output, words = capsys.readouterr()
    assert output == ""
    assert re.fullmatch(r"Building: 100/100, [\d.]+/s, 1 failed, took 0 s\n", words)
    with progress(3, "Building", every_s=0) as bar:
        for _ in range(3):
            bar.advance()
    assert [line.split(",")[0] for line in capsys.readouterr().err.splitlines()] == [f"Building: {i}/3" for i in (1, 2, 3)]


def test_where_there_is_nothing_to_do_no_progress_is_shown(capsys):
    with progress(0, "Building", every_s=0) as bar:
        assert bar.done == 0
    assert capsys.readouterr().err == ""


def test_quiet_progress_counts_in_silence(capsys):
    with progress(2, "Building", quiet=True, every_s=0) as bar:
        bar.advance(2)
    assert bar.done == 2
    assert capsys.readouterr() == ("", "")


def test_a_failure_inside_is_not_hidden_by_the_last_line(capsys):
    with pytest.raises(RuntimeError, match="inside"), progress(2, "Building"):
        raise RuntimeError("inside")
    assert capsys.readouterr().err == ""


def test_on_a_terminal_progress_is_a_bar_and_the_result_stays_on_standard_output():
    code = """
from catalogs.console import emit, progress, say
with progress(4, "Building", already=1) as bar:
    bar.advance(2)
    say("a word between")
    bar.advance(0, failed=1)
    emit("the result")
"""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    child = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=theirs, text=True, check=True
    )
    os.close(theirs)
    seen = os.read(ours, 65536).decode()
    os.close(ours)
    assert child.stdout == "the result\n"
    assert "Building" in seen
    assert "━" in seen
    assert "4/4" in seen
    assert "1 failed" in seen
    assert "a word between" in seen
