import random
from datetime import UTC, datetime

import pytest

from curate.reading.retries import Patience, is_passing, pause_s, retry_after_s

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 522])
def test_what_a_server_may_get_over_is_passing(status):
    assert is_passing(status)


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 410, 416, 451, 501, 505])
def test_what_another_try_does_not_change_is_not(status):
    assert not is_passing(status)


def test_pauses_double_up_to_a_bound_and_fill_it():
    patience = Patience(base_s=1.0, longest_s=6.0)
    chance = random.Random(7)
    for failures, bound in [(1, 1.0), (2, 2.0), (3, 4.0), (4, 6.0), (5_000, 6.0)]:
        drawn = [pause_s(patience, failures, chance) for _ in range(500)]
        assert min(drawn) < 0.02 * bound
        assert 0.98 * bound < max(drawn) <= bound
        assert sum(drawn) / 500 == pytest.approx(bound / 2, rel=0.1)


def test_one_seed_gives_one_row_of_pauses():
    rows = [[pause_s(Patience(), tries, random.Random(3)) for tries in range(1, 6)] for _ in range(2)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Sun, 22 Nov 2026 12:00:45 GMT", 45.0),
        ("Sunday, 22-Nov-26 12:00:45 GMT", 45.0),
        ("Sun, 22 Nov 2026 14:00:45 +0200", 45.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, seconds):
    assert retry_after_s(header, NOON) == seconds


@pytest.mark.parametrize("header", [None, "", "soon", "-5", "1.5", "٣", "Sun, 99 Nov 2026 12:00:45 GMT"])
def test_what_is_neither_asks_for_nothing(header):
    assert retry_after_s(header, NOON) is None


def test_a_retry_after_of_absurd_length_is_a_number():
    assert retry_after_s("9" * 5_000, NOON) == 999_999_999_999.0


def test_a_date_is_held_against_the_clock_where_no_time_is_given():
    assert retry_after_s("Thu, 01 Jan 2015 00:00:00 GMT") == 0.0
    assert retry_after_s("Thu, 01 Jan 2099 00:00:00 GMT") > 0.0
