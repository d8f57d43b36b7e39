"""Neighbours on a page: which picture stands beside which words, and that nothing is fetched."""

from dataclasses import replace

from evaluate.compare import rank_results, to_json
from evaluate.compare_pictures import IN_PLACE, picture_rows
from tests.evaluate.pages import Page
from tests.evaluate.test_compare import MOCO, RESULT, SECO

PICTURES = {name: f"{IN_PLACE}{name}" for name in ("one", "two", "three")}
SHOWN = {
    "bands": ["B04", "B03", "B02"],
    "items": [
        {
            "id": "one", "label": "forest", "answer": "wa<ter", "right": False,
            "nearest": [{"id": "two", "label": "wa<ter", "cosine": 0.98765}, {"id": "three", "label": "forest", "cosine": 0.9}],
        },
        {"id": "three", "label": "forest", "answer": "forest", "right": True, "nearest": []},
    ],
    "pictures": PICTURES,
}  # fmt: skip


def parts(*scores):
    (ranking,) = rank_results([("a", replace(RESULT, scores=scores))])
    return [Page(part) for part in picture_rows(ranking)]


def test_each_item_stands_before_its_neighbours_with_what_they_are():
    heading, note, page = parts(replace(MOCO, details={"neighbours": SHOWN}))
    assert heading.texts("h3") == ["What is taken for alike"]
    assert "half of them wrongly answered" in note.texts("p")[0]
    assert page.open == []
    assert page.texts("summary") == ["Neighbours of runs/moco, bands B04, B03, B02"]
    assert page.texts("figcaption") == ["foresttaken for wa<ter", "wa<ter0.988", "forest0.900", "forestright"]
    images = [(attrs["src"], attrs["alt"]) for name, attrs, _, _ in page.elements if name == "img"]
    assert images == [(PICTURES[name], name) for name in ("one", "two", "three", "three")]
    assert [words for _, words in page.classed("wrong")] == ["taken for wa<ter", "wa<ter"]


def test_the_best_is_open_and_others_are_folded_up():
    pages = parts(*(replace(score, details={"neighbours": SHOWN}) for score in (MOCO, SECO)))[2:]
    opened = [("open" in attrs) for page in pages for name, attrs, _, _ in page.elements if name == "details"]
    assert opened == [True, False]


def test_scores_without_pictures_show_none():
    assert parts(MOCO) == []
    assert parts(replace(MOCO, details={"neighbours": {**SHOWN, "pictures": {}}})) == []


def test_a_picture_from_elsewhere_is_not_fetched():
    theirs = {**SHOWN, "pictures": {"one": "https://example.com/one.jpg", "two": PICTURES["two"] + '" onload="x'}}
    page = parts(replace(MOCO, details={"neighbours": theirs}))[2]
    images = [attrs for name, attrs, _, _ in page.elements if name == "img"]
    assert [image["src"] for image in images] == ["", PICTURES["two"] + '" onload="x', "", ""]
    assert not any("onload" in image for image in images)


def test_pictures_neither_part_scores_nor_fill_what_machines_read():
    shown = replace(MOCO, details={"neighbours": SHOWN})
    (ranking,) = rankings = rank_results([("a", replace(RESULT, scores=(shown,))), ("b", replace(RESULT, scores=(MOCO,)))])
    assert [entry.files for entry in ranking.entries] == [("a", "b")]
    assert ranking.entries[0].score.details["neighbours"] == SHOWN
    assert "neighbours" not in to_json(rankings)["rankings"][0]["scores"][0]["details"]
