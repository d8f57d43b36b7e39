"""From a catalog and a configuration to a training: what was left open is settled, what does not fit is refused."""

from dataclasses import replace

import numpy as np
import pytest

from catalogs import open_catalog
from catalogs.errors import CatalogError, ContractError, MissingBandError
from catalogs.testing import make_catalog, make_locations
from tests.train.exporting import make_export
from tests.train.grounds import align_config, make_ground_catalog, positions
from train.config import Alignment, InputSpec
from train.errors import CheckpointError, ConfigError, DataError
from train.prepare import origin_of, prepare_training, slow_teacher
from train.recipes import RECIPES, with_view_size
from train.run_folder import package_versions
from train.scaling import measure_input

S2, LANDSAT, SPOT = "sentinel-2-l2a", "landsat-c2-l2", "spot-ortho"


def make_config(recipe="seco", **changes):
    return replace(with_view_size(RECIPES[recipe](), 16), **({"batch_size": 4} | changes))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve locations of three dates, of which six are to train on."""
    return str(
        make_catalog(tmp_path_factory.mktemp("cat"), locations=make_locations(12, side_m=240), seasons=3, json_items=False)
    )


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return str(
        make_catalog(
            tmp_path_factory.mktemp("pairs"),
            locations=make_locations(12, side_m=240),
            seasons=1,
            sensors=(S2, LANDSAT),
            json_items=False,
        )
    )


def test_what_a_configuration_leaves_open_is_settled(folder):
    config = make_config(batch_size=2)
    training = prepare_training(config, folder)
    catalog = open_catalog(folder)
    assert training.config == replace(config, sensor=S2, bands=training.stack.bands)
    assert len(training.stack.bands) == 12
    assert len(training.samples) == 6
    record = training.record
    assert record.config == training.config
    assert (record.catalog, record.catalog_id) == (folder, catalog.document["id"])
    assert record.index_hash == training.stack.index_hash
    assert (record.locations, record.queue) == (6, 2)
    assert record.versions == package_versions()
    assert record.init is None


def test_the_scaling_is_measured_on_what_is_trained_on(folder):
    training = prepare_training(make_config(batch_size=2, bands=("B04", "B11")), folder)
    stack = training.stack
    split = stack.items["split"].to_pylist()
    mine = np.flatnonzero([each == "train" for each in split])
    assert training.record.spec == measure_input(stack, mine, size_px=16)
    assert training.record.spec.bands == ("B04", "B11")


def test_the_scaling_of_a_run_that_goes_on_is_kept(folder):
    spec = InputSpec(S2, ("B04",), (0.0,), (0.3,), (0.5,), (0.2,), 16)
    assert prepare_training(make_config(batch_size=2, bands=("B04",)), folder, specs=(spec,)).record.spec is spec


def test_the_interpolation_and_the_size_of_features_are_those_of_the_views(folder):
    config = make_config("moco", batch_size=2, bands=("B04",))
    views = tuple(replace(view, crop=replace(view.crop, interpolation="bicubic")) for view in config.views)
    spec = prepare_training(replace(config, views=views), folder).record.spec
    assert (spec.size_px, spec.interpolation) == (16, "bicubic")


def test_the_same_catalog_and_settings_have_the_same_identity(folder):
    one, again = (prepare_training(make_config(batch_size=2), folder).record for _ in range(2))
    other = prepare_training(make_config(batch_size=2, seed=1), folder).record
    assert one.identity == again.identity
    assert one.identity.catalog == other.identity.catalog
    assert one.identity.config != other.identity.config


def test_weights_to_start_from_are_a_part_of_the_record(folder):
    config = make_config(batch_size=2, bands=("B04",), backbone="test_resnet")
    plain, started = (prepare_training(config, folder, init=init).record for init in (None, "random:test_resnet"))
    assert started.init == "random:test_resnet"
    assert started.identity != plain.identity
    assert started.spec == plain.spec, "random weights expect no scaling, so it is measured"


SPEC = InputSpec(S2, ("B04",), (0.0,), (0.3,), (0.5,), (0.2,), 224)


@pytest.mark.parametrize(
    ("spec", "changes", "kept"),
    [
        (SPEC, {}, True),
        (SPEC, {"scaling": "native"}, False),
        (replace(SPEC, sensor=LANDSAT), {}, False),
        (None, {}, False),
    ],
)
def test_the_scaling_of_weights_to_start_from_is_kept_where_it_fits(folder, tmp_path, spec, changes, kept):
    config = make_config(batch_size=2, bands=("B04",), backbone="test_resnet", **changes)
    init = str(tmp_path / "weights") if spec else "random:test_resnet"
    if spec:
        make_export(tmp_path / "weights", name="test_resnet", spec=spec)
    training, plain = prepare_training(config, folder, init=init), prepare_training(config, folder)
    assert training.record.spec == (replace(SPEC, size_px=16) if kept else plain.record.spec)
    said = [note for note in training.notes if note not in plain.notes]
    words = f"The scaling of {S2} is measured: {init} tells none that fits."
    assert said == ([words] if spec and not kept and not changes else [])


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (replace(SPEC, bands=("B08",)), r"with 1 bands \(B08\); asked for are 1 \(B04\)\. Pass --bands B08, in this order"),
        (SPEC, r"weights lacks \d+ of \d+ backbone tensors"),
    ],
)
def test_weights_that_do_not_fit_are_refused_before_anything_is_written(folder, tmp_path, spec, words):
    make_export(tmp_path / "weights", name="test_resnet", spec=spec)
    config = make_config(batch_size=2, bands=("B04",), backbone="test_resnet" if spec is not SPEC else "test_vit")
    with pytest.raises(CheckpointError, match=words):
        prepare_training(config, folder, init=str(tmp_path / "weights"))


def test_as_many_dates_are_needed_as_are_drawn_apart(folder):
    with_replacement = replace(RECIPES["seco"]().contrast, distinct_dates=False)
    views = tuple(replace(view, scene=3 * view.scene) for view in make_config().views)
    config = make_config(batch_size=2, views=views, bands=("B04",))
    with pytest.raises(DataError, match="No location has the 7 dates that this method needs: 6 locations have 3 dates"):
        prepare_training(config, folder)
    assert len(prepare_training(replace(config, contrast=with_replacement), folder).samples) == 6


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        (
            {"batch_size": 8},
            ConfigError,
            "A batch of 8 locations is larger than the data: 6 to train on. Choose --batch-size 2",
        ),
        ({"batch_size": 4}, ConfigError, "half of 6 is less than one batch of 4"),
        ({"bands": ("B04", "B44")}, MissingBandError, "B44"),
        ({"scaling": "seco"}, ConfigError, "SeCo's ranges are of B04, B03 and B02; band B01 has none"),
        ({"sensor": LANDSAT}, ContractError, LANDSAT),
    ],
)
def test_what_does_not_fit_the_catalog_is_refused(folder, changes, error, words):
    with pytest.raises(error, match=words):
        prepare_training(make_config(**({"batch_size": 2} | changes)), folder)


def test_one_of_several_sensors_must_be_chosen(pairs):
    words = f"has several sensors: {S2}, {LANDSAT}. Choose one with --sensor {S2}."
    with pytest.raises(ConfigError, match=words):
        prepare_training(make_config("moco", batch_size=2), pairs)
    training = prepare_training(make_config("moco", batch_size=2, sensor=S2), pairs)
    assert training.stack.sensor == training.config.sensor == training.record.spec.sensor == S2


def test_a_catalog_without_items_is_refused(tmp_path):
    empty = make_catalog(tmp_path, locations=make_locations(2), seasons=0)
    with pytest.raises(DataError, match=f"has no items of {S2} yet. Build it first: curate build {empty}."):
        prepare_training(make_config(), str(empty))


def test_a_pack_that_is_asked_for_must_be_there(folder):
    with pytest.raises(CatalogError, match="curate pack"):
        prepare_training(make_config(batch_size=2), folder, pack=True)


def test_local_crops_are_drawn_at_multiples_of_the_patch_and_it_is_said(folder):
    config = replace(with_view_size(RECIPES["dino_mc"](), 64), batch_size=2, bands=("B04",), backbone="test_vit")
    training = prepare_training(config, folder)
    assert [view.crop.size_px for view in training.config.views] == [64, 64, 48, 32, 32, 32, 16, 16]
    note, slow = training.notes
    assert note == (
        "Local crops are drawn at multiples of the 16 px patches of test_vit, so that no border is lost: 52 to 48, 46 to 32, "
        "41 to 32, 35 to 32, 29 to 16, 24 to 16 px."
    )
    again = prepare_training(training.config, folder)
    assert (again.config, again.notes) == (training.config, (slow,))
    assert (
        slow == "After 900 steps the teacher will still be 80 % as it was drawn. Choose more epochs, or a lower --ema-momentum."
    )
    assert (training.record.queue, training.record.spec.size_px) == (0, 64)


def test_a_convolutional_backbone_takes_local_crops_as_they_are(folder):
    config = replace(with_view_size(RECIPES["dino_mc"](), 64), batch_size=2, bands=("B04",), backbone="test_resnet")
    training = prepare_training(config, folder)
    assert training.config.views == config.views
    assert not any("Local crops" in note for note in training.notes)


def test_attention_over_crops_of_all_sizes_is_refused_where_they_cannot_be_packed(folder):
    config = replace(with_view_size(RECIPES["dino_mc"](), 64), batch_size=2, bands=("B04",), backbone="test_resnet")
    asked = replace(config, distillation=replace(config.distillation, pack_attention=True))
    with pytest.raises(ConfigError, match=r"--pack-attention is for plain ViTs .* test_resnet is none\. Leave it away"):
        prepare_training(asked, folder)
    assert prepare_training(replace(asked, backbone="test_vit"), folder).config.distillation.pack_attention


def test_a_teacher_that_has_time_to_follow_gets_no_word():
    config = RECIPES["dino"]()
    assert list(slow_teacher(config, 100_000)) == []
    assert len(list(slow_teacher(config, 2_560))) == 1
    assert list(slow_teacher(RECIPES["seco"](), 256)) == []


def test_dino_tp_needs_three_dates_unless_they_are_drawn_with_replacement(folder, pairs):
    config = replace(with_view_size(RECIPES["dino_tp_2024"](), 64), batch_size=2, backbone="test_resnet", sensor=S2)
    assert len(prepare_training(config, folder).samples) == 6
    assert len(prepare_training(config, pairs).samples) == 6, "one date three times"
    apart = replace(config, distillation=RECIPES["dino_tp"]().distillation)
    with pytest.raises(DataError, match="No location has the 3 dates that this method needs: 6 locations have 1 date"):
        prepare_training(apart, pairs)


def test_constants_of_another_family_are_refused(folder):
    config = replace(RECIPES["dino_mc"](), distillation=None, contrast=RECIPES["seco"]().contrast, batch_size=2)
    with pytest.raises(ConfigError, match=r"dino-mc needs constants of distillation, which are missing\. Start from a recipe"):
        prepare_training(config, folder)


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """Four squares of three sensors; SPOT has not seen the last one, Landsat not the first."""
    folder = tmp_path_factory.mktemp("ground") / "catalog"
    missing = ((SPOT, 3), (LANDSAT, 0))
    return str(make_ground_catalog(folder, positions, count=4, side_m=240, missing=missing))


def test_several_sensors_share_locations_and_keep_a_scaling_each(ground):
    training = prepare_training(align_config(bands=("green", "red")), ground)
    assert training.config.sensors == open_catalog(ground).sensors
    assert training.config.sensor is None
    assert training.config.bands == ("green", "red"), "their common names"
    names = {LANDSAT: ("B03", "B04"), S2: ("B03", "B04"), SPOT: ("green", "red")}
    assert [(each.spec.sensor, each.spec.bands) for each in training.inputs] == [
        (sensor, names[sensor]) for sensor in training.config.sensors
    ]
    for each in training.inputs:
        assert each.stack.sensor == each.spec.sensor
        assert each.samples.locations == ("test-000001", "test-000002")
        measured = measure_input(
            each.stack, np.unique(each.samples.items), size_px=32, scaling="native", interpolation="bicubic"
        )
        assert each.spec == measured
    assert (training.stack, training.samples) == (training.inputs[0].stack, training.inputs[0].samples)


def test_the_record_of_several_sensors_has_all_of_them(ground):
    training = prepare_training(align_config(), ground)
    record, catalog = training.record, open_catalog(ground)
    assert record.specs == tuple(each.spec for each in training.inputs)
    assert record.index_hash == "+".join(catalog.index_hash(sensor) for sensor in training.config.sensors)
    assert record.locations == 2
    assert record.license == "CC0-1.0", "simulated"
    assert record.bbox is not None
    assert record.interval[0].startswith("2023-02-03")
    other = prepare_training(align_config(sensors=training.config.sensors[:2]), ground).record
    assert other.identity.catalog != record.identity.catalog


def test_the_origin_of_several_sensors_names_each_licence_and_spans_all_dates():
    def collection(name, *dates):
        extent = {"spatial": {"bbox": [[1, 2, 3, 4]]}, "temporal": {"interval": [dates]}}
        return {"license": name, "description": f"Of {name}.", "extent": extent}

    seen = [collection("a", "2020", "2022"), collection("b", "2019", "2021"), collection("a", "2020", "2023")]
    assert origin_of(seen) == {
        "license": "a AND b", "attribution": "Of a. Of b.", "bbox": (1, 2, 3, 4), "interval": ("2019", "2023"),
    }  # fmt: skip
    assert origin_of([collection("a", "2020", None), seen[1]])["interval"] is None
    assert origin_of([{}]) == {"license": "other", "attribution": "", "bbox": None, "interval": None}


def test_what_a_token_shows_and_what_was_left_out_is_said(ground):
    training = prepare_training(align_config(), ground)
    pixels = {LANDSAT: "0.6", S2: "1.7", SPOT: "11.4"}
    shown = ", ".join(f"{pixels[sensor]} px of {sensor}" for sensor in training.config.sensors)
    lacking = ", ".join(f"1 location without {sensor}" for sensor in training.config.sensors if sensor != S2)
    _, left_out, scale, *warnings = training.notes
    assert left_out == f"Left out for want of a sensor: {lacking}."
    assert scale == f"A token is 17.1 m: {shown}."
    assert [warning.split(" px of ")[1].split(",")[0] for warning in warnings] == [
        sensor for sensor in training.config.sensors if sensor != SPOT
    ]


def test_a_run_of_several_sensors_goes_on_with_its_scalings(ground):
    first = prepare_training(align_config(), ground)
    known = tuple(replace(spec, mean=(0.25, 0.75)) for spec in first.record.specs)
    again = prepare_training(first.config, ground, specs=known)
    assert again.record.specs == known
    assert again.record.identity == first.record.identity


def test_weights_to_start_from_keep_the_scaling_of_their_sensor_alone(ground, tmp_path):
    spec = InputSpec(S2, ("B04", "B03"), (0.0, 0.0), (0.3, 0.3), (0.5, 0.5), (0.2, 0.2), 224)
    init, config = str(tmp_path / "weights"), align_config(scaling="measured", sensors=(S2, LANDSAT, SPOT))
    make_export(tmp_path / "weights", name="test_vit", spec=spec)
    training = prepare_training(config, ground, init=init)
    plain, started = (
        {each.sensor: each for each in record.specs} for record in (prepare_training(config, ground).record, training.record)
    )
    assert f"The scaling of {LANDSAT} and {SPOT} is measured: {init} tells none that fits." in training.notes
    words = f"The patch embedding of {SPOT} begins as a copy of that of {S2}: {init} has none of its own."
    assert words in training.notes
    assert started.pop(S2) == replace(spec, size_px=32, interpolation="bicubic")
    assert plain.pop(S2).high != spec.high
    assert started == plain


def test_a_run_that_goes_on_needs_its_initial_weights_no_more(ground):
    first = prepare_training(align_config(scaling="measured"), ground)
    again = prepare_training(first.config, ground, specs=first.record.specs, init="runs/that/are/gone")
    assert again.record.specs == first.record.specs


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"alignment": Alignment(crop_m=250.0)}, ConfigError, "A box of 250 m does not fit squares of 240 m"),
        ({"alignment": Alignment(size_px=100)}, ConfigError, "Aligned views of 100 px do not divide into the 16 px patches"),
        ({"sensors": (S2, "naip")}, ConfigError, "has no scenes of 'naip'"),
        (
            {"sensors": (S2, SPOT), "bands": (), "alignment": Alignment(size_px=32, shared_patch_embedding=True)},
            ConfigError,
            f"there are green, red of {S2}; red, green of {SPOT}. Name bands that all have",
        ),
        ({"backbone": "test_vit3"}, ConfigError, "A VisionTransformer without a class token has no tokens"),
        ({"bands": ("red", "nir")}, ConfigError, "landsat-c2-l2 has no band with the common name 'nir'"),
        ({"bands": ("red", "blue")}, MissingBandError, "blue|B02"),
        ({"batch_size": 4}, ConfigError, "A batch of 4 locations is larger than the data: 2 to train on"),
    ],
)
def test_what_does_not_fit_several_sensors_is_refused(ground, changes, error, words):
    with pytest.raises(error, match=words):
        prepare_training(align_config(**changes), ground)
