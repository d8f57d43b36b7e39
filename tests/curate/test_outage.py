"""How long a unit waits for hosts that are down."""

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


def test_a_round_without_an_outage_is_followed_at_once(clock):
    met, stop = Outage(), Waits(clock)
    met.answered(HERE)
    met.endure(stop)
    assert stop.waited == 0


def test_a_host_is_waited_for_until_it_answers(clock):
    met, stop = Outage(), Waits(clock)
    for _ in range(50):
        assert met.is_borne(HERE, DOWN)
        met.endure(stop)
    met.answered(HERE)
    met.endure(stop)
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
    met.endure(stop)
    assert not met.is_borne(HERE, DOWN)
    assert met.is_borne(THERE, DOWN)
