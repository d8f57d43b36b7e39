"""Ranges of settings: a rule for each name, and none that no setting has."""

from dataclasses import fields

import pytest

from evaluate.dense_settings import ChangeSettings, SegmentSettings
from evaluate.errors import InputError
from evaluate.ranges import RULES, check_ranges
from evaluate.settings import FinetuneSettings, KnnSettings, LinearSettings

ALL = (KnnSettings, LinearSettings, FinetuneSettings, SegmentSettings, ChangeSettings)


def test_every_rule_is_of_a_setting_and_holds_for_what_it_is_where_left_out():
    assert set(RULES) <= {field.name for settings in ALL for field in fields(settings)}
    for settings in ALL:
        settings()


@pytest.mark.parametrize("settings", [settings for settings in ALL if "repeats" in {each.name for each in fields(settings)}])
def test_a_setting_of_one_name_has_one_range_whichever_protocol_has_it(settings):
    with pytest.raises(InputError, match=r"^--repeats is 0; expected 1 or more\.$"):
        settings(repeats=0)


def test_each_of_several_values_has_to_hold_and_one_has_to_be_there():
    check_ranges([("lr", (0.1, 0.2)), ("season", None), ("nobody_checks", -1)])
    with pytest.raises(InputError, match=r"^--lr is \[0\.1, -1\.0\]; expected more than 0, such as 1e-3\.$"):
        check_ranges([("lr", (0.1, -1.0))])
    with pytest.raises(InputError, match=r"^--lr is \[\]; expected more than 0"):
        check_ranges([("lr", ())])


@pytest.mark.parametrize("name", sorted(set(RULES) - {"precision"}))
def test_nothing_takes_what_is_no_number(name):
    with pytest.raises(InputError, match=f"^--{name.replace('_', '-')} is nan; expected"):
        check_ranges([(name, float("nan"))])
