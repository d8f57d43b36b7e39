"""Metrics against scikit-learn and plain loops, with ties and with classes that nobody has."""

import numpy as np
import pytest
from sklearn import metrics as reference

from evaluate.errors import InputError
from evaluate.metrics import (
    accuracy,
    average_precision,
    average_precision_per_class,
    confusion_matrix,
    f1_per_class,
    iou_per_class,
    macro_average_precision,
    macro_f1,
    mean_iou,
    micro_average_precision,
    multilabel_f1,
)

CLASSES = 6
EMPTY = 4
"""In neither truth nor answers."""
SEEDS = range(5)


def single(seed):
    """Classes and answers that are often right, in all classes but one."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(EMPTY, size=300)
    found = np.where(rng.random(300) < 0.6, truth, rng.choice([0, 1, 2, 3, 5], size=300))
    return truth, found


def several(seed, *, ties):
    """Labels, of which one occurs nowhere, and scores that tell something; with ties there are ten different scores."""
    rng = np.random.default_rng(seed)
    truth = rng.random((200, CLASSES)) < [0.5, 0.3, 0.1, 0.02, 0, 0.9]
    truth[0, 3] = True
    scores = truth + rng.normal(size=truth.shape)
    return truth, np.round(scores, 0) if ties else scores


def plain_average_precision(truth, scores):
    """Every threshold in turn, every item counted."""
    area, recall = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        answered = [bool(has) for has, score in zip(truth, scores, strict=True) if score >= threshold]
        reached = sum(answered) / sum(truth.tolist())
        area += (reached - recall) * sum(answered) / len(answered)
        recall = reached
    return area


@pytest.mark.parametrize("seed", SEEDS)
def test_accuracy_and_confusion_equal_scikit_learn(seed):
    truth, found = single(seed)
    assert accuracy(truth, found) == reference.accuracy_score(truth, found)
    expected = reference.confusion_matrix(truth, found, labels=range(CLASSES))
    np.testing.assert_array_equal(confusion_matrix(truth, found, classes=CLASSES), expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_f1_equals_scikit_learn_where_a_class_can_be_judged(seed):
    truth, found = single(seed)
    confusion = confusion_matrix(truth, found, classes=CLASSES)
    options = {"labels": range(CLASSES), "zero_division": np.nan}
    expected = reference.f1_score(truth, found, average=None, **options)
    assert np.isnan(expected[EMPTY])
    assert expected[5] == 0
    np.testing.assert_allclose(f1_per_class(confusion), expected, rtol=1e-12)
    assert macro_f1(confusion) == pytest.approx(reference.f1_score(truth, found, average="macro", **options), rel=1e-12)
    assert accuracy(truth, found) == pytest.approx(reference.f1_score(truth, found, average="micro"), rel=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_intersection_over_union_equals_scikit_learn(seed):
    truth, found = single(seed)
    confusion = confusion_matrix(truth.reshape(3, 10, 10), found.reshape(3, 10, 10), classes=CLASSES)
    expected = reference.jaccard_score(truth, found, labels=[0, 1, 2, 3, 5], average=None)
    np.testing.assert_allclose(np.delete(iou_per_class(confusion), EMPTY), expected, rtol=1e-12)
    assert np.isnan(iou_per_class(confusion)[EMPTY])
    assert mean_iou(confusion) == pytest.approx(expected.mean(), rel=1e-12)


def test_f1_and_intersection_over_union_equal_plain_counts():
    truth, found = single(9)
    confusion = confusion_matrix(truth, found, classes=CLASSES)
    for number in (0, 1, 2, 3, 5):
        pairs = [(has == number, answered == number) for has, answered in zip(truth, found, strict=True)]
        hits, missed, wrong = pairs.count((True, True)), pairs.count((True, False)), pairs.count((False, True))
        assert f1_per_class(confusion)[number] == pytest.approx(2 * hits / (2 * hits + missed + wrong))
        assert iou_per_class(confusion)[number] == pytest.approx(hits / (hits + missed + wrong))


@pytest.mark.parametrize("seed", SEEDS)
def test_f1_of_several_labels_equals_scikit_learn(seed):
    truth, scores = several(seed, ties=False)
    found = scores > 0.5
    found[:, EMPTY] = False
    macro, micro = multilabel_f1(truth, found)
    assert macro == pytest.approx(reference.f1_score(truth, found, average="macro", zero_division=np.nan), rel=1e-12)
    assert micro == pytest.approx(reference.f1_score(truth, found, average="micro"), rel=1e-12)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_average_precision_equals_scikit_learn_and_a_plain_loop(seed, ties):
    truth, scores = several(seed, ties=ties)
    occurring = np.delete(np.arange(CLASSES), EMPTY)
    for label in occurring:
        found = average_precision(truth[:, label], scores[:, label])
        assert found == pytest.approx(reference.average_precision_score(truth[:, label], scores[:, label]), rel=1e-12)
        assert found == pytest.approx(plain_average_precision(truth[:, label], scores[:, label]), rel=1e-12)
    assert np.isnan(average_precision(truth[:, EMPTY], scores[:, EMPTY]))
    macro = reference.average_precision_score(truth[:, occurring], scores[:, occurring], average="macro")
    assert macro_average_precision(truth, scores) == pytest.approx(macro, rel=1e-12)
    micro = reference.average_precision_score(truth, scores, average="micro")
    assert micro_average_precision(truth, scores) == pytest.approx(micro, rel=1e-12)


def test_the_order_of_equal_scores_means_nothing():
    truth = np.array([True, False, False, True])
    assert average_precision(truth, np.zeros(4)) == average_precision(truth[::-1], np.zeros(4)) == 0.5


def test_a_mean_over_batches_is_another_figure():
    truth, scores = several(0, ties=False)
    batches = [micro_average_precision(truth[start : start + 20], scores[start : start + 20]) for start in range(0, 200, 20)]
    assert abs(np.mean(batches) - micro_average_precision(truth, scores)) > 1e-3


NOTHING = np.zeros(0, np.int64)
BOOLS = np.zeros((3, 2), bool)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: accuracy(np.zeros(3), np.zeros(2)), r"The truth has shape \(3,\), the answers \(2,\)"),
        (lambda: accuracy(NOTHING, NOTHING), "There are no answers, so there is nothing to be right about"),
        (lambda: confusion_matrix(np.array([0, 2]), np.array([0, 1]), classes=2), "go from 0 to 2; expected 0 to 1"),
        (lambda: confusion_matrix(np.array([0, 1]), np.array([0, -1]), classes=2), "go from -1 to 1; expected 0 to 1"),
        (lambda: multilabel_f1(BOOLS, BOOLS), "None of 3 items has a label, and none was answered"),
        (lambda: average_precision(BOOLS[:, 0], np.array([0, np.nan, 1])), "1 of 3 scores are not numbers"),
        (lambda: macro_average_precision(BOOLS, np.ones((3, 2))), "None of 3 items has a label: there is no average precision"),
        (lambda: micro_average_precision(BOOLS, np.ones((3, 2))), "None of 3 items has a label: there is no average precision"),
    ],
)
def test_what_has_no_figure_is_told(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_average_precision_of_each_label_equals_scikit_learn_and_is_unknown_where_no_item_has_it():
    rng = np.random.default_rng(12)
    truth, scores = rng.random((80, 4)) < (0.5, 0.2, 0.05, 0.0), rng.integers(9, size=(80, 4))
    found = average_precision_per_class(truth, scores)
    np.testing.assert_allclose(found[:3], reference.average_precision_score(truth[:, :3], scores[:, :3], average=None))
    assert np.isnan(found[3])
