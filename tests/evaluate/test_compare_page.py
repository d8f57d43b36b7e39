"""The page of a comparison as a whole: it needs nothing else, and says what is not compared."""

import re
from dataclasses import replace

import pytest

from evaluate.compare import rank_results
from evaluate.compare_page import make_page, write_page
from evaluate.compare_style import STYLE
from evaluate.errors import ResultError
from tests.evaluate.pages import Page
from tests.evaluate.test_compare import MOCO, OTHER, RESULT, STATISTICS

TEXT = make_page(rank_results([("a.json", RESULT), ("b.json", OTHER)]))
SET_BY_ELEMENTS = {"--share", "--hue", "--color", "--right", "--aspect"}
"""Variables of the style sheet that elements set, or rules for themselves."""


def test_every_element_is_closed():
    assert Page(TEXT).open == []
    assert TEXT.startswith("<!doctype html>\n")


def test_the_page_needs_nothing_else():
    parsed = {name for name, _, _, _ in Page(TEXT).elements}
    assert not parsed & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"https?:|src=|href=|url\(|@import|@font-face| on\w+=", TEXT)


def test_the_page_is_read_by_light_and_in_the_dark():
    assert "color-scheme: light dark" in STYLE
    light, dark = (set(re.findall(r"(--\w+): [#\d]", part)) for part in STYLE.split("@media (prefers-color-scheme: dark)"))
    assert light == dark
    assert set(re.findall(r"var\((--\w+)\)", STYLE)) == {*light, *SET_BY_ELEMENTS}


def test_one_question_is_one_section_without_contents():
    page = Page(TEXT)
    assert page.texts("h2") == ["demo: accuracy, knn"]
    assert page.texts("nav") == []


def test_two_questions_are_two_sections_and_the_page_says_so():
    other = replace(OTHER, split_hash="6" * 64, catalog="de<mo>", unused_items=7)
    page = Page(make_page(rank_results([("a", RESULT), ("b", other)])))
    assert page.texts("h2") == ["demo: accuracy, knn", "de<mo>: accuracy, knn"]
    assert [words for _, words in page.classed("apart")] == [
        "These scores answer 2 questions, and are ranked for each by itself: the questions differ in split."
    ]


def test_contents_lead_to_each_question_and_name_its_best():
    page = Page(make_page(rank_results([("a", RESULT), ("b", replace(OTHER, split_hash="6" * 64))])))
    assert page.texts("li") == ["demo: accuracy, knn: 87.5%, runs/moco", "demo: accuracy, knn: 90.0%, runs/seco <2>"]
    places = [attrs["href"] for name, attrs, _, _ in page.elements if name == "a"]
    assert places == [f"#{attrs['id']}" for name, attrs, _, _ in page.elements if name == "section"]


def test_a_section_says_how_many_labels_taught():
    tenth = replace(MOCO, details={"fraction": 0.1})
    page = Page(make_page(rank_results([("a", replace(RESULT, scores=(tenth,)))])))
    assert page.texts("h2") == ["demo: accuracy, knn, 10 % of the labels"]


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    write_page(tmp_path / "made" / "page.html", rank_results([("a", replace(RESULT, scores=(STATISTICS,)))]))
    assert "band statistics" in (tmp_path / "made" / "page.html").read_text()
    (tmp_path / "file").touch()
    with pytest.raises(ResultError, match=r"page.html cannot be written: .* Choose another --html"):
        write_page(tmp_path / "file" / "page.html", ())
