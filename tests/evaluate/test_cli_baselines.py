"""`evaluate baselines` from outside."""

import json

import pytest

from evaluate import cli
from evaluate.result import read_result

FLAGS = ("--bands", "B04,B03,B02", "--workers", "0", "--device", "cpu", "--quiet")


def run(*words):
    """Run `evaluate baselines` in this process and give its exit code."""
    with pytest.raises(SystemExit) as end:
        cli.main(["baselines", *map(str, words), *FLAGS])
    return end.value.code


def test_all_that_needs_no_training_is_scored_and_shown_by_its_title(labelled, capsys, tmp_path):
    words = ("--catalog", labelled, "--backbone", "resnet10t", "--size-px", "32", "--k", "5", "--out", tmp_path / "result.json")
    assert run(*words) == 0
    rows = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]
    titles = ["band statistics", "band histograms", "raw pixels", "random convolutions", "random:resnet10t"]
    assert [row for row in rows if row in {*titles, "chance"}][-6:] == ["chance", *titles]
    scores = read_result(tmp_path / "result.json").scores
    assert [each.name for each in scores] == titles
    assert scores[-1].details["pooling"] == "mean"


def test_one_kind_is_scored_by_a_linear_probe(labelled, capsys):
    assert run("--catalog", labelled, "--kind", "raw-pixels", "--protocol", "linear", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["protocol"]["name"] == "linear"
    assert [each["name"] for each in printed["scores"]] == ["raw pixels"]
    assert printed["scores"][0]["features"] == 3 * 16 * 16


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--kind", "raw-pixel"), "There is no baseline 'raw-pixel'. Choose from band-statistics,"),
        (("--protocol", "lineer"), 'Did you mean "linear"?'),
        (("--protocol", "linear", "--k", "5"), "--k is of nearest neighbours, and --protocol linear has none. Leave it out."),
        (("--fill", "B1O=mean"), "--fill names 'B1O', a band that no sensor has."),
    ],
)
def test_what_cannot_be_asked_is_told(labelled, capsys, words, message):
    assert run("--catalog", labelled, *words) == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())
