"""How reflectance is scaled and normalised, against plain numpy on every pixel."""

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluate.stacks import make_stack
from tests.train.places import make_places
from train.config import InputSpec
from train.errors import ConfigError, DataError
from train.scaling import PIXELS_PER_BAND, measure_input, spec_lines

COUNT = 60
RGB = ("B04", "B03", "B02")


@pytest.fixture(scope="module")
def stack():
    """60 items of 48 px, with holes, every item with a scale and an offset of its own."""
    stack = make_places({f"place-{number:02d}": (0,) for number in range(COUNT)}, size_px=48, low=0)
    fine, _ = stack.pixels.layers
    fine[:, 0, :7, :9] = 0
    return stack


def all_reflectance(stack, items):
    """Valid reflectance of every band, from every pixel of every item."""
    found = {band: [] for band in stack.bands}
    for item in items:
        arrays = stack.empty()
        stack.read_into(int(item), arrays)
        for layer, array in zip(stack.layers, arrays, strict=True):
            for band, plane in zip(layer.bands, array, strict=True):
                place = stack.bands.index(band)
                numbers = plane[plane != 0].astype(float)
                found[band].append(numbers * float(stack.scale[item, place]) + float(stack.offset[item, place]))
    return [np.concatenate(found[band]) for band in stack.bands]


def rgb_stack(bands=RGB):
    rng = np.random.default_rng(0)
    return make_stack({bands: rng.integers(0, 255, (4, len(bands), 6, 6)).astype(np.uint8)}, bands)


def test_measured_ranges_are_the_percentiles_of_all_pixels(stack):
    items = np.arange(COUNT)
    spec = measure_input(stack, items, size_px=32)
    assert (spec.sensor, spec.bands, spec.size_px, spec.interpolation) == ("sentinel-2-l2a", stack.bands, 32, "bilinear")
    for place, values in enumerate(all_reflectance(stack, items)):
        low, high = np.percentile(values, (2, 98))
        assert spec.low[place] == pytest.approx(low, abs=0.005)
        assert spec.high[place] == pytest.approx(high, abs=0.01)
        scaled = np.clip((values - spec.low[place]) / (spec.high[place] - spec.low[place]), 0, 1)
        assert spec.mean[place] == pytest.approx(scaled.mean(), abs=0.01)
        assert spec.std[place] == pytest.approx(scaled.std(), abs=0.01)


def test_native_reflectance_stays_as_it_is(stack):
    items = np.arange(COUNT)
    spec = measure_input(stack, items, size_px=32, scaling="native", interpolation="bicubic")
    assert (spec.low, spec.high, spec.interpolation) == ((0.0,) * 3, (1.0,) * 3, "bicubic")
    for place, values in enumerate(all_reflectance(stack, items)):
        assert spec.mean[place] == pytest.approx(np.clip(values, 0, 1).mean(), abs=0.01)
        assert spec.std[place] == pytest.approx(np.clip(values, 0, 1).std(), abs=0.01)


def test_only_the_items_that_may_be_looked_at_are(stack):
    some = np.array([3, 17, 40])
    spec = measure_input(stack, some, size_px=32)
    fine, coarse = (layer.copy() for layer in stack.pixels.layers)
    others = np.setdiff1d(np.arange(COUNT), some)
    fine[others], coarse[others] = 60_000, 60_000
    other = replace(stack, pixels=type(stack.pixels)((fine, coarse)))
    assert measure_input(other, some, size_px=32) == spec
    assert measure_input(other, np.arange(COUNT), size_px=32) != spec


def test_a_seed_chooses_items_and_pixels_and_the_same_one_the_same(stack):
    items = np.arange(COUNT)
    one, again, other = (measure_input(stack, items, size_px=32, sample=10, seed=seed) for seed in (0, 0, 1))
    assert one == again
    assert one != other


def test_no_more_items_are_read_than_asked_for(stack):
    class Counting:
        def __init__(self):
            self.items = []

        def read_into(self, item, out):
            self.items.append(item)
            stack.read_into(item, out)

    counting = Counting()
    measure_input(replace(stack, pixels=counting), np.arange(COUNT), size_px=32, sample=7)
    assert len(set(counting.items)) == len(counting.items) == 7
    counting.items.clear()
    measure_input(replace(stack, pixels=counting), np.arange(5), size_px=32)
    assert counting.items == [0, 1, 2, 3, 4]


def test_numbers_have_six_digits_at_most(stack):
    spec = measure_input(stack, np.arange(COUNT), size_px=32)
    for value in (*spec.low, *spec.high, *spec.mean, *spec.std):
        assert value == float(f"{value:.6g}")
        assert type(value) is float


