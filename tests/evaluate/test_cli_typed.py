"""What was typed: names, numbers, and what is refused before anything is computed."""

import pytest

from evaluate.cli.typed import split_labels, split_names, split_rates, split_settings, split_shares
from evaluate.errors import InputError
from evaluate.settings import KnnSettings, Settings
from tests.evaluate.test_cli import run


def test_names_are_read_one_by_one_or_joined():
    assert split_names(None) is None
    assert split_names(["B04, B03", "B02"]) == ("B04", "B03", "B02")


def test_a_comma_before_a_space_belongs_to_a_label():
    assert split_labels(None) is None
    assert split_labels(["water,forest", "heath"]) == ("water", "forest", "heath")
    assert split_labels(["Moors, heathland,Pastures"]) == ("Moors, heathland", "Pastures")


def test_numbers_are_read_one_by_one_or_joined():
    assert split_rates(None) == ()
    assert split_rates(["0.1,0.01", "0.1"]) == (0.01, 0.1)
    assert split_shares(None) == (1.0,)
    assert split_shares(["1", "0.1,0.01"]) == (0.01, 0.1, 1.0)
    assert split_rates(["2"]) == (2.0,)


@pytest.mark.parametrize(
    ("read", "word", "told"),
    [
        (split_rates, "0.1;0.2", "--lr '0.1;0.2' is no number. Give learning rates, such as 0.001,0.01."),
        (split_rates, "0", r"--lr 0 is out of range. Give learning rates, such as 0.001,0.01; each is above 0\.$"),
        (split_rates, "inf", "--lr inf is out of range"),
        (split_rates, "nan", "--lr nan is out of range"),
        (split_shares, "", "--fraction '' is no number. Give shares of the labels, such as 0.01,0.1,1."),
        (split_shares, "0", r"--fraction 0 is out of range. .*; each is above 0 and at most 1\.$"),
        (split_shares, "10", "--fraction 10 is out of range"),
    ],
)
def test_a_number_that_cannot_be_is_told_with_its_flag(read, word, told):
    with pytest.raises(InputError, match=told):
        read(["1", word])


def test_settings_have_their_names_apart():
    typed = Settings(bands=("B04,B03",), classes=("a,b", "c, d"), fill=("B10=mean,B09=0.05",))
    found = split_settings(typed)
    assert (found.bands, found.classes, found.fill) == (("B04", "B03"), ("a", "b", "c, d"), ("B10=mean", "B09=0.05"))


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [("seed", -1, 0), ("workers", -1, 0), ("season", -2, 0), ("size_px", 0, 1), ("batch_size", 0, 1), ("k", 0, 1)],
)
def test_a_number_below_what_it_can_be_is_told_with_its_flag(name, value, least):
    flag = "--" + name.replace("_", "-")
    with pytest.raises(InputError, match=f"^{flag} is {value}; expected {least} or more\\.$"):
        KnnSettings(**{name: value})
    assert getattr(KnnSettings(**{name: least}), name) == least


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("knn", "--weights", "random:resnet10t", "--seed", "-1"), "--seed is -1; expected 0 or more."),
        (("knn", "--weights", "random:resnet10t", "--k", "99"), "k is 99, but there are 24 training items to vote."),
        (("knn", "--weights", "random:resnet10t", "--temperature", "0"), "temperature is 0.0; expected more than 0"),
        (("linear", "--fraction", "0"), "--fraction 0 is out of range."),
        (("finetune", "--weights", "random:resnet10t", "--size-px", "0"), "--size-px is 0; expected 1 or more."),
        (("segment", "--repeats", "0"), "--repeats is 0; expected 1 or more."),
        (("segment", "--lr", "0"), "--lr 0 is out of range."),
        (("change", "--samples-per-step", "0"), "--samples-per-step is 0; expected 1 or more."),
        (("change", "--min-steps", "-1"), "--min-steps is -1; expected 0 or more."),
        (("knn", "--weights", "random:resnet10t", "--device", "cdua"), "'cdua' cannot be used: torch knows none of that name."),
        (("baselines", "--kind", "raw-pixels,bands"), "There is no baseline 'bands'."),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_computed(labelled, capsys, words, told):
    name, *others = words
    assert run(name, "--catalog", labelled, *others) == 2
    output, said = capsys.readouterr()
    assert told in said
    assert output == ""
    assert "Features of" not in said


def test_kinds_and_backbones_are_joined_by_commas_too(labelled, capsys):
    words = ("--kind", "band-statistics,raw-pixels", "--backbone", "resnet10t", "--k", "3", "--workers", "0", "--quiet")
    assert run("baselines", "--catalog", labelled, *words) == 0
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()[5:]] == [
        "chance",
        "band statistics",
        "raw pixels",
        "random:resnet10t",
    ]


def test_a_folder_is_no_file_for_a_result_and_that_is_told_first(labelled, capsys, tmp_path):
    assert run("knn", "--catalog", labelled, "--weights", "random:resnet10t", "--out", tmp_path) == 2
    said = capsys.readouterr().err
    assert said == f"--out {tmp_path} is a folder; expected a file for the result, such as {tmp_path / 'result.json'}.\n"


def test_a_table_that_could_not_be_written_is_told_before_anything_is_measured(labelled, capsys, tmp_path):
    assert run("leakage", "--catalog", labelled, "--pretrain", labelled, "--out", tmp_path / "a.csv") == 2
    output, said = capsys.readouterr()
    assert output == ""
    assert "a.csv is neither .parquet" in said
