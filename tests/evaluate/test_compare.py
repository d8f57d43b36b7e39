"""Results side by side: what is ranked together, what is kept apart, and what is said of it."""

import json
from dataclasses import replace

import pytest

from evaluate import cli
from evaluate.cli.compare import ranking_lines
from evaluate.compare import UNPAIRED, apart, differences, protocol_words, rank_results, read_rankings, to_json
from evaluate.errors import ResultError
from evaluate.result import Result, Score, write_result

INPUT = {"sensor": "sentinel-2-l2a", "bands": ["B04", "B03"], "low": [0.0, 0.0], "high": [0.3, 0.3], "size_px": 64}
STATISTICS = Score("band statistics", None, ("B04",), None, 2, "accuracy", 0.615, None)
MOCO = Score("runs/moco", "a" * 64, ("B04", "B03"), INPUT, 512, "accuracy", 0.875, (0.75, 0.9375))
SECO = Score("runs/seco <2>", "b" * 64, ("B04", "B03"), INPUT, 2048, "accuracy", 0.9, (0.8, 0.95))
RESULT = Result(
    protocol={"name": "knn", "k": 20, "temperature": 0.07, "season": None, "interval": {"level": 0.95}},
    catalog="demo",
    catalog_hash="c" * 64,
    split_hash="5" * 64,
    sensor="sentinel-2-l2a",
    classes=("forest", "water"),
    train_items=1200,
    test_items=300,
    test_locations=150,
    unused_items=0,
    chance=0.5,
    scores=(STATISTICS, MOCO),
)
OTHER = replace(RESULT, scores=(STATISTICS, SECO))


def run(*words):
    """Run `evaluate` in this process and give its exit code."""
    with pytest.raises(SystemExit) as end:
        cli.main([str(word) for word in words])
    return end.value.code


def names(ranking):
    return [entry.score.name for entry in ranking.entries]


def test_scores_of_one_question_are_ranked_best_first_whatever_the_order_of_files():
    for results in ([("a", RESULT), ("b", OTHER)], [("b", OTHER), ("a", RESULT)]):
        (ranking,) = rank_results(results)
        assert names(ranking) == ["runs/seco <2>", "runs/moco", "band statistics"]
        assert apart([ranking]) is None


def test_what_several_files_have_alike_is_there_once_with_all_of_them():
    (ranking,) = rank_results([("a", RESULT), ("b", OTHER), ("a", RESULT)])
    assert {entry.score.name: entry.files for entry in ranking.entries} == {
        "band statistics": ("a", "b"),
        "runs/moco": ("a",),
        "runs/seco <2>": ("b",),
    }


def test_one_name_with_two_values_stays_two():
    again = replace(RESULT, scores=(replace(MOCO, value=0.7),))
    (ranking,) = rank_results([("a", RESULT), ("b", again)])
    assert [entry.score.value for entry in ranking.entries] == [0.875, 0.7, 0.615]


@pytest.mark.parametrize(
    ("change", "told", "said"),
    [
        ({"split_hash": "6" * 64}, "split_hash", "split"),
        ({"catalog_hash": "d" * 64}, "catalog_hash", "catalog"),
        ({"sensor": "sentinel-2-l1c"}, "sensor", "sensor"),
        ({"protocol": {**RESULT.protocol, "k": 5}}, "protocol.k", "k"),
        ({"protocol": {**RESULT.protocol, "fraction": 0.1}}, "protocol.fraction", "share of the labels"),
        ({"protocol": {**RESULT.protocol, "interval": {"level": 0.9}}}, "protocol.interval.level", "interval level"),
        ({"scores": (replace(SECO, metric="f1"),)}, "metric", "metric"),
        ({"split_hash": "6" * 64, "sensor": "sentinel-2-l1c"}, "sensor, split_hash", "sensor, split"),
    ],
)
def test_scores_of_two_questions_are_never_ranked_together(change, told, said):
    rankings = rank_results([("a", RESULT), ("b", replace(OTHER, **change))])
    assert [set(names(ranking)) & {"runs/moco", "runs/seco <2>"} for ranking in rankings] == [{"runs/moco"}, {"runs/seco <2>"}]
    assert ", ".join(differences(rankings)) == told
    assert apart(rankings) == (
        f"These scores answer 2 questions, and are ranked for each by itself: the questions differ in {said}."
    )


def test_each_fraction_of_the_labels_is_a_question_whatever_else_was_scored_with_it():
    tenth, whole = (replace(MOCO, details={"fraction": fraction, "trials": {}}) for fraction in (0.1, 1.0))
    both = replace(RESULT, protocol={"name": "linear", "fractions": [0.1, 1.0]}, scores=(tenth, whole))
    alone = replace(RESULT, protocol={"name": "linear", "fractions": [1.0]}, scores=(replace(whole, name="runs/seco"),))
    rankings = rank_results([("a", both), ("b", alone)])
    assert [names(ranking) for ranking in rankings] == [["runs/moco"], ["runs/moco", "runs/seco"]]
    assert [ranking.protocol for ranking in rankings] == [{"name": "linear", "fraction": share} for share in (0.1, 1.0)]
    assert differences(rankings) == ("protocol.fraction",)