def test_secos_numbers_are_those_of_its_code():
    """methods.md 1.6: of 8-bit numbers, B2 from 3 to 88, B3 from 2 to 103, B4 from 0 to 129; then ImageNet's mean and std."""
    spec = measure_input(rgb_stack(), np.arange(4), size_px=224, scaling="seco")
    assert np.multiply(spec.low, 255) == pytest.approx([0, 2, 3])
    assert np.multiply(spec.high, 255) == pytest.approx([129, 103, 88])
    assert (spec.mean, spec.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert (spec.bands, spec.size_px) == (RGB, 224)


def test_the_previews_numbers_are_a_third_of_full_reflectance_and_imagenets():
    """methods.md 2.3: the preview images in SeCo's data, 0 to 0.3, not SeCo's quantiles."""
    spec = measure_input(rgb_stack(), np.arange(4), size_px=224, scaling="preview")
    assert (spec.low, spec.high) == ((0.0,) * 3, (0.3,) * 3)
    assert (spec.mean, spec.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    with pytest.raises(ConfigError, match=r"The preview's ranges are of B04, B03 and B02; band B11 has none\. Pass --bands"):
        measure_input(rgb_stack(("B04", "B11", "B02")), np.arange(4), size_px=32, scaling="preview")


def test_secos_numbers_go_with_the_bands_in_whatever_order():
    forward = measure_input(rgb_stack(), np.arange(4), size_px=32, scaling="seco")
    backward = measure_input(rgb_stack(RGB[::-1]), np.arange(4), size_px=32, scaling="seco")
    for name in ("bands", "low", "high", "mean", "std"):
        assert getattr(backward, name) == getattr(forward, name)[::-1]


def test_seco_has_no_range_for_another_band():
    words = "SeCo's ranges are of B04, B03 and B02; band B11 has none. Pass --bands B04,B03,B02, or --scaling measured."
    with pytest.raises(ConfigError, match=words):
        measure_input(rgb_stack(("B04", "B11", "B02")), np.arange(4), size_px=32, scaling="seco")


@pytest.mark.parametrize("scaling", ["measured", "native"])
def test_a_band_without_a_valid_pixel_is_named(stack, scaling):
    fine, coarse = stack.pixels.layers
    blind = replace(stack, pixels=type(stack.pixels)((fine, np.zeros_like(coarse))))
    with pytest.raises(DataError, match=r"Band B11 has no valid pixel in the items looked at. Leave it out with --bands."):
        measure_input(blind, np.arange(COUNT), size_px=32, scaling=scaling)


@pytest.mark.parametrize("scaling", ["measured", "native"])
def test_a_constant_band_is_named(stack, scaling):
    fine, coarse = stack.pixels.layers
    flat = replace(
        stack,
        pixels=type(stack.pixels)((fine, np.full_like(coarse, 1000))),
        scale=np.full_like(stack.scale, 1e-4),
        offset=np.zeros_like(stack.offset),
    )
    with pytest.raises(DataError, match=r"Band B11 is constant \(0.1\) in the items looked at. Leave it out with --bands, or"):
        measure_input(flat, np.arange(COUNT), size_px=32, scaling=scaling)


def test_numbers_that_are_not_finite_are_not_measurements():
    rng = np.random.default_rng(0)
    values = rng.uniform(0.1, 0.4, (6, 1, 32, 32)).astype(np.float32)
    holes = values.copy()
    holes[:, :, :16], holes[:, :, 16] = np.nan, np.inf
    spec = measure_input(make_stack({("B04",): holes}, ("B04",), nodata=np.nan), np.arange(6), size_px=32)
    assert spec.low[0] == pytest.approx(0.106, abs=0.005)
    assert spec.high[0] == pytest.approx(0.394, abs=0.005)


def test_a_patch_of_fewer_pixels_than_are_looked_at_will_do():
    assert PIXELS_PER_BAND > 6 * 6
    assert measure_input(rgb_stack(), np.arange(4), size_px=32).bands == RGB


def test_what_bands_are_scaled_by_is_a_table():
    spec = InputSpec("sentinel-2-l2a", ("B04", "B8A"), (0.01, -0.05), (0.25, 0.5), (0.4, 0.5), (0.2, 0.25), 64)
    assert spec_lines(spec) == [
        "   B04    0.0100 ..  0.2500   mean 0.400  std 0.200",
        "   B8A   -0.0500 ..  0.5000   mean 0.500  std 0.250",
    ]
