"""The page of a comparison, as a parser reads it: its numbers are those of the results, and it needs nothing else."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from evaluate.compare import rank_results
from evaluate.compare_page import input_words, make_page, write_page
from evaluate.errors import ResultError
from tests.evaluate.test_compare import INPUT, MOCO, OTHER, RESULT, SECO, STATISTICS

EMPTY = {"meta"}
"""Elements of HTML without an end; those of SVG close themselves."""


class Page(HTMLParser):
    """Elements in their order, with the text that stands in each and the elements around it."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), [], [each[0] for each in self.open]))
        if tag not in EMPTY:
            self.open.append(self.elements[-1])

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), [], [each[0] for each in self.open]))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open:
            self.open[-1][2].append(data)

    def texts(self, tag):
        return ["".join(text) for name, _, text, _ in self.elements if name == tag]

    def shapes(self, kind):
        return [attrs for _, attrs, _, _ in self.elements if attrs.get("class") == kind]

    def share(self, x):
        """The share that a place on the axis stands for, read from the ticks of 0 and 100 %."""
        ticks = {"".join(text): float(attrs["x"]) for name, attrs, text, _ in self.elements if name == "text"}
        return (float(x) - ticks["0%"]) / (ticks["100%"] - ticks["0%"])


TEXT = make_page(rank_results([("a.json", RESULT), ("b.json", OTHER)]))


@pytest.fixture(scope="module")
def page():
    return Page(TEXT)


def test_every_element_is_closed(page):
    assert page.open == []
    assert TEXT.startswith("<!doctype html>\n")


def test_the_page_needs_nothing_else():
    parsed = {name for name, attrs, _, _ in Page(TEXT).elements for _ in attrs or [0]}
    assert not parsed & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"https?:|src=|href=|url\(|@import|@font-face| on\w+=", TEXT)


def test_the_page_is_read_by_light_and_in_the_dark():
    assert "color-scheme: light dark" in TEXT
    light, dark = (set(re.findall(r"(--\w+): #", part)) for part in TEXT.split("@media (prefers-color-scheme: dark)"))
    assert light == dark
    assert set(re.findall(r"var\((--\w+)\)", TEXT)) == {*light, "--share"}


def test_the_table_has_the_numbers_of_the_results(page):
    cells = page.texts("td")
    assert [cells[row : row + 8] for row in range(0, len(cells), 8)] == [
        ["runs/seco <2>", "90.0%", "80.0% - 95.0%", "2,048", "B04, B03", "64 px, reflectance 0 to 0.3", "b" * 12, "b.json"],
        ["runs/moco", "87.5%", "75.0% - 93.8%", "512", "B04, B03", "64 px, reflectance 0 to 0.3", "a" * 12, "a.json"],
        ["band statistics", "61.5%", "-", "2", "B04", "reflectance", "-", "a.json, b.json"],
    ]


def test_marks_stand_where_their_values_are(page):
    assert [page.share(mark["cx"]) for mark in page.shapes("value")] == pytest.approx([0.9, 0.875, 0.615], abs=1e-4)
    bars = [(page.share(bar["x1"]), page.share(bar["x2"])) for bar in page.shapes("interval")]
    assert bars == [pytest.approx(each.interval, abs=1e-4) for each in (SECO, MOCO)]
    (chance,) = page.shapes("chance")
    assert page.share(chance["x1"]) == page.share(chance["x2"]) == pytest.approx(0.5, abs=1e-4)


def test_bars_and_marks_of_one_score_are_on_one_line_below_the_axis(page):
    heights = [float(mark["cy"]) for mark in page.shapes("value")]
    assert heights == sorted(set(heights))
    assert [float(bar["y1"]) for bar in page.shapes("interval")] == heights[:2]
    (chart,) = [attrs for name, attrs, _, _ in page.elements if name == "svg"]
    assert heights[-1] < float(chart["viewbox"].split()[3])


def test_what_was_asked_is_written(page):
    told = dict(zip(page.texts("dt"), page.texts("dd"), strict=True))
    assert told == {
        "Protocol": "knn: k 20, temperature 0.07, season all, interval.level 0.95",
        "Catalog": "demo, sentinel-2-l2a, index cccccccccccc",
        "Split": "1,200 training items, 300 items of 150 locations tested; hash 555555555555",
        "Classes": "2: forest, water",
        "Chance": "50.0%: always the most common class",
    }


def test_two_questions_are_two_sections_and_the_page_says_so():
    other = replace(OTHER, split_hash="6" * 64, catalog="de<mo>", unused_items=7)
    page = Page(make_page(rank_results([("a", RESULT), ("b", other)])))
    assert page.texts("h2") == ["demo: accuracy, knn", "de<mo>: accuracy, knn"]
    assert page.texts("p") == [
        "These scores answer 2 questions, and are ranked for each by itself: the questions differ in split_hash."
    ]
    assert any("; 7 items not used; hash 666666666666" in words for words in page.texts("dd"))


def test_a_section_says_how_many_labels_taught():
    tenth = replace(MOCO, details={"fraction": 0.1})
    page = Page(make_page(rank_results([("a", replace(RESULT, scores=(tenth,)))])))
    assert page.texts("h2") == ["demo: accuracy, knn, 10 % of the labels"]


def test_a_metric_without_chance_has_no_line_for_it():
    page = Page(make_page(rank_results([("a", replace(RESULT, scores=(replace(MOCO, metric="f1"),)))])))
    assert page.shapes("chance") == []
    assert "Chance" not in page.texts("dt")


def test_a_long_name_is_shortened_in_the_chart_alone():
    name = "weights/" + "x" * 60
    page = Page(make_page(rank_results([("a", replace(RESULT, scores=(replace(MOCO, name=name),)))])))
    assert name in page.texts("td")
    assert "…" + "x" * 33 in page.texts("text")


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


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    write_page(tmp_path / "made" / "page.html", rank_results([("a", replace(RESULT, scores=(STATISTICS,)))]))
    assert (tmp_path / "made" / "page.html").read_text().count("<tr>") == 2
    (tmp_path / "file").touch()
    with pytest.raises(ResultError, match=r"page.html cannot be written: .* Choose another --html"):
        write_page(tmp_path / "file" / "page.html", ())
