"""Retrieval between sensors during a training: of the right ground, by the plain loop, told beside chance."""

import copy
import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d, unfold

import train.loop
from tests.catalogs.test_png import decode
from tests.reference.xstars import retrieval_at_1
from tests.train.grounds import LANDSAT, SENTINEL, align_config, make_ground_catalog, positions
from tests.train.test_loop import assert_same_state, state_of
from tests.train.trainings import runtime
from train.backbones import make_backbone
from train.config import Alignment
from train.hooks import HookContext
from train.loop import fit
from train.methods import make_method
from train.methods.x_stars import XStars
from train.prepare import prepare_training
from train.retrieval_monitor import RetrievalMonitor, read_ground
from train.run_folder import write_record
from train.sensor_backbones import ground_tokens

SENSORS = (LANDSAT, SENTINEL)
COUNT, SIZE_PX, PATCH_PX = 5, 64, 16


def waves(sensor, place, date, pixels):
    """Paint: fields of a few hundred metres, other ones at each place; every sensor sees them with a contrast of its own."""
    south, east = positions(sensor, place, date, pixels)
    phase, turn = np.random.default_rng(place).uniform(1, 6, 2)
    field = np.sin(turn * 3 * south + phase) * np.cos(turn * 4 * east - phase)
    contrast = 0.1 if sensor == LANDSAT else 0.2
    return np.stack([0.4 + contrast * field, 0.3 - contrast * field * south]).astype(np.float32)


def with_gaps(sensor, place, date, pixels):
    """The same; Sentinel-2 sees nothing of the west of two places, and nothing at all of a third."""
    painted = waves(sensor, place, date, pixels)
    if sensor == SENTINEL and place < 3:
        painted[:, :, : pixels if place == 2 else pixels // 2] = np.nan
    return painted


def prepare(folder, *, paint=waves, crop_m=None, **options):
    catalog = make_ground_catalog(folder, paint, count=COUNT, sensors=SENSORS, side_m=960, **options)
    config = align_config(alignment=Alignment(dim=16, dropout=0.1, size_px=SIZE_PX, crop_m=crop_m))
    return prepare_training(config, str(catalog))


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("whole") / "catalog")


@pytest.fixture(scope="module")
def gaps(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("gaps") / "catalog", paint=with_gaps)


class Averages(torch.nn.Module):
    """A method whose tokens are their pixels, every four by four averaged, and whose embeddings are drawn."""

    sensors = SENSORS

    def see_ground(self, ground):
        tokens = tuple(unfold(avg_pool2d(views, 4), 4, stride=4).mT for views in ground)
        generator = torch.Generator().manual_seed(len(tokens[0]))
        return tokens, tuple(torch.randn(*each.shape[:2], 6, generator=generator) for each in tokens)


def look(training, method):
    """What a monitor records and says."""
    figures, said = {}, []
    context = HookContext(
        7, 1, torch.nn.Identity(), training.record.spec, torch.device("cpu"), lambda *_: None, figures.__setitem__, said.append
    )
    RetrievalMonitor(training)(method, context)
    return figures, said


@pytest.mark.parametrize("which", ["training", "gaps"])
def test_every_pair_is_measured_as_the_plain_loop_does(which, request):
    training = request.getfixturevalue(which)
    figures, _ = look(training, Averages())
    ground = read_ground(training.inputs, training.config)
    seen = dict(zip(("features", "embeddings"), Averages().see_ground(ground.views), strict=True))
    valid = (ground.valid[0] & ground.valid[1]).tolist()
    wanted = {
        f"{measure}/{kind}/{SENSORS[one]}/{SENSORS[other]}": retrieval_at_1(
            tokens[one].tolist(), tokens[other].tolist(), valid, within=measure == "retrieval_within"
        )[0]
        for measure in ("retrieval", "retrieval_within")
        for kind, tokens in seen.items()
        for one, other in ((0, 1), (1, 0))
    }
    assert figures == pytest.approx(wanted, rel=1e-6)


def test_what_both_sensors_paint_alike_is_found_and_what_is_drawn_is_not(training):
    figures, _ = look(training, Averages())
    assert figures[f"retrieval/features/{LANDSAT}/{SENTINEL}"] > 0.8
    assert figures[f"retrieval/embeddings/{LANDSAT}/{SENTINEL}"] < 0.5


def test_chance_stands_beside_what_was_found(training):
    figures, said = look(training, Averages())
    means = {
        (measure, kind): np.mean([figures[f"{measure}/{kind}/{one}/{other}"] for one, other in (SENSORS, SENSORS[::-1])])
        for measure in ("retrieval", "retrieval_within")
        for kind in ("features", "embeddings")
    }
    (words,) = said
    assert words == (
        f"Step 7: retrieval@1 over {COUNT} locations that are trained on (too few in val) "
        f"features {means['retrieval', 'features']:.1%}, embeddings {means['retrieval', 'embeddings']:.1%} (chance 20.0%); "
        f"within an image features {means['retrieval_within', 'features']:.1%}, "
        f"embeddings {means['retrieval_within', 'embeddings']:.1%} (chance 6.2%)."
    )


def test_ground_without_measurements_is_not_asked_about(gaps):
    ground = read_ground(gaps.inputs, gaps.config)
    tokens = ground.valid[1].view(COUNT, 4, 4)
    assert [each.sum().item() for each in tokens] == [8, 8, 0, 16, 16]
    assert tokens[:2, :, 2:].all()
    assert ground.valid[0].all()
    assert torch.isfinite(ground.views[1]).all()


