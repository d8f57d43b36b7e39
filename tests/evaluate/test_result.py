"""The record of a result, its file, and its lines."""

import json
import re
from dataclasses import replace
from importlib.metadata import version

import pytest

from evaluate.cli.result_lines import result_lines
from evaluate.errors import ResultError
from evaluate.result import Result, Score, from_json, read_result, write_result

INPUT = {"sensor": "sentinel-2-l2a", "bands": ["B04", "B03"], "size_px": 64}
RESULT = Result(
    protocol={"name": "knn", "k": 20, "temperature": 0.07, "test_split": "val", "season": None},
    catalog="demo",
    catalog_hash="c" * 64,
    split_hash="5" * 64,
    sensor="sentinel-2-l2a",
    classes=("forest", "water"),
    train_items=1200,
    test_items=300,
    test_locations=1,
    unused_items=7,
    chance=0.5,
    scores=(
        Score("band statistics", None, ("B04",), None, 2, "accuracy", 0.615, None),
        Score("runs/demo", "a" * 64, ("B04", "B03"), INPUT, 512, "accuracy", 1.0, (0.75, 1.0), ((150, 0), (0, 150))),
    ),
)


def test_a_result_comes_back_from_its_file(tmp_path):
    write_result(tmp_path / "results" / "knn.json", RESULT)
    assert read_result(tmp_path / "results" / "knn.json") == RESULT
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["knn.json"]


def test_a_file_says_what_it_is_and_what_wrote_it():
    content = RESULT.to_json()
    assert (content["seastars:result"], content["version"]) == (3, version("seastars"))
    assert json.loads(json.dumps(content)) == content
    assert from_json(content) == RESULT


def test_a_file_of_version_1_is_read_without_what_it_lacks():
    content = RESULT.to_json() | {"seastars:result": 1}
    for each in content["scores"]:
        del each["confusion"], each["details"]
    read = from_json(content)
    assert [(each.confusion, each.details) for each in read.scores] == [(None, {}), (None, {})]
    assert replace(read, scores=()) == replace(RESULT, scores=())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content.pop("seastars:result"), "no result of version 3: its seastars:result is None"),
        (lambda content: content.update({"seastars:result": 4}), "its seastars:result is 4"),
        (lambda content: content.pop("chance"), "A result is damaged: 'chance'"),
        (lambda content: content["scores"][0].update(colour="red"), "A result is damaged: .*colour"),
    ],
)
def test_what_is_no_result_is_told(change, words):
    content = RESULT.to_json()
    change(content)
    with pytest.raises(ResultError, match=words):
        from_json(content)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "is no result file: No such file or directory. Expected what evaluate wrote with --out."),
        ("{", "is no result file: it is no JSON. Expected"),
        ("[1]", "is no result file: it has no seastars:result. Expected"),
        ('{"type": "Catalog"}', "is no result file: it has no seastars:result. Expected"),
        ('{"seastars:result": 99}', "cannot be read. This is no result of version 3: its seastars:result is 99."),
    ],
)
def test_a_file_that_holds_no_result_is_told_with_its_name(tmp_path, text, told):
    if text is not None:
        (tmp_path / "a.json").write_text(text)
    with pytest.raises(ResultError, match=re.escape(f"a.json {told}")):
        read_result(tmp_path / "a.json")


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ResultError, match=r"a.json cannot be written: .* Choose another --out"):
        write_result(tmp_path / "file" / "a.json", RESULT)


def test_people_see_a_table():
    assert list(result_lines(RESULT)) == [
        "demo, sentinel-2-l2a: 2 classes (forest, water)",
        "1,200 training items, 300 items of 1 location tested (split val); 7 items not used",
        "kNN: cosine, k 20, temperature 0.07",
        "",
        "                 accuracy  95 % interval  bands  features",
        "chance              50.0%",
        "band statistics     61.5%              -      1         2",
        "runs/demo          100.0%  75.0 - 100.0%      2       512",
    ]


LINEAR = {"name": "linear", "c_values": [0.1, 1, 10], "tuned_on": {"split": "val"}, "repeats": 1, "test_split": "test"}


def test_a_linear_probe_has_a_row_for_each_share_of_the_labels():
    few, whole = (replace(RESULT.scores[1], details={"fraction": share}) for share in (0.001, 1.0))
    lines = list(result_lines(replace(RESULT, protocol=LINEAR, scores=(few, whole))))
    assert lines[2:] == [
        "Linear probe: L-BFGS, best of 3 regularisations on split val",
        "",
        "           labels  accuracy  95 % interval  bands  features",
        "chance                50.0%",
        "runs/demo   0.1 %    100.0%  75.0 - 100.0%      2       512",
        "runs/demo   100 %    100.0%  75.0 - 100.0%      2       512",
    ]


def test_people_see_what_the_regularisation_was_chosen_on_and_how_often_labels_were_drawn():
    protocol = LINEAR | {"tuned_on": {"split": "train", "locations": 0.2}, "repeats": 3}
    words = "Linear probe: L-BFGS, best of 3 regularisations on 20 % of the training locations, mean of 3 draws below 100 %"
    assert words in list(result_lines(replace(RESULT, protocol=protocol)))


def test_people_see_how_a_released_code_taught_a_layer_and_that_labels_were_shuffled():
    recipe = {"solver": "seco", "optimizer": "adam", "lr": 0.001, "epochs": 100, "batch_size": 32}
    protocol = {"name": "linear", **recipe, "repeats": 2, "test_split": "test", "shuffled_labels": True}
    assert list(result_lines(replace(RESULT, protocol=protocol)))[2:4] == [
        "Linear probe as SeCo's released code: Adam 0.001, 100 epochs in batches of 32, the last one answers, mean of 2 draws",
        "Control: the labels that teach are shuffled. What scores above chance now, leaks.",
    ]


def test_people_see_the_metric_of_several_labels_and_each_seed():
    seeds = {"values": [0.5, 0.6125], "spread": 0.07955}
    score = replace(RESULT.scores[1], metric="micro average precision", details={"seeds": seeds})
    lines = list(result_lines(replace(RESULT, scores=(score,))))
    assert lines[4:] == [
        "           micro AP  95 % interval  bands  features",
        "chance        50.0%",
        "runs/demo    100.0%  75.0 - 100.0%      2       512",
        "runs/demo at each seed: 50.0%, 61.3%; standard deviation 8.0 points",
    ]
