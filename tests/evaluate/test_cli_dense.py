"""`evaluate segment` and `evaluate change` from outside."""

import json

import pytest

from evaluate import cli
from evaluate.cli.dense_words import dense_method

FLAGS = (
    "--bands",
    "B04,B03,B02",
    "--workers",
    "0",
    "--device",
    "cpu",
    "--quiet",
    "--epochs",
    "1",
    "--min-steps",
    "0",
    "--lr",
    "0.01",
)


def run(*words):
    """Run `evaluate` in this process and give its exit code."""
    with pytest.raises(SystemExit) as end:
        cli.main([str(word) for word in words])
    return end.value.code


@pytest.mark.parametrize(("name", "baseline"), [("segment", "pixel values"), ("change", "change vector analysis")])
def test_weights_are_shown_beside_baselines_and_chance(rastered, capsys, tmp_path, name, baseline):
    out = tmp_path / "result.json"
    assert run(name, "--catalog", rastered, "--weights", "random:resnet10t", "--out", out, *FLAGS) == 0
    output, words = capsys.readouterr()
    assert words == ""
    rows = [line.split("  ")[0] for line in output.splitlines()]
    assert rows[-3:] == ["chance", baseline, "random:resnet10t"]
    assert "best on split val" in output
    assert run("compare", out, "--html", tmp_path / "page.html") == 0
    assert "IoU of each class" in (tmp_path / "page.html").read_text()
    compared = capsys.readouterr().out
    assert baseline in compared
    assert ("mean IoU" if name == "segment" else "F1 of changed") in compared
    assert "A dash" not in compared
    assert "Where pixels are right" in (tmp_path / "page.html").read_text()
    assert run("leakage", "--catalog", rastered, "--pretrain", rastered, "--result", out) == 0
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith(f"{baseline}, 100 % of the labels"))
    assert row.endswith("+0.0 (+0.0 to +0.0)")


def test_a_result_is_printed_as_one_object_without_baselines(rastered, capsys):
    words = ("--weights", "random:resnet10t", "--no-baselines", "--json", "--fraction", "0.5,1", "--head", "upernet")
    assert run("segment", "--catalog", rastered, *words, *FLAGS) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(each["name"], each["details"]["fraction"]) for each in found["scores"]] == [
        ("random:resnet10t", 0.5),
        ("random:resnet10t", 1.0),
    ]
    assert found["protocol"]["head"] == "upernet"
    assert found["protocol"]["lr"] == [0.01]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("segment", "--head", "upernt"), "Did you mean 'upernet'?"),
        (("segment", "--lr", "fast"), "--lr 'fast' is no number. Give learning rates, such as 0.001,0.01."),
        (("segment", "--epochs", "0"), "--epochs is 0; expected 1 or more."),
        (("change", "--protocol", "sec"), "corrected"),
        (("change", "--protocol", "seco"), "SeCo's protocol has patches of 96 px"),
        (("change", "--epoch", "3"), "--epochs"),
    ],
)
def test_a_typo_is_told(rastered, capsys, words, said):
    name, *others = words
    assert run(name, "--catalog", rastered, "--workers", "0", *others) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_the_protocol_is_told_in_one_line():
    common = {"repeats": 3, "lr": [0.001], "optimizer": "adam", "epochs": 100}
    seco = dense_method({"name": "change", "variant": "seco", **common}, "nothing")
    assert seco == (
        "Change detection as SeCo's released code does it: Adam at 0.001, 100 epochs, the last one answers, mean of 3 repeats"
    )
    both = dense_method({"name": "segment", "head": "linear", **common, "repeats": 1, "lr": [0.1, 1.0]}, "split val")
    assert both == "Segmentation: linear head on frozen maps, Adam at 0.1 or 1, 100 epochs, best on split val"
