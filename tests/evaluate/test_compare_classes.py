"""What each class is taken for, against scikit-learn, and as a parser reads it."""

from dataclasses import replace

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from evaluate.compare import rank_results
from evaluate.compare_classes import class_scores, class_tables
from evaluate.compare_page import make_page
from tests.evaluate.test_compare import MOCO, RESULT
from tests.evaluate.test_compare_page import Page

CONFUSED = replace(MOCO, confusion=((3, 1), (0, 1200)))


def test_scores_of_classes_are_those_of_scikit_learn():
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 5, 400)
    answers = np.where(rng.random(400) < 0.6, truth, rng.integers(0, 5, 400))
    precision, recall, f1, _ = precision_recall_fscore_support(truth, answers)
    np.testing.assert_allclose(class_scores(confusion_matrix(truth, answers)), np.stack([recall, precision, f1], axis=-1))


def test_nothing_is_said_of_what_was_not_seen():
    found = class_scores(np.array([[0, 0, 0], [2, 3, 0], [0, 0, 0]]))
    np.testing.assert_array_equal(found, [[np.nan, 0, 0], [0.6, 1, 0.75], [np.nan, np.nan, np.nan]])


def test_the_page_has_the_matrix_and_the_scores_of_each_class():
    page = Page(make_page(rank_results([("a", replace(RESULT, scores=(CONFUSED,)))])))
    assert page.open == []
    assert page.texts("summary") == ["Classes of runs/moco"]
    cells = page.texts("td")[8:]
    assert cells[:6] == ["3", "1", "4", "75.0%", "100.0%", "85.7%"]
    assert cells[6:] == ["0", "1,200", "1,200", "100.0%", "99.9%", "100.0%"]
    heads = page.texts("th")[8:]
    assert heads == ["is, answered as", "forest", "water", "items", "recall", "precision", "F1", "forest", "water"]


def test_the_shade_is_the_share_of_the_row():
    page = Page(make_page(rank_results([("a", replace(RESULT, scores=(CONFUSED,)))])))
    assert [cell["style"] for cell in page.shapes("share")] == [
        "--share:0.750",
        "--share:0.250",
        "--share:0.000",
        "--share:1.000",
    ]


def test_a_score_without_a_matrix_has_no_table():
    assert list(class_tables(rank_results([("a", RESULT)])[0])) == []
