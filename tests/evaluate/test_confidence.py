"""The bootstrap over groups against a plain loop, and against what is known of it."""

import numpy as np
import pytest

from evaluate.confidence import bootstrap_mean
from evaluate.errors import InputError


def plain_bootstrap(values, groups, *, repeats, seed, level):
    """Draw groups, put their members together, take the mean; then count off the sorted means."""
    rng = np.random.default_rng(seed)
    names = sorted(set(groups))
    means = []
    for _ in range(repeats):
        drawn = [names[place] for place in rng.integers(len(names), size=len(names))]
        members = [value for name in drawn for value, group in zip(values, groups, strict=True) if group == name]
        means.append(sum(members) / len(members))
    return tuple(np.quantile(sorted(means), [(1 - level) / 2, 1 - (1 - level) / 2]))


@pytest.mark.parametrize("level", [0.95, 0.5])
def test_the_interval_equals_a_plain_loop(level):
    rng = np.random.default_rng(0)
    groups = rng.choice(list("abcdefghij"), 60)
    values = rng.random(60)
    found = bootstrap_mean(values, groups, repeats=200, seed=4, level=level)
    assert found == pytest.approx(plain_bootstrap(values, groups, repeats=200, seed=4, level=level))


def test_of_single_values_it_is_as_wide_as_theory_says():
    right = np.random.default_rng(1).random(2000) < 0.7
    low, high = bootstrap_mean(right, np.arange(2000))
    expected = 1.96 * np.sqrt(0.7 * 0.3 / 2000)
    assert low < right.mean() < high
    assert (high - low) / 2 == pytest.approx(expected, rel=0.1)


def test_copies_of_a_location_promise_no_more_than_the_location():
    right = np.random.default_rng(1).random(300) < 0.7
    single = bootstrap_mean(right, np.arange(300))
    assert bootstrap_mean(np.repeat(right, 5), np.repeat(np.arange(300), 5)) == pytest.approx(single)
    low, high = bootstrap_mean(np.repeat(right, 5), np.arange(1500))
    assert high - low < 0.6 * (single[1] - single[0])


def test_the_same_seed_gives_the_same_interval_and_another_one_another():
    right = np.random.default_rng(1).random(100) < 0.7
    assert bootstrap_mean(right, np.arange(100), seed=2) == bootstrap_mean(right, np.arange(100), seed=2)
    assert bootstrap_mean(right, np.arange(100), seed=2) != bootstrap_mean(right, np.arange(100), seed=3)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_locations_have_no_interval(count):
    assert bootstrap_mean(np.ones(3 * count), np.array(["one"] * 3 * count)) is None


@pytest.mark.parametrize("wrong", [{"level": 1.0}, {"level": 0.0}, {"repeats": 0}])
def test_settings_out_of_range_are_told(wrong):
    with pytest.raises(InputError, match="expected 1 draw or more and a share such as"):
        bootstrap_mean(np.ones(3), np.arange(3), **wrong)
