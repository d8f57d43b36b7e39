import numpy as np
import pytest
import torch

from tests.train.references import torchvision_view
from train.config import Crop, Photometric, View
from train.parameters import COLUMNS, PER_BAND, draw_parameters
from train.photometric import change_batch, change_one, find_rgb

EVERYTHING = Photometric(
    jitter=0.8, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, band_offset=0.1, grayscale=0.2, blur=0.5, solarize=0.3
)
SIDE = 32


def draw(count, bands, photometric=EVERYTHING):
    view = View("query", 0, Crop(SIDE, scale=(1.0, 1.0), ratio=(1.0, 1.0), flip=0), photometric)
    keys = np.arange(count, dtype=np.uint64)
    return draw_parameters([view], seed=0, epoch=0, locations=keys, size_px=SIDE, bands=bands)[0]


def make_images(count, bands):
    return torch.from_numpy(np.random.default_rng(0).random((count, bands, SIDE, SIDE), np.float32))


def one_by_one(images, parameters, *, rgb, bands):
    rows = parameters.host.tolist()
    return torch.stack([change_one(image, row, rgb=rgb, bands=bands) for image, row in zip(images, rows, strict=True)])


def at_once(images, parameters, *, rgb, bands):
    return change_batch(images, parameters, rgb=rgb, bands=torch.tensor(bands))


WAYS = pytest.mark.parametrize("way", [at_once, one_by_one], ids=["batch", "one by one"])


@WAYS
def test_rgb_is_changed_as_drawn_in_the_drawn_order_as_torchvision_does(way):
    images, parameters = make_images(64, 3), draw(64, 3)
    assert {name for name, _ in parameters.groups()} >= {"hue", "grayscale", "sigma", "solarize"}
    made = way(images.clone(), parameters, rgb=True, bands=[0, 1, 2])
    theirs = [torchvision_view(image, row, Crop(SIDE)) for image, row in zip(images, parameters.host, strict=True)]
    difference = (made - torch.stack(theirs)).abs()
    assert difference.mean() < 0.01 / 255
    assert difference.max() < 1e-4


@WAYS
def test_the_order_of_the_jitter_matters(way):
    jitter = Photometric(jitter=1, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
    parameters, turned = (draw(32, 3, jitter) for _ in range(2))
    images, parameters = (
        make_images(32, 3),
        draw(32, 3, Photometric(jitter=1, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)),
    )
    turned.host[:, COLUMNS["order"]] = np.flip(turned.host[:, COLUMNS["order"]], axis=1).copy()
    turned = turned.part(slice(None))
    images = make_images(32, 3)
    made, other = (way(images.clone(), each, rgb=True, bands=[0, 1, 2]) for each in (parameters, turned))
    assert ((made - other).abs().amax((1, 2, 3)) > 1e-3).all()


@pytest.mark.parametrize("rgb", [True, False])
def test_both_ways_agree_with_further_bands(rgb):
    images, parameters = make_images(48, 6), draw(48, 6)
    order = [2, 1, 0, 5, 3, 4]
    both = [way(images.clone(), parameters, rgb=rgb, bands=order) for way in (at_once, one_by_one)]
    assert (both[0] - both[1]).abs().max() < 1e-5


@WAYS
@pytest.mark.parametrize("rgb", [True, False])
def test_further_bands_have_a_gain_and_an_offset_each_and_are_clamped(way, rgb):
    jitter = Photometric(jitter=0.7, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, band_offset=0.2)
    images, parameters, order = make_images(40, 5), draw(40, 5, jitter), [4, 0, 2, 1, 3]
    made = way(images.clone(), parameters, rgb=rgb, bands=order)
    gains, offsets = parameters.host[:, PER_BAND : PER_BAND + 5], parameters.host[:, PER_BAND + 5 : PER_BAND + 10]
    for place in range(3 if rgb else 0, 5):
        gain, offset = (torch.from_numpy(each[:, order[place], None, None]) for each in (gains, offsets))
        assert torch.allclose(made[:, place], (gain * images[:, place] + offset).clamp(0, 1))
    untouched = torch.from_numpy((gains == 1).all(axis=1))
    assert 0 < untouched.sum() < 40
    assert torch.equal(made[untouched], images[untouched])
    if rgb:
        assert not torch.isclose(made[~untouched, 0], images[~untouched, 0]).all()


@WAYS
def test_values_stay_between_zero_and_one(way):
    strong = Photometric(
        jitter=1, brightness=0.9, contrast=0.9, saturation=0.9, hue=0.5, band_offset=0.5, grayscale=0.2, blur=0.5, solarize=0.5
    )
    made = way(make_images(64, 5), draw(64, 5, strong), rgb=True, bands=list(range(5)))
    assert made.min() >= 0
    assert made.max() <= 1 + 1e-6  # weights of a blur sum to 1 but for rounding


@WAYS
def test_what_was_not_drawn_is_not_touched(way):
    images = make_images(8, 4)
    assert torch.equal(way(images.clone(), draw(8, 4, Photometric()), rgb=True, bands=[0, 1, 2, 3]), images)


def test_rgb_is_found_by_common_names_or_by_the_bands_own():
    assert find_rgb("sentinel-2-l2a", ("B02", "B03", "B04", "B08")) == (2, 1, 0)
    assert find_rgb("spot-ortho", ("nir", "red", "green", "blue")) == (1, 2, 3)
    assert find_rgb("camera", ("red", "green", "blue")) == (0, 1, 2)
    assert find_rgb("sentinel-2-l2a", ("B02", "B03", "B08")) is None
    assert find_rgb("sentinel-1-rtc", ("vv", "vh")) is None
