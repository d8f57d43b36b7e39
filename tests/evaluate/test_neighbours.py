"""Which neighbours are shown: the nearest of a plain loop, of items half of which were wrongly answered."""

import numpy as np
import pytest
import torch

from evaluate.neighbours import draw_halves, find_nearest, label_words, neighbour_details
from evaluate.result import read_result
from evaluate.task import Part, Task
from tests.evaluate.test_compare import run

CLASSES = ("forest", "heath", "water")


def part(split, labels, *, start=0):
    names = np.array([f"{split}-{number}" for number in range(len(labels))])
    return Part(split, np.arange(start, start + len(labels)), labels, names, names)


@pytest.fixture
def task():
    rng = np.random.default_rng(1)
    return Task(CLASSES, part("train", rng.integers(0, 3, 30)), part("test", rng.integers(0, 3, 20), start=30), 0, "h")


FEATURES = torch.from_numpy(np.random.default_rng(2).normal(size=(50, 7)))


def test_neighbours_are_those_of_a_plain_loop(task):
    answers = np.zeros(20, np.int64)
    found = find_nearest(FEATURES, task, answers, count=20, seed=0)
    assert len(found) == 20
    lengths = np.linalg.norm(FEATURES, axis=1)
    for item in found:
        row = int(item["id"].removeprefix("test-"))
        one = FEATURES[30 + row].numpy()
        cosines = [float(one @ FEATURES[other].numpy() / lengths[30 + row] / lengths[other]) for other in range(30)]
        order = np.argsort(cosines)[::-1][:5]
        assert [each["id"] for each in item["nearest"]] == [f"train-{other}" for other in order]
        assert [each["cosine"] for each in item["nearest"]] == pytest.approx([cosines[other] for other in order], abs=1e-4)
        assert [each["label"] for each in item["nearest"]] == [CLASSES[task.train.labels[other]] for other in order]
        assert (item["label"], item["answer"]) == (CLASSES[task.test.labels[row]], "forest")
        assert item["right"] == (task.test.labels[row] == 0)


def test_the_same_seed_shows_the_same_items(task):
    answers = np.zeros(20, np.int64)
    shown = [[item["id"] for item in find_nearest(FEATURES, task, answers, count=6, seed=seed)] for seed in (3, 3, 4)]
    assert shown[0] == shown[1] != shown[2]


@pytest.mark.parametrize(
    ("wrong", "count", "expected"),
    [(5, 4, (2, 2)), (1, 4, (1, 3)), (0, 4, (0, 4)), (10, 4, (4, 0)), (9, 4, (3, 1)), (5, 99, (5, 5))],
)
def test_half_of_them_are_wrong_where_there_are_so_many(wrong, count, expected):
    is_right = np.arange(10) >= wrong
    places = draw_halves(is_right, count, seed=0)
    assert len(set(places.tolist())) == len(places)
    assert ((~is_right[places]).sum(), is_right[places].sum()) == expected
    assert is_right[places].tolist() == sorted(is_right[places].tolist())


def test_fewer_training_items_than_are_shown_are_all_shown():
    few = Task(CLASSES, part("train", np.array([0, 1])), part("test", np.array([0, 1]), start=2), 0, "h")
    found = find_nearest(FEATURES[:4], few, np.array([0, 1]), count=8, seed=0)
    assert [len(item["nearest"]) for item in found] == [2, 2]


def test_several_labels_are_all_named_and_all_have_to_be_right():
    train, test = np.array([[True, False, True]] * 6), np.array([[True, True, False], [False, False, False]])
    task = Task(CLASSES, part("train", train), part("test", test, start=6), 0, "h")
    votes = torch.tensor([[0.9, 0.5, 0.4], [0.1, 0.2, 0.6]])
    details = neighbour_details(FEATURES[:8], task, votes, count=2, seed=0)
    shown = [(item["label"], item["answer"], item["right"]) for item in details["neighbours"]["items"]]
    assert shown == [("none", "water", False), ("forest, heath", "forest, heath", True)]
    assert details["neighbours"]["items"][0]["nearest"][0]["label"] == "forest, water"


def test_nothing_is_kept_where_nothing_is_asked_for(task):
    assert neighbour_details(FEATURES, task, torch.zeros(20, 3), count=0, seed=0) == {}


def test_labels_are_named():
    assert label_words(np.int64(2), CLASSES) == "water"
    assert label_words([False, True, True], CLASSES) == "heath, water"


def test_the_command_keeps_pictures_beside_what_it_writes(labelled, tmp_path, capsys):
    words = ["knn", "--catalog", labelled, "--weights", "random:resnet10t", "--k", "3", "--size-px", "32"]
    words += ["--bands", "B04,B03,B02", "--device", "cpu", "--workers", "0", "--quiet"]
    assert run(*words, "--pictures", "3", "--out", tmp_path / "a.json") == 0
    scores = read_result(tmp_path / "a.json").scores
    kept = scores[-1].details["neighbours"]
    assert len(kept["items"]) == 3
    shown = {each["id"] for item in kept["items"] for each in (item, *item["nearest"])}
    assert set(kept["pictures"]) == shown
    assert kept["bands"] == ["B04", "B03", "B02"]
    assert run("compare", tmp_path / "a.json", "--html", tmp_path / "a.html") == 0
    assert (tmp_path / "a.html").read_text().count('<img src="data:image/jpeg;base64,') == 3 * 6 * len(scores)
    capsys.readouterr()
    assert run(*words, "--json") == 0
    assert "neighbours" not in capsys.readouterr().out
    assert run(*words, "--pictures", "-1", "--out", tmp_path / "c.json") == 2
    assert "-1 pictures were asked for" in capsys.readouterr().err
