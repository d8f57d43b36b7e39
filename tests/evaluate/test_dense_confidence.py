"""Intervals of figures of confusion matrices."""

import numpy as np
import pytest

from evaluate.confidence import bootstrap_mean
from evaluate.dense_confidence import bootstrap_confusion
from evaluate.errors import InputError
from evaluate.metrics import mean_iou


def share_right(confusion):
    return float(np.trace(confusion) / confusion.sum())


@pytest.fixture
def counts():
    """Two trainings, 12 samples, 3 classes."""
    return np.random.default_rng(5).integers(1, 20, size=(2, 12, 3, 3)) + 30 * np.eye(3, dtype=int)


GROUPS = np.asarray(list("aabbbcddeeff"))


def test_the_interval_of_a_share_is_that_of_the_mean_of_its_pixels(counts):
    one = counts[:1]
    right = np.concatenate([np.repeat([1, 0], [np.trace(each), each.sum() - np.trace(each)]) for each in one[0]])
    pixels = np.repeat(GROUPS, one[0].sum(axis=(1, 2)))
    found = bootstrap_confusion(one, GROUPS, share_right, seed=3, repeats=200)
    assert found == pytest.approx(bootstrap_mean(right, pixels, seed=3, repeats=200))


def test_the_interval_of_mean_iou_equals_a_plain_twin(counts):
    rng = np.random.default_rng(1)
    names = sorted(set(GROUPS))
    drawn = []
    for _ in range(100):
        picked = [names[number] for number in rng.integers(len(names), size=len(names))]
        sums = [sum(each[name == GROUPS].sum(axis=0) for name in picked) for each in counts]
        drawn.append(np.mean([mean_iou(each) for each in sums]))
    expected = np.quantile(drawn, [0.05, 0.95])
    found = bootstrap_confusion(counts, GROUPS, mean_iou, seed=1, repeats=100, level=0.9)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_nothing_is_said_of_one_group_or_of_a_figure_that_there_is_not(counts):
    assert bootstrap_confusion(counts, np.full(12, "a"), mean_iou) is None
    assert bootstrap_confusion(counts, GROUPS, lambda _: float("nan"), repeats=5) is None


def test_several_trainings_are_drawn_as_well(counts):
    apart = np.stack([counts[0], counts[0] + 200 * np.eye(3, dtype=int)])  # the second answers far better
    alone = bootstrap_confusion(apart, GROUPS, mean_iou, seed=1, repeats=200)
    together = bootstrap_confusion(apart, GROUPS, mean_iou, seed=1, repeats=200, members=2)
    worst, best = (mean_iou(each.sum(axis=0)) for each in apart)
    assert together[0] < alone[0] < alone[1] < together[1]
    assert together[0] == pytest.approx(worst, abs=0.1)
    assert together[1] == pytest.approx(best, abs=0.1)


@pytest.mark.parametrize("wrong", [{"level": 1.0}, {"repeats": 0}])
def test_a_level_that_is_no_share_is_refused(counts, wrong):
    with pytest.raises(InputError, match=r"expected 1 draw or more and a share such as 0\.95"):
        bootstrap_confusion(counts, GROUPS, mean_iou, **wrong)
