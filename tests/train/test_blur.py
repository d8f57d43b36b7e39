import math

import numpy as np
import pytest
import torch
from torchvision.transforms import functional as tv

from train.blur import blur, blur_one

SIGMAS = (0.1, 0.4, 1.0, 1.37, 2.0)


def noise(*shape):
    return torch.from_numpy(np.random.default_rng(0).random(shape, np.float32))


def one_by_one(images, sigma):
    return torch.stack([blur_one(image, each) for image, each in zip(images, sigma.tolist(), strict=True)])


def slow_blur(image, sigma):
    """As the definition says: pixel by pixel, in double precision; what is beyond the border is mirrored."""

    def mirror(position, pixels):
        position = abs(position)
        return 2 * (pixels - 1) - position if position >= pixels else position

    height, width = image.shape
    reach = [min(math.ceil(4 * sigma), pixels - 1) for pixels in image.shape]
    made, total = np.zeros(image.shape), 0.0
    for down in range(-reach[0], reach[0] + 1):
        for across in range(-reach[1], reach[1] + 1):
            weight = math.exp(-0.5 * (down**2 + across**2) / sigma**2)
            total += weight
            for row in range(height):
                for column in range(width):
                    made[row, column] += weight * image[mirror(row + down, height), mirror(column + across, width)]
    return made / total


WAYS = pytest.mark.parametrize("way", [blur, one_by_one], ids=["batch", "one by one"])


@WAYS
def test_each_image_is_blurred_by_its_own_width_as_torchvision_does(way):
    images = noise(len(SIGMAS), 3, 40, 33)
    made = way(images, torch.tensor(SIGMAS))
    for image, sigma, ours in zip(images, SIGMAS, made, strict=True):
        theirs = tv.gaussian_blur(image, 2 * math.ceil(4 * sigma) + 1, sigma)
        assert (ours - theirs).abs().max() < 1e-5


@WAYS
@pytest.mark.parametrize("sigma", [0.3, 1.1, 2.0])
def test_a_blur_equals_its_definition_where_it_is_mirrored_at_both_ends(way, sigma):
    image = noise(1, 1, 5, 9)
    made = way(image, torch.tensor([sigma]))
    assert np.abs(made[0, 0].numpy() - slow_blur(image[0, 0].numpy(), sigma)).max() < 1e-5


@WAYS
def test_a_single_pixel_stays(way):
    assert torch.allclose(way(torch.full((1, 2, 1, 1), 0.3), torch.tensor([2.0])), torch.tensor(0.3))


def test_both_ways_agree():
    images, sigma = noise(len(SIGMAS), 5, 96, 96), torch.tensor(SIGMAS)
    assert (blur(images, sigma) - one_by_one(images, sigma)).abs().max() < 1e-6


@WAYS
def test_a_constant_image_stays_and_a_mean_is_kept_inside(way):
    flat = torch.full((1, 1, 30, 30), 0.7)
    assert torch.allclose(way(flat, torch.tensor([2.0])), flat)
    spot = torch.zeros(1, 1, 41, 41)
    spot[..., 20, 20] = 1
    assert torch.allclose(way(spot, torch.tensor([2.0])).sum(), torch.tensor(1.0))
