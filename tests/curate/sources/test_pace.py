"""Turns to ask a host, from many threads."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from curate.errors import StoppedError
from curate.sources.pace import Pace


def test_threads_together_ask_no_faster_than_is_allowed():
    pace, stop, moments = Pace(100), Event(), []

    def ask(_):
        pace.wait(stop)
        moments.append(time.monotonic())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(20)))
    assert len(moments) == 20
    assert max(moments) - min(moments) >= 19 / 100 - 0.005


def test_a_pause_holds_for_those_who_wait_already():
    pace, stop = Pace(20), Event()
    pace.wait(stop)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(pace.wait, stop)
        pace.pause(0.3)
        began = time.monotonic()
        waiting.result()
    assert time.monotonic() - began >= 0.25


def test_a_shorter_pause_does_not_end_a_longer_one():
    pace, began = Pace(1000), time.monotonic()
    pace.pause(0.2)
    pace.pause(0.0)
    pace.wait(Event())
    assert time.monotonic() - began >= 0.19


def test_who_waits_is_woken_by_a_stop():
    pace, stop = Pace(1000), Event()
    pace.pause(60)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(pace.wait, stop)
        stop.set()
        with pytest.raises(StoppedError, match="stopped while it waited"):
            waiting.result(timeout=5)
