"""Weights as they were typed: which are loaded before the catalog is known, what they are fed, and what stands beside them."""

from dataclasses import replace

import numpy as np
import pytest

from evaluate import entries
from evaluate.bench import open_bench
from evaluate.entries import read_entries, spec_of, with_random
from evaluate.errors import InputError
from evaluate.opened import find_sensors
from evaluate.settings import Settings
from tests.evaluate.test_finetune import export
from train.errors import CheckpointError

RANDOM = "random:test_resnet"


@pytest.fixture
def pixels(labelled):
    bench = open_bench(str(labelled), Settings(bands=("B04", "B03", "B02")))
    return bench.stack, bench.task.train.items


def test_the_first_weights_that_say_what_they_read_decide_what_was_left_open(tmp_path):
    first, second = export(tmp_path / "a", size_px=48), export(tmp_path / "b")
    found = read_entries([RANDOM, first, second])
    assert list(found.trained) == [first, second]
    assert found.like.size_px == 48
    assert read_entries([RANDOM]).like is None


def test_of_weights_of_several_sensors_those_of_the_catalogs_are_taken(labelled, tmp_path):
    for sensor, size_px in (("sentinel-2-l2a", 48), ("landsat-c2-l2", 24)):
        export(tmp_path / "run" / "weights" / sensor, size_px=size_px, sensor=sensor)
    sensors = find_sensors(str(labelled), Settings())
    assert sensors == ("sentinel-2-l2a",)
    assert find_sensors(str(labelled), Settings(sensor="landsat-c2-l2")) == ("landsat-c2-l2",)
    found = [read_entries([str(tmp_path / "run")], each).like for each in (sensors, ("landsat-c2-l2",))]
    assert [(spec.sensor, spec.size_px) for spec in found] == [("sentinel-2-l2a", 48), ("landsat-c2-l2", 24)]
    with pytest.raises(CheckpointError, match=r"holds weights of 2 sensors, landsat-c2-l2, sentinel-2-l2a\. Name those of one"):
        read_entries([str(tmp_path / "run")])


def test_weights_keep_their_input_and_the_others_get_what_is_measured(pixels, tmp_path):
    stack, items = pixels
    trained = export(tmp_path / "a")
    (own,), (measured,) = read_entries([trained, RANDOM]).feed(stack, items, size_px=24, seed=0)
    assert spec_of(own) == read_entries([trained]).like
    assert (spec_of(measured).bands, spec_of(measured).size_px) == (stack.bands, 24)
    assert not np.allclose(spec_of(measured).high, spec_of(own).high)


def test_seeds_stay_together_and_are_refused_where_they_are_none(pixels, tmp_path):
    stack, items = pixels
    names = [export(tmp_path / name, seed=seed) for seed, name in enumerate("ab")]
    (group,) = read_entries([",".join(names)]).feed(stack, items, size_px=24, seed=0)
    assert [each.name for each in group] == names
    with pytest.raises(InputError, match="are no seeds of one training"):
        read_entries([f"{names[0]},{RANDOM}"]).feed(stack, items, size_px=24, seed=0)


def test_random_weights_stand_before_each_backbone_once_and_are_fed_as_it_is(pixels, tmp_path, monkeypatch):
    stack, items = pixels
    names = [export(tmp_path / "a"), export(tmp_path / "b", seed=1), export(tmp_path / "c", size_px=48)]
    groups = read_entries(names).feed(stack, items, size_px=24, seed=0)
    beside = with_random(groups)
    assert [each[0].name for each in beside] == [RANDOM, RANDOM, *names]
    assert [spec_of(each[0]) for each in beside[:2]] == [spec_of(groups[0][0]), spec_of(groups[2][0])]
    fed = replace(beside[0][0], name=RANDOM)
    monkeypatch.setattr(entries, "load_backbone", None)  # nothing more is to be loaded
    assert with_random([[fed], groups[0]]) == [[fed], groups[0]]
