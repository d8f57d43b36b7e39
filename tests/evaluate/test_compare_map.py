"""Maps of right and wrong answers: what lies where, and what is pooled."""

from dataclasses import replace

import numpy as np
import pytest

from evaluate.compare import rank_results
from evaluate.compare_answers import Answered
from evaluate.compare_ground import Frame, frame_of
from evaluate.compare_map import map_figures
from evaluate.item_table import ItemTable
from tests.evaluate.pages import Page, share
from tests.evaluate.test_compare import MOCO, RESULT, SECO

PLACES = np.array([[1.0, 43.0], [1.0, 43.0], [2.0, 44.0], [3.0, 45.0]])
TABLE = ItemTable(
    ids=np.array(["a", "b", "c", "d"]),
    locations=np.array(["one", "one", "two", "three"]),
    truth=np.array([0, 1, 1, 0]),
    lonlat=PLACES,
    found=(np.array([[0, 0, 1, 1], [0, 0, 1, 0]]), np.array([[0, 1, 1, 0]])),
)


def figures(table, *scores):
    result = replace(RESULT, scores=scores, items=table)
    (ranking,) = rank_results([("a", result)])
    return [Page(part) for part in map_figures(ranking)]


def test_answers_to_an_item_are_right_by_the_share_of_repeats_or_labels():
    assert Answered(TABLE, 0).right().tolist() == [1, 0, 1, 0.5]
    several = replace(TABLE, truth=np.array([[True, False]] * 4), found=(np.full((1, 4, 2), 0.4, np.float32),))
    assert Answered(several, 0).right().tolist() == [0.5] * 4
    assert Answered(several, 0, threshold=0.3).right().tolist() == [0.5] * 4
    assert Answered(replace(several, truth=np.ones((4, 2), bool)), 0, threshold=0.3).right().tolist() == [1] * 4


def test_a_dot_is_where_its_location_is_and_as_right_as_its_items():
    heading, *maps = figures(TABLE, MOCO, SECO)
    assert heading.texts("h3") == ["Where answers are right"]
    assert [page.texts("summary") for page in maps] == [["Map of runs/seco <2>"], ["Map of runs/moco"]]
    page = maps[1]
    assert page.open == []
    dots = page.shapes("place")
    assert [dot["style"] for dot in dots] == ["--right: 0.500", "--right: 1.000", "--right: 0.500"]
    assert page.texts("title") == ["1 location: 50.0% right", "1 location: 100.0% right", "1 location: 50.0% right"]
    ticks = {"".join(text): attrs for name, attrs, text, _ in page.elements if name == "text"}
    assert share(dots[1]["cx"]) == share(ticks["2.0°E"]["x"]) == 0.5
    assert share(dots[1]["cy"]) == share(ticks["44.0°N"]["y"]) == 0.5
    assert share(dots[0]["cx"]) > 0.5 > share(dots[0]["cy"])


def test_a_dot_of_pixels_is_the_share_of_them_that_is_right():
    counts = np.array([[[6, 2], [0, 2]], [[2, 0], [2, 0]], [[0, 4], [0, 4]], [[9, 0], [0, 1]]])
    half = np.array([[[8, 0], [0, 2]], [[2, 0], [2, 0]], [[0, 4], [0, 4]], [[9, 0], [1, 0]]])
    table = replace(TABLE, truth=counts.sum(axis=2), found=(np.stack([counts, half]),))
    assert Answered(table, 0).right().tolist() == pytest.approx([0.9, 0.5, 0.5, 0.95])
    page = figures(table, MOCO)[1]
    assert [dot["style"] for dot in page.shapes("place")] == ["--right: 0.950", "--right: 0.500", "--right: 0.700"]
    assert page.texts("p")[0].startswith("Right pixels: 0%")


def test_the_best_map_is_open_and_the_others_are_folded_up():
    _, best, other = figures(TABLE, MOCO, SECO)
    opened = [("open" in attrs) for page in (best, other) for name, attrs, _, _ in page.elements if name == "details"]
    assert opened == [True, False]


def test_ground_that_nobody_knows_is_counted_or_leaves_no_map():
    some = replace(TABLE, lonlat=np.where([[True], [False], [True], [True]], PLACES, np.nan))
    assert "of 1 item nobody knows the ground" in figures(some, MOCO)[1].texts("p")[0]
    assert figures(replace(TABLE, lonlat=np.full((4, 2), np.nan)), MOCO) == []
    assert figures(None, MOCO) == []


def test_the_scale_is_as_long_as_it_says():
    page = figures(TABLE, MOCO)[1]
    (bar,) = page.shapes("scale")
    (words,) = [text for text in page.texts("text") if text.endswith("km")]
    width_km = frame_of(PLACES).width_km
    assert (share(bar["x2"]) - share(bar["x1"])) * width_km == pytest.approx(float(words.split()[0]), rel=1e-3)
    assert Frame(0, 59.5, 1, 1).width_km == pytest.approx(55.66, rel=1e-3)


def test_a_dot_of_several_locations_is_larger_and_that_is_said():
    together = replace(TABLE, lonlat=np.array([[1.0, 43.0], [1.0, 43.0], [1.001, 43.0], [3.0, 45.0]]))
    page = figures(together, MOCO)[1]
    assert page.texts("title") == ["1 location: 50.0% right", "2 locations: 66.7% right"]
    small, large = (float(dot["r"]) for dot in page.shapes("place"))
    assert small < large < 1.5 * small
    assert page.texts("p")[0].endswith("100%; large dots are several locations")
    assert page.texts("p")[0] != figures(TABLE, MOCO)[1].texts("p")[0]
