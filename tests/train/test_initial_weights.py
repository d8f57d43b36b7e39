"""What a training begins with: of each sensor its own where the weights have it, else a copy or a draw, which is said."""

from dataclasses import replace

import pytest
import torch

from tests.train.aligned import aligned_config
from tests.train.exporting import make_export, make_spec
from train.errors import CheckpointError, ConfigError
from train.initial_weights import load_initial

LANDSAT, SENTINEL, SPOT = "landsat-c2-l2", "sentinel-2-l2a", "spot-ortho"
BANDS = {LANDSAT: ("B04", "B03"), SENTINEL: ("B04", "B03")}
"""Red and green of each."""


def export(folder, sensor, bands=("B04", "B03"), *, name="test_vit", seed=0):
    torch.manual_seed(seed)
    return make_export(folder, name=name, spec=replace(make_spec(bands, size_px=32), sensor=sensor))


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Weights of two sensors, and the backbones in them."""
    run = tmp_path_factory.mktemp("pair")
    found = {sensor: export(run / "weights" / sensor, sensor, seed=seed) for seed, sensor in enumerate(BANDS)}
    return str(run), found


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Weights of Sentinel-2."""
    folder = tmp_path_factory.mktemp("alone") / "out"
    export(folder, SENTINEL)
    return str(folder)


def kernel(embedding):
    return embedding.proj.weight


def adapt_to(sensor):
    config = aligned_config()
    return replace(config, alignment=replace(config.alignment, adapt_sensor=sensor))


def test_of_a_run_on_several_sensors_each_begins_with_its_own(pair):
    run, backbones = pair
    found = load_initial(run, aligned_config(), BANDS)
    assert all(torch.equal(each, backbones[LANDSAT].state_dict()[name]) for name, each in found.backbone.state_dict().items())
    assert list(found.embeddings) == [SENTINEL]
    assert torch.equal(kernel(found.embeddings[SENTINEL]), kernel(backbones[SENTINEL].patch_embed))
    assert [spec.sensor for spec in found.specs] == [LANDSAT, SENTINEL]
    assert {spec.interpolation for spec in found.specs} == {"bicubic"}, "that of the views"
    assert found.notes == ()


def test_adapting_from_a_run_on_both_sensors_begins_with_what_the_adapted_one_learnt(pair):
    run, backbones = pair
    found = load_initial(run, adapt_to(LANDSAT), BANDS)
    assert torch.equal(kernel(found.backbone.patch_embed), kernel(backbones[SENTINEL].patch_embed))
    assert torch.equal(kernel(found.embeddings[LANDSAT]), kernel(backbones[LANDSAT].patch_embed))


def test_a_sensor_that_the_weights_lack_begins_with_a_copy_where_its_bands_are_the_same(alone):
    bands = {SENTINEL: BANDS[SENTINEL], SPOT: ("red", "green")}
    found = load_initial(alone, aligned_config(), bands)
    assert kernel(found.embeddings[SPOT]) is kernel(found.backbone.patch_embed)
    assert found.notes == (
        f"The scaling of {SPOT} is measured: {alone} tells none that fits.",
        f"The patch embedding of {SPOT} begins as a copy of that of {SENTINEL}: {alone} has none of its own.",
    )


@pytest.mark.parametrize("theirs", [("green", "red"), ("red", "green", "blue")])
@pytest.mark.parametrize("adapted", [None, SPOT])
def test_bands_in_another_order_or_number_begin_as_they_are_drawn(alone, theirs, adapted):
    found = load_initial(alone, adapt_to(adapted), {SENTINEL: BANDS[SENTINEL], SPOT: theirs})
    assert found.embeddings == {}
    words = f"The patch embedding of {SPOT} begins as it is drawn: {alone} has none of its bands {', '.join(theirs)}."
    assert found.notes[1:] == (words,)


def test_own_weights_of_other_bands_are_not_taken(tmp_path):
    export(tmp_path / "weights" / LANDSAT, LANDSAT)
    export(tmp_path / "weights" / SENTINEL, SENTINEL, ("B04", "B03", "B02"))
    found = load_initial(str(tmp_path), aligned_config(), BANDS)
    assert kernel(found.embeddings[SENTINEL]) is kernel(found.backbone.patch_embed)
    assert [spec.sensor for spec in found.specs] == [LANDSAT]


def test_one_patch_embedding_has_no_others_beside_it(pair):
    config = aligned_config(shared_patch_embedding=True)
    found = load_initial(pair[0], config, BANDS)
    assert (found.embeddings, len(found.specs)) == ({}, 2)


def test_weights_that_say_nothing_of_their_input_need_no_word_of_scaling():
    (note,) = load_initial("random:test_vit", aligned_config(), BANDS).notes
    assert note.startswith(f"The patch embedding of {SENTINEL} begins as a copy of that of {LANDSAT}")


def test_a_scaling_that_is_asked_for_is_not_the_weights(pair):
    found = load_initial(pair[0], replace(aligned_config(), scaling="native"), BANDS)
    assert (found.specs, found.notes) == ((), ())


def test_a_frozen_copy_of_another_sensors_weights_is_refused(alone):
    words = rf"has weights of {SENTINEL}, and a frozen copy of them is to encode {LANDSAT}\. Give weights of {LANDSAT}, or"
    with pytest.raises(CheckpointError, match=words):
        load_initial(alone, adapt_to(SENTINEL), BANDS)
    load_initial(alone, adapt_to(LANDSAT), BANDS)


def test_weights_of_a_later_sensor_are_refused_with_the_order_that_fits(alone):
    words = rf"has weights of {SENTINEL}, and the first sensor is {LANDSAT}\. .*first: --sensors {SENTINEL},{LANDSAT}\."
    with pytest.raises(CheckpointError, match=words):
        load_initial(alone, aligned_config(), BANDS)


def test_weights_of_pictures_encode_any_sensor_and_that_its_scaling_is_measured_is_said(tmp_path):
    export(tmp_path / "out", "rgb-image", ("red", "green", "blue"))
    bands = {SENTINEL: ("B04", "B03", "B02"), SPOT: ("red", "green", "blue")}
    found = load_initial(str(tmp_path / "out"), adapt_to(SPOT), bands)
    assert found.specs == ()
    assert found.notes[0] == f"The scaling of {SENTINEL} and {SPOT} is measured: {tmp_path / 'out'} tells none that fits."


def test_weights_of_a_sensor_that_is_not_trained_on_are_a_start(tmp_path):
    export(tmp_path / "out", "sentinel-2-l1c")
    found = load_initial(str(tmp_path / "out"), aligned_config(), BANDS)
    assert (found.specs, list(found.embeddings)) == ((), [SENTINEL])


def test_weights_of_other_bands_are_refused_by_names_that_all_sensors_know(alone):
    bands = {SENTINEL: ("B03", "B04"), LANDSAT: ("B03", "B04")}
    words = r"2 bands \(red, green\); asked for are 2 \(green, red\)\. Pass --bands red,green, in this order; every sensor must"
    with pytest.raises(CheckpointError, match=words):
        load_initial(alone, aligned_config(), bands)


def test_a_backbone_without_a_class_token_is_refused():
    with pytest.raises(ConfigError, match="A VisionTransformer without a class token"):
        load_initial("random:test_vit3", replace(aligned_config(), backbone="test_vit3"), BANDS)


def test_what_is_loaded_leaves_torchs_generator_as_it_was(pair):
    before = torch.get_rng_state()
    load_initial(pair[0], aligned_config(), BANDS)
    assert torch.equal(torch.get_rng_state(), before)
