"""What answers are worth, against scikit-learn on the same arrays."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from evaluate.answers import Answers, make_result, score_answers
from evaluate.bench import open_bench
from evaluate.confidence import bootstrap_mean
from evaluate.errors import InputError
from evaluate.settings import Settings
from evaluate.task import Part, Task
from train.config import InputSpec, to_json

RNG = np.random.default_rng(8)
COUNT = 60
CLASSES = ("field", "forest", "town", "water")
PLACES = np.array([f"place-{number // 4}" for number in range(COUNT)])
IDS = np.array([f"item-{number:02}" for number in range(COUNT)])
LABELS = RNG.random((COUNT, len(CLASSES))) < (0.7, 0.4, 0.2, 0.1)
LABELS[:, 0] |= ~LABELS.any(axis=1)
SPEC = InputSpec("sentinel-2-l2a", ("B04",), low=(0.0,), high=(0.4,), mean=(0.4,), std=(0.2,), size_px=32)


def make_task(labels, classes=CLASSES):
    part = Part("test", np.arange(len(labels)), labels, PLACES, IDS)
    return Task(classes, replace(part, split="train"), part, 0, "5" * 64)


SINGLE = make_task(RNG.integers(4, size=COUNT))
SEVERAL = make_task(LABELS)
FOUND = np.where(RNG.random((3, COUNT)) < 0.6, SINGLE.test.labels, RNG.integers(4, size=(3, COUNT)))
SCORES = (LABELS + RNG.normal(size=(2, COUNT, len(CLASSES)))).astype(np.float32)


def score(answers, task, **named):
    return score_answers("tested", answers, task, features=7, bands=("B04",), seed=1, **named)


def test_classes_are_worth_their_accuracy_with_an_interval_over_locations():
    found = score(Answers(FOUND, {"fraction": 0.1}), SINGLE, identity="a" * 64, spec=SPEC)
    right = SINGLE.test.labels == FOUND
    assert (found.metric, found.value) == ("accuracy", pytest.approx(right.mean()))
    assert found.interval == pytest.approx(bootstrap_mean(right.mean(axis=0), PLACES, seed=1))
    assert np.trace(np.asarray(found.confusion)) == right.sum()
    assert np.asarray(found.confusion).sum() == right.size
    assert (found.features, found.identity, found.input, found.details) == (7, "a" * 64, to_json(SPEC), {"fraction": 0.1})


def test_several_labels_are_worth_what_scikit_learn_says():
    found = score(Answers(None, {}, scores=SCORES, threshold=0.5), SEVERAL)
    assert (found.metric, found.confusion) == ("micro average precision", None)

    def mean(figure):
        return pytest.approx(np.mean([figure(each) for each in SCORES]))

    assert found.value == mean(lambda each: average_precision_score(LABELS, each, average="micro"))
    details = found.details
    assert details["macro_average_precision"] == mean(lambda each: average_precision_score(LABELS, each, average="macro"))
    assert details["micro_f1"] == mean(lambda each: f1_score(LABELS, each >= 0.5, average="micro"))
    assert details["macro_f1"] == mean(lambda each: f1_score(LABELS, each >= 0.5, average="macro"))
    for number, name in enumerate(CLASSES):
        expected = mean(lambda each, number=number: average_precision_score(LABELS[:, number], each[:, number]))
        assert details["average_precision"][name] == expected
    assert found.interval[0] < found.value < found.interval[1]


def test_average_precision_is_of_the_whole_set_and_not_a_mean_over_batches():
    found = score(Answers(None, {}, scores=SCORES[:1]), SEVERAL)
    batches = np.split(np.arange(COUNT), 6)
    released = np.mean([average_precision_score(LABELS[rows], SCORES[0, rows], average="micro") for rows in batches])
    assert abs(found.value - released) > 0.005


def test_a_label_that_no_tested_item_has_has_no_average_precision_and_no_part_in_the_mean():
    task = make_task(LABELS & np.array([True, True, True, False]))
    found = score(Answers(None, {}, scores=SCORES[:1]), task)
    assert found.details["average_precision"]["water"] is None
    others = average_precision_score(LABELS[:, :3], SCORES[0, :, :3], average="macro")
    assert found.details["macro_average_precision"] == pytest.approx(others)


def test_chance_of_several_labels_is_to_know_how_common_each_is():
    common = np.broadcast_to(LABELS.mean(axis=0), LABELS.shape)
    assert SEVERAL.chance == pytest.approx(average_precision_score(LABELS, common, average="micro"))
    assert SEVERAL.chance > LABELS.mean()
    noise = np.mean([average_precision_score(LABELS, RNG.random(LABELS.shape), average="micro") for _ in range(20)])
    assert SEVERAL.chance > noise


def test_an_interval_of_several_trainings_covers_their_seeds_too():
    apart = np.stack([np.where(np.arange(COUNT) % 10 < share, SINGLE.test.labels, 9) for share in (2, 5, 8)]) % 4
    alone, together = (score(Answers(apart, {}, members=members), SINGLE) for members in (1, 3))
    assert alone.value == together.value
    assert np.diff(together.interval) > 2 * np.diff(alone.interval)
    values = (apart == SINGLE.test.labels).mean(axis=1)
    assert together.details["seeds"]["values"] == pytest.approx(values)
    assert together.details["seeds"]["spread"] == pytest.approx(values.std(ddof=1))
    assert "seeds" not in alone.details


def test_alike_trainings_have_the_interval_of_one():
    one = score(Answers(FOUND[:1], {}), SINGLE)
    three = score(Answers(np.repeat(FOUND[:1], 3, axis=0), {}, members=3), SINGLE)
    assert three.details["seeds"]["spread"] == 0
    assert three.interval == pytest.approx(one.interval, abs=0.03)


@pytest.mark.parametrize(
    ("answers", "task", "words"),
    [
        (Answers(FOUND[:, :9], {}), SINGLE, r"shape \(3, 9\); expected classes \(repeats, items\), \('any', 60\)"),
        (Answers(FOUND, {}), SEVERAL, r"expected scores of labels \(repeats, items, classes\), \('any', 60, 4\)"),
        (Answers(None, {}, scores=SCORES * np.nan), SEVERAL, "240 of 240 scores are not numbers"),
    ],
)
def test_answers_that_are_none_are_told(answers, task, words):
    with pytest.raises(InputError, match=words):
        score(answers, task)


def test_a_result_has_the_answers_to_each_item_and_where_it_is(labelled):
    settings = Settings(bands=("B04",))
    bench = open_bench(str(labelled), settings)
    answers = Answers(np.stack([bench.task.test.labels, 0 * bench.task.test.labels]), {})
    scores = [score_answers(name, answers, bench.task, features=1, bands=("B04",), seed=0) for name in "ab"]
    result = make_result(bench, settings, {"name": "made up"}, scores)
    assert result.protocol["name"] == "made up"
    assert [each.found for each in result.scores] == [None, None]
    items = result.items
    assert len(items.found) == 2
    np.testing.assert_array_equal(items.found[0], answers.found)
    np.testing.assert_array_equal(items.truth, bench.task.test.labels)
    table = bench.items.table.to_pylist()
    for row, name, place, (lon, lat) in zip(bench.task.test.items, items.ids, items.locations, items.lonlat, strict=True):
        assert (table[row]["id"], table[row]["location"]) == (name, place)
        box = table[row]["bbox"]
        assert box["xmin"] < lon < box["xmax"]
        assert box["ymin"] < lat < box["ymax"]
    assert "found" not in result.to_json()["scores"][0]
    assert "items" not in result.to_json()
