"""Counts of pixels against plain loops, scikit-learn and torchmetrics."""

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

from evaluate.dense_counts import (
    batch_figures,
    change_figures,
    count_classes_found,
    count_thresholds,
    mean_figures,
)
from evaluate.metrics import change_f1, iou_per_class, mean_iou


@pytest.fixture(scope="module")
def answered():
    """Truth and answers of 5 masks of 4 classes; a tenth of the pixels nobody knows."""
    rng = np.random.default_rng(3)
    truth = rng.integers(4, size=(5, 9, 7))
    found = np.where(rng.random(truth.shape) < 0.6, truth, rng.integers(4, size=truth.shape))
    truth[rng.random(truth.shape) < 0.1] = 255
    return torch.from_numpy(truth), torch.from_numpy(found)


def test_counts_equal_those_of_a_plain_loop(answered):
    truth, found = answered
    expected = np.zeros((5, 4, 4), np.int64)
    for sample, row, column in np.ndindex(*truth.shape):
        if truth[sample, row, column] != 255:
            expected[sample, truth[sample, row, column], found[sample, row, column]] += 1
    np.testing.assert_array_equal(count_classes_found(truth, found, classes=4), expected)


def test_iou_of_all_pixels_equals_scikit_learn_and_torchmetrics(answered):
    from torchmetrics.classification import MulticlassJaccardIndex

    truth, found = answered
    confusion = count_classes_found(truth, found, classes=4).sum(axis=0)
    known = truth != 255
    expected = jaccard_score(truth[known], found[known], average=None)
    np.testing.assert_allclose(iou_per_class(confusion), expected, rtol=1e-12)
    metric = MulticlassJaccardIndex(4, average="macro", ignore_index=255)
    assert mean_iou(confusion) == pytest.approx(float(metric(found, truth)), abs=1e-6)


def test_counts_at_each_threshold_equal_those_of_answers_cut_there(answered):
    truth = torch.where(answered[0] == 255, 255, answered[0] % 2)
    values = torch.rand(truth.shape, generator=torch.Generator().manual_seed(0))
    values[0, 0, 0] = 0.5  # a pixel that just reaches a threshold
    thresholds = torch.tensor([0.0, 0.25, 0.5, 0.9, 2.0])
    counts = count_thresholds(truth, values, thresholds)
    assert counts.shape == (5, 5, 2, 2)
    for place, threshold in enumerate(thresholds):
        expected = count_classes_found(truth, (values >= threshold).long(), classes=2)
        np.testing.assert_array_equal(counts[:, place], expected)


def test_figures_of_change_equal_scikit_learn(answered):
    truth = torch.where(answered[0] == 255, 255, (answered[0] == 0).long())
    found = (answered[1] == 0).long()
    known = truth != 255
    confusion = count_classes_found(truth, found, classes=2).sum(axis=0)
    figures = change_figures(confusion)
    for name, score in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score), ("iou", jaccard_score)):
        assert figures[name] == pytest.approx(score(truth[known], found[known]), rel=1e-12), name
    assert change_f1(confusion) == figures["f1"]
    assert figures["pixel_accuracy"] == pytest.approx(float((truth == found)[known].double().mean()))


def test_there_is_no_figure_of_pixels_that_there_are_not():
    figures = change_figures(np.array([[9, 0], [0, 0]]))
    assert figures == {"precision": None, "recall": None, "f1": None, "iou": None, "pixel_accuracy": 1.0}
    assert np.isnan(change_f1(np.array([[9, 0], [0, 0]])))
    assert mean_figures([{"f1": 0.5, "iou": None}, {"f1": 1.0, "iou": 0.1}]) == {"f1": 0.75, "iou": None}


def test_seco_takes_the_mean_over_shuffled_batches_and_leaves_out_the_last(answered):
    counts = count_classes_found(answered[0] % 2, answered[1] % 2, classes=2)  # 255 is odd: known here
    order = np.random.default_rng(4).permutation(5)
    batches = [counts[order[:2]].sum(axis=0), counts[order[2:4]].sum(axis=0)]
    expected = np.mean([change_f1(each) for each in batches])
    found = batch_figures(counts, batch=2, seed=4)
    assert found["f1"] == pytest.approx(expected)
    assert found["f1"] != pytest.approx(change_f1(counts.sum(axis=0)), abs=1e-9)


def test_a_batch_without_change_counts_as_zero():
    nothing, right = np.array([[4, 0], [0, 0]]), np.array([[2, 0], [0, 2]])
    assert batch_figures(np.stack([nothing, right]), batch=1, seed=0) == {"precision": 0.5, "recall": 0.5, "f1": 0.5}
