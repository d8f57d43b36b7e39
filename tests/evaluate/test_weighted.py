"""Figures where items count several times: the same as of a set in which they are there several times."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from evaluate.errors import InputError
from evaluate.metrics import mean_iou, micro_average_precision
from evaluate.weighted import weighted_accuracy, weighted_confusion, weighted_micro_average_precision

RNG = np.random.default_rng(3)
TIMES = np.array([0, 3, 1, 0, 2, 1, 1, 5])
CLASSES = RNG.integers(3, size=8)
FOUND = RNG.integers(3, size=(2, 8))
LABELS = RNG.random((8, 4)) < 0.4
SCORES = RNG.integers(4, size=(2, 8, 4)) / 4  # many are equal


def test_accuracy_is_that_of_items_repeated():
    repeated = (np.repeat(FOUND, TIMES, axis=1) == np.repeat(CLASSES, TIMES)).mean(axis=1)
    np.testing.assert_allclose(weighted_accuracy(CLASSES, FOUND)(TIMES), repeated)


def test_average_precision_is_that_of_items_repeated_equal_scores_and_all():
    found = weighted_micro_average_precision(LABELS, SCORES)(TIMES)
    repeated = [micro_average_precision(np.repeat(LABELS, TIMES, axis=0), np.repeat(each, TIMES, axis=0)) for each in SCORES]
    np.testing.assert_allclose(found, repeated)
    assert found[0] != found[1]


def test_items_once_each_give_what_scikit_learn_gives():
    once = weighted_micro_average_precision(LABELS, SCORES)(np.ones(8, np.int64))
    np.testing.assert_allclose(once, [average_precision_score(LABELS, each, average="micro") for each in SCORES])


def test_where_nothing_counts_there_is_no_figure():
    unlabelled = np.where(LABELS.any(axis=1), 0, 1)
    assert np.isnan(weighted_accuracy(CLASSES, FOUND)(0 * TIMES)).all()
    assert np.isnan(weighted_micro_average_precision(LABELS, SCORES)(unlabelled)).all()


def test_scores_that_are_no_numbers_are_told():
    with pytest.raises(InputError, match="1 of 32 scores are not numbers"):
        weighted_micro_average_precision(LABELS, np.where(np.arange(32).reshape(1, 8, 4) == 5, np.nan, SCORES[:1]))


def test_matrices_that_count_several_times_are_added_as_often():
    counts = RNG.integers(0, 50, size=(2, 8, 3, 3))
    times = np.array([0, 2, 1, 0, 3, 1, 1, 0])
    measure = weighted_confusion(counts, mean_iou)
    expected = [mean_iou(np.repeat(each, times, axis=0).sum(axis=0)) for each in counts]
    assert measure(times).tolist() == expected
    assert np.isnan(measure(np.zeros(8, np.int64))).all()
