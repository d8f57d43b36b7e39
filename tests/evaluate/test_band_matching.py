"""Bands by name: red, green and blue of pictures, and what stands for a band that the catalog lacks."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from catalogs.errors import MissingBandError
from catalogs.reader import open_catalog
from catalogs.stack import open_stack
from catalogs.testing import make_catalog, make_locations
from evaluate.answers import make_result
from evaluate.band_matching import BandReader, display_factor, read_fill
from evaluate.bench import open_bench
from evaluate.cli.scoring import foreign_sensors
from evaluate.errors import InputError
from evaluate.features import extract_features
from evaluate.settings import WHITE, Settings
from tests.evaluate.test_result import RESULT
from train.config import InputSpec

L2A = "sentinel-2-l2a"
PICTURE = ("red", "green", "blue")
ITEMS = np.array([3, 0, 2])


def open_reader(href, sensor=L2A, **fill):
    catalog = open_catalog(str(href))
    return BandReader(catalog, catalog.items(sensor=sensor), sensor, fill, WHITE)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A catalog whose bands are called red, green and blue."""
    folder = tmp_path_factory.mktemp("catalogs") / "pictures"
    return make_catalog(folder, locations=make_locations(4, side_m=120), sensors=("spot-ortho",), labels=("a", "b"))


def reflectance(stack, band):
    """Reflectance of a band of every item, (items, height, width)."""
    found = []
    for item in range(len(stack)):
        rooms = stack.empty()
        stack.read_into(item, rooms)
        layer = next(number for number, each in enumerate(stack.layers) if band in each.bands)
        place = stack.bands.index(band)
        numbers = rooms[layer][stack.layers[layer].bands.index(band)].astype(np.float64)
        found.append(numbers * stack.scale[item, place] + stack.offset[item, place])
    return np.stack(found)


class Kept(nn.Module):
    """Features that are the image itself."""

    def forward(self, images):
        return images.flatten(1)


def images(stack, spec):
    """What a network would see, (items, bands, size, size)."""
    size = (len(ITEMS), len(spec.bands), spec.size_px, spec.size_px)
    return extract_features(stack, Kept(), spec, ITEMS).reshape(size)


def spec_of(bands, mean=0.3, high=0.5):
    count = len(bands)
    return InputSpec(L2A, tuple(bands), (0.0,) * count, (high,) * count, (mean,) * count, (0.2,) * count, size_px=24)


def test_a_filled_band_is_the_weights_mean_and_the_others_are_as_they_were(labelled):
    bands = ("B04", "B10", "B11", "B03", "B02")
    filled = open_reader(labelled, B10=None).open(bands)
    assert filled.bands == bands
    seen = images(filled, spec_of(bands))
    assert torch.equal(seen[:, 1], torch.zeros(3, 24, 24))
    read = ("B04", "B11", "B03", "B02")
    torch.testing.assert_close(seen[:, [0, 2, 3, 4]], images(open_reader(labelled).open(read), spec_of(read)))
    assert seen[:, 0].std() > 0


def test_a_band_is_filled_with_a_reflectance(labelled):
    bands = ("B10", "B04")
    stack = open_reader(labelled, B10=0.05).open(bands)
    np.testing.assert_allclose(reflectance(stack, "B10"), 0.05)
    seen = images(stack, spec_of(bands))
    torch.testing.assert_close(seen[:, 0], torch.full((3, 24, 24), (0.05 / 0.5 - 0.3) / 0.2))
    np.testing.assert_array_equal(reflectance(stack, "B04"), reflectance(open_reader(labelled).open(["B04"]), "B04"))


def test_several_bands_are_filled_each_with_its_own(labelled):
    both = ("B10", "vv", "B08")
    stack = open_reader(labelled, B10=None, vv=0.25, vh=1.0).open(both)
    assert stack.bands == both
    seen = images(stack, spec_of(both))
    assert torch.equal(seen[:, 0], torch.zeros(3, 24, 24))
    torch.testing.assert_close(seen[:, 1], torch.full((3, 24, 24), (0.5 - 0.3) / 0.2))


def test_a_filled_stack_goes_to_another_process(labelled):
    spec = spec_of(("B04", "B10"))
    stack = open_reader(labelled, B10=None).open(spec.bands)
    again = pickle.loads(pickle.dumps(stack))
    assert torch.equal(images(again, spec), images(stack, spec))


def test_a_band_that_is_neither_there_nor_filled_names_the_flag(labelled):
    told = (
        r"^The weights read B10, and sentinel-2-l2a has B01, .*\. Take weights of these bands\. "
        "Or say what stands for it: --fill B10=mean, the mean that the weights were trained with"
    )
    with pytest.raises(MissingBandError, match=told):
        open_reader(labelled).open(["B04", "B10"])
    with pytest.raises(MissingBandError, match=r"--fill B10=mean"):
        open_bench(str(labelled), Settings(), spec_of(("B04", "B10")))


def test_what_need_not_be_filled_or_cannot_be_is_refused(labelled):
    with pytest.raises(InputError, match=r"--fill fills B11, which .* has\. Leave it out"):
        open_reader(labelled, B11=None).open(["B04", "B11"])
    with pytest.raises(InputError, match=r"--fill fills every band that is read, B10\. Leave at least one"):
        open_reader(labelled, B10=None).open(["B10"])
    with pytest.raises(InputError, match=r"fills B04 but B02, B03 is read: red, green and blue are one picture"):
        open_reader(labelled, B04=None).open(["B04", "B03", "B02"])


