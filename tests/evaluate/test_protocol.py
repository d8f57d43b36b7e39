"""The kNN protocol from a catalog to scores, on real files and real backbones."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from catalogs.errors import MissingBandError
from evaluate import answers
from evaluate.bench import open_bench
from evaluate.confidence import bootstrap_mean
from evaluate.errors import InputError
from evaluate.protocol import measure_knn, run_knn
from evaluate.settings import KnnSettings
from tests.evaluate.conftest import LABELS
from train.config import InputSpec, to_json
from train.errors import TrainError
from train.export import export_weights
from train.provenance import Provenance
from train.weights import load_backbone

SETTINGS = KnnSettings(bands=("B04", "B03", "B02"), size_px=32, k=5, workers=0, device="cpu")
RANDOM = "random:resnet10t"


@pytest.fixture(scope="module")
def result(labelled):
    return run_knn(str(labelled), [RANDOM], SETTINGS)


def test_a_result_says_all_that_makes_it_comparable(labelled, result):
    bench = open_bench(str(labelled), SETTINGS)
    assert (result.split_hash, result.catalog_hash) == (bench.task.split_hash, bench.stack.index_hash)
    assert (result.sensor, result.classes, result.chance) == ("sentinel-2-l2a", LABELS, pytest.approx(1 / 3))
    assert (result.train_items, result.test_items, result.test_locations, result.unused_items) == (24, 12, 6, 12)
    assert result.protocol["k"] == 5
    assert result.protocol["temperature"] == 0.07
    assert result.protocol["test_split"] == "test"


def test_scores_stand_side_by_side_statistics_first(result):
    statistics, random = result.scores
    assert (statistics.name, statistics.identity, statistics.input, statistics.features) == ("band statistics", None, None, 6)
    assert (random.name, random.bands, random.features) == (RANDOM, SETTINGS.bands, 512)
    assert random.identity
    assert random.input["size_px"] == 32
    for score in result.scores:
        assert score.metric == "accuracy"
        assert 0 <= score.interval[0] <= score.value <= score.interval[1] <= 1


def test_a_confusion_has_a_row_for_each_class_and_its_diagonal_is_what_is_right(labelled, result):
    counts = np.bincount(open_bench(str(labelled), SETTINGS).task.test.labels)
    for score in result.scores:
        confusion = np.asarray(score.confusion)
        np.testing.assert_array_equal(confusion.sum(axis=1), counts)
        assert np.trace(confusion) / confusion.sum() == pytest.approx(score.value)
    assert (np.asarray(result.scores[0].confusion).sum(axis=0) != counts).any()


def test_random_features_see_the_texture_that_statistics_do_not(result):
    statistics, random = result.scores
    assert random.value > 0.6 > statistics.value


def test_the_seed_draws_the_interval_and_not_the_score_of_statistics(labelled, result, monkeypatch):
    interval = lambda measure, locations, *, members, seed: (seed / 10, len(set(locations)), members)  # noqa: E731
    monkeypatch.setattr(answers, "bootstrap_measure", interval)
    other = run_knn(str(labelled), [], replace(SETTINGS, seed=3))
    assert other.scores[0].value == result.scores[0].value
    assert other.scores[0].interval == (0.3, result.test_locations, 1)
    assert other.protocol["seed"] == 3


def test_scores_are_of_the_tested_items_and_intervals_of_their_locations(labelled):
    bench = open_bench(str(labelled), SETTINGS)
    features = torch.nn.functional.one_hot(torch.tensor(np.r_[bench.task.train.labels, bench.task.test.labels]))
    assert measure_knn(features.float(), bench.task, k=5, temperature=0.07) == 1
    wrong = features.clone()
    wrong[len(bench.task.train) :] = features[len(bench.task.train) :].roll(1, 1)
    assert measure_knn(wrong.float(), bench.task, k=5, temperature=0.07) == 0
    assert bootstrap_mean(np.ones(12), bench.task.test.locations) == (1.0, 1.0)


def export(folder, bands, *, module=None, **changes):
    """Export weights, random ones where none are given, as if they had been trained with such bands."""
    count = len(bands)
    numbers = {"low": (0.05,) * count, "high": (0.4,) * count, "mean": (0.4,) * count, "std": (0.25,) * count}
    spec = InputSpec(**{"sensor": "sentinel-2-l2a", "bands": bands, "size_px": 40, **numbers, **changes})
    provenance = Provenance("tested", "moco", "moco", "demo", "0" * 64, locations=1, steps=1, epochs=1)
    module = module or load_backbone(RANDOM, bands=bands).module
    return str(export_weights(folder, module, timm_name="resnet10t", spec=spec, provenance=provenance)), spec


def test_weights_are_fed_as_they_say_and_the_others_with_the_same_bands_and_size(labelled, tmp_path):
    name, spec = export(tmp_path / "weights", ("B08", "B04"))
    settings = replace(SETTINGS, bands=None, size_px=None)
    random, trained = run_knn(str(labelled), [RANDOM, name], settings, baselines=False).scores
    assert (trained.name, trained.bands, trained.input) == (name, ("B08", "B04"), to_json(spec))
    assert (random.bands, random.input["size_px"]) == (("B08", "B04"), 40)
    assert random.input["mean"] != trained.input["mean"]
    assert random.identity == trained.identity == load_backbone(name).identity


def test_the_same_weights_with_the_same_input_have_the_same_score(labelled, tmp_path):
    (random,) = run_knn(str(labelled), [RANDOM], SETTINGS, baselines=False).scores
    measured = {key: tuple(value) for key, value in random.input.items() if key in ("low", "high", "mean", "std")}
    name, _ = export(tmp_path / "weights", SETTINGS.bands, size_px=SETTINGS.size_px, **measured)
    settings = KnnSettings(k=5, workers=0, device="cpu")
    (trained,) = run_knn(str(labelled), [name], settings, baselines=False).scores
    assert replace(trained, name=RANDOM) == replace(random, input=trained.input)
    assert trained.input["low"] == random.input["low"]


def test_bands_of_trained_weights_that_the_catalog_lacks_are_told(labelled, tmp_path):
    name, _ = export(tmp_path / "weights", ("B04", "B10"))
    with pytest.raises(MissingBandError, match="B10"):
        run_knn(str(labelled), [name], SETTINGS)


def test_bands_that_the_catalog_lacks_are_told_are_told(labelled):
    with pytest.raises(MissingBandError, match="B10"):
        run_knn(str(labelled), [RANDOM], replace(SETTINGS, bands=("B10",)))


def test_more_neighbours_than_training_items_are_told(labelled):
    with pytest.raises(InputError, match="k is 25, but there are 24 training items"):
        run_knn(str(labelled), [], replace(SETTINGS, k=25))


def test_an_unknown_device_is_told(labelled):
    with pytest.raises(InputError, match=r"Device 'cuba' cannot be used: .* Choose another --device, such as cpu\."):
        run_knn(str(labelled), [], replace(SETTINGS, device="cuba"))


def test_an_unknown_backbone_is_told(labelled):
    with pytest.raises(TrainError, match="resnet181"):
        run_knn(str(labelled), ["random:resnet181"], SETTINGS)


def test_nothing_to_score_is_told(labelled):
    with pytest.raises(InputError, match=r"There is nothing to score\. Give --weights, or leave --no-baselines out"):
        run_knn(str(labelled), [], SETTINGS, baselines=False)


def test_random_weights_stand_beside_each_backbone_once_and_fed_as_it_is(labelled, tmp_path):
    name, spec = export(tmp_path / "a", ("B08", "B04"))
    alike, _ = export(tmp_path / "b", ("B08", "B04"))
    smaller, _ = export(tmp_path / "c", ("B08", "B04"), size_px=32)
    found = run_knn(str(labelled), [name, alike, smaller], SETTINGS).scores
    assert [each.name for each in found] == ["band statistics", RANDOM, RANDOM, name, alike, smaller]
    assert [each.input["size_px"] for each in found[1:3]] == [40, 32]
    assert found[1].input == to_json(spec)
    assert (found[1].value, found[1].interval, found[1].identity) == (found[3].value, found[3].interval, found[3].identity)


def test_random_weights_that_were_asked_for_are_not_there_twice(labelled, result):
    assert [each.name for each in result.scores] == ["band statistics", RANDOM]
    also = run_knn(str(labelled), [], SETTINGS, also=["band-histograms"]).scores
    assert [each.name for each in also] == ["band statistics", "band histograms"]


def test_shuffled_labels_are_a_control_that_is_named(labelled, result):
    shuffled = run_knn(str(labelled), [RANDOM], replace(SETTINGS, shuffle_labels=True))
    assert (shuffled.protocol["shuffled_labels"], "shuffled_labels" in result.protocol) == (True, False)
    assert shuffled.split_hash == result.split_hash
    assert shuffled.scores[1].value < result.scores[1].value - 0.2
    assert shuffled == run_knn(str(labelled), [RANDOM], replace(SETTINGS, shuffle_labels=True))


def test_each_label_may_be_a_question_of_its_own(labelled, result):
    found = run_knn(str(labelled), [RANDOM], replace(SETTINGS, multilabel=True))
    random = found.scores[1]
    assert (random.metric, random.confusion) == ("micro average precision", None)
    assert found.items.truth.shape == (12, 3)
    np.testing.assert_array_equal(found.items.found[1][0].argmax(axis=1), result.items.found[1][0])
    truth = found.items.truth
    assert random.value == pytest.approx(average_precision_score(truth, found.items.found[1][0], average="micro"))
    assert set(random.details["average_precision"]) == set(LABELS)


def seeds_of(folder, count):
    """Exports of one backbone with weights that differ a little."""
    names = []
    for seed in range(count):
        module = load_backbone(RANDOM, bands=SETTINGS.bands).module
        with torch.no_grad():
            for each in module.parameters():
                each.add_(0.3 * each.std(correction=0) * torch.randn(each.shape, generator=torch.Generator().manual_seed(seed)))
        names.append(export(folder / str(seed), SETTINGS.bands, module=module)[0])
    return names


def test_seeds_of_one_training_have_one_score_together(labelled, tmp_path):
    names = seeds_of(tmp_path, 3)
    alone = run_knn(str(labelled), names, SETTINGS, baselines=False)
    (together,) = run_knn(str(labelled), [",".join(names)], SETTINGS, baselines=False).scores
    values = [each.value for each in alone.scores]
    assert together.name == ",".join(names)
    assert together.value == pytest.approx(np.mean(values))
    seeds = together.details["seeds"]
    assert seeds["weights"] == names
    assert seeds["identities"] == [each.identity for each in alone.scores]
    assert seeds["values"] == pytest.approx(values)
    assert len(set(values)) > 1
    assert seeds["spread"] == pytest.approx(np.std(values, ddof=1))
    assert together.identity not in seeds["identities"]


def test_random_weights_stand_beside_seeds_once(labelled, tmp_path):
    joined = ",".join(seeds_of(tmp_path, 2))
    assert [each.name for each in run_knn(str(labelled), [joined], SETTINGS).scores] == ["band statistics", RANDOM, joined]
