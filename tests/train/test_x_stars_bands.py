"""X-STARS on sensors with other bands each, from a catalog to weights: every sensor has a patch embedding of its own bands."""

from dataclasses import replace

import pytest
import timm
import torch

from catalogs.bands import find_sensor
from tests.train.test_loop import assert_same_state
from tests.train.trainings import PAIR, prepare_tiny, runtime, tiny_config, tiny_pairs
from train.checkpoint import list_checkpoints, read_state
from train.errors import ConfigError
from train.exporting import export_checkpoint
from train.loop import _make_method, fit
from train.prepare import prepare_training
from train.run_folder import write_record
from train.weights import load_backbone

LANDSAT, SENTINEL = PAIR
RADAR = "sentinel-1-rtc"
BANDS = {sensor: tuple(band.name for band in find_sensor(sensor).bands) for sensor in (LANDSAT, RADAR, SENTINEL)}
"""All that each sensor has: optical ones of several pixel sizes, and radar in decibels."""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return tiny_pairs(tmp_path_factory.mktemp("catalog") / "several", count=9, sensors=tuple(BANDS))


@pytest.fixture(scope="module")
def trained(catalog, tmp_path_factory):
    """A run of an epoch on all sensors with its weights."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    fit(prepare_tiny(catalog, folder, "x_stars", epochs=2, bands=()), folder, runtime(steps=2))
    export_checkpoint(folder)
    return folder


def state_of(folder):
    return read_state(list_checkpoints(folder)[-1])


def test_every_patch_embedding_is_of_its_sensors_own_bands_and_moves(trained, catalog):
    method = _make_method(prepare_training(tiny_config("x_stars", epochs=2, bands=()), str(catalog)), fresh=True)
    state = state_of(trained)["method"]
    for sensor, bands in BANDS.items():
        name = f"student.encoder.backbones.{sensor}.patch_embed.proj.weight"
        assert state[name].shape[1] == len(bands)
        assert not state[name].equal(method.state_dict()[name])


def test_stopped_and_resumed_ends_in_the_same_bits(catalog, trained, tmp_path):
    training = prepare_tiny(catalog, tmp_path, "x_stars", epochs=2, bands=())
    for steps in (1, 2):
        fit(training, tmp_path, runtime(steps=steps))
    assert_same_state(state_of(trained), state_of(tmp_path))


def test_each_sensor_is_exported_with_its_bands_and_scaling(trained):
    state = state_of(trained)["method"]
    for sensor, bands in BANDS.items():
        loaded = load_backbone(str(trained), sensors=(sensor,))
        assert (loaded.spec.sensor, loaded.spec.bands) == (sensor, bands)
        for name, value in loaded.module.state_dict().items():
            assert value.equal(state[f"student.encoder.backbones.{sensor}.{name}"])
        opened = timm.create_model(f"local-dir:{trained / 'weights' / sensor}", pretrained=True).eval()
        images = torch.rand(1, len(bands), 32, 32)
        assert torch.equal(opened(images), loaded.module(images))


def test_a_training_goes_on_from_the_embedding_and_scaling_of_every_sensor(catalog, trained):
    training = prepare_training(tiny_config("x_stars", bands=()), str(catalog), init=str(trained))
    method = _make_method(training, fresh=True)
    for spec in training.record.specs:
        loaded = load_backbone(str(trained), sensors=(spec.sensor,))
        assert spec == loaded.spec
        ours = method.backbones()[spec.sensor].state_dict()
        assert [name for name, value in loaded.module.state_dict().items() if not ours[name].equal(value)] == []


def test_a_sensor_of_other_bands_is_adapted_to_and_exported(catalog, trained, tmp_path):
    config = tiny_config("x_stars", epochs=2, bands=(), sensors=(LANDSAT, RADAR))
    config = replace(config, alignment=replace(config.alignment, adapt_sensor=RADAR))
    training = prepare_training(config, str(catalog), init=str(trained / "weights" / LANDSAT))
    assert any(f"The patch embedding of {RADAR} begins as it is drawn" in note for note in training.notes)
    write_record(tmp_path, training.record)
    for steps in (1, 2):
        fit(training, tmp_path, runtime(steps=steps))
    export_checkpoint(tmp_path)
    loaded = load_backbone(str(tmp_path))
    assert (loaded.spec.sensor, loaded.spec.bands) == (RADAR, BANDS[RADAR])
    source = state_of(tmp_path)["method"]["source.patch_embed.proj.weight"]
    assert source.equal(load_backbone(str(trained), sensors=(LANDSAT,)).module.patch_embed.proj.weight)


def test_one_patch_embedding_for_bands_that_differ_is_refused(catalog):
    config = tiny_config("x_stars", bands=())
    config = replace(config, alignment=replace(config.alignment, shared_patch_embedding=True))
    with pytest.raises(ConfigError, match="separate-patch-embeddings"):
        prepare_training(config, str(catalog))
