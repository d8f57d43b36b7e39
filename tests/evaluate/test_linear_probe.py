"""Logistic regression against scikit-learn and plain gradient descent."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from evaluate.errors import InputError
from evaluate.linear_probe import C_VALUES, choose_c, fit_linear, sweep_linear
from evaluate.metrics import micro_average_precision
from evaluate.vectors import standardise

CLASSES = 4
EXACT = 1e-9
"""Tolerance of both where coefficients are compared."""


@pytest.fixture(scope="module")
def problem():
    """300 items to fit to and 200 to ask about, whose classes overlap; features are correlated, and standardised."""
    rng = np.random.default_rng(5)
    labels = rng.integers(CLASSES, size=500)
    features = (rng.normal(size=(CLASSES, 12))[labels] + 1.5 * rng.normal(size=(500, 12))) @ rng.normal(size=(12, 12))
    train, test = standardise(torch.tensor(features[:300]), torch.tensor(features[300:]))
    return train, torch.tensor(labels[:300]), test, torch.tensor(labels[300:])


@pytest.fixture(scope="module")
def several(problem):
    """Whether an item has each of three labels, which the first features tell in part."""
    train, _, test, _ = problem
    noise = torch.Generator().manual_seed(2)
    return tuple(part[:, :3] + torch.randn(len(part), 3, generator=noise) > 0.5 for part in (train, test))


def plain_descent(features, target, c, *, several):
    """Gradient descent in numpy with a small constant step, for as long as it takes."""
    weight, bias = np.zeros((features.shape[1], target.shape[1])), np.zeros(target.shape[1])
    for _ in range(20_000):
        logits = features @ weight + bias
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        found = 1 / (1 + np.exp(-logits)) if several else odds / odds.sum(axis=1, keepdims=True)
        error = (found - target) / len(features)
        weight -= 0.3 * (features.T @ error + weight / (c * len(features)))
        bias -= 0.3 * error.sum(axis=0)
    return weight, bias


@pytest.mark.parametrize("c", [0.01, 1.0, 100.0])
def test_coefficients_and_predictions_equal_scikit_learn(problem, c):
    train, labels, test, _ = problem
    found = fit_linear(train, labels, classes=CLASSES, c=c, tolerance=EXACT)
    reference = LogisticRegression(C=c, tol=EXACT, max_iter=5000).fit(train.double().numpy(), labels.numpy())
    np.testing.assert_allclose(found.weight, reference.coef_, atol=1e-4)
    np.testing.assert_allclose(found.bias, reference.intercept_, atol=1e-4)
    np.testing.assert_array_equal(found.predict(test), reference.predict(test.double().numpy()))
    np.testing.assert_allclose(found.logits(test).softmax(1), reference.predict_proba(test.double().numpy()), atol=1e-4)


def test_several_labels_equal_one_against_the_rest_of_scikit_learn(problem, several):
    train, _, test, _ = problem
    found = fit_linear(train, several[0], classes=3, c=0.5, tolerance=EXACT)
    reference = OneVsRestClassifier(LogisticRegression(C=0.5, tol=EXACT, max_iter=5000))
    reference.fit(train.double().numpy(), several[0].numpy().astype(int))
    np.testing.assert_allclose(found.weight, [each.coef_[0] for each in reference.estimators_], atol=1e-4)
    np.testing.assert_allclose(found.logits(test).sigmoid(), reference.predict_proba(test.double().numpy()), atol=1e-4)


@pytest.mark.parametrize("c", [0.01, 100.0])
def test_few_items_of_many_features_that_are_nearly_copies_equal_scikit_learn(c):
    rng = np.random.default_rng(7)
    labels = rng.integers(3, size=60)
    few = rng.normal(size=(3, 8))[labels] + rng.normal(size=(60, 8))
    features = few @ rng.normal(size=(8, 200)) + 1e-3 * rng.normal(size=(60, 200))
    train, test = standardise(torch.tensor(features[:40]), torch.tensor(features[40:]))
    found = fit_linear(train, torch.tensor(labels[:40]), classes=3, c=c, tolerance=1e-7)
    reference = LogisticRegression(C=c, tol=1e-8, max_iter=50_000).fit(train.double().numpy(), labels[:40])
    assert found.converged
    np.testing.assert_allclose(found.logits(test).softmax(1), reference.predict_proba(test.double().numpy()), atol=1e-3)


@pytest.mark.parametrize("is_several", [False, True])
def test_a_tiny_problem_equals_plain_gradient_descent(problem, several, is_several):
    train, labels = problem[0][:40, :3], problem[1][:40]
    truth = several[0][:40] if is_several else labels
    target = truth.numpy().astype(float) if is_several else np.eye(CLASSES)[labels]
    weight, bias = plain_descent(train.double().numpy(), target, 1.0, several=is_several)
    found = fit_linear(train, truth, classes=target.shape[1], c=1.0, tolerance=EXACT)
    np.testing.assert_allclose(found.weight, weight.T, atol=1e-6)
    np.testing.assert_allclose(found.bias, bias, atol=1e-6)


def test_the_problem_is_neither_trivial_nor_hopeless(problem):
    train, labels, test, truth = problem
    right = (fit_linear(train, labels, classes=CLASSES, c=1.0).predict(test) == truth).double().mean()
    assert 0.4 < right < 0.95


def test_the_same_items_in_another_order_give_the_same_probe(problem):
    train, labels, test, _ = problem
    once, again = (fit_linear(train, labels, classes=CLASSES, c=1.0) for _ in range(2))
    assert torch.equal(once.weight, again.weight)
    shuffled = torch.randperm(len(train), generator=torch.Generator().manual_seed(1))
    other = fit_linear(train[shuffled], labels[shuffled], classes=CLASSES, c=1.0)
    torch.testing.assert_close(other.weight, once.weight, rtol=0, atol=1e-4)
    assert torch.equal(other.predict(test), once.predict(test))


def test_where_it_starts_changes_the_time_and_not_the_answer(problem):
    train, labels, _, _ = problem
    cold = fit_linear(train, labels, classes=CLASSES, c=1.0, tolerance=EXACT)
    warm = fit_linear(train, labels, classes=CLASSES, c=1.0, tolerance=EXACT, start=cold)
    far = fit_linear(train, labels, classes=CLASSES, c=1.0, tolerance=EXACT, start=fit_linear(-train, labels, classes=4, c=9.0))
    assert warm.steps < 3 < cold.steps
    torch.testing.assert_close(far.weight, cold.weight, rtol=0, atol=1e-5)


def test_a_fit_says_whether_it_converged(problem):
    train, labels, _, _ = problem
    short = fit_linear(train, labels, classes=CLASSES, c=100.0, steps=3)
    assert not short.converged
    assert (short.steps, short.gradient > short.tolerance) == (3, True)
    done = fit_linear(train, labels, classes=CLASSES, c=100.0)
    assert done.converged
    assert done.weight.grad is None


def test_a_class_that_no_item_shows_is_never_answered(problem):
    train, labels, test, _ = problem
    found = fit_linear(train, labels, classes=CLASSES + 1, c=1.0).predict(test)
    assert found.max() == CLASSES - 1


def test_the_sweep_scores_each_strength_on_what_is_held_out(problem, several):
    train, labels, test, truth = problem
    probes, worth = sweep_linear(train, labels, classes=CLASSES, tuning=(test, truth))
    assert tuple(probe.c for probe in probes) == C_VALUES
    for c, score in zip(C_VALUES, worth, strict=True):
        reference = LogisticRegression(C=c, tol=1e-7, max_iter=5000).fit(train.double().numpy(), labels.numpy())
        assert score == pytest.approx(reference.score(test.double().numpy(), truth.numpy()))
    (probe,), (found,) = sweep_linear(train, several[0], classes=3, tuning=(test, several[1]), values=[1.0])
    assert found == micro_average_precision(several[1].numpy(), probe.logits(test).numpy())


def test_strengths_span_six_decades_and_the_strongest_of_equals_is_chosen():
    np.testing.assert_allclose(C_VALUES, np.logspace(-4, 2, 10))
    assert choose_c(C_VALUES, [0.5] * 10) == C_VALUES[0]
    assert choose_c(C_VALUES, [0.5] * 6 + [0.7, 0.6, 0.7, 0.1]) == C_VALUES[6]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"c": 0.0}, "c is 0.0; expected more than 0"),
        ({"features": torch.zeros(0, 2), "truth": torch.zeros(0, dtype=torch.int64)}, "There are 0 items to fit to"),
        ({"truth": torch.zeros(3, dtype=torch.int64)}, "There are 2 items to fit to and labels of 3"),
    ],
)
def test_what_cannot_be_fitted_is_told(change, words):
    given = {"features": torch.ones(2, 2), "truth": torch.tensor([0, 1]), "classes": 2, "c": 1.0, **change}
    with pytest.raises(InputError, match=words):
        fit_linear(**given)


def test_a_sweep_without_held_out_items_is_told(problem):
    train, labels, test, truth = problem
    with pytest.raises(InputError, match="No item is held out"):
        sweep_linear(train, labels, classes=CLASSES, tuning=(test[:0], truth[:0]), values=[1.0])
