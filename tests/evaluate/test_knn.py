"""k nearest neighbours against scikit-learn and a plain loop."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from evaluate import knn
from evaluate.errors import InputError
from evaluate.knn import knn_predict, knn_votes

CLASSES = 5


@pytest.fixture(scope="module")
def problem():
    """Features of 300 training and 130 test items about five centres, hard enough that neighbours disagree."""
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(CLASSES, 16))
    labels = rng.integers(CLASSES, size=430)
    features = centres[labels] + 2 * rng.normal(size=(430, 16))
    train, test = torch.tensor(features[:300]).float(), torch.tensor(features[300:]).float()
    return train, torch.tensor(labels[:300]), test, torch.tensor(labels[300:])


def plain_votes(train, labels, test, *, k, temperature):
    """One test item and one neighbour at a time, in double precision."""
    votes = np.zeros((len(test), CLASSES))
    for row, vector in enumerate(test.double().numpy()):
        cosines = [float(other @ vector / np.linalg.norm(other) / np.linalg.norm(vector)) for other in train.double().numpy()]
        for place in sorted(range(len(train)), key=lambda place: -cosines[place])[:k]:
            votes[row, labels[place]] += np.exp(cosines[place] / temperature)
    return votes / votes.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (20, 0.07), (20, 0.5), (300, 1.0)])
def test_votes_equal_a_plain_loop(problem, k, temperature):
    train, labels, test, _ = problem
    votes = knn_votes(train, labels, test, classes=CLASSES, k=k, temperature=temperature)
    np.testing.assert_allclose(votes, plain_votes(train, labels, test, k=k, temperature=temperature), atol=2e-5)


@pytest.mark.parametrize("k", [1, 5, 20])
@pytest.mark.parametrize("temperature", [None, 0.07])
def test_predictions_equal_scikit_learn(problem, k, temperature):
    train, labels, test, _ = problem
    weights = "uniform" if temperature is None else lambda distance: np.exp((1 - distance) / temperature)
    reference = KNeighborsClassifier(k, metric="cosine", algorithm="brute", weights=weights)
    expected = reference.fit(train.double().numpy(), labels.numpy()).predict(test.double().numpy())
    found = knn_predict(train, labels, test, classes=CLASSES, k=k, temperature=temperature)
    np.testing.assert_array_equal(found, expected)


def test_the_problem_is_neither_trivial_nor_hopeless(problem):
    train, labels, test, truth = problem
    right = (knn_predict(train, labels, test, classes=CLASSES) == truth).float().mean()
    assert 0.4 < right < 0.95


def test_chunks_change_nothing(problem, monkeypatch):
    train, labels, test, _ = problem
    whole = knn_votes(train, labels, test, classes=CLASSES)
    monkeypatch.setattr(knn, "CHUNK", 7)
    torch.testing.assert_close(knn_votes(train, labels, test, classes=CLASSES), whole, rtol=1e-5, atol=1e-7)


def test_the_length_of_a_vector_means_nothing(problem):
    train, labels, test, _ = problem
    whole = knn_predict(train, labels, test, classes=CLASSES)
    longer = train * torch.linspace(0.1, 50, len(train)).unsqueeze(1)
    torch.testing.assert_close(knn_predict(longer, labels, test * 9, classes=CLASSES), whole)


def test_the_order_of_the_training_items_means_nothing(problem):
    train, labels, test, _ = problem
    whole = knn_votes(train, labels, test, classes=CLASSES)
    shuffled = torch.randperm(len(train), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(knn_votes(train[shuffled], labels[shuffled], test, classes=CLASSES), whole)


def test_a_small_temperature_lets_the_nearest_decide_without_overflow(problem):
    train, labels, test, _ = problem
    votes = knn_votes(train, labels, test, classes=CLASSES, k=20, temperature=1e-4)
    assert votes.isfinite().all()
    assert torch.equal(votes.argmax(dim=1), knn_predict(train, labels, test, classes=CLASSES, k=1))


def test_shares_of_the_vote_add_up_to_one(problem):
    train, labels, test, _ = problem
    torch.testing.assert_close(knn_votes(train, labels, test, classes=CLASSES).sum(dim=1), torch.ones(len(test)))


def test_half_precision_is_compared_in_single(problem):
    train, labels, test, _ = problem
    votes = knn_votes(train.bfloat16(), labels, test.bfloat16(), classes=CLASSES)
    assert torch.equal(votes, knn_votes(train.bfloat16().float(), labels, test.bfloat16().float(), classes=CLASSES))


def test_no_test_item_is_no_prediction(problem):
    train, labels, test, _ = problem
    assert knn_predict(train, labels, test[:0], classes=CLASSES).shape == (0,)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"k": 0}, "k is 0: nobody votes"),
        ({"k": 301}, "k is 301, but there are 300 training items to vote. Lower --k"),
        ({"temperature": 0.0}, "temperature is 0.0; expected more than 0"),
    ],
)
def test_settings_out_of_range_are_told(problem, changes, words):
    train, labels, test, _ = problem
    with pytest.raises(InputError, match=words):
        knn_votes(train, labels, test, classes=CLASSES, **changes)


def test_features_of_two_lengths_are_told(problem):
    train, labels, test, _ = problem
    with pytest.raises(InputError, match="Training features have 16 numbers, test features 8"):
        knn_votes(train, labels, test[:, :8], classes=CLASSES)


def test_features_that_are_not_finite_are_counted(problem):
    train, labels, test, _ = problem
    broken = test.clone()
    broken[[3, 9], 5] = float("nan")
    with pytest.raises(InputError, match="Features of 2 of 130 test items are not finite"):
        knn_votes(train, labels, broken, classes=CLASSES)


@pytest.mark.parametrize("temperature", [0.07, None])
def test_a_neighbour_votes_for_all_its_labels_as_in_a_plain_loop(temperature):
    rng = np.random.default_rng(14)
    train, test = rng.normal(size=(40, 6)), rng.normal(size=(9, 6))
    labels = rng.random((40, 3)) < 0.4
    own, asked = (torch.tensor(each).float() for each in (train, test))
    found = knn_votes(own, torch.tensor(labels), asked, classes=3, k=5, temperature=temperature)
    for row, vector in enumerate(test):
        cosines = train @ vector / np.linalg.norm(train, axis=1) / np.linalg.norm(vector)
        nearest = np.argsort(-cosines)[:5]
        weights = np.ones(5) if temperature is None else np.exp(cosines[nearest] / temperature)
        np.testing.assert_allclose(found[row], weights @ labels[nearest] / weights.sum(), atol=1e-5)
    single = torch.tensor(labels[:, 0]).long()
    torch.testing.assert_close(
        knn_votes(own, torch.nn.functional.one_hot(single, 3).bool(), asked, classes=3, k=5),
        knn_votes(own, single, asked, classes=3, k=5),
    )
