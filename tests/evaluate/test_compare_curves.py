"""How scores grow with labels: which scores make a curve, and where it is drawn."""

from dataclasses import replace
from itertools import pairwise

import pytest

from evaluate.compare import rank_results
from evaluate.compare_curves import curve_sections, find_curves
from evaluate.compare_page import make_page
from tests.evaluate.test_compare import MOCO, RESULT, SECO
from tests.evaluate.test_compare_page import Page

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
    bottom, top = (float(ticks[share]["y"]) - 4 for share in ("0%", "100%"))
    points = [((bottom - float(each["cy"])) / (bottom - top), float(each["cx"])) for each in page.shapes("point")]
    expected = [score.value for score in (*SCORES[::2], *SCORES[1::2])]
    assert [share for share, _ in points] == pytest.approx(expected, abs=1e-4)
    assert [x for _, x in points[:3]] == [float(ticks[f"{share} % of the labels"]["x"]) for share in (1, 10, 100)]
    assert points[2][1] - points[1][1] == pytest.approx(points[1][1] - points[0][1], abs=0.02)
    spread = [[(bottom - float(bar[end])) / (bottom - top) for end in ("y1", "y2")] for bar in page.shapes("spread")]
    assert spread == [pytest.approx([value - 0.05, value + 0.05], abs=1e-4) for value in expected]


@pytest.mark.parametrize("value", [0.9, 0.0])
def test_names_neither_cover_each_other_nor_leave_the_chart(value):
    close = tuple(at(replace(MOCO, name=f"m{number}"), share, value) for number in range(9) for share in (0.1, 1.0))
    page = Page("".join(curve_sections(rank_results([("a", replace(LINEAR, scores=close))]))))
    heights = [float(attrs["y"]) for name, attrs, text, _ in page.elements if name == "text" and text[0].startswith("m")]
    assert [high - low for low, high in pairwise(heights)] == pytest.approx([16] * 8)
    (chart,) = [attrs for name, attrs, _, _ in page.elements if name == "svg"]
    assert heights[-1] < float(chart["viewbox"].split()[3])


def test_the_page_has_the_chart_after_the_tables():
    page = Page(make_page(RANKINGS))
    assert page.texts("h2")[-1] == "demo: accuracy by labels, linear"
    assert page.texts("p")[-1] == "linear; split 555555555555"
    assert "runs/seco <2>" in page.texts("text")
