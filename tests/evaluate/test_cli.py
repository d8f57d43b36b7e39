"""The `evaluate` command from outside."""

import json
from dataclasses import replace

import pytest

from evaluate import cli
from evaluate.cli.scoring import foreign_sensors, namesakes
from evaluate.result import read_result
from tests.evaluate.test_result import RESULT
from tests.test_cli import HEAVY, start

FLAGS = ("--bands", "B04,B03,B02", "--size-px", "32", "--k", "5", "--workers", "0", "--device", "cpu", "--quiet")


def run(*words):
    """Run `evaluate` in this process and give its exit code."""
    with pytest.raises(SystemExit) as end:
        cli.main([str(word) for word in words])
    return end.value.code


@pytest.mark.parametrize("words", [("--help",), ()])
def test_help_lists_every_command_without_loading_it(words):
    code, output, modules = start("evaluate", *words)
    assert code == 0
    for name, line in cli.COMMANDS.items():
        assert f" {name} " in output
        assert " ".join(line.split()[:3]) in output
    assert modules & HEAVY == set()
    assert {"numpy", "pyarrow"} & modules == set()


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_help_of_a_command_shows_an_example_and_loads_nothing_heavy(name):
    code, output, modules = start("evaluate", name, "--help")
    assert code == 0
    first = "results/" if name == "compare" else "--catalog data/demo "
    assert f"evaluate {name} {first}" in output.split("Usage:")[1].split("\n", 1)[1]
    assert modules & HEAVY == set()
    assert {"numpy", "pyarrow"} & modules == set()


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_option_of_a_command_is_explained(name):
    for argument in cli.make_app([name])[name].assemble_argument_collection(parse_docstring=True):
        assert argument.parameter.help, f"evaluate {name} {argument.name} has no line"


def test_weights_are_shown_beside_statistics_and_chance(labelled, capsys):
    assert run("knn", "--catalog", labelled, "--weights", "random:resnet10t", *FLAGS) == 0
    output, words = capsys.readouterr()
    assert words == ""
    rows = [line.split("  ")[0] for line in output.splitlines()]
    assert rows[-3:] == ["chance", "band statistics", "random:resnet10t"]


def test_a_result_is_printed_as_one_object_and_kept_in_a_file(labelled, capsys, tmp_path):
    words = ("--catalog", labelled, "--weights", "random:resnet10t", "--json", "--out", tmp_path / "result.json")
    assert run("knn", *words, *FLAGS) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["items_hash"]
    assert [each["name"] for each in printed["scores"]] == ["band statistics", "random:resnet10t"]
    assert read_result(tmp_path / "result.json").to_json() == printed


def test_a_linear_probe_is_scored_with_each_share_of_the_labels(labelled, capsys, tmp_path):
    flags = [word for word in FLAGS if word not in {"--k", "5"}]
    words = ("--fraction", "1,0.5", "--repeats", "2", "--json", "--out", tmp_path / "result.json")
    assert run("linear", "--catalog", labelled, *words, *flags) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [(each["name"], each["details"]["fraction"]) for each in printed["scores"]] == [
        ("band statistics", 0.5),
        ("band statistics", 1.0),
    ]
    assert printed["scores"][0]["details"]["trials"]["seed"] == [0, 1]
    assert printed["protocol"]["fractions"] == [0.5, 1.0]
    assert read_result(tmp_path / "result.json").to_json() == printed


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--fraction", "0.1,few"], "--fraction 'few' is no number. Give shares of the labels, such as 0.01,0.1,1."),
        (
            ["--fraction", "10"],
            "--fraction 10 is out of range. Give shares of the labels",
        ),
        (["--repeats", "0"], "--repeats is 0; expected 1 or more."),
        (["--k", "5"], "Unknown option: --k"),
        (["--solver", "secco"], "There is no solver 'secco'. Choose from lbfgs, seco, dino. Did you mean 'seco'?"),
        (["--no-baselines"], "There is nothing to score. Give --weights, or leave --no-baselines out"),
    ],
)
def test_what_a_linear_probe_cannot_do_is_a_sentence_and_code_2(labelled, capsys, words, told):
    assert run("linear", "--catalog", labelled, "--workers", "0", "--quiet", *words) == 2
    assert told in capsys.readouterr().err


def test_progress_and_what_was_written_are_words(labelled, capsys, tmp_path):
    flags = [word for word in FLAGS if word != "--quiet"]
    assert run("baselines", "--catalog", labelled, "--out", tmp_path / "result.json", *flags) == 0
    words = capsys.readouterr().err
    assert "Features of band statistics: 36/36" in words
    assert f"Wrote {tmp_path / 'result.json'} and {tmp_path / 'result.items.parquet'}." in words


