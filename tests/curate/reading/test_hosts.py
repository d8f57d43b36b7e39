import threading
import time
from contextlib import suppress

import pytest

from curate.errors import HostDownError, SourceUnavailableError, StoppedError
from curate.reading.hosts import SUCCESSES, HostGate
from curate.reading.retries import Patience


class Clock:
    """Time that passes when told to."""

    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def gate_of(clock, most=16, **patience):
    return HostGate("tiles.example", most, Patience(**patience), clock=clock)


def enter_many(gate, count):
    return [gate.enter() for _ in range(count)]


def test_all_may_ask_as_long_as_all_goes_well(clock):
    gate = gate_of(clock)
    for _ in range(3):
        for ticket in enter_many(gate, 16):
            gate.succeed(ticket)
    assert gate.allowed == 16


def test_a_burst_of_429_halves_once_for_all_that_asked_before(clock):
    gate = gate_of(clock)
    for ticket in enter_many(gate, 16):
        gate.throttle(ticket)
    assert gate.allowed == 8
    for ticket in enter_many(gate, 8):
        gate.throttle(ticket)
    assert gate.allowed == 4


def test_half_of_those_who_did_ask_are_left_where_they_were_few(clock):
    gate = gate_of(clock, most=64)
    first, *others = enter_many(gate, 6)
    gate.throttle(first)
    assert gate.allowed == 3
    for ticket in others:
        gate.succeed(ticket)


def test_503_halves_too_and_other_failures_do_not(clock):
    gate = gate_of(clock)
    first, second, *_ = enter_many(gate, 16)
    gate.fail(first, 1, "its server says 500")
    gate.enter()
    assert gate.allowed == 16
    gate.fail(second, 2, "its server says 503", slow=True)
    assert gate.allowed == 8


def test_successes_bring_the_number_back_but_not_beyond(clock):
    gate = gate_of(clock, most=4)
    for ticket in enter_many(gate, 4):
        gate.throttle(ticket)
    assert gate.allowed == 2
    allowed = []
    for _ in range(4 * SUCCESSES):
        gate.succeed(gate.enter())
        allowed.append(gate.allowed)
    assert [allowed.index(number) + 1 for number in (3, 4)] == [SUCCESSES, 2 * SUCCESSES]
    assert allowed[-1] == 4


def test_a_host_that_throttles_even_one_is_asked_ever_more_slowly_up_to_a_bound(clock):
    gate = gate_of(clock, most=1, throttled_s=1e9, base_s=0.5, longest_s=30.0)
    paces = []
    for _ in range(10):
        clock.now += 100
        gate.throttle(gate.enter())
        paces.append(gate.pace_s)
    assert paces == [0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 7.5, 7.5, 7.5]


def test_the_pace_spaces_requests_and_goes_with_successes(clock):
    gate = gate_of(clock, most=2, base_s=0.5)
    for _ in range(3):
        gate.throttle(gate.enter())
        clock.now += 0.125
    assert gate.pace_s == 0.25
    clock.now += 0.25
    first = gate.enter()
    clock.now += 0.2
    assert not is_open(gate)
    clock.now += 0.05
    gate.succeed(first)
    for _ in range(60):
        clock.now += 0.25
        gate.succeed(gate.enter())
    assert gate.pace_s == 0.0
    assert gate.allowed == 2
    gate.stop()


def test_who_is_throttled_now_and_then_is_not_spaced_out(clock):
    gate = gate_of(clock, most=1)
    for _ in range(20):
        gate.throttle(gate.enter())
        gate.succeed(gate.enter())
    assert gate.pace_s == 0.0


def is_open(gate):
    """Whether one more would get in at once."""
    let_in = threading.Event()

    def ask():
        with suppress(StoppedError):
            gate.enter()
            let_in.set()

    waiting, deadline = gate._waiting, time.monotonic() + 20
    threading.Thread(target=ask, daemon=True).start()
    while not let_in.wait(0.01) and gate._waiting <= waiting and time.monotonic() < deadline:
        pass
    return let_in.is_set()


def test_nobody_gets_in_before_retry_after_is_over(clock):
    gate = gate_of(clock)
    gate.throttle(gate.enter(), 30.0)
    clock.now += 29.9
    assert not is_open(gate)
    clock.now += 0.1
    assert is_open(gate)
    gate.stop()


def test_a_shorter_retry_after_does_not_cut_a_longer_one(clock):
    gate = gate_of(clock)
    first, second = enter_many(gate, 2)
    gate.throttle(first, 30.0)
    gate.throttle(second, 1.0)
    clock.now += 20
    assert not is_open(gate)
    gate.stop()


def test_a_retry_after_beyond_patience_is_a_host_that_is_down_until_then(clock):
    gate = gate_of(clock, throttled_s=900)
    gate.throttle(gate.enter(), 86_400.0)
    with pytest.raises(HostDownError, match=r"tiles\.example asks to be left alone for 86,400 s\. It is left alone"):
        gate.enter()
    clock.now += 86_400
    gate.succeed(gate.enter())
    assert is_open(gate)


def test_waiting_threads_get_in_one_by_one_as_others_leave():
    gate = HostGate("tiles.example", 2, Patience())
    inside, most, lock = [0], [0], threading.Lock()

    def work():
        for _ in range(50):
            ticket = gate.enter()
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(0.0001)
            with lock:
                inside[0] -= 1
            gate.succeed(ticket)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert most == [2]


