"""Differences of two scores over the same items, against a plain twin that draws locations in a loop."""

import numpy as np
import pytest

from evaluate.errors import InputError
from evaluate.metrics import change_f1, mean_iou, micro_average_precision
from evaluate.pairs import paired_difference
from tests.reference.paired import plain_paired_difference

RNG = np.random.default_rng(11)
LOCATIONS = np.array(["c", "a", "b", "a", "d", "c", "e", "b", "a", "d", "e", "f"])
TRUTH = RNG.integers(3, size=12)
ONE = np.where(RNG.random((3, 12)) < 0.7, TRUTH, RNG.integers(3, size=(3, 12)))
OTHER = RNG.integers(3, size=(3, 12))
LABELS = RNG.random((12, 4)) < 0.4
SCORES = RNG.random((2, 12, 4)).astype(np.float32)
PRECISION = "micro average precision"
PIXELS = RNG.integers(5, 30, size=(12, 2))
FIGURES = {"mean IoU": mean_iou, "F1 of changed": change_f1}


def split_pixels(right):
    """Matrices of the pixels, of which about such a share is right, (3, 12, 2, 2)."""
    hits = RNG.binomial(PIXELS, right, size=(3, 12, 2))
    misses = PIXELS - hits
    return np.stack([np.stack([hits[..., 0], misses[..., 0]], -1), np.stack([misses[..., 1], hits[..., 1]], -1)], -2)


COUNTS, OTHERS = split_pixels(0.8), split_pixels(0.7)


def accuracy(times, answers):
    return sum(count * (found == truth) for count, found, truth in zip(times, answers, TRUTH, strict=True)) / sum(times)


def precision(times, scores):
    return micro_average_precision(np.repeat(LABELS, times, axis=0), np.repeat(scores, times, axis=0))


@pytest.mark.parametrize("other", [OTHER, OTHER[:1]])
def test_difference_and_interval_equal_a_plain_loop(other):
    found = paired_difference(ONE, other, LOCATIONS, truth=TRUTH, metric="accuracy", seed=5, repeats=200)
    value, interval = plain_paired_difference(accuracy, ONE, other, LOCATIONS, seed=5, repeats=200)
    assert found.value == pytest.approx(value)
    assert found.interval == pytest.approx(interval)
    assert found.interval[0] < found.value < found.interval[1]


def test_of_several_labels_it_is_the_difference_of_micro_average_precision():
    found = paired_difference(SCORES, SCORES[::-1] ** 2 * LABELS, LOCATIONS, truth=LABELS, metric=PRECISION, repeats=50)
    value, interval = plain_paired_difference(precision, SCORES, SCORES[::-1] ** 2 * LABELS, LOCATIONS, seed=0, repeats=50)
    assert (found.value, found.interval) == (pytest.approx(value), pytest.approx(interval))


@pytest.mark.parametrize("metric", FIGURES)
@pytest.mark.parametrize("others", [OTHERS, OTHERS[:1]])
def test_of_pixels_it_is_the_difference_of_figures_of_matrices_that_are_added_up(metric, others):
    def figure(times, counts):
        return FIGURES[metric](np.repeat(counts, times, axis=0).sum(axis=0))

    found = paired_difference(COUNTS, others, LOCATIONS, truth=PIXELS, metric=metric, seed=3, repeats=200)
    value, interval = plain_paired_difference(figure, COUNTS, others, LOCATIONS, seed=3, repeats=200)
    assert (found.value, found.interval) == (pytest.approx(value), pytest.approx(interval))
    assert found.interval[0] < found.value < found.interval[1]


def test_repeats_of_one_training_are_no_trainings_of_their_own():
    once = paired_difference(ONE, OTHER[:1], LOCATIONS, truth=TRUTH, metric="accuracy", members=(3, 1), repeats=200)
    again = paired_difference(
        np.repeat(ONE, 5, axis=0), OTHER[:1], LOCATIONS, truth=TRUTH, metric="accuracy", members=(3, 1), repeats=200
    )
    assert (again.value, again.interval) == (pytest.approx(once.value), pytest.approx(once.interval))


def test_equal_answers_differ_by_nothing_at_all():
    asked = [(ONE, TRUTH, "accuracy"), (SCORES, LABELS, PRECISION), *((COUNTS, PIXELS, metric) for metric in FIGURES)]
    for answers, truth, metric in asked:
        found = paired_difference(answers, answers.copy(), LOCATIONS, truth=truth, metric=metric)
        assert (found.value, found.interval, found.is_sure) == (0.0, (0.0, 0.0), False)


def test_swapped_answers_differ_by_as_much_the_other_way():
    pairs = (ONE, OTHER), (OTHER, ONE)
    there, back = (paired_difference(*pair, LOCATIONS, truth=TRUTH, metric="accuracy", seed=2) for pair in pairs)
    assert back.value == -there.value
    assert back.interval == pytest.approx((-there.interval[1], -there.interval[0]))


def test_a_difference_is_surer_than_its_scores_where_both_fail_at_the_same_locations():
    groups = np.repeat(np.arange(40), 5)
    hard = RNG.random(40)[groups]
    truth = np.zeros(200, np.int64)
    draws = RNG.random((1, 200))
    one, other = (draws < hard).astype(np.int64), (draws < 1.15 * hard).astype(np.int64)
    together = paired_difference(one, other, groups, truth=truth, metric="accuracy")
    alone = paired_difference(one, np.zeros_like(one), groups, truth=truth, metric="accuracy")
    assert together.is_sure
    assert np.diff(together.interval) < np.diff(alone.interval) / 2


def test_of_one_location_nothing_can_be_said():
    found = paired_difference(ONE, OTHER, np.zeros(12), truth=TRUTH, metric="accuracy")
    assert found.interval is None
    assert not found.is_sure


@pytest.mark.parametrize("answers", [ONE[:, :11], ONE[:0], ONE[0]])
def test_answers_of_other_items_are_told(answers):
    with pytest.raises(InputError, match=r"the truth \(12,\); expected one answer to each item in each repeat"):
        paired_difference(ONE, answers, LOCATIONS, truth=TRUTH, metric="accuracy")


def test_answers_that_are_no_matrices_of_the_pixels_are_told():
    with pytest.raises(InputError, match=r"Answers have shape \(3, 12, 2\), the truth \(12, 2\); expected one answer"):
        paired_difference(COUNTS, COUNTS[..., 0], LOCATIONS, truth=PIXELS, metric="mean IoU")
