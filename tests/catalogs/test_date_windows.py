"""The date windows that a recipe asks for; `tests/curate/test_seasons.py` counts their days."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from catalogs.date_windows import SECO, equal_windows, seco_windows, windows_of

PLACES = ["a-000000", "a-000001", "a-000002"]
DATES = {"start": "2023-01-01", "end": "2024-01-01"}


def recipe(**section):
    return {"sample": {"seed": 7}, "build": {**DATES, "window_days": None, **section}}


def as_spans(windows):
    """Windows of one location as Python has them."""
    return [tuple(when.item().replace(tzinfo=UTC) for when in span) for span in windows]


@pytest.mark.parametrize("days", [None, 15])
def test_equal_windows_are_those_of_every_location(days):
    windows = windows_of(recipe(seasons=4, window_days=days), PLACES)
    assert windows.shape == (3, 4, 2)
    for found in windows:
        assert as_spans(found) == equal_windows(date(2023, 1, 1), date(2024, 1, 1), 4, days=days)


@pytest.mark.parametrize("days", [None, 84])
def test_secos_windows_are_each_locations_own(days):
    windows = windows_of(recipe(seasons=SECO, window_days=days), PLACES)
    assert windows.shape == (3, 5, 2)
    for place, found in zip(PLACES, windows, strict=True):
        assert as_spans(found) == seco_windows(place, date(2024, 1, 1), days=days, seed=7)
    assert len(np.unique(windows[:, 0, 0])) == 3


def test_a_recipe_without_dates_has_no_windows():
    assert windows_of({"convert": {"seasons": 4}}, PLACES) is None
    assert windows_of({}, PLACES) is None


def test_the_windows_of_no_location_are_none_of_the_seasons():
    assert windows_of(recipe(seasons=2), []).shape == (0, 2, 2)
    assert windows_of(recipe(seasons=SECO), []).shape == (0, 5, 2)


def test_a_window_begins_with_its_first_instant():
    (first, last) = equal_windows(date(2023, 1, 1), date(2023, 1, 3), 2)
    assert first == (datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 1, 2, tzinfo=UTC))
    assert last == (datetime(2023, 1, 2, tzinfo=UTC), datetime(2023, 1, 3, tzinfo=UTC))