def test_waits_are_told():
    waits = []
    gate = HostGate("tiles.example", 1, Patience(), waited=waits.append)
    gate.throttle(gate.enter(), 0.05)
    gate.enter()
    assert len(waits) == 1
    assert waits[0] >= 0.05


def fail_many(gate, count, cause="its server says 500 Internal Server Error"):
    for task in range(count):
        with suppress(HostDownError):
            gate.fail(gate.enter(), task, cause)


def test_a_host_of_which_nothing_succeeds_is_left_alone_with_words(clock):
    gate = gate_of(clock, failures=5, failing_s=10, down_s=60)
    fail_many(gate, 4)
    clock.now += 12
    gate.fail(gate.enter(), 4, "no connection: Connection refused")
    clock.now += 15
    with pytest.raises(
        HostDownError,
        match=r"tiles\.example is down: 5 requests in a row have failed over 12 s \(the last: no connection: Connection "
        r"refused\)\. It is left alone for another 45 s\. Check the network and the provider's status, then run the same",
    ) as failure:
        gate.enter()
    assert isinstance(failure.value, SourceUnavailableError)
    assert failure.value.exit_code == 4


def test_a_server_that_starts_anew_is_not_down(clock):
    gate = gate_of(clock, failures=5, failing_s=10)
    fail_many(gate, 50)
    clock.now += 9.9
    fail_many(gate, 50)
    gate.succeed(gate.enter())


def test_one_range_that_fails_again_and_again_does_not_make_a_host_down(clock):
    gate = gate_of(clock, failures=2, failing_s=0)
    for _ in range(10):
        gate.fail(gate.enter(), 1, "its server says 500")
    gate.succeed(gate.enter())


def test_a_success_between_failures_begins_the_count_anew(clock):
    gate = gate_of(clock, failures=3, failing_s=0)
    for _ in range(4):
        fail_many(gate, 2)
        gate.succeed(gate.enter())


def test_after_a_while_one_is_tried_and_the_others_still_fail_at_once(clock):
    gate = gate_of(clock, failures=2, failing_s=0, down_s=60)
    fail_many(gate, 2)
    clock.now += 60
    probe = gate.enter()
    with pytest.raises(HostDownError, match="is down"):
        gate.enter()
    gate.fail(probe, 9, "no byte came for 30 s")
    with pytest.raises(HostDownError, match=r"3 requests in a row .* \(the last: no byte came for 30 s\)\. .* another 60 s"):
        gate.enter()
    clock.now += 60
    gate.succeed(gate.enter())
    for ticket in enter_many(gate, 16):
        gate.succeed(ticket)


def test_a_probe_that_learns_nothing_leaves_its_place_to_another(clock):
    gate = gate_of(clock, failures=1, failing_s=0, down_s=60)
    fail_many(gate, 1)
    clock.now += 60
    gate.give_up(gate.enter())
    gate.succeed(gate.enter())


def test_a_probe_that_fails_after_another_range_has_succeeded_says_nothing(clock):
    gate = gate_of(clock, failures=2, failing_s=0, down_s=60)
    late = gate.enter()
    fail_many(gate, 2)
    clock.now += 60
    probe = gate.enter()
    gate.succeed(late)
    gate.fail(probe, 9, "no byte came for 30 s")
    gate.succeed(gate.enter())


def test_a_probe_that_is_throttled_finds_the_host_down_still(clock):
    gate = gate_of(clock, failures=1, failing_s=0, down_s=60)
    fail_many(gate, 1)
    clock.now += 60
    gate.throttle(gate.enter(), 5.0)
    with pytest.raises(HostDownError, match="another 60 s"):
        gate.enter()


def test_a_host_that_throttles_everything_for_long_is_down(clock):
    gate = gate_of(clock, throttled_s=900, down_s=60)
    gate.throttle(gate.enter())
    clock.now += 901
    gate.throttle(gate.enter())
    with pytest.raises(HostDownError, match="has answered nothing but that it has too much to do for 901 s"):
        gate.enter()


def test_who_waits_when_a_host_goes_down_fails_with_it(clock):
    gate = gate_of(clock, most=1, failures=1, failing_s=0)
    ticket = gate.enter()
    failures = []

    def ask():
        try:
            gate.enter()
        except HostDownError as error:
            failures.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    while not gate._waiting:
        time.sleep(0.001)
    gate.fail(ticket, 1, "its server says 502 Bad Gateway")
    thread.join(10)
    assert "502 Bad Gateway" in failures[0]


def test_stop_wakes_who_waits_and_lets_nobody_in(clock):
    gate = gate_of(clock, most=4)
    gate.throttle(gate.enter(), 800.0)
    stopped = []

    def ask():
        try:
            gate.enter()
        except StoppedError as error:
            stopped.append(error.exit_code)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    while gate._waiting < 3:
        time.sleep(0.001)
    gate.stop()
    for thread in threads:
        thread.join(10)
    assert stopped == [130] * 3
    with pytest.raises(StoppedError, match=r"tiles\.example is not asked any more: the transport was stopped\."):
        gate.enter()
