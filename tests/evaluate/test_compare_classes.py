"""What each class is taken for, against scikit-learn, and as a parser reads it."""

from dataclasses import replace

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from evaluate.compare import rank_results
from evaluate.compare_classes import class_scores, class_tables
from tests.evaluate.pages import Page
from tests.evaluate.test_compare import MOCO, RESULT, SECO

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


def tables(*scores):
    """The parts of a page on classes, each by itself."""
    (ranking,) = rank_results([("a", replace(RESULT, scores=scores))])
    return [Page(part) for part in class_tables(ranking)]


def test_the_page_has_the_matrix_and_the_scores_of_each_class():
    *_, page = tables(CONFUSED)
    assert page.open == []
    assert page.texts("summary") == ["What each class is taken for by runs/moco"]
    cells = page.texts("td")
    assert cells[:6] == ["3", "1", "4", "75.0%", "100.0%", "85.7%"]
    assert cells[6:] == ["0", "1,200", "1,200", "100.0%", "99.9%", "100.0%"]
    heads = page.texts("th")
    assert heads == ["is, answered as", "forest", "water", "count", "recall", "precision", "F1", "forest", "water"]


def test_the_shade_is_the_share_of_the_row():
    *_, page = tables(CONFUSED)
    assert [cell["style"] for cell in page.shapes("share")] == [
        "--share:0.750",
        "--share:0.250",
        "--share:0.000",
        "--share:1.000",
    ]


def test_scores_are_side_by_side_class_by_class():
    page = tables(CONFUSED, replace(SECO, confusion=((0, 4), (0, 0))))[1]
    assert page.texts("th") == ["class", "runs/seco <2>", "runs/moco", "forest", "water"]
    assert page.texts("td") == ["0.0%", "85.7%", "0.0%", "100.0%"]
    assert [cell["style"] for cell in page.shapes("share")][:2] == ["--share:0.000", "--share:0.857"]


def test_a_score_without_a_matrix_has_no_table():
    assert list(class_tables(rank_results([("a", RESULT)])[0])) == []


def test_several_labels_and_pixels_have_their_own_figures():
    labels = replace(MOCO, details={"average_precision": {"forest": 0.5, "water": None}})
    heading, page = tables(labels)
    assert heading.texts("h3") == ["Average precision of each class"]
    assert page.texts("td") == ["50.0%", "-"]
    pixels = replace(CONFUSED, details={"iou": {"forest": 0.25, "water": 0.75}})
    heading, page, matrix = tables(pixels)
    assert heading.texts("h3") == ["IoU of each class"]
    assert page.texts("td") == ["25.0%", "75.0%"]
    assert matrix.texts("summary") == ["What each class is taken for by runs/moco"]
