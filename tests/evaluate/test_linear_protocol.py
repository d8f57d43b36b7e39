"""The linear probe from a catalog to scores, and from features to answers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score
from sklearn.multiclass import OneVsRestClassifier

from evaluate import linear_solvers
from evaluate.answers import score_answers
from evaluate.cli.scoring import unfinished_probes
from evaluate.errors import InputError
from evaluate.linear_probe import C_VALUES
from evaluate.linear_protocol import Probing, choose_solver, run_linear
from evaluate.protocol import run_knn
from evaluate.settings import KnnSettings, LinearSettings
from evaluate.sgd_probe import DESCENTS
from evaluate.task import Part, Task

SETTINGS = LinearSettings(bands=("B04", "B03", "B02"), size_px=32, workers=0, device="cpu", fraction=(0.5, 1.0), repeats=2)
RANDOM = "random:resnet10t"
ROWS = (slice(600), slice(600, 900), slice(900, 1050))
"""Of the features that are asked about: those that teach, those that are tested, those of val."""


@pytest.fixture(scope="module")
def result(labelled):
    return run_linear(str(labelled), [RANDOM], SETTINGS)


def make_part(split, labels, start, *, prefix):
    items = np.arange(start, start + len(labels))
    names = np.asarray([f"{prefix}-{item}" for item in items])
    return Part(split, items, labels, names, names)


@pytest.fixture(scope="module")
def asked():
    """Features of 600 items that teach, 300 that are tested and 150 of val, of five classes that overlap."""
    rng = np.random.default_rng(4)
    labels = rng.integers(5, size=1050)
    features = torch.tensor(rng.normal(size=(5, 10))[labels] * 7 + 9 * rng.normal(size=(1050, 10)) + 40).float()
    parts = (
        make_part("train", labels[:600], 2000, prefix="a"),
        make_part("test", labels[600:900], 0, prefix="b"),
        make_part("val", labels[900:], 900, prefix="c"),
    )
    return features, Task(tuple("abcde"), parts[0], parts[1], 0, "0" * 64, parts[2])


def test_there_is_a_score_for_each_share_of_the_labels(result):
    assert [(each.name, each.details["fraction"]) for each in result.scores] == [
        ("band statistics", 0.5),
        ("band statistics", 1.0),
        (RANDOM, 0.5),
        (RANDOM, 1.0),
    ]
    for each in result.scores:
        trials = each.details["trials"]
        assert each.value == pytest.approx(np.mean(trials["value"]))
        assert each.interval[0] <= each.value <= each.interval[1]
        assert trials["seed"] == ([0, 1] if each.details["fraction"] < 1 else [0])
        assert set(trials["train_items"]) == {12 if each.details["fraction"] < 1 else 24}
        assert sum(map(sum, each.confusion)) == 12 * len(trials["seed"])
        assert all(trials["converged"])
    drawn = result.scores[0].details["trials"]["items_hash"]
    assert drawn[0] != drawn[1]
    assert result.scores[2].details["trials"]["items_hash"] == drawn


def test_the_question_is_that_of_the_neighbours(labelled, result):
    shared = {name: getattr(SETTINGS, name) for name in ("bands", "size_px", "workers", "device")}
    other = run_knn(str(labelled), [RANDOM], KnnSettings(**shared, k=5))
    for name in ("split_hash", "catalog_hash", "classes", "train_items", "test_items", "chance"):
        assert getattr(result, name) == getattr(other, name)
    assert (other.unused_items, result.unused_items) == (12, 0)
    assert (result.protocol["name"], result.protocol["tuned_on"]) == ("linear", {"split": "val"})
    assert result.scores[-1].identity == other.scores[1].identity


def test_without_val_a_fifth_of_the_training_locations_is_held_out(asked):
    features, task = asked
    alone = replace(task, tuning=None)
    (answers,) = Probing((1.0,), 1, 0).answer(features[:900], alone)
    assert answers.details["trials"]["tuning_items"] == [120]
    assert answers.details["trials"]["train_items"] == [600]


def test_what_was_held_out_teaches_in_the_end(asked):
    features, task = asked
    (answers,) = Probing((1.0,), 1, 0).answer(features[:900], replace(task, tuning=None))
    train = features[:600].double().numpy()
    (c,) = answers.details["trials"]["c"]
    reference = LogisticRegression(C=c, tol=1e-7, max_iter=5000).fit((train - train.mean(0)) / train.std(0), task.train.labels)
    tested = (features[600:900].double().numpy() - train.mean(0)) / train.std(0)
    np.testing.assert_array_equal(answers.found[0], reference.predict(tested))


def test_a_result_says_where_the_regularisation_was_chosen(asked):
    alone = replace(asked[1], tuning=None)
    assert Probing((1.0,), 1, 0).describe(alone)["tuned_on"] == {"split": "train", "locations": 0.2}


def test_answers_equal_scikit_learn_with_the_strength_that_val_chooses(asked):
    features, task = asked
    (answers,) = Probing((1.0,), 1, 0).answer(features, task)
    train = features[:600].double().numpy()
    scaled = (features.double().numpy() - train.mean(0)) / train.std(0)
    fits = {c: LogisticRegression(C=c, tol=1e-7, max_iter=5000) for c in C_VALUES}
    worth = {c: fit.fit(scaled[:600], task.train.labels).score(scaled[900:], task.tuning.labels) for c, fit in fits.items()}
    c = min(worth, key=lambda each: (-worth[each], each))
    assert answers.details["trials"]["c"] == [c]
    np.testing.assert_array_equal(answers.found[0], fits[c].predict(scaled[600:900]))
    assert 0.4 < answers.details["trials"]["value"][0] < 0.95


def test_features_of_tested_items_teach_nothing(asked):
    features, task = asked
    changed = features.clone()
    changed[750:900] = 1e6
    for fraction in (0.1, 1.0):
        (before,), (after,) = (Probing((fraction,), 1, 0).answer(each, task) for each in (features, changed))
        np.testing.assert_array_equal(before.found[:, :150], after.found[:, :150])


def test_more_labels_help_and_shuffled_ones_are_worth_chance(asked):
    features, task = asked
    few, all_of_them = (answers.details["trials"]["value"] for answers in Probing((0.01, 1.0), 4, 0).answer(features, task))
    assert len(few) == 4
    assert np.mean(few) < all_of_them[0] - 0.05
    shuffled = np.random.default_rng(0).permutation(task.train.labels)
    (answers,) = Probing((1.0,), 1, 0).answer(features, replace(task, train=replace(task.train, labels=shuffled)))
    assert answers.details["trials"]["value"][0] < 0.3


def test_probes_that_do_not_converge_are_told(asked, labelled, monkeypatch):
    real = linear_solvers.sweep_linear
    monkeypatch.setattr(linear_solvers, "sweep_linear", lambda *given, **named: real(*given, **named, steps=2))
    found = run_linear(str(labelled), [RANDOM], replace(SETTINGS, repeats=1, fraction=(0.5,)), baselines=False)
    assert found.scores[0].details["trials"]["converged"] == [False]
    (words,) = unfinished_probes(found)
    assert words.startswith(f"Warning: 1 of 1 linear probe of {RANDOM} at 50 % of the labels did not converge in 1,000 steps.")


def test_probes_that_converge_are_no_warning(result):
    assert list(unfinished_probes(result)) == []


def test_features_that_are_not_finite_are_told(asked):
    features, task = asked
    broken = features.clone()
    broken[3, 3] = float("inf")
    with pytest.raises(InputError, match="Features of 1 of 600 training items are not finite"):
        next(Probing((1.0,), 1, 0).answer(broken, task))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fraction": (0.0,)}, r"--fraction is \[0\.0\]; expected shares of the labels above 0 and at most 1"),
        ({"fraction": ()}, r"--fraction is \[\]; expected shares"),
        ({"repeats": 0}, "--repeats is 0; expected 1 or more"),
    ],
)
def test_settings_out_of_range_are_told(change, words):
    with pytest.raises(InputError, match=words):
        replace(SETTINGS, **change)


def test_nothing_to_score_is_told(labelled):
    with pytest.raises(InputError, match=r"There is nothing to score\. Give --weights, or leave --no-baselines out"):
        run_linear(str(labelled), [], SETTINGS, baselines=False)


@pytest.fixture(scope="module")
def labels_asked(asked):
    """The same items, each with any of four labels that its features tell in part."""
    features, task = asked
    rng = np.random.default_rng(9)
    hints = features.double().numpy() @ rng.normal(size=(10, 4)) / 30
    several = hints - hints.mean(axis=0) + rng.normal(size=hints.shape) > (0.0, 0.5, 1.0, 1.5)
    several[:, 0] |= ~several.any(axis=1)
    parts = (replace(part, labels=several[rows]) for part, rows in zip((task.train, task.test, task.tuning), ROWS, strict=True))
    train, test, tuning = parts
    return features, Task(tuple("abcd"), train, test, 0, "0" * 64, tuning)


def test_probes_of_several_labels_equal_one_against_the_rest_of_scikit_learn(labels_asked):
    features, task = labels_asked
    (answers,) = Probing((1.0,), 1, 0).answer(features, task)
    train = features[:600].double().numpy()
    scaled = (features.double().numpy() - train.mean(0)) / train.std(0)

    def fit(c):
        return OneVsRestClassifier(LogisticRegression(C=c, tol=1e-7, max_iter=5000)).fit(scaled[:600], task.train.labels)

    fits = {c: fit(c) for c in C_VALUES}

    def worth(c):
        return average_precision_score(task.tuning.labels, fits[c].decision_function(scaled[900:]), average="micro")

    c = max(C_VALUES, key=worth)
    assert answers.details["trials"]["c"] == [c]
    np.testing.assert_allclose(answers.scores[0], fits[c].decision_function(scaled[600:900]), atol=2e-3)
    score = score_answers("probe", answers, task, features=10, bands=("B04",), seed=0)
    expected = average_precision_score(task.test.labels, fits[c].decision_function(scaled[600:900]), average="micro")
    assert score.value == pytest.approx(expected, abs=1e-4) == answers.details["trials"]["value"][0]
    f1 = f1_score(task.test.labels, fits[c].predict(scaled[600:900]), average="micro")
    assert score.details["micro_f1"] == pytest.approx(f1, abs=2e-3)
    assert task.chance + 0.1 < score.value < 0.99


def test_shares_of_several_labels_are_drawn_by_item(labels_asked):
    features, task = labels_asked
    (answers,) = Probing((0.1,), 3, 0).answer(features, task)
    assert answers.scores.shape == (3, 300, 4)
    assert answers.details["trials"]["train_items"] == [60] * 3
    assert len(set(answers.details["trials"]["items_hash"])) == 3


@pytest.mark.parametrize("solver", ["seco", "dino"])
def test_released_codes_choose_nothing_and_are_drawn_again_for_each_repeat(asked, solver, monkeypatch):
    monkeypatch.setitem(DESCENTS, solver, replace(DESCENTS[solver], epochs=5))
    features, task = asked
    method = Probing((1.0,), 2, 7, choose_solver(solver))
    assert not method.tunes
    assert method.describe(task)["solver"] == solver
    scaled = (features - features.mean(0)) / features.std(0)
    (answers,) = method.answer(scaled[:900], replace(task, tuning=None))
    (again,) = method.answer(scaled[:900], replace(task, tuning=None))
    trials = answers.details["trials"]
    assert trials == again.details["trials"]
    np.testing.assert_array_equal(answers.found, again.found)
    assert (trials["seed"], trials["train_items"]) == ([7, 8], [600, 600])
    assert (answers.found[0] != answers.found[1]).any()
    assert min(trials["value"]) > 0.3


def test_an_unknown_solver_is_told():
    with pytest.raises(InputError, match=r"no solver 'sec0'\. Choose from lbfgs, seco, dino\. Did you mean 'seco'\?"):
        choose_solver("sec0")