def test_no_ground_that_both_see_is_said_and_ends_nothing(tmp_path):
    def blind(sensor, place, date, pixels):
        painted = waves(sensor, place, date, pixels)
        painted[:, :, : pixels // 2] = np.nan if sensor == SENTINEL else painted[:, :, : pixels // 2]
        painted[:, :, pixels // 2 :] = np.nan if sensor == LANDSAT else painted[:, :, pixels // 2 :]
        return painted

    figures, said = look(prepare(tmp_path / "blind", paint=blind), Averages())
    assert figures == {}
    where = f"over {COUNT} locations that are trained on (too few in val)"
    assert said == [f"Step 7: retrieval is not measured: {where}, no two sensors have valid ground at two places."]


@pytest.mark.parametrize("crop_m", [None, 480.0])
def test_the_box_in_the_middle_is_shown_as_it_is_without_a_flip(tmp_path, crop_m):
    training = prepare(tmp_path / "places", paint=positions, crop_m=crop_m)
    ground = read_ground(training.inputs, training.config)
    side = (crop_m or 960) / 960
    wanted = 0.5 - side / 2 + side * (np.arange(4) + 0.5) / 4
    for each, views in zip(training.inputs, ground.views, strict=True):
        low, high, mean, std = (torch.tensor(getattr(each.spec, name)) for name in ("low", "high", "mean", "std"))
        tokens = avg_pool2d(views, PATCH_PX) * std[:, None, None] + mean[:, None, None]
        tokens = tokens * (high - low)[:, None, None] + low[:, None, None]
        np.testing.assert_allclose(tokens[0, 0].mean(1), wanted, atol=0.01)
        np.testing.assert_allclose(tokens[0, 1].mean(0), wanted, atol=0.01)


def test_held_out_locations_are_asked_where_two_are_there(training):
    splits = ["train", "val", "train", "val", "train"]
    inputs = []
    for each in training.inputs:
        names = sorted(set(each.stack.items["location"].to_pylist()))
        known = dict(zip(names, splits, strict=True))
        column = each.stack.items.schema.get_field_index("split")
        values = [known[name] for name in each.stack.items["location"].to_pylist()]
        inputs.append(replace(each, stack=replace(each.stack, items=each.stack.items.set_column(column, "split", [values]))))
    ground = read_ground(inputs, training.config)
    assert (len(ground), ground.is_held_out) == (2, True)
    everything = read_ground(training.inputs, training.config)
    assert ground.views[0].equal(everything.views[0][[1, 3]])


def test_the_method_is_asked_at_rest_and_left_as_it_was(training):
    method = make_method(training.config, training.record.channels, queue=0)
    modes = [part.training for part in method.modules()]
    weights = {name: value.clone() for name, value in method.state_dict().items()}
    before = torch.get_rng_state()
    first, second = look(training, method), look(training, method)
    assert first == second  # with dropout, they would differ
    assert torch.get_rng_state().equal(before)
    assert [part.training for part in method.modules()] == modes
    assert all(value.equal(weights[name]) for name, value in method.state_dict().items())
    assert len(first[0]) == 8


def test_a_training_writes_retrieval_and_attention_of_all_sensors_and_has_the_bits_of_one_without(
    training, tmp_path, monkeypatch
):
    write_record(tmp_path / "with", training.record)
    fit(training, tmp_path / "with", runtime(steps=3))
    with (tmp_path / "with" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows if row[f"retrieval/features/{LANDSAT}/{SENTINEL}"]] == ["0", "2", "3"]
    assert all(value == "" for name, value in rows[0].items() if name != "step" and not name.startswith("retrieval"))
    log = (tmp_path / "with" / "log.txt").read_text()
    assert log.count("retrieval@1") == 3
    assert "(there is no val split): test-000001" in log
    assert f"by {LANDSAT}, then {SENTINEL}." in log
    image = decode((tmp_path / "with" / "attention" / "step-000002.png").read_bytes())
    assert image.shape[1] == 8 * 112 + 7 * 4
    monkeypatch.setattr(train.loop, "make_monitors", lambda *_: ())
    fit(training, tmp_path / "without", runtime(steps=3))
    assert_same_state(state_of(tmp_path / "with"), state_of(tmp_path / "without"))


def test_the_frozen_copy_says_what_the_sensor_that_is_not_trained_sees(training):
    backbone = make_backbone("test_vit", bands=2, size_px=SIZE_PX)
    alignment = replace(training.config.alignment, adapt_sensor=SENTINEL)
    constants = training.config.distillation
    bands = dict.fromkeys(SENSORS, 2)
    method = XStars(copy.deepcopy(backbone), bands, distillation=constants, alignment=alignment).eval()
    with torch.no_grad():
        for parameter in method.student.parameters():
            parameter.add_(0.01 * torch.randn(parameter.shape))
    ground = read_ground(training.inputs, training.config)
    tokens, embeddings = method.see_ground(ground.views)
    wanted = {LANDSAT: backbone.eval(), SENTINEL: method.backbones()[SENTINEL]}
    for number, sensor in enumerate(SENSORS):
        assert tokens[number].equal(ground_tokens(wanted[sensor], ground.views[number]))
        assert embeddings[number].shape == (COUNT, 16, alignment.dim)
    assert not tokens[0].requires_grad
    assert len(look(training, method)[0]) == 8
