"""Units on threads: each is done once, errors come out, and closing early ends all."""

import threading
import time

import pytest

from curate import threads
from curate.threads import build_in_threads


class Reader:
    """What is told when it is to stop."""

    def __init__(self):
        self.stopped = threading.Event()

    def stop(self):
        self.stopped.set()


def running():
    return [thread for thread in threading.enumerate() if thread.name.startswith("unit-")]


@pytest.fixture
def reader(monkeypatch):
    """Units are lists of outcomes, given as they are; an error among them is raised."""

    def build_unit(assembler, places, *, reader, stop):
        for place in places:
            if isinstance(place, Exception):
                raise place
            yield place

    monkeypatch.setattr(threads, "build_unit", build_unit)
    return Reader()


def test_every_location_comes_once_whatever_the_threads(reader):
    units = [[f"{unit}-{place}" for place in range(5)] for unit in range(40)]
    for at_once in (1, 2, 7):
        done = list(build_in_threads(None, units, reader, at_once=at_once))
        assert sorted(done) == sorted(place for unit in units for place in unit)
    assert not running()
    assert not reader.stopped.is_set()


def test_units_are_begun_one_by_one_as_threads_are_free(reader):
    begun = []
    units = (begun.append(unit) or [unit] for unit in range(1000))
    outcomes = build_in_threads(None, units, reader, at_once=2)
    next(outcomes)
    outcomes.close()
    assert len(begun) <= threads.AHEAD + 5


def test_an_error_of_a_unit_is_raised_and_ends_the_others(reader):
    units = [["a"], [ValueError("a defect")], *[["b"]] * 1000]
    with pytest.raises(ValueError, match="a defect"):
        list(build_in_threads(None, units, reader, at_once=2))
    assert reader.stopped.is_set()
    assert not running()


def test_what_is_in_work_is_given_up_once_it_is_over(reader, monkeypatch):
    monkeypatch.setattr(threads, "ASK_S", 0.01)
    monkeypatch.setattr(threads, "build_unit", lambda *_, reader, **__: iter(lambda: reader.stopped.wait(30), True))
    asked = iter([False, False, True])
    assert list(build_in_threads(None, [["a"]] * 10, reader, at_once=3, is_over=lambda: next(asked))) == []
    assert reader.stopped.is_set()
    assert not running()


def test_closing_early_ends_threads_that_nobody_listens_to(reader, monkeypatch):
    monkeypatch.setattr(threads, "AHEAD", 1)
    outcomes = build_in_threads(None, [["a", "b", "c"]] * 10, reader, at_once=3)
    assert next(outcomes) == "a"
    time.sleep(0.05)
    outcomes.close()
    assert reader.stopped.is_set()
    assert not running()
