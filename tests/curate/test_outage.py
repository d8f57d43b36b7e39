"""How long units wait for hosts that are down."""

from threading import Event

import pytest

from curate import outage
from curate.errors import HostDownError
from curate.outage import Outage

HERE, THERE = "https://here.example/a.tif", "https://there.example/b.tif"
DOWN = HostDownError("here.example is down.")


@pytest.fixture
def clock(monkeypatch):
    """The time, as a list of one number; a wait advances it."""
    now = [0.0]
    monkeypatch.setattr(outage.time, "monotonic", lambda: now[0])
    return now


class Waits(Event):
    """An event on which nobody waits for long."""

    def __init__(self, clock):
        super().__init__()
        self.clock, self.waited = clock, 0

    def wait(self, timeout=None):
        self.waited += 1
        self.clock[0] += timeout
        return self.is_set()


def test_a_host_is_waited_for_until_it_answers(clock):
    met, stop = Outage(), Waits(clock)
    for _ in range(50):
        assert met.is_borne(HERE, DOWN)
        met.endure(stop)
    met.answered(HERE)
    assert stop.waited == 50
    for _ in range(50):
        assert met.is_borne(HERE, DOWN)
        met.endure(stop)


def test_a_host_that_stays_down_raises_its_own_words(clock):
    met, stop = Outage(), Waits(clock)
    met.answered(THERE)

    def wait_for_ever():
        while met.is_borne(HERE, DOWN):
            met.endure(stop)

    with pytest.raises(HostDownError, match=r"here\.example is down"):
        wait_for_ever()
    assert clock[0] == pytest.approx(outage.OUTAGE_S, abs=2 * outage.LOOK_S)


def test_where_another_host_answers_the_failures_are_recorded_in_the_end(clock):
    met, stop = Outage(), Waits(clock)
    while met.is_borne(HERE, DOWN):
        met.answered(THERE)
        met.endure(stop)
    assert clock[0] == pytest.approx(outage.OUTAGE_S, abs=2 * outage.LOOK_S)
    assert not met.is_borne(HERE, DOWN)


def give_up(met, stop):
    """Let a host be down, beside another one, until it is given up."""
    while met.is_borne(HERE, DOWN):
        met.answered(THERE)
        met.endure(stop)


def test_a_short_outage_of_another_host_is_borne_after_one_was_given_up(clock):
    met, stop = Outage(), Waits(clock)
    give_up(met, stop)
    waited = stop.waited
    for _ in range(50):
        assert met.is_borne(THERE, DOWN)
        assert not met.is_borne(HERE, DOWN)
        met.endure(stop)
    assert stop.waited == waited + 50


def test_a_short_outage_of_another_host_does_not_end_a_build_that_waits_for_one(clock):
    met, stop = Outage(), Waits(clock)
    while clock[0] <= outage.OUTAGE_S - 2 * outage.LOOK_S:
        assert met.is_borne(HERE, DOWN)
        met.answered(THERE)
        met.endure(stop)
    while met.is_borne(HERE, DOWN):
        assert met.is_borne(THERE, DOWN)
        met.endure(stop)
    assert met.is_borne(THERE, DOWN)


def test_a_host_that_was_given_up_and_answers_is_waited_for_again(clock):
    met, stop = Outage(), Waits(clock)
    give_up(met, stop)
    met.answered(HERE)
    began = clock[0]
    give_up(met, stop)
    assert clock[0] - began == pytest.approx(outage.OUTAGE_S, abs=2 * outage.LOOK_S)