def test_progress_of_a_linear_probe_counts_its_fits(labelled, capsys):
    words = ("--catalog", labelled, "--bands", "B04", "--fraction", "0.5", "--repeats", "3", "--workers", "0")
    assert run("linear", *words) == 0
    assert "Linear probes, 50 % of the labels: 3/3" in capsys.readouterr().err


@pytest.mark.parametrize("bands", [("--bands", "B04,B02"), ("--bands", "B04", "--bands", "B02")])
def test_names_are_joined_by_commas_or_repeated(labelled, capsys, bands):
    assert run("baselines", "--catalog", labelled, *bands, "--k", "3", "--workers", "0", "--json", "--quiet") == 0
    assert json.loads(capsys.readouterr().out)["scores"][0]["bands"] == ["B04", "B02"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--k", "99"], "k is 99, but there are 24 training items to vote. Lower --k"),
        (["--classes", "forest,wter"], "No item has label 'wter'. Choose from: forest, heath, water. Did you mean 'water'?"),
        (["--bands", "B04,B99"], "B99"),
        (["--weights", "random:resnet18x"], "resnet18x"),
        (["--weights", "runs/nowhere"], "runs/nowhere"),
        (["--weights", "runs/a,runs/a"], "--weights runs/a,runs/a: runs/a is there twice. Commas join different seeds"),
        (["--wieghts", "a"], "Did you mean --weights?"),
    ],
)
def test_what_the_user_can_change_is_a_sentence_and_code_2(labelled, capsys, words, told):
    given = words if "--weights" in words else [*words, "--weights", "random:resnet10t"]
    assert run("knn", "--catalog", labelled, "--workers", "0", "--quiet", *given) == 2
    output, sentence = capsys.readouterr()
    assert output == ""
    assert told in sentence
    assert "Traceback" not in sentence


def test_a_catalog_that_is_not_there_is_told(tmp_path, capsys):
    assert run("baselines", "--catalog", tmp_path / "nowhere") == 2
    assert "is not there" in capsys.readouterr().err


def test_an_interrupt_is_told(monkeypatch, labelled, capsys):
    def interrupt(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("evaluate.protocol.run_knn", interrupt)
    assert run("baselines", "--catalog", labelled) == 130
    assert capsys.readouterr().err == "Interrupted. Nothing was written: run the same command again.\n"


def test_weights_of_another_sensor_are_noted():
    note = "Note: runs/demo was made for sentinel-2-l2a, and reads bands of sentinel-2-l1c by their names."
    assert list(foreign_sensors(RESULT)) == []
    assert list(foreign_sensors(replace(RESULT, sensor="sentinel-2-l1c"))) == [note]
    random = replace(RESULT.scores[-1], name="random:resnet18", input={"sensor": "sentinel-2-l2a"})
    assert list(foreign_sensors(replace(RESULT, sensor="sentinel-2-l1c", scores=(random,)))) == []


def test_weights_are_shown_alone_where_that_is_asked(labelled, capsys):
    assert run("knn", "--catalog", labelled, "--weights", "random:resnet10t", "--no-baselines", *FLAGS) == 0
    rows = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]
    assert rows[-2:] == ["chance", "random:resnet10t"]


def test_a_result_that_cannot_be_kept_is_shown_all_the_same(labelled, capsys, tmp_path):
    (tmp_path / "file").touch()
    flags = [word for word in FLAGS if word not in {"--k", "5"}]
    assert run("linear", "--catalog", labelled, "--out", tmp_path / "file" / "result.json", *flags) == 2
    output, words = capsys.readouterr()
    assert output.splitlines()[-1].startswith("band statistics")
    assert "cannot be written" in words


def test_shuffled_labels_and_labels_one_by_one_are_words_to_type(labelled, capsys):
    words = ("--shuffle-labels", "--multilabel", "--json")
    assert run("linear", "--catalog", labelled, *words, *[word for word in FLAGS if word not in {"--k", "5"}]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["protocol"]["shuffled_labels"] is True
    assert printed["scores"][0]["metric"] == "micro average precision"


def test_one_name_that_was_fed_in_two_ways_is_noted():
    trained = RESULT.scores[1]
    bands = ",".join(trained.input["bands"])
    smaller = replace(trained, input={**trained.input, "size_px": 32})
    (note,) = namesakes(replace(RESULT, scores=(*RESULT.scores, trained, smaller)))
    size_px = trained.input["size_px"]
    told = f"{bands} at {size_px} pixels; {bands} at 32 pixels. --out keeps the scaling."
    assert note == f"Note: runs/demo is there 2 times, fed as the other weights are: {told}"
    assert list(namesakes(RESULT)) == []
