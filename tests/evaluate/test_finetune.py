"""The protocol of fine-tuning from a catalog to scores."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from catalogs.errors import MissingBandError
from evaluate import cli
from evaluate.bench import open_bench
from evaluate.errors import InputError
from evaluate.finetune import describe, run_finetune
from evaluate.finetune_trials import Start, answer_tuned, part_items
from evaluate.linear_protocol import run_linear
from evaluate.result import read_result
from evaluate.settings import FinetuneSettings, LinearSettings
from evaluate.task import Task
from tests.evaluate.textures import SPEC, make_part, make_start, make_textures
from train.checkpoint import LoadedBackbone
from train.config import InputSpec
from train.export import export_weights
from train.provenance import Provenance
from train.weights import load_backbone

BANDS = ("B04", "B03", "B02")
SETTINGS = FinetuneSettings(
    bands=BANDS,
    size_px=32,
    workers=0,
    device="cpu",
    batch_size=8,
    epochs=2,
    min_steps=0,
    lr=5e-3,
    fraction=(0.5, 1.0),
    repeats=2,
)
SHORT = replace(SETTINGS, epochs=1, fraction=(1.0,), repeats=1)
RANDOM = "random:test_resnet"
CPU = torch.device("cpu")


def export(folder, *, seed=0, **changes):
    """Weights that say what they read."""
    spec = replace(InputSpec("sentinel-2-l2a", BANDS, (0.0,) * 3, (0.4,) * 3, (0.5,) * 3, (0.25,) * 3, 32), **changes)
    module = load_backbone(RANDOM, bands=spec.bands).module
    with torch.no_grad():
        next(module.parameters())[0, 0] += 0.01 * (1 + seed)
    provenance = Provenance("tested", "moco", "moco", "demo", "0" * 64, locations=1, steps=1, epochs=1)
    return str(export_weights(folder, module, timm_name="test_resnet", spec=spec, provenance=provenance))


@pytest.fixture(scope="module")
def result(labelled):
    return run_finetune(str(labelled), [RANDOM], SETTINGS)


@pytest.fixture(scope="module")
def textures():
    """Textures as a task with items to choose an epoch on, and where to start from."""
    stack, labels = make_textures(96, noise=0.5)
    parts = [make_part(labels[rows], rows.start, split=split) for split, rows in
             (("train", slice(0, 48)), ("test", slice(48, 80)), ("val", slice(80, 96)))]  # fmt: skip
    task = Task(("a", "b"), parts[0], parts[1], 0, "0" * 64, parts[2])
    start = Start(LoadedBackbone(make_start(), SPEC, "runs/textures", "0" * 64, "test_resnet"), stack, CPU)
    return start, task, replace(SETTINGS, epochs=4, repeats=1, no_augment=True)


def test_there_is_a_score_for_each_share_of_the_labels(result):
    assert [(each.name, each.details["fraction"]) for each in result.scores] == [(RANDOM, 0.5), (RANDOM, 1.0)]
    for each in result.scores:
        trials = each.details["trials"]
        assert trials["seed"] == [0, 1]
        assert trials["train_items"] == [12 if each.details["fraction"] < 1 else 24] * 2
        assert trials["tuning_items"] == [6 if each.details["fraction"] < 1 else 12] * 2
        assert trials["steps"] == [2 * (2 if each.details["fraction"] < 1 else 3)] * 2
        assert [len(losses) for losses in trials["losses"]] == [2, 2]
        assert trials["losses"][0] != trials["losses"][1]
        assert each.interval[0] <= each.value <= each.interval[1]
        assert sum(map(sum, each.confusion)) == 12 * 2
        assert (each.metric, each.bands) == ("accuracy", BANDS)


def test_a_result_says_all_that_scores_hang_on(result):
    protocol = json.loads(json.dumps(result.protocol))
    assert (protocol["name"], protocol["epochs"], protocol["lr"], protocol["batch_size"]) == ("finetune", 2, 5e-3, 8)
    assert (protocol["epoch"], protocol["tuned_on"]) == ("best", {"split": "val"})
    assert protocol["precision"] == "32-true"
    for name in ("layer_decay", "weight_decay", "label_smoothing", "freeze_batch_norm", "repeats", "min_steps"):
        assert protocol[name] == getattr(SETTINGS, name)


def test_each_setting_that_changes_scores_changes_the_protocol(result, labelled):
    task = open_bench(str(labelled), SETTINGS).task
    changes = {
        "epochs": 3, "min_steps": 9, "lr": 0.1, "layer_decay": 0.5, "weight_decay": 0.0, "label_smoothing": 0.1,
        "batch_size": 9, "freeze_batch_norm": True, "last_epoch": True, "precision": "bf16-mixed", "no_augment": True,
        "repeats": 3, "fraction": (1.0,),
    }  # fmt: skip
    told = [json.dumps(describe(task, replace(SETTINGS, **{name: value}), CPU)) for name, value in changes.items()]
    assert len({json.dumps(describe(task, SETTINGS, CPU)), *told}) == len(changes) + 1


def test_the_question_is_that_of_the_linear_probe(labelled, result):
    shared = {name: getattr(SETTINGS, name) for name in ("bands", "size_px", "workers", "device", "fraction", "repeats")}
    other = run_linear(str(labelled), [RANDOM], LinearSettings(**shared), baselines=False)
    for name in ("split_hash", "catalog_hash", "classes", "train_items", "test_items", "chance", "unused_items"):
        assert getattr(result, name) == getattr(other, name)
    drawn = [each.details["trials"]["items_hash"][0] for each in result.scores]
    assert drawn == [each.details["trials"]["items_hash"][0] for each in other.scores]


@pytest.mark.parametrize("change", [{}, {"workers": 1}])
def test_the_same_again_gives_the_same_scores(labelled, change):
    first, again = (run_finetune(str(labelled), [RANDOM], replace(SHORT, **each)) for each in ({}, change))
    assert again.scores == first.scores


def test_random_weights_fed_alike_are_trained_beside(labelled, tmp_path):
    name = export(tmp_path / "weights", bands=("B08", "B04"), low=(0.0,) * 2, high=(0.3,) * 2, mean=(0.5,) * 2, std=(0.2,) * 2)
    random, tuned = run_finetune(str(labelled), [name], replace(SHORT, bands=None)).scores
    assert (random.name, tuned.name) == (RANDOM, name)
    assert random.input == tuned.input
    assert random.input["high"] == (0.3, 0.3)
    assert random.identity != tuned.identity
    assert (random.details["layer_decay"], tuned.details["layer_decay"]) == (1.0, SETTINGS.layer_decay)
    (alone,) = run_finetune(str(labelled), [name], replace(SHORT, bands=None), baselines=False).scores
    assert alone == tuned


def test_bands_that_the_catalog_lacks_are_filled_where_asked_for(labelled, tmp_path):
    name = export(tmp_path / "weights", sensor="sentinel-2-l1c", bands=("B04", "B10", "B11"))
    result = run_finetune(str(labelled), [name], replace(SHORT, bands=None, fill=("B10=mean",)), baselines=False)
    assert result.scores[0].bands == ("B04", "B10", "B11")
    assert result.protocol["fill"] == ["B10=mean"]
    with pytest.raises(MissingBandError, match="--fill B10=mean"):
        run_finetune(str(labelled), [name], replace(SHORT, bands=None))


def test_each_weights_are_fed_what_they_were_made_for_whoever_stands_before_them(labelled, tmp_path):
    pictures, reflectance = export(tmp_path / "a", sensor="eurosat-rgb"), export(tmp_path / "b")
    alone = run_finetune(str(labelled), [reflectance], SHORT, baselines=False).scores[0]
    after = run_finetune(str(labelled), [pictures, reflectance], SHORT, baselines=False).scores[1]
    assert (after.name, after.details["trials"], after.confusion) == (reflectance, alone.details["trials"], alone.confusion)


def test_seeds_of_one_training_get_one_score(labelled, tmp_path):
    names = [export(tmp_path / f"weights-{seed}", seed=seed) for seed in range(2)]
    (joined,) = run_finetune(str(labelled), [",".join(names)], SHORT, baselines=False).scores
    apart = run_finetune(str(labelled), names, SHORT, baselines=False).scores
    assert joined.value == pytest.approx(np.mean([each.value for each in apart]))
    assert joined.details["seeds"]["weights"] == names
    assert len(joined.details["trials"]["losses"]) == 2


def test_seeds_that_are_fed_differently_are_refused_before_anything_is_trained(labelled, tmp_path, monkeypatch):
    names = [export(tmp_path / "a"), export(tmp_path / "b", seed=1, high=(0.9,) * 3)]
    monkeypatch.setattr("evaluate.finetune.answer_tuned", None)
    with pytest.raises(InputError, match="no seeds of one training: they are fed differently"):
        run_finetune(str(labelled), [",".join(names)], SHORT)


def test_labels_of_tested_items_choose_nothing(textures):
    start, task, settings = textures
    honest = answer_tuned(start, task, settings, fraction=1.0)
    poisoned = replace(task, test=replace(task.test, labels=1 - task.test.labels))
    other = answer_tuned(start, poisoned, settings, fraction=1.0)
    np.testing.assert_array_equal(other.found, honest.found)
    assert other.details == honest.details
    assert len(set(honest.details["trials"]["tuning"][0])) > 1
    chosen = replace(task, tuning=replace(task.tuning, labels=1 - task.tuning.labels))
    assert answer_tuned(start, chosen, settings, fraction=1.0).details["trials"]["tuning"] != honest.details["trials"]["tuning"]


def test_items_that_are_held_out_do_not_teach(textures):
    _, task, settings = textures
    alone = replace(task, tuning=None)
    fitted, tuning = part_items(alone, settings, fraction=1.0, seed=0)
    assert (len(fitted), len(tuning)) == (38, 10)
    assert not set(fitted.ids) & set(tuning.ids)
    assert set(fitted.ids) | set(tuning.ids) == set(task.train.ids)
    drawn, spare = part_items(task, settings, fraction=0.5, seed=0)
    assert (len(drawn), len(spare)) == (24, 8)
    assert set(spare.ids) < set(task.tuning.ids)


def test_for_the_last_epoch_nothing_is_held_out(textures):
    start, task, settings = textures
    settings = replace(settings, last_epoch=True, epochs=1)
    trials = answer_tuned(start, replace(task, tuning=None), settings, fraction=1.0).details["trials"]
    assert (trials["train_items"], trials["tuning_items"], trials["tuning"], trials["epoch"]) == ([48], [0], [()], [1])
    assert describe(replace(task, tuning=None), settings, CPU)["tuned_on"] is None


def test_one_location_leaves_none_to_choose_on(textures):
    start, task, settings = textures
    one = replace(task.train, locations=np.full(48, "a-place"))
    with pytest.raises(InputError, match=r"48 training items of one location: .* Pass --last-epoch"):
        answer_tuned(start, replace(task, train=one, tuning=None), settings, fraction=1.0)


def test_labels_of_several_are_scored_by_their_ranking(textures):
    start, task, settings = textures
    parts = {}
    for name in ("train", "test", "tuning"):
        part = getattr(task, name)
        parts[name] = replace(part, labels=np.stack([part.labels == 0, part.labels == 1, np.ones(len(part), bool)], axis=1))
    answers = answer_tuned(start, replace(task, classes=("a", "b", "c"), **parts), replace(settings, epochs=1), fraction=1.0)
    assert answers.found is None
    assert answers.scores.shape == (1, 32, 3)
    assert ((answers.scores > 0) & (answers.scores < 1)).all()
    assert answers.details["trials"]["tuning"][0][0] > 0.5


def test_each_label_of_a_catalog_may_be_a_question_of_its_own(labelled):
    (score,) = run_finetune(str(labelled), [RANDOM], replace(SHORT, multilabel=True)).scores
    assert score.metric == "micro average precision"
    assert 0 < score.value <= 1
    assert score.confusion is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 0}, r"--epochs is 0; expected 1 or more\."),
        ({"min_steps": -1}, r"--min-steps is -1; expected 0 or more\."),
        ({"lr": 0.0}, r"--lr is 0\.0; expected more than 0, such as"),
        ({"lr": float("nan")}, r"--lr is nan; expected more than 0"),
        ({"layer_decay": 0.0}, r"--layer-decay is 0\.0; expected more than 0 and at most 1, such as 0\.75\."),
        ({"layer_decay": 1.5}, r"--layer-decay is 1\.5; expected more than 0 and at most 1"),
        ({"weight_decay": -0.1}, r"--weight-decay is -0\.1; expected 0 or more"),
        ({"label_smoothing": 1.0}, r"--label-smoothing is 1\.0; expected 0 or more and below 1\."),
        ({"batch_size": 0}, r"--batch-size is 0; expected 1 or more\."),
        ({"repeats": 0}, r"--repeats is 0; expected 1 or more\."),
        ({"fraction": ()}, r"--fraction is \[\]; expected shares of the labels above 0 and at most 1"),
        ({"fraction": (0.1, 1.5)}, r"--fraction is \[0\.1, 1\.5\]; expected shares"),
        ({"fraction": (0.0, 1.0)}, r"--fraction is \[0\.0, 1\.0\]; expected shares"),
        ({"precision": "bf16"}, r"--precision is bf16; expected auto, 32-true, bf16-mixed\."),
    ],
)
def test_settings_out_of_range_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        replace(SETTINGS, **change)


def test_a_device_that_is_not_there_is_refused(labelled):
    with pytest.raises(InputError, match=r"Device 'cuda:9' cannot be used: .* Choose another --device, such as cpu"):
        run_finetune(str(labelled), [RANDOM], replace(SHORT, device="cuda:9"))


def test_nothing_to_fine_tune_is_refused(labelled):
    with pytest.raises(InputError, match=r"There is nothing to fine-tune\. Give --weights"):
        run_finetune(str(labelled), [], SETTINGS)


def run(*words):
    """Run `evaluate finetune` in this process and give its exit code."""
    with pytest.raises(SystemExit) as end:
        cli.main(["finetune", *map(str, words)])
    return end.value.code


FLAGS = ("--weights", RANDOM, "--bands", "B04,B03,B02", "--size-px", 32, "--epochs", 1, "--min-steps", 0, "--workers", 0)


def test_the_command_shows_and_keeps_what_it_found(labelled, tmp_path, capsys):
    out = tmp_path / "finetune.json"
    assert run("--catalog", labelled, *FLAGS, "--fraction", "0.5,1", "--device", "cpu", "--quiet", "--out", out) == 0
    output, words = capsys.readouterr()
    assert words == ""
    assert "Fine-tuning: AdamW 0.001, layer decay 0.75, 1 epoch or 0 steps, the best one on split val answers" in output
    rows = [line.split()[:3] for line in output.splitlines()[-2:]]
    assert rows == [[RANDOM, "50", "%"], [RANDOM, "100", "%"]]
    assert [each.details["fraction"] for each in read_result(out).scores] == [0.5, 1.0]


def test_the_command_says_what_is_wrong(labelled, capsys):
    assert run("--catalog", labelled, *FLAGS, "--lr", 0) == 2
    assert "--lr is 0.0; expected more than 0" in capsys.readouterr().err
    assert run("--catalog", labelled, *FLAGS, "--layer-decy", 1) == 2
    assert "Did you mean --layer-decay?" in capsys.readouterr().err
