"""How scores grow with labels: which scores make a curve, and where it is drawn."""

from dataclasses import replace

import pytest

from evaluate.compare import rank_results
from evaluate.compare_curves import curve_sections, find_curves
from evaluate.compare_page import make_page
from tests.evaluate.pages import Page, share
from tests.evaluate.test_compare import MOCO, RESULT, SECO

VALUES = {0.01: (0.4, 0.5), 0.1: (0.7, 0.6), 1.0: (0.9, 0.88)}


def at(score, fraction, value):
    return replace(score, value=value, interval=(value - 0.05, value + 0.05), details={"fraction": fraction})


PROTOCOL = {"name": "linear", "fractions": list(VALUES)}
SCORES = tuple(at(score, share, found[place]) for share, found in VALUES.items() for place, score in enumerate((MOCO, SECO)))
LINEAR = replace(RESULT, protocol=PROTOCOL, scores=SCORES)
RANKINGS = rank_results([("a", LINEAR)])


def told(rankings):
    return [
        {curve.name: [(fraction, score.value) for fraction, score in curve.points] for curve in curves}
        for _, curves in find_curves(rankings)
    ]


def test_scores_of_one_kind_of_features_make_a_curve():
    expected = {"runs/moco": [(0.01, 0.4), (0.1, 0.7), (1, 0.9)], "runs/seco <2>": [(0.01, 0.5), (0.1, 0.6), (1, 0.88)]}
    assert told(RANKINGS) == [expected]
    assert told(RANKINGS[::-1]) == [expected]


def test_curves_go_on_from_one_file_to_another():
    parts = [
        (share, replace(LINEAR, protocol={"name": "linear", "fractions": [share]}, scores=SCORES[2 * place : 2 * place + 2]))
        for place, share in enumerate(VALUES)
    ]
    assert told(rank_results([(str(share), result) for share, result in parts])) == told(RANKINGS)


@pytest.mark.parametrize(
    "other",
    [
        replace(LINEAR, scores=SCORES[:2]),
        replace(RESULT, scores=(MOCO, SECO)),
        replace(LINEAR, scores=(SCORES[0], replace(SCORES[2], identity="c" * 64))),
    ],
)
def test_one_fraction_or_other_weights_make_no_curve(other):
    assert told(rank_results([("a", other)])) == []
    assert list(curve_sections(rank_results([("a", other)]))) == []


def test_another_split_is_another_chart():
    assert len(told(rank_results([("a", LINEAR), ("b", replace(LINEAR, split_hash="6" * 64))]))) == 2


def test_points_and_bars_stand_where_their_values_are():
    page = Page("".join(curve_sections(RANKINGS)))
    assert page.open == []
    ticks = {"".join(text): attrs for name, attrs, text, _ in page.elements if name == "text"}
    assert [1 - share(ticks[name]["y"]) for name in ("0%", "25%", "100%")] == [0, 0.25, 1]
    values = [score.value for score in (*SCORES[::2], *SCORES[1::2])]
    points = [(1 - share(each["cy"]), share(each["cx"])) for each in page.shapes("point")]
    assert [value for value, _ in points] == pytest.approx(values, abs=1e-4)
    assert [x for _, x in points[:3]] == [share(ticks[f"{percent} %"]["x"]) for percent in (1, 10, 100)]
    assert points[2][1] - points[1][1] == pytest.approx(points[1][1] - points[0][1], abs=1e-4)
    assert [1 - share(line["y1"]) for line in page.shapes("chance")] == [LINEAR.chance]
    spread = [[1 - share(bar[end]) for end in ("y1", "y2")] for bar in page.shapes("spread")]
    assert spread == [pytest.approx([value - 0.05, value + 0.05], abs=1e-4) for value in values]


def test_lines_lead_from_point_to_point():
    page = Page("".join(curve_sections(RANKINGS)))
    points = [(point["cx"], point["cy"]) for point in page.shapes("point")]
    ways = [((way["x1"], way["y1"]), (way["x2"], way["y2"])) for way in page.shapes("way")]
    assert ways == [(points[0], points[1]), (points[1], points[2]), (points[3], points[4]), (points[4], points[5])]


def test_curves_stand_side_by_side_and_are_named_best_first():
    page = Page("".join(curve_sections(RANKINGS)))
    curves = page.shapes("curve")
    assert [curve["transform"] for curve in curves] == ["translate(-2.5 0)", "translate(2.5 0)"]
    named = [(attrs["style"], "".join(text)) for name, attrs, text, _ in page.elements if name == "li"]
    assert named == [(curves[0]["style"], "runs/moco, 90.0%"), (curves[1]["style"], "runs/seco <2>, 88.0%")]


def test_the_page_has_the_chart_before_the_tables():
    page = Page(make_page(RANKINGS))
    assert page.texts("h2")[0] == "demo: accuracy by labels, linear"
    assert "linear; split 555555555555" in page.texts("p")
