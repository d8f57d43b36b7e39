"""What was asked and read, as a page says it."""

from dataclasses import replace

import pytest

from evaluate.compare import rank_results
from evaluate.compare_asked import input_words, inputs, question, size_words, title_words
from tests.evaluate.pages import Page
from tests.evaluate.test_compare import INPUT, MOCO, OTHER, RESULT

(RANKING,) = rank_results([("a.json", RESULT), ("b.json", OTHER)])


def test_what_was_asked_is_written():
    page = Page(question(RANKING))
    assert page.open == []
    assert dict(zip(page.texts("dt"), page.texts("dd"), strict=True)) == {
        "Protocol": "knn: k 20, temperature 0.07, season all, interval.level 0.95",
        "Catalog": "demo, sentinel-2-l2a, index cccccccccccc",
        "Split": "hash 555555555555",
        "Classes": "2: forest, water",
    }
    assert title_words(RANKING) == "demo: accuracy, knn"
    assert size_words(RANKING) == "2 classes, 1,200 training items, 300 items of 150 locations tested."


def test_items_that_were_not_used_are_counted():
    (ranking,) = rank_results([("a", replace(RESULT, unused_items=7))])
    assert "hash 555555555555; 7 items not used" in Page(question(ranking)).texts("dd")


def test_what_the_weights_read_is_written():
    page = Page(inputs(RANKING))
    assert page.open == []
    cells = page.texts("td")
    assert [cells[row : row + 5] for row in range(0, len(cells), 5)] == [
        ["runs/seco <2>", "B04, B03", "64 px, reflectance 0 to 0.3", "b" * 12, "b.json"],
        ["runs/moco", "B04, B03", "64 px, reflectance 0 to 0.3", "a" * 12, "a.json"],
        ["band statistics", "B04", "reflectance", "-", "a.json, b.json"],
    ]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (None, "reflectance"),
        (INPUT, "64 px, reflectance 0 to 0.3"),
        ({**INPUT, "high": [0.3, 0.4]}, "64 px, reflectance of B04 0 to 0.3, B03 0 to 0.4"),
        ({"sensor": "x"}, "size not said, scaling not said"),
    ],
)
def test_what_was_done_to_pixels_is_said_in_words(spec, told):
    assert input_words(spec) == told


def test_a_share_of_the_labels_is_in_the_title():
    (ranking,) = rank_results([("a", replace(RESULT, scores=(replace(MOCO, details={"fraction": 0.01}),)))])
    assert title_words(ranking) == "demo: accuracy, knn, 1 % of the labels"


def test_a_control_is_named_in_the_title():
    (ranking,) = rank_results([("a", replace(RESULT, protocol={"name": "knn", "shuffled_labels": True}))])
    assert title_words(ranking) == "demo: accuracy, knn, labels shuffled"
