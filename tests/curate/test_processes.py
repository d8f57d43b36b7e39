"""Work in other processes: all results, bounded tasks, errors of the work, an early end."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path

import pytest

from curate.processes import AHEAD, map_unordered
from tests.conftest import ROOT


def square(number):
    return number * number, os.getpid()


def fail(number):
    raise ValueError(f"no {number}")


def end_process(_number):
    os._exit(9)


def wait_a_while(number):
    time.sleep(0.3)
    return number


@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_has_its_result(workers):
    results = list(map_unordered(square, iter(range(20)), workers=workers))
    assert sorted(result for result, _ in results) == [number * number for number in range(20)]
    processes = {process for _, process in results}
    assert (os.getpid() in processes) == (workers == 1)
    assert len(processes) <= workers


def test_no_tasks_have_no_results():
    assert list(map_unordered(square, [], workers=2)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_work_raises_is_raised(workers):
    with pytest.raises(ValueError, match="no 3"):
        list(map_unordered(fail, [3], workers=workers))


def test_a_killed_process_is_told():
    with pytest.raises(BrokenProcessPool):
        list(map_unordered(end_process, [1], workers=2))


def test_tasks_are_taken_as_they_are_needed_and_dropped_at_an_early_end():
    taken = []

    def tasks():
        for number in range(1000):
            taken.append(number)
            yield number

    results = map_unordered(wait_a_while, tasks(), workers=2)
    next(results)
    results.close()
    assert len(taken) == 2 * AHEAD


PARENT = """
import signal, sys
from curate.processes import map_unordered
from tests.curate.test_processes import square
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # where tests run in the background, it is ignored, and inherited
    results = map_unordered(square, [1], workers=2)
    print(next(results)[1], flush=True)
    sys.stdin.read()
"""


def test_workers_ignore_an_interrupt_and_end_with_their_parent():
    words = [sys.executable, "-c", PARENT]
    with subprocess.Popen(
        words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as parent:
        worker = int(parent.stdout.readline())
        time.sleep(0.5)
        os.kill(worker, signal.SIGINT)  # when it waits for work: an interrupt of the work itself would be the work's error
        time.sleep(0.5)
        is_unmoved = is_alive(worker)
        parent.kill()
        deadline = time.monotonic() + 30
        while is_alive(worker) and time.monotonic() < deadline:
            time.sleep(0.1)
        outlived = is_alive(worker)
        with suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)
    assert is_unmoved
    assert not outlived


def is_alive(process):
    """Whether a process runs: one that has ended may stay listed until somebody asks for it, in containers for ever."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
