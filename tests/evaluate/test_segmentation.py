"""Segmentation from a catalog to scores."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from catalogs import testing
from catalogs.errors import MissingAssetError, MissingBandError
from catalogs.reader import open_catalog
from evaluate import compare, entries
from evaluate.confidence import bootstrap_measure
from evaluate.dense_settings import SegmentSettings
from evaluate.errors import InputError, LabelError
from evaluate.metrics import confusion_matrix, iou_per_class, mean_iou
from evaluate.result import read_result, write_result
from evaluate.segmentation import Segmentation, guess_iou, run_segment
from evaluate.weighted import MEASURES
from tests.evaluate.dense_samples import make_random_backbone, make_samples, make_spec

BANDS = ("B04", "B03", "B02")
SETTINGS = SegmentSettings(bands=BANDS, workers=0, device="cpu", epochs=12, min_steps=0, samples_per_step=4, lr=(0.01, 0.1))
SHORT = replace(SETTINGS, epochs=2, lr=(0.1,))
RANDOM = "random:resnet10t"


@pytest.fixture(scope="module")
def result(rastered):
    return run_segment(str(rastered), [RANDOM], replace(SETTINGS, size_px=96, fraction=(0.5, 1.0), repeats=2))


@pytest.fixture(scope="module")
def once(rastered):
    """One short training, the weights alone."""
    return run_segment(str(rastered), [RANDOM], SHORT, baselines=False)


def test_there_is_a_score_for_each_share_beside_the_pixels_themselves(result):
    assert [(each.name, each.details["fraction"], each.metric) for each in result.scores] == [
        ("pixel values", 0.5, "mean IoU"),
        ("pixel values", 1.0, "mean IoU"),
        (RANDOM, 0.5, "mean IoU"),
        (RANDOM, 1.0, "mean IoU"),
    ]
    for each in result.scores:
        trials = each.details["trials"]
        assert trials["seed"] == [0, 1]
        assert each.value == pytest.approx(np.mean(trials["mean_iou"]))
        assert each.interval[0] <= each.value <= each.interval[1]
        assert set(trials["train_items"]) == {12 if each.details["fraction"] == 1 else 6}
        assert np.sum(each.confusion) == 2 * 6 * 24 * 23  # repeats, items, and pixels that are known
        assert each.details["pixel_accuracy"] == pytest.approx(np.trace(each.confusion) / np.sum(each.confusion))
        assert list(each.details["iou"]) == ["dark", "middle", "bright"]
    assert (result.scores[0].features, result.scores[-1].features) == (3, 64 + 128 + 256 + 512)
    assert (result.train_items, result.test_items, result.test_locations, result.unused_items) == (12, 6, 3, 0)


def test_pixels_of_each_sample_are_kept_beside_the_result(result, rastered):
    items = result.items
    assert items.ids.tolist() == sorted(items.ids)
    rows = {row["id"]: row for row in open_catalog(str(rastered)).items(sensor="sentinel-2-l2a").table.to_pylist()}
    for place, name in enumerate(items.ids.tolist()):
        box = rows[name]["bbox"]
        middle = [(box["xmin"] + box["xmax"]) / 2, (box["ymin"] + box["ymax"]) / 2]
        assert items.lonlat[place] == pytest.approx(middle)
        assert items.locations[place] == rows[name]["location"]
    assert items.groups.tolist() == items.locations.tolist()
    for each, counts in zip(result.scores, items.found, strict=True):
        assert counts.sum(axis=(0, 1)).tolist() == np.asarray(each.confusion).tolist()
        assert (counts.sum(axis=3) == items.truth).all()
        measure = MEASURES[each.metric](items.truth, counts)
        assert measure(np.ones(6, np.int64)).tolist() == each.details["trials"]["mean_iou"]
        assert bootstrap_measure(measure, items.groups) == pytest.approx(each.interval)


def test_brightness_is_learnt_from_pixels_and_from_random_features(result):
    assert result.chance == pytest.approx(
        1 / 5, abs=0.01
    )  # guesses of three classes: a ninth of the pixels is right, five ninths are either
    for each in result.scores[1::2]:
        assert each.value > result.chance + 0.1, each.name


def test_one_training_is_one_confusion_matrix(once):
    (score,) = once.scores
    confusion = np.asarray(score.confusion)
    assert score.value == mean_iou(confusion)
    assert list(score.details["iou"].values()) == iou_per_class(confusion).tolist()
    assert (score.name, score.bands, score.input["size_px"]) == (RANDOM, BANDS, 24)


@pytest.mark.parametrize("change", [{"workers": 2, "batch_size": 5}, {"keep_gb": 0.0}])
def test_how_features_are_computed_changes_no_score(rastered, once, change):
    again = run_segment(str(rastered), [RANDOM], replace(SHORT, **change), baselines=False)
    assert again.scores[0].value == pytest.approx(once.scores[0].value, abs=1e-3)
    assert (again.protocol, again.split_hash) == (once.protocol, once.split_hash)


def test_settings_that_change_scores_are_in_the_protocol(rastered):
    base = run_segment(str(rastered), [], SHORT)
    for change in (
        {"head": "upernet"}, {"epochs": 1}, {"samples_per_step": 3}, {"min_steps": 20}, {"lr": (0.2,)},
        {"seed": 1}, {"shuffle_labels": True},
        {"repeats": 2},
    ):  # fmt: skip
        assert run_segment(str(rastered), [], replace(SHORT, **change)).protocol != base.protocol, change
    assert base.protocol["tuned_on"] == {"split": "val"}


def test_shuffled_labels_teach_less(rastered, result):
    shuffled = run_segment(str(rastered), [], replace(SETTINGS, shuffle_labels=True))
    assert shuffled.protocol["shuffled_labels"] is True
    assert shuffled.split_hash == result.split_hash
    assert shuffled.scores[0].value < result.scores[1].value


def test_the_other_head_answers_too(rastered):
    short = replace(SHORT, epochs=1, head="upernet")
    pixels, weights = run_segment(str(rastered), [RANDOM], short).scores
    assert pixels.value > 0  # a linear head all the same
    assert weights.features == 960


@pytest.fixture
def trained(monkeypatch):
    """Names `seed0` and `seed1` load weights that say what they read; the first are those of `random:resnet10t`."""
    loaded = entries.load_backbone

    def load(name, **asked):
        if not name.startswith("seed"):
            return loaded(name, **asked)
        found = loaded(RANDOM, bands=BANDS)
        if name != "seed0":
            torch.nn.init.normal_(next(found.module.parameters()), generator=torch.Generator().manual_seed(1))
        return replace(found, name=name, identity=name, spec=make_spec(48))

    monkeypatch.setattr(entries, "load_backbone", load)


def test_random_weights_of_an_architecture_are_scored_once_and_fed_as_its_weights_are(rastered, trained):
    scores = run_segment(str(rastered), ["seed0", "seed1"], replace(SHORT, epochs=1)).scores
    assert [each.name for each in scores] == ["pixel values", RANDOM, "seed0", "seed1"]
    assert scores[1].input == scores[2].input
    assert scores[1].input["size_px"] == 48
    assert scores[1].value == scores[2].value != scores[3].value


def test_seeds_of_one_training_get_one_score(rastered, trained):
    short = replace(SHORT, epochs=1, repeats=2, fraction=(0.5, 1.0))
    apart = run_segment(str(rastered), ["seed0", "seed1"], short, baselines=False).scores
    together = run_segment(str(rastered), ["seed0,seed1"], short, baselines=False).scores
    assert [each.name for each in together] == ["seed0,seed1"] * 2
    for number, each in enumerate(together):
        one, other = apart[number], apart[number + 2]
        assert each.details["seeds"]["values"] == [one.value, other.value]
        assert each.details["seeds"]["spread"] == pytest.approx(abs(one.value - other.value) / np.sqrt(2))
        assert each.value == pytest.approx((one.value + other.value) / 2)
        assert np.array_equal(each.confusion, np.add(one.confusion, other.confusion))
        assert each.details["trials"]["seed"] == [0, 1, 0, 1]
        assert each.details["fraction"] == one.details["fraction"]
    with pytest.raises(InputError, match="seed0 is there twice"):
        run_segment(str(rastered), ["seed0,seed0"], short)


def test_tested_labels_have_no_say_in_what_is_chosen():
    samples, task = make_samples(12, backbone=make_random_backbone())
    chosen = []
    for labels in (samples.labels, np.where(np.arange(12)[:, None, None] < 6, samples.labels, 1 - samples.labels % 2)):
        other = replace(samples, labels=labels.astype(np.uint8))
        (answers,) = Segmentation(replace(SETTINGS, lr=(0.001, 0.01))).answer(other, task, lambda _: None)
        chosen.append({name: answers.details["trials"][name] for name in ("lr", "epoch", "tuning", "items_hash")})
    assert chosen[0] == chosen[1]


def test_results_are_written_read_and_compared(result, tmp_path):
    path = tmp_path / "segment.json"
    write_result(path, result)
    assert read_result(path).to_json() == json.loads(path.read_bytes())
    rankings = compare.read_rankings([path])
    assert [(ranking.metric, ranking.protocol["fraction"]) for ranking in rankings] == [("mean IoU", 0.5), ("mean IoU", 1.0)]
    assert {entry.score.name for entry in rankings[0].entries} == {"pixel values", RANDOM}


def test_what_cannot_be_scored_is_said(rastered, tmp_path):
    plain = testing.make_catalog(tmp_path / "plain", locations=testing.make_locations(4, side_m=60))
    with pytest.raises(MissingAssetError, match=r"None of 8 items .* has a label raster 'labels'.*curate convert --help"):
        run_segment(str(plain), [], SETTINGS)
    with pytest.raises(InputError, match="Did you mean 'linear'"):
        run_segment(str(rastered), [], replace(SETTINGS, head="linar"))
    with pytest.raises(InputError, match=r"There is nothing to score\. Give --weights, or leave out --no-baselines"):
        run_segment(str(rastered), [], SETTINGS, baselines=False)
    with pytest.raises(InputError, match="A pixel has one label: leave out --multilabel"):
        run_segment(str(rastered), [], replace(SETTINGS, multilabel=True))
    for change, words in ({"repeats": 0}, "--repeats is 0; expected 1 or more"), ({"lr": ()}, r"--lr is \[\]; expected more"):
        with pytest.raises(InputError, match=words):
            replace(SETTINGS, **change)
    with pytest.raises(LabelError, match="has no item of sentinel-2-l2a of season 7"):
        run_segment(str(rastered), [], replace(SETTINGS, season=7))
    with pytest.raises(MissingBandError, match="B99"):
        run_segment(str(rastered), [], replace(SETTINGS, bands=("B04", "B99")))


@pytest.mark.parametrize("counts", [(500, 300, 200), (950, 30, 20), (700, 300, 0)])
def test_chance_is_the_better_of_one_class_and_of_guesses(counts):
    truth = np.repeat(np.arange(3), counts)
    guesses = np.random.default_rng(0).permuted(np.tile(truth, (200, 1)), axis=1)
    drawn = np.mean([mean_iou(confusion_matrix(truth, each, classes=3)) for each in guesses])
    same = mean_iou(confusion_matrix(truth, np.zeros(1000, int), classes=3))
    assert guess_iou(np.array(counts)) == pytest.approx(max(drawn, same), abs=0.003)
