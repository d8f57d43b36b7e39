"""Feature maps: which are taken, that they are timm's, and that nothing but rounding hangs on how they are read."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from evaluate.dense_features import MapSource, PixelValues, Pyramid, map_levels, measure_maps, turn
from evaluate.errors import InputError
from tests.evaluate.dense_samples import BANDS, SIDE, make_random_backbone, make_samples, make_spec, make_squares
from tests.evaluate.stacks import make_stack


@pytest.fixture(scope="module")
def backbone():
    return make_random_backbone()


def test_a_resnet_gives_c2_to_c5_and_its_stem_where_asked(backbone):
    pyramid = Pyramid(backbone, bands=3, size_px=SIDE)
    assert pyramid.shapes == ((64, 8, 8), (128, 4, 4), (256, 2, 2), (512, 1, 1))
    assert Pyramid(backbone, bands=3, size_px=SIDE, stem=True).channels == (64, 64, 128, 256, 512)


def test_a_vit_gives_four_depths_evenly_spaced():
    vit = make_random_backbone("vit_tiny_patch16_224", size_px=32)
    assert map_levels(vit) == (2, 5, 8, 11)
    pyramid = Pyramid(vit, bands=3, size_px=32)
    assert pyramid.shapes == ((192, 2, 2),) * 4
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        expected = vit.forward_intermediates(images, indices=[2, 5, 8, 11], intermediates_only=True)
        for each, other in zip(pyramid.maps(images), expected, strict=True):
            torch.testing.assert_close(each, other)
        tokens = vit.forward_intermediates(images, indices=[11], intermediates_only=True, output_fmt="NLC")[0]
    torch.testing.assert_close(pyramid.maps(images)[3][0, :, 0, 1], tokens[0, 1])  # a row of tokens is a row of places


def test_the_last_map_of_a_resnet_pools_to_its_features(backbone):
    pyramid = Pyramid(backbone, bands=3, size_px=64)
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(pyramid.maps(images)[-1].mean(dim=(2, 3)), backbone(images))


def test_networks_without_maps_are_refused():
    with pytest.raises(InputError, match="Linear does not say which feature maps it has"):
        map_levels(nn.Linear(1, 1))
    broken = make_random_backbone()
    with pytest.raises(InputError, match=r"ResNet gives no feature maps of 32 px images: .* such as resnet50"):
        Pyramid(broken, bands=5, size_px=SIDE)


def test_of_maps_of_one_size_the_last_is_taken():
    about = [{"reduction": reduction} for reduction in (2, 4, 8, 8, 16)]
    network = SimpleNamespace(feature_info=about, forward_intermediates=None)
    assert map_levels(network) == (1, 3, 4)
    assert map_levels(network, stem=True) == (0, 1, 3, 4)


@pytest.mark.parametrize("dates", [1, 2])
def test_maps_are_those_of_the_network_and_of_two_dates_their_difference(backbone, dates):
    samples, _ = make_samples(4, dates=dates, backbone=backbone)
    images, inputs, _ = make_squares(4, dates=dates)
    with torch.no_grad():
        plain = [samples.source.pyramid.maps(torch.from_numpy(images[items])) for items in inputs]
    found = samples.source.read(np.array([2, 0]))
    for level, each in enumerate(found):
        for row, sample in enumerate((2, 0)):
            maps = plain[sample][level]
            expected = maps[0] if dates == 1 else (maps[0] - maps[1]).abs()
            torch.testing.assert_close(each[row], expected, rtol=1e-4, atol=1e-5)
        assert not each.requires_grad


@pytest.mark.parametrize("change", [{"keep_gb": 0.0}, {"batch_size": 3}, {"workers": 2}])
def test_how_maps_are_read_changes_rounding_at_most(backbone, change):
    samples, _ = make_samples(6, dates=2, backbone=backbone)
    other, _ = make_samples(6, dates=2, backbone=backbone, **change)
    assert samples.source.is_kept
    assert other.source.is_kept == ("keep_gb" not in change)
    for one, two in zip(samples.source.read(np.arange(6)), other.source.read(np.arange(6)), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)


def test_images_are_turned_before_the_network_sees_them(backbone):
    samples, _ = make_samples(3, backbone=backbone)
    images = torch.from_numpy(make_squares(3)[0])
    turns = np.array([0, 3, 6])
    with torch.no_grad():
        expected = samples.source.pyramid.maps(
            torch.stack([turn(image, how) for image, how in zip(images, turns, strict=True)])
        )
    for one, two in zip(samples.source.read(np.arange(3), turns), expected, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)


def test_there_are_eight_ways_to_lay_a_square_on_itself():
    square = torch.arange(9).reshape(3, 3)
    ways = {tuple(turn(square, how).flatten().tolist()) for how in range(8)}
    assert len(ways) == 8
    assert turn(square, 0).equal(square)


def test_reflectance_as_it_is_comes_back_as_the_only_map():
    images, inputs, _ = make_squares(2)
    source = MapSource(make_stack({BANDS: images}, BANDS), PixelValues(bands=3, size_px=SIDE), make_spec(), inputs, keep_gb=1)
    (found,) = source.read(np.array([1]))
    torch.testing.assert_close(found[0], torch.from_numpy(images[1]), rtol=1e-6, atol=1e-6)
    assert source.pyramid.channels == (3,)


def test_channels_are_measured_over_all_places_of_the_samples_that_teach(backbone):
    samples, _ = make_samples(5, backbone=backbone)
    taught = np.array([0, 3, 4])
    mean, std = measure_maps(samples.source, taught, batch_size=2)
    for level, each in enumerate(samples.source.read(taught)):
        places = each.double().transpose(0, 1).flatten(1)
        torch.testing.assert_close(mean[level], places.mean(dim=1))
        torch.testing.assert_close(std[level], places.std(dim=1, unbiased=False))


def test_the_backbone_stays_as_it_is_and_in_evaluation_mode(backbone):
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    network = make_random_backbone().train()
    Pyramid(network, bands=3, size_px=SIDE)
    assert network.training
    samples, _ = make_samples(3, backbone=backbone)
    samples.source.read(np.arange(3), np.array([1, 2, 3]))
    assert not backbone.training
    for name, value in backbone.state_dict().items():
        assert value.equal(before[name]), name
