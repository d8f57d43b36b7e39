"""Differences of two scores over the same items, against a plain twin that draws locations in a loop."""

import numpy as np
import pytest

from evaluate.errors import InputError
from evaluate.metrics import micro_average_precision
from evaluate.pairs import paired_difference
from tests.reference.paired import plain_paired_difference

RNG = np.random.default_rng(11)
LOCATIONS = np.array(["c", "a", "b", "a", "d", "c", "e", "b", "a", "d", "e", "f"])
TRUTH = RNG.integers(3, size=12)
ONE = np.where(RNG.random((3, 12)) < 0.7, TRUTH, RNG.integers(3, size=(3, 12)))
OTHER = RNG.integers(3, size=(3, 12))
LABELS = RNG.random((12, 4)) < 0.4
SCORES = RNG.random((2, 12, 4)).astype(np.float32)


def accuracy(times, answers):
    return sum(count * (found == truth) for count, found, truth in zip(times, answers, TRUTH, strict=True)) / sum(times)


def precision(times, scores):
    return micro_average_precision(np.repeat(LABELS, times, axis=0), np.repeat(scores, times, axis=0))


@pytest.mark.parametrize("other", [OTHER, OTHER[:1]])
def test_difference_and_interval_equal_a_plain_loop(other):
    found = paired_difference(ONE, other, LOCATIONS, truth=TRUTH, seed=5, repeats=200)
    value, interval = plain_paired_difference(accuracy, ONE, other, LOCATIONS, seed=5, repeats=200)
    assert found.value == pytest.approx(value)
    assert found.interval == pytest.approx(interval)
    assert found.interval[0] < found.value < found.interval[1]


def test_of_several_labels_it_is_the_difference_of_micro_average_precision():
    found = paired_difference(SCORES, SCORES[::-1] ** 2 * LABELS, LOCATIONS, truth=LABELS, repeats=50)
    value, interval = plain_paired_difference(precision, SCORES, SCORES[::-1] ** 2 * LABELS, LOCATIONS, seed=0, repeats=50)
    assert (found.value, found.interval) == (pytest.approx(value), pytest.approx(interval))


def test_equal_answers_differ_by_nothing_at_all():
    for answers, truth in ((ONE, TRUTH), (SCORES, LABELS)):
        found = paired_difference(answers, answers.copy(), LOCATIONS, truth=truth)
        assert (found.value, found.interval, found.is_sure) == (0.0, (0.0, 0.0), False)


def test_swapped_answers_differ_by_as_much_the_other_way():
    there, back = (paired_difference(*pair, LOCATIONS, truth=TRUTH, seed=2) for pair in ((ONE, OTHER), (OTHER, ONE)))
    assert back.value == -there.value
    assert back.interval == pytest.approx((-there.interval[1], -there.interval[0]))


def test_a_difference_is_surer_than_its_scores_where_both_fail_at_the_same_locations():
    groups = np.repeat(np.arange(40), 5)
    hard = RNG.random(40)[groups]
    truth = np.zeros(200, np.int64)
    draws = RNG.random((1, 200))
    one, other = (draws < hard).astype(np.int64), (draws < 1.15 * hard).astype(np.int64)
    together = paired_difference(one, other, groups, truth=truth)
    alone = paired_difference(one, np.zeros_like(one), groups, truth=truth)
    assert together.is_sure
    assert np.diff(together.interval) < np.diff(alone.interval) / 2


def test_of_one_location_nothing_can_be_said():
    found = paired_difference(ONE, OTHER, np.zeros(12), truth=TRUTH)
    assert found.interval is None
    assert not found.is_sure


@pytest.mark.parametrize("answers", [ONE[:, :11], ONE[:0], ONE[0]])
def test_answers_of_other_items_are_told(answers):
    with pytest.raises(InputError, match=r"the truth \(12,\); expected one answer to each item in each repeat"):
        paired_difference(ONE, answers, LOCATIONS, truth=TRUTH)