def test_settings_that_one_protocol_lacks_are_no_difference_of_their_own():
    tenth, whole = (replace(MOCO, details={"fraction": fraction}) for fraction in (0.1, 1.0))
    linear = replace(RESULT, protocol={"name": "linear", "steps": 10, "season": None}, scores=(tenth, whole))
    assert differences(rank_results([("a", RESULT), ("b", replace(linear, scores=(whole,)))])) == ("protocol.name",)
    rankings = rank_results([("a", RESULT), ("b", linear)])
    assert differences(rankings) == ("protocol.fraction", "protocol.name")
    assert str(apart(rankings)).endswith("the questions differ in protocol.")


def test_a_protocol_is_told_with_all_its_settings():
    assert protocol_words(RESULT.protocol) == "knn: k 20, temperature 0.07, season all, interval.level 0.95"
    assert protocol_words({"name": "linear", "c_values": [0.00046415888, 1.0]}) == "linear: c_values 0.000464159 1"
    assert protocol_words({"name": "linear"}) == "linear"


def test_people_see_a_table_for_each_question():
    rankings = rank_results([("a", RESULT), ("b", OTHER), ("c", replace(RESULT, split_hash="6" * 64, scores=(MOCO,)))])
    assert list(ranking_lines(rankings)) == [
        "These scores answer 2 questions, and are ranked for each by itself: the questions differ in split.",
        "",
        "demo, sentinel-2-l2a: 300 items tested (split 555555555555)",
        "knn: k 20, temperature 0.07, season all, interval.level 0.95",
        "                 accuracy       interval  to the best, points  bands  features  file",
        "runs/seco <2>       90.0%   80.0 - 95.0%                 best      2     2,048  b",
        "runs/moco           87.5%   75.0 - 93.8%                    -      2       512  a",
        "band statistics     61.5%              -                    -      1         2  a, b",
        "chance              50.0%",
        UNPAIRED,
        "",
        "demo, sentinel-2-l2a: 300 items tested (split 666666666666)",
        "knn: k 20, temperature 0.07, season all, interval.level 0.95",
        "           accuracy       interval  to the best, points  bands  features  file",
        "runs/moco     87.5%   75.0 - 93.8%                 best      2       512  c",
        "chance        50.0%",
    ]


def test_machines_see_every_number_and_hash():
    content = to_json(rank_results([("a", RESULT), ("b", OTHER)]))
    assert json.loads(json.dumps(content)) == content
    (ranking,) = content["rankings"]
    assert content["differ_in"] == []
    assert (ranking["split_hash"], ranking["catalog_hash"], ranking["chance"], ranking["metric"]) == (
        "5" * 64, "c" * 64, 0.5, "accuracy",
    )  # fmt: skip
    assert [(score["value"], score["interval"], score["files"]) for score in ranking["scores"]] == [
        (0.9, [0.8, 0.95], ["b"]),
        (0.875, [0.75, 0.9375], ["a"]),
        (0.615, None, ["a", "b"]),
    ]


def test_files_are_read(tmp_path):
    write_result(tmp_path / "a.json", RESULT)
    assert read_rankings([tmp_path / "a.json"]) == rank_results([(str(tmp_path / "a.json"), RESULT)])
    with pytest.raises(ResultError, match=r"b.json is no result file"):
        read_rankings([tmp_path / "a.json", tmp_path / "b.json"])


def test_the_command_prints_and_writes_a_page(tmp_path, capsys):
    write_result(tmp_path / "a.json", RESULT)
    write_result(tmp_path / "b.json", OTHER)
    files = (tmp_path / "a.json", tmp_path / "b.json")
    assert run("compare", *files, "--html", tmp_path / "page.html") == 0
    output, words = capsys.readouterr()
    assert output == "\n".join(ranking_lines(read_rankings(files))) + "\n"
    assert words == f"Wrote {tmp_path / 'page.html'}.\n"
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert run("compare", *files, "--json") == 0
    assert json.loads(capsys.readouterr().out) == to_json(read_rankings(files))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "No result file was named. Name those that evaluate knn --out wrote"),
        (
            ("nowhere.json",),
            "nowhere.json is no result file: No such file or directory. Expected what evaluate wrote with --out.",
        ),
    ],
)
def test_what_cannot_be_compared_is_a_sentence_and_code_2(words, told, capsys):
    assert run("compare", *words) == 2
    output, sentence = capsys.readouterr()
    assert (output, "Traceback" in sentence) == ("", False)
    assert told in sentence
