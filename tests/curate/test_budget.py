"""What a run may fetch at most."""

import pytest

from curate.budget import Budget
from curate.errors import CurateError
from curate.reading.counts import Counts


def test_without_limits_nothing_is_exceeded_or_spent():
    assert not Budget().is_limited
    assert Budget().exceeded(Counts(10**9, 10**15)) is None
    assert Budget().spent(Counts(10**9, 10**15)) is None


@pytest.mark.parametrize(
    ("budget", "allowed", "too_much", "flag"),
    [
        (Budget(2), Counts(9, 2_000_000_000), Counts(9, 2_000_000_001), "--budget-gb allows 2 GB"),
        (Budget(None, 1_000), Counts(1_000, 9), Counts(1_001, 9), "--budget-requests allows 1,000"),
        (Budget(1, 10), Counts(10, 5), Counts(11, 5), "--budget-requests allows 10"),
    ],
)
def test_what_exceeds_a_limit_names_its_flag(budget, allowed, too_much, flag):
    assert budget.is_limited
    assert budget.exceeded(allowed) is None
    assert budget.exceeded(too_much) == flag


def test_a_limit_is_spent_once_it_is_reached():
    budget = Budget(1, 10)
    assert budget.spent(Counts(9, 999_999_999)) is None
    assert budget.spent(Counts(10, 0)) == ("10 requests", "--budget-requests")
    assert budget.spent(Counts(0, 1_000_000_000)) == ("1 GB", "--budget-gb")


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ((0, None), r"--budget-gb is 0; expected gigabytes that may be fetched, above 0, such as 50\."),
        ((float("nan"), None), "--budget-gb is nan"),
        ((None, 0), r"--budget-requests is 0; expected requests that may be made, such as 10000\."),
    ],
)
def test_a_budget_that_is_none_is_refused(limits, words):
    with pytest.raises(CurateError, match=words):
        Budget(*limits)
