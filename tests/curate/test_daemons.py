"""Jobs on threads that nobody has to wait for."""

import subprocess
import sys
import threading
from contextlib import closing

import pytest

from curate.daemons import do_each
from tests.conftest import ROOT

ASLEEP = """
import threading, time
from curate.daemons import do_each
next(do_each(lambda job: job and time.sleep(600), [0, 1, 1], at_once=2))
"""


@pytest.mark.parametrize("at_once", [1, 3, 99])
def test_what_is_done_comes_in_the_order_of_the_jobs(at_once):
    assert list(do_each(lambda job: job * job, range(50), at_once=at_once)) == [job * job for job in range(50)]
    assert list(do_each(str, [], at_once=at_once)) == []


def test_so_many_jobs_are_in_work_at_the_same_time():
    together = threading.Barrier(3)
    assert len(list(do_each(lambda _: together.wait(10), range(6), at_once=3))) == 6


def test_an_error_is_raised_at_the_turn_of_its_job():
    begun = []

    def do(job):
        begun.append(job)
        if job == 2:
            raise ValueError("a defect")
        return job

    done = do_each(do, range(1000), at_once=1)
    assert [next(done), next(done)] == [0, 1]
    with pytest.raises(ValueError, match="a defect"):
        next(done)
    assert begun[:3] == [0, 1, 2]


def test_who_closes_it_waits_for_nobody_and_nothing_more_is_begun():
    go, begun = threading.Event(), []

    def do(job):
        begun.append(job)
        return job == 0 or go.wait(30)

    with closing(do_each(do, range(100), at_once=2)) as done:
        next(done)
    go.set()
    for thread in [thread for thread in threading.enumerate() if thread.name.startswith("job-")]:
        thread.join(10)
    assert len(begun) <= 4


def test_a_process_ends_though_a_job_is_asleep():
    assert subprocess.run([sys.executable, "-c", ASLEEP], cwd=ROOT, timeout=20, check=False).returncode == 0
