"""Several sensors of one training: which, which bands, the locations that all have, squares of one size."""

from dataclasses import replace

import numpy as np
import pytest

from catalogs import open_catalog
from catalogs.layers import Layer
from tests.train.grounds import COMMON, LANDSAT, SENTINEL, SPOT, align_config, make_ground_catalog, positions
from tests.train.places import make_places
from train.config import Alignment
from train.errors import ConfigError, DataError
from train.samples import find_samples
from train.sensor_input import (
    check_same_bands,
    choose_sensors,
    describe_lacking,
    name_bands,
    open_sensor,
    share_locations,
    square_side_m,
)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    folder = tmp_path_factory.mktemp("catalog") / "ground"
    return open_catalog(str(make_ground_catalog(folder, positions, count=2, side_m=120)))


def test_all_sensors_of_a_catalog_are_aligned_unless_told(catalog):
    assert set(choose_sensors(align_config(), catalog)) == {LANDSAT, SENTINEL, SPOT}
    assert choose_sensors(align_config(sensors=(SPOT, LANDSAT)), catalog) == (SPOT, LANDSAT)


def test_a_sensor_that_is_not_there_is_refused(catalog):
    with pytest.raises(
        ConfigError, match=r"has no scenes of 'spot-orto': it has .* with --sensors\. Did you mean 'spot-ortho'"
    ):
        choose_sensors(align_config(sensors=(SENTINEL, "spot-orto")), catalog)
    with pytest.raises(ConfigError, match=rf"Adapting to {SPOT} takes it and the one sensor"):
        choose_sensors(align_config(alignment=Alignment(adapt_sensor=SPOT)), catalog)


def test_one_sensor_is_not_enough(tmp_path):
    alone = make_ground_catalog(tmp_path, positions, count=1, side_m=120, sensors=(SENTINEL,))
    with pytest.raises(ConfigError, match=f"{SENTINEL} cannot be aligned with another one"):
        choose_sensors(align_config(), open_catalog(str(alone)))


def test_bands_of_several_sensors_go_by_common_names(catalog):
    options = {"cache": None, "pack": None}
    config = align_config(bands=("green", "red"))
    assert open_sensor(catalog, SENTINEL, config, **options).bands == ("B03", "B04")
    assert open_sensor(catalog, SPOT, config, **options).bands == ("green", "red")
    assert set(open_sensor(catalog, LANDSAT, align_config(bands=()), **options).bands) == {"B03", "B04"}


@pytest.mark.parametrize(
    ("sensor", "names", "words"),
    [
        (LANDSAT, ("nir",), r"landsat-c2-l2 has no band with the common name 'nir'; it has coastal, .*Did you mean 'nir08'\?"),
        (SENTINEL, ("B04",), "it has coastal, blue, green, red, .* Bands of several sensors go by the names that all"),
        ("sentinel-1-rtc", ("red",), "it has none"),
    ],
)
def test_a_band_that_a_sensor_lacks_is_refused(sensor, names, words):
    with pytest.raises(ConfigError, match=words):
        name_bands(sensor, names)


def test_bands_that_one_patch_embedding_would_take_for_each_other_are_refused():
    """All bands of Sentinel-2's 10 m and of SPOT are four, in another order."""
    bands = {SENTINEL: ("B02", "B03", "B04", "B08"), SPOT: ("red", "green", "blue", "nir")}
    words = f"blue, green, red, nir of {SENTINEL}; red, green, blue, nir of {SPOT}. Name bands that all have, such as"
    with pytest.raises(ConfigError, match=words):
        check_same_bands(bands)
    check_same_bands({SENTINEL: ("B04", "B03"), SPOT: ("red", "green"), LANDSAT: ("B04", "B03")})


def of_locations(*names, sensor=SENTINEL, **options):
    return replace(make_places(dict.fromkeys(names, (0, 90)), **options), sensor=sensor)


def test_locations_are_those_that_every_sensor_has_in_one_order():
    stacks = [
        of_locations("a", "b", "d", "e"),
        of_locations("b", "c", "d", sensor=LANDSAT),
        of_locations("d", "b", sensor=SPOT),
    ]
    samples, lacking = share_locations(stacks, dates=1)
    assert [each.locations for each in samples] == [("b", "d")] * 3
    assert len({each.keys.tobytes() for each in samples}) == 1
    assert lacking == {SENTINEL: 1, LANDSAT: 2, SPOT: 3}
    for stack, each in zip(stacks, samples, strict=True):
        names = stack.items["location"].to_pylist()
        for number, location in enumerate(each.locations):
            items = each.items[each.starts[number] : each.starts[number + 1]]
            assert [names[item] for item in items] == [location] * 2
            assert len(set(each.days[each.starts[number] : each.starts[number + 1]])) == 2


def test_of_one_sensor_nothing_changes():
    stack = of_locations("a", "b", "c")
    (samples,), lacking = share_locations([stack], dates=2)
    assert lacking == {}
    plain = find_samples(stack, dates=2)
    for name in ("keys", "starts", "items", "days"):
        np.testing.assert_array_equal(getattr(samples, name), getattr(plain, name))


def test_sensors_without_a_location_in_common_are_refused():
    words = f"scenes of all sensors: {SENTINEL} has 2, {SPOT} has 1, none in common.*--sensor {SENTINEL} --sensor {SPOT}"
    with pytest.raises(DataError, match=words):
        share_locations([of_locations("a", "b"), of_locations("c", sensor=SPOT)], dates=1)


def test_what_is_left_out_is_said():
    assert describe_lacking({SPOT: 1}) == "Left out for want of a sensor: 1 location without spot-ortho."


def test_squares_are_of_one_size(catalog):
    stacks = [open_sensor(catalog, sensor, align_config(), cache=None, pack=None) for sensor in (LANDSAT, SENTINEL, SPOT)]
    assert square_side_m(stacks) == 120


def test_squares_of_two_sizes_are_refused(catalog):
    stacks = [open_sensor(catalog, sensor, align_config(bands=COMMON), cache=None, pack=None) for sensor in (SENTINEL, SPOT)]
    wide = replace(stacks[1], layers=(Layer(1.5, ("red", "green"), "float32", 80, 160, (None, None)),))
    words = (
        "Squares differ in size: 120 m of sentinel-2-l2a, 120 m of spot-ortho, 240 m of spot-ortho.*share one with --sensors"
    )
    with pytest.raises(DataError, match=words):
        square_side_m([stacks[0], wide])
