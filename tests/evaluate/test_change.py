"""Change detection from a catalog, or from squares that appear, to scores."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from catalogs import testing
from evaluate import compare
from evaluate.change import THRESHOLDS, Corrected, make_probe, run_change, weigh_change
from evaluate.change_seco import SecoChange, plain_loss
from evaluate.change_vectors import choose_threshold
from evaluate.compare_differences import tell_apart
from evaluate.dense_counts import batch_figures, change_figures
from evaluate.dense_heads import UNetHead
from evaluate.dense_method import DenseAnswers
from evaluate.dense_settings import ChangeSettings
from evaluate.errors import InputError, LabelError
from evaluate.metrics import change_f1
from evaluate.result import read_result, write_result
from tests.evaluate.dense_samples import make_random_backbone, make_samples, make_spec

BANDS = ("B04", "B03", "B02")
SETTINGS = ChangeSettings(bands=BANDS, workers=0, device="cpu", epochs=2, min_steps=0, samples_per_step=4)
RANDOM = "random:resnet10t"


@pytest.fixture(scope="module")
def result(rastered):
    return run_change(str(rastered), [RANDOM], replace(SETTINGS, repeats=2))


@pytest.fixture(scope="module")
def squares():
    """Twelve pairs, of which the later date has a bright square, seen by a network, and what is asked of them."""
    return make_samples(12, dates=2, backbone=make_random_backbone(), stem=True)


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    """Five pairs of 96 px, three of which teach."""
    folder = tmp_path_factory.mktemp("catalogs") / "patches"
    found = testing.make_locations(5, side_m=960)
    splits = ("train", "train", "train", "test", "test")
    locations = [replace(each, split=split) for each, split in zip(found, splits, strict=True)]
    return testing.make_catalog(folder, locations=locations, label_rasters={"change": ("unchanged", "changed")})


def test_weights_are_scored_beside_change_vectors(result):
    assert [(each.name, each.metric) for each in result.scores] == [
        ("change vector analysis", "F1 of changed"),
        (RANDOM, "F1 of changed"),
    ]
    assert (result.train_items, result.test_items, result.classes) == (6, 3, ("unchanged", "changed"))
    for each in result.scores:
        trials = each.details["trials"]
        assert each.value == pytest.approx(np.mean(trials["f1"]))
        assert each.interval[0] <= each.value <= each.interval[1]
        assert np.sum(each.confusion) == 2 * 3 * 24 * 23
        assert {"precision", "recall", "iou", "pixel_accuracy", "fraction"} < set(each.details)
    assert result.scores[1].features == 64 + 64 + 128 + 256 + 512
    assert set(result.scores[1].details["trials"]["threshold"]) < set(THRESHOLDS)


def test_always_changed_is_chance_and_change_vectors_are_above_it(result):
    assert result.chance == pytest.approx(2 / 3, abs=0.02)  # half of the pixels changed: precision 1/2, recall 1
    assert result.scores[0].value > result.chance + 0.03


def test_a_decoder_learns_where_squares_appear(squares):
    samples, task = squares
    settings = replace(SETTINGS, epochs=25, lr=(0.003,))
    method = Corrected(settings)
    (answers,) = method.answer(samples, task, lambda _: None)
    measured = method.measure(answers, task)
    (f1,) = measured.values
    share = (task.test.labels == 1).sum() / (task.test.labels != 255).sum()
    assert method.chance(task) == pytest.approx(2 * share / (1 + share))
    assert f1 > method.chance(task) + 0.3
    assert measured.details["precision"] > 0.6


def test_tested_labels_have_no_say_in_what_is_chosen(squares):
    samples, task = squares
    chosen = []
    for labels in (samples.labels, np.where(np.arange(12)[:, None, None] < 6, samples.labels, 1 - samples.labels % 2)):
        other = replace(samples, labels=labels.astype(np.uint8))
        (answers,) = Corrected(SETTINGS).answer(other, task, lambda _: None)
        chosen.append({name: answers.details["trials"][name] for name in ("lr", "epoch", "threshold", "tuning")})
    assert chosen[0] == chosen[1]


def test_pairs_to_choose_on_have_to_show_change(squares):
    samples, task = squares
    still = replace(task.train, labels=np.zeros_like(task.train.labels))
    with pytest.raises(InputError, match="None of 6 pairs to choose epoch and threshold on shows a pixel that changed"):
        list(Corrected(SETTINGS).answer(samples, replace(task, tuning=still), lambda _: None))


def test_how_features_are_computed_changes_no_score(rastered, result):
    again = run_change(str(rastered), [RANDOM], replace(SETTINGS, keep_gb=0.0, batch_size=3), baselines=False)
    assert again.scores[0].details["trials"]["f1"][0] == pytest.approx(result.scores[1].details["trials"]["f1"][0], abs=1e-3)


def test_the_length_of_change_vectors_is_chosen_by_f1_on_training_pairs():
    samples, task = make_samples(12, dates=2)
    places = samples.places(task.train)
    threshold = choose_threshold(samples, places, at_once=4)
    (difference,) = samples.source.read(places)
    lengths = np.sqrt((difference.numpy().astype(np.float64) ** 2).sum(axis=1))
    known = task.train.labels != 255
    truth, moved = task.train.labels[known], lengths[known]

    def f1(limit):
        found = moved >= limit
        return 2 * (found & (truth == 1)).sum() / (found.sum() + (truth == 1).sum())

    best = max(f1(limit) for limit in np.unique(moved))
    assert f1(threshold) == pytest.approx(best, abs=0.005)
    assert best > 0.99  # squares are three tenths brighter in each of three bands
    assert 0.1 < threshold < 0.55


def test_tested_labels_have_no_say_in_the_length_of_change_vectors():
    samples, task = make_samples(12, dates=2)
    noise = np.random.default_rng(0).integers(2, size=samples.labels.shape)
    labels = np.where(np.arange(12)[:, None, None] < 6, samples.labels, noise).astype(np.uint8)
    found = [
        next(Corrected(SETTINGS).answer_pixels(each, task, lambda _: None)).details["trials"]["threshold"]
        for each in (samples, replace(samples, labels=labels))
    ]
    assert found[0] == found[1]


def test_changed_pixels_weigh_as_much_as_the_others():
    labels = np.zeros((2, 4, 4), np.uint8)
    labels[0, 0, :2] = 1
    labels[1, 0] = 255
    loss = weigh_change(labels)
    logits = torch.randn(2, 1, 4, 4).requires_grad_()
    truth = torch.from_numpy(labels).long()
    value = loss(logits, truth)
    plain = binary_cross_entropy_with_logits(logits.detach()[:, 0], truth.clamp(max=1).float(), reduction="none")
    each = [float(plain[truth == answer].mean()) for answer in (0, 1)]
    assert value.item() == pytest.approx(26 / 28 * sum(each), rel=1e-5)  # both means alike, by a factor that is common to them
    value.backward()
    assert logits.grad[:, 0][truth == 255].abs().sum() == 0
    known = truth != 255
    assert plain_loss(logits, truth).item() == pytest.approx(float(plain[known].mean()))
    with pytest.raises(InputError, match="show 0 changed and 32 unchanged pixels"):
        weigh_change(np.zeros((2, 4, 4), np.uint8))


def test_the_frozen_encoder_gets_no_gradient(squares):
    samples, task = squares
    head = UNetHead(samples.source.pyramid.channels)
    places = samples.places(task.train)
    maps = samples.source.read(places)
    make_probe().make_loss(task.train.labels)(head(maps, samples.size), samples.truth(places)).backward()
    assert all(parameter.grad is not None for parameter in head.parameters())
    assert all(parameter.grad is None for parameter in samples.source.pyramid.parameters())


def test_seco_takes_means_over_batches_of_the_last_epoch(patches):
    settings = replace(SETTINGS, protocol="seco", samples_per_step=2)
    result = run_change(str(patches), [RANDOM], settings)
    assert [each.metric for each in result.scores] == ["F1 of changed, mean over batches"] * 2
    for each in result.scores:
        assert each.interval is None
        assert each.details["whole_set"]["f1"] == pytest.approx(change_f1(np.asarray(each.confusion)))
    assert result.scores[1].input["size_px"] == 96
    assert (result.protocol["variant"], result.protocol["optimizer"]) == ("seco", "adam")
    assert (result.protocol["schedule"], result.protocol["weight_decay"]) == ("times 0.95 each epoch", 1e-4)
    assert "tuned_on" not in result.protocol
    (ranking,) = tell_apart(compare.rank_results([("a", result)]))
    assert ranking.entries[1].to_best is None
    assert ranking.unpaired == (
        "A dash: no difference is told of F1 of changed, mean over batches, "
        "which cannot be computed of the items that a bootstrap draws."
    )


def test_seco_feeds_patches_as_large_as_they_are(squares):
    loaded = SimpleNamespace(module=make_random_backbone(), name="any", timm_name="resnet10t")
    spec = make_spec(224)
    assert SecoChange(SETTINGS).adapt(spec, loaded, squares[1]) == replace(spec, size_px=96)
    assert Corrected(SETTINGS).adapt(spec, loaded, squares[1]) == spec


def test_seco_has_its_own_numbers_where_none_are_given():
    (regime,) = SecoChange(ChangeSettings(protocol="seco")).regimes
    assert (regime.epochs, regime.samples_per_step, regime.lr, regime.decay) == (100, 32, 1e-3, 0.95)
    assert regime.turned
    assert regime.drops_last
    (other,) = Corrected(ChangeSettings()).regimes
    assert (other.epochs, other.samples_per_step, other.turned, other.drops_last) == (30, 16, False, False)


def test_the_two_protocols_measure_differently(squares):
    _, task = squares
    counts = np.random.default_rng(0).integers(1, 50, size=(1, 6, 2, 2))
    answers = DenseAnswers(counts, {})
    seco = SecoChange(replace(SETTINGS, protocol="seco")).measure(answers, task)
    assert seco.values == (batch_figures(counts[0], batch=4, seed=0)["f1"],)
    corrected = Corrected(SETTINGS).measure(answers, task)
    assert corrected.values == (change_figures(counts[0].sum(axis=0))["f1"],)
    assert seco.details["whole_set"]["interval"] == corrected.interval
    assert seco.values != corrected.values


def test_seeds_of_one_training_are_asked_by_seco_as_each_is_alone(squares):
    _, task = squares
    method = SecoChange(replace(SETTINGS, protocol="seco"))
    counts = np.random.default_rng(0).integers(1, 50, size=(4, 6, 2, 2))
    together = method.measure(DenseAnswers(counts, {}, members=2), task).values
    assert together == tuple(
        value for pair in (counts[:2], counts[2:]) for value in method.measure(DenseAnswers(pair, {}), task).values
    )


def test_what_seco_cannot_ask_is_said(rastered, patches):
    seco = replace(SETTINGS, protocol="seco", samples_per_step=None)
    with pytest.raises(InputError, match=r"patches of 96 px, and these label rasters have 24 x 24.*--protocol corrected"):
        run_change(str(rastered), [], seco)
    with pytest.raises(InputError, match="2 tested pairs fill no batch of 32"):
        run_change(str(patches), [], seco)
    with pytest.raises(InputError, match=r"random:vit_tiny_patch16_224 is a vit_tiny_patch16_224\. Take --protocol corrected"):
        run_change(str(patches), ["random:vit_tiny_patch16_224"], replace(seco, samples_per_step=2, size_px=96))
    with pytest.raises(InputError, match=r"one of 2 learning rates on\. Give one --lr"):
        run_change(str(patches), [], replace(seco, lr=(0.1, 0.2)))


def test_what_cannot_be_scored_is_said(rastered, tmp_path):
    classes = {"change": ("unchanged", "changed")}
    places = testing.make_locations(4, side_m=60)
    alone = testing.make_catalog(tmp_path / "alone", locations=places, seasons=3, label_rasters=classes)
    assert run_change(str(alone), [], replace(SETTINGS, epochs=1)).test_items == 2  # each date with the one before
    with pytest.raises(InputError, match="--season 0 takes items of one date, and change is seen between two"):
        run_change(str(rastered), [], replace(SETTINGS, season=0))
    with pytest.raises(LabelError, match=r"No label raster has class 'dark'\. Choose from: unchanged, changed"):
        run_change(str(rastered), [], replace(SETTINGS, classes=("dark", "changed")))


def test_results_are_written_read_and_compared(result, tmp_path):
    path = tmp_path / "change.json"
    write_result(path, result)
    assert read_result(path).to_json() == json.loads(path.read_bytes())
    (ranking,) = compare.read_rankings([path])
    assert ranking.metric == "F1 of changed"
    assert ranking.entries[0].score.name == max(result.scores, key=lambda each: each.value).name
