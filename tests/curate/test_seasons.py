"""Date windows, against counting days by hand."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from curate.errors import CurateError
from curate.seasons import SeasonPlan


def test_four_seasons_split_the_year_without_gap_or_overlap():
    windows = SeasonPlan(date(2017, 9, 1), date(2018, 9, 1), 4).windows("a-000000")
    assert windows[0].start == datetime(2017, 9, 1, tzinfo=UTC)
    assert windows[-1].end == datetime(2018, 9, 1, tzinfo=UTC)
    assert [a.end for a in windows[:-1]] == [b.start for b in windows[1:]]
    assert {window.end - window.start for window in windows} == {timedelta(days=365) / 4}
    assert windows[2].text == "2018-03-02..2018-06-01"


def test_window_days_are_centred_in_each_season():
    plan = SeasonPlan(date(2023, 1, 1), date(2024, 1, 1), 4)
    narrow = SeasonPlan(date(2023, 1, 1), date(2024, 1, 1), 4, window_days=15)
    for season, window in zip(plan.windows("a"), narrow.windows("a"), strict=True):
        assert window.end - window.start == timedelta(days=15)
        assert abs((season.start + season.end.__sub__(season.start) / 2) - (window.start + timedelta(days=7.5))) <= timedelta(
            seconds=1
        )


def test_seco_dates_are_five_twelve_weeks_apart_with_one_shift_per_location():
    plan = SeasonPlan(date(2020, 1, 1), date(2023, 1, 1), None, seed=7)
    shifts = set()
    for number in range(300):
        windows = plan.windows(f"a-{number:06d}")
        middles = [window.start + (window.end - window.start) / 2 for window in windows]
        assert {window.end - window.start for window in windows} == {timedelta(days=15)}
        assert {b - a for a, b in pairwise(middles)} == {timedelta(weeks=12)}
        assert plan.span[0] <= windows[0].start
        assert windows[-1].end <= plan.span[1]
        shifts.add((datetime(2023, 1, 1, tzinfo=UTC) - middles[-1]).days)
    assert min(shifts) < 10
    assert max(shifts) > 355
    assert max(shifts) < 365


def test_secos_widest_windows_meet():
    windows = SeasonPlan(date(2020, 1, 1), date(2023, 1, 1), None, window_days=84).windows("a-000000")
    assert [before.end for before in windows[:-1]] == [after.start for after in windows[1:]]


def test_seco_shifts_depend_on_seed_and_location_alone():
    plan = SeasonPlan(date(2020, 1, 1), date(2023, 1, 1), None, seed=7)
    assert plan.windows("a-000001") == plan.windows("a-000001")
    assert plan.windows("a-000001") != SeasonPlan(date(2020, 1, 1), date(2023, 1, 1), None, seed=8).windows("a-000001")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((date(2023, 1, 1), date(2023, 1, 1)), "--start 2023-01-01 is not before --end 2023-01-01"),
        ((date(2023, 1, 1), date(2024, 1, 1), 0), "--seasons is 0; expected 1 or more, or 'seco'"),
        ((date(2023, 1, 1), date(2024, 1, 1), 4, 0), "--window-days is 0"),
        ((date(2023, 1, 1), date(2024, 1, 1), 4, 120), "--window-days 120 exceeds a season of 91 days"),
        (
            (date(2023, 1, 1), date(2024, 1, 1), None, 85),
            "--window-days 85 exceeds the 84 days between two dates of --seasons seco: windows would overlap.*at most 84",
        ),
    ],
)
def test_impossible_dates_are_refused(arguments, words):
    with pytest.raises(CurateError, match=words):
        SeasonPlan(*arguments)
