"""The table of scores: its numbers are those of the results, and its marks stand where they say."""

from dataclasses import replace

import numpy as np
import pytest

from evaluate.compare import UNPAIRED, rank_results
from evaluate.compare_differences import tell_apart
from evaluate.compare_table import is_untrained, score_table
from tests.evaluate.pages import Page, share
from tests.evaluate.test_compare import MOCO, OTHER, RESULT, SECO, STATISTICS
from tests.evaluate.test_compare_differences import table as items

CHANCE = "Chance: to know how common classes are, and nothing of any item."


def table_of(*results):
    (ranking,) = tell_apart(rank_results([(str(place), result) for place, result in enumerate(results)]))
    return Page(score_table(ranking))


@pytest.fixture(scope="module")
def page():
    return table_of(RESULT, OTHER)


def test_the_table_has_the_numbers_of_the_results(page):
    assert page.open == []
    assert [name for _, name in page.classed("name")] == ["weights", "runs/seco <2>", "runs/moco", "band statistics", "chance"]
    assert [words for _, words in page.classed("score")] == ["90.0%", "87.5%", "61.5%", "50.0%"]
    assert [words for _, words in page.classed("features")] == ["2,048", "512", "2"]
    assert [words for attrs, words in page.classed("faint") if attrs["class"] == "number faint"] == [
        "80.0 - 95.0%",
        "75.0 - 93.8%",
        "-",
    ]


def test_marks_stand_where_their_values_are(page):
    assert [share(mark["cx"]) for mark in page.shapes("value")] == pytest.approx([0.9, 0.875, 0.615], abs=1e-4)
    bars = [(share(bar["x1"]), share(bar["x2"])) for bar in page.shapes("interval")]
    assert bars == [pytest.approx(each.interval, abs=1e-4) for each in (SECO, MOCO)]
    assert {(share(line["x1"]), share(line["x2"])) for line in page.shapes("chance")} == {(0.5, 0.5)}
    assert len(page.shapes("chance")) == 4
    ticks = {"".join(text): share(attrs["x"]) for name, attrs, text, _ in page.elements if name == "text"}
    assert ticks == {"0%": 0, "25%": 0.25, "50%": 0.5, "75%": 0.75, "100%": 1}


def test_what_is_drawn_is_said_too(page):
    said = [attrs["aria-label"] for name, attrs, _, _ in page.elements if name == "svg" and "aria-label" in attrs]
    assert said == page.texts("title")
    assert said[0] == "runs/seco <2>: 90.0%, 80.0 - 95.0%"
    assert said[2] == "band statistics: 61.5%"


def test_what_needs_no_training_has_hollow_marks_and_that_is_said(page):
    rows = [(attrs.get("class"), "".join(text)) for name, attrs, text, _ in page.elements if name == "tr"]
    assert [kind for kind, _ in rows] == [None, None, None, "untrained", None]
    assert [is_untrained(score) for score in (SECO, STATISTICS, replace(MOCO, name="random:resnet18"))] == [False, True, True]
    assert page.texts("p") == [f"{CHANCE} Hollow marks: nothing was trained. {UNPAIRED}"]
    assert table_of(replace(RESULT, scores=(MOCO,))).texts("p") == [
        "Chance: to know how common classes are, and nothing of any item."
    ]


def test_differences_to_the_best_are_grey_where_they_are_in_doubt():
    table = items(6)
    truth = table.truth[None]
    unsure = np.where(np.arange(40) == 3, 1 - truth, truth)
    found = (table.found[0], truth, unsure)
    page = table_of(replace(RESULT, scores=(STATISTICS, SECO, MOCO), items=replace(table, found=found)))
    kinds, words = zip(*((attrs["class"], text) for attrs, text in page.classed("difference")), strict=True)
    assert kinds == ("number difference faint", "number difference faint", "number difference")
    assert words[0] == "best"
    assert words[1].startswith("-2.5 (-7.5 to ")
    assert words[2].startswith("-15.0 (-27")
    assert page.texts("p")[0].endswith("those whose interval holds 0 are grey, and cannot be told from it.")