def test_a_band_that_is_there_is_not_filled_whoever_asks_for_it(labelled):
    bench = open_bench(str(labelled), Settings(bands=("B04", "B08"), fill=("B08=mean",)))
    with pytest.raises(InputError, match=r"--fill fills B08, which .* has\. Leave it out"):
        bench.pixels(("B04", "B08"))


def test_bands_of_a_picture_are_those_of_a_sensor_brightened(labelled):
    stack, own = open_reader(labelled).open(PICTURE, "rgb-image"), open_reader(labelled).open(["B04", "B03", "B02"])
    assert stack.bands == PICTURE
    for color, band in zip(PICTURE, own.bands, strict=True):
        np.testing.assert_allclose(reflectance(stack, color), reflectance(own, band) / WHITE, rtol=1e-5)


def test_bands_of_sentinel_2_are_those_of_a_picture_darkened(pictures):
    reader = open_reader(pictures, "spot-ortho")
    stack, own = reader.open(["B02", "B04"], L2A), reader.open(["blue", "red"], "spot-ortho")
    assert stack.bands == ("B02", "B04")
    np.testing.assert_allclose(reflectance(stack, "B04"), reflectance(own, "red") * WHITE, rtol=1e-5)
    np.testing.assert_allclose(reflectance(stack, "B02"), reflectance(own, "blue") * WHITE, rtol=1e-5)
    np.testing.assert_array_equal(reflectance(own, "red"), reflectance(open_stack_of(pictures), "red"))


@pytest.mark.parametrize(
    ("made_for", "sensor", "factor"),
    [
        ("sentinel-2-l2a", "sentinel-2-l1c", 1),
        ("sentinel-2-l2a", "eurosat-rgb", WHITE),
        ("sentinel-2-l1c", "naip", WHITE),
        ("eurosat-rgb", "sentinel-2-l2a", 1 / WHITE),
        ("rgb-image", "eurosat-rgb", 1),
        ("rgb-image", "spot-ortho", 1),
        ("rgb-image", "landsat-c2-l2", 1 / WHITE),
    ],
)
def test_display_values_and_reflectance_are_told_apart_by_the_sensor(made_for, sensor, factor):
    assert display_factor(made_for, sensor, white=WHITE) == factor


def test_a_note_says_what_white_is_taken_for():
    (note,) = foreign_sensors(replace(RESULT, sensor="eurosat-rgb", protocol={**RESULT.protocol, "white": 0.25}))
    assert note.endswith(
        "One shows reflectance, the other display values: white is taken for a reflectance of 0.25; see --white."
    )


def test_a_bench_feeds_weights_of_pictures_what_a_picture_would_show(labelled):
    bench = open_bench(str(labelled), Settings(bands=("B04", "B03", "B02")))
    assert bench.pixels(bench.stack.bands, "sentinel-2-l1c") is bench.stack
    shown = bench.pixels(bench.stack.bands, "eurosat-rgb")
    np.testing.assert_allclose(shown.scale, bench.stack.scale / WHITE, rtol=1e-6)
    np.testing.assert_allclose(shown.offset, bench.stack.offset / WHITE, rtol=1e-6)


@pytest.mark.parametrize("white", [0, -0.1, float("nan"), float("inf")])
def test_white_is_a_reflectance(white):
    with pytest.raises(InputError, match=rf"--white is {white:g}; expected a reflectance above 0"):
        Settings(white=white)


def test_a_result_says_what_white_is_where_it_counts(labelled):
    settings = Settings(bands=("B04", "B03", "B02"), white=0.25)
    bench = open_bench(str(labelled), settings)
    spec = {"sensor": "eurosat-rgb"}
    assert make_result(bench, settings, {}, [replace(RESULT.scores[0], input=spec)]).protocol["white"] == 0.25
    assert "white" not in make_result(bench, settings, {}, [replace(RESULT.scores[0], input={"sensor": L2A})]).protocol
    shown = bench.pixels(bench.stack.bands, "eurosat-rgb")
    np.testing.assert_allclose(shown.scale, bench.stack.scale / 0.25, rtol=1e-6)


def open_stack_of(href):
    catalog = open_catalog(str(href))
    return open_stack(catalog, catalog.items(sensor="spot-ortho"), ["red"])


def test_a_bench_reads_what_the_catalog_has_and_feeds_weights_what_they_ask_for(labelled):
    like = spec_of(("red", "B10", "green", "blue"))
    bench = open_bench(str(labelled), Settings(fill=("B10=mean",)), like)
    assert bench.stack.bands == ("B04", "B03", "B02")
    assert bench.pixels(like.bands).bands == like.bands
    assert bench.pixels(("B04", "B03", "B02")) is bench.stack


def test_fills_are_read_as_they_are_typed():
    assert read_fill(None) == {}
    assert read_fill(("B10=mean", "B09=0.05")) == {"B10": None, "B09": 0.05}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("B1O=mean",), r"--fill names 'B1O', a band that no sensor has\. Expected such as B10=mean\. Did you mean B1\d\?"),
        (("B10",), r"--fill 'B10' fills B10 with ''; expected B10=mean, the mean of the weights, or a reflectance such as"),
        (("B10=zero",), r"fills B10 with 'zero'; expected B10=mean"),
        (("B10=nan",), r"fills B10 with 'nan'; expected B10=mean"),
        (("B10=mean", "B10=0"), r"--fill has B10 twice"),
    ],
)
def test_a_fill_that_says_nothing_is_refused(words, message):
    with pytest.raises(InputError, match=message):
        read_fill(words)
