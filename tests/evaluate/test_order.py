"""Same features, same score: whatever the order of the items, the batch size and the number of workers."""

from dataclasses import replace

import numpy as np
import pytest

from catalogs.items import Items
from catalogs.reader import Catalog
from evaluate.change import run_change
from evaluate.dense_settings import ChangeSettings, SegmentSettings
from evaluate.linear_protocol import run_linear
from evaluate.protocol import run_knn
from evaluate.segmentation import run_segment
from evaluate.settings import KnnSettings, LinearSettings

SHARED = {"bands": ("B04", "B03", "B02"), "size_px": 32, "workers": 0, "device": "cpu"}
PROTOCOLS = {
    "knn": (run_knn, KnnSettings(**SHARED, k=5)),
    "knn of labels": (run_knn, KnnSettings(**SHARED, k=5, multilabel=True)),
    "shuffled": (run_knn, KnnSettings(**SHARED, k=5, shuffle_labels=True)),
    "linear": (run_linear, LinearSettings(**SHARED, fraction=(0.5, 1.0), repeats=2)),
}
DENSE = SHARED | {"epochs": 1, "min_steps": 0, "lr": (0.1,), "samples_per_step": 4, "shuffle_labels": True}
RANDOM = "random:resnet10t"


@pytest.fixture
def reordered(monkeypatch):
    """Let catalogs give their items in another order."""
    real = Catalog.items
    orders = []

    def items(self, **wanted):
        found = real(self, **wanted)
        orders.append(np.random.default_rng(5).permutation(len(found)))
        return Items(found.picks.at(orders[-1]))

    monkeypatch.setattr(Catalog, "items", items)
    return orders


@pytest.fixture(scope="module", params=list(PROTOCOLS))
def asked(request, labelled):
    """A protocol, its settings, and what it finds."""
    run, settings = PROTOCOLS[request.param]
    return run, settings, run(str(labelled), [RANDOM], settings)


def check_same_answers(one, other):
    """Each item by its id has the same answers; features may differ by rounding, and so may scores of labels."""
    assert one.items.ids.tolist() == other.items.ids.tolist()
    np.testing.assert_array_equal(one.items.truth, other.items.truth)
    for mine, theirs in zip(one.items.found, other.items.found, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    for mine, theirs in zip(one.scores, other.scores, strict=True):
        assert (mine.value, mine.interval) == (pytest.approx(theirs.value), pytest.approx(theirs.interval))


def test_the_order_of_the_items_changes_not_a_bit(asked, labelled, reordered):
    run, settings, found = asked
    other = run(str(labelled), [RANDOM], settings)
    (order,) = reordered
    assert order.tolist() != sorted(order)
    assert other == found
    check_same_answers(found, other)
    np.testing.assert_array_equal(np.concatenate(found.items.found, axis=None), np.concatenate(other.items.found, axis=None))


@pytest.mark.parametrize(
    ("run", "settings"),
    [(run_segment, SegmentSettings(**DENSE)), (run_change, ChangeSettings(**DENSE | {"lr": (0.01,)}))],
    ids=["segment", "change"],
)
def test_the_order_of_the_items_changes_no_answer_to_pixels(rastered, reordered, monkeypatch, run, settings):
    other = run(str(rastered), [RANDOM], settings)
    (order,) = reordered
    assert order.tolist() != sorted(order)
    monkeypatch.undo()
    found = run(str(rastered), [RANDOM], settings)
    assert other == found
    check_same_answers(found, other)


@pytest.mark.parametrize("change", [{"batch_size": 7}, {"batch_size": 1, "workers": 2}])
def test_neither_batch_size_nor_workers_change_an_answer(asked, labelled, change):
    run, settings, found = asked
    check_same_answers(found, run(str(labelled), [RANDOM], replace(settings, **change)))
