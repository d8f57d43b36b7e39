"""Random convolutional features against a plain loop, and what their filters are."""

import numpy as np
import pytest
import torch

from evaluate.errors import InputError
from evaluate.random_convolutions import Pieces, RandomConvolutions, make_filters, random_convolutions
from tests.evaluate.stacks import make_stack


@pytest.fixture(scope="module")
def stack():
    """30 items of two bands."""
    rng = np.random.default_rng(0)
    return make_stack({("B04", "B08"): rng.integers(1, 4000, (30, 2, 12, 12)).astype(np.uint16)}, ("B04", "B08"), scale=1e-4)


def plain_features(image, filters, bias):
    """One place and one filter at a time."""
    _, height, width = image.shape
    above, below = [], []
    for one in filters:
        responses = [
            float((image[:, row : row + 3, column : column + 3] * one).sum())
            for row in range(height - 2)
            for column in range(width - 2)
        ]
        above.append(sum(max(0.0, each - bias) for each in responses) / len(responses))
        below.append(sum(max(0.0, -each - bias) for each in responses) / len(responses))
    return above + below


def test_features_equal_a_plain_loop():
    generator = torch.Generator().manual_seed(0)
    images, filters = torch.randn(2, 2, 7, 6, generator=generator), torch.randn(5, 2, 3, 3, generator=generator)
    found = RandomConvolutions(filters, bias=0.7)(images)
    expected = [plain_features(image.double().numpy(), filters.double().numpy(), 0.7) for image in images]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_whitened_pieces_share_no_direction():
    generator = torch.Generator().manual_seed(1)
    common = torch.randn(1, 18, generator=generator)
    pieces = torch.randn(300, 18, generator=generator) + 4 * torch.randn(300, 1, generator=generator) * common
    filters = make_filters(pieces.reshape(300, 2, 3, 3))
    rows = pieces.double() - pieces.double().mean(1, keepdim=True)
    responses = rows / rows.norm(dim=1, keepdim=True) @ filters.flatten(1).double().T
    strength = torch.linalg.svdvals(rows / rows.norm(dim=1, keepdim=True))
    whitened = torch.linalg.svdvals(responses)
    assert strength[0] / strength[10] > 4
    assert whitened[0] / whitened[10] < 1.5


def test_filters_ignore_what_all_pixels_share_and_respond_with_deviation_one():
    pieces = 5 + torch.randn(300, 3, 3, 3, generator=torch.Generator().manual_seed(2))
    filters = make_filters(pieces)
    assert filters.sum(dim=(1, 2, 3)).abs().max() < 1e-4 * filters.abs().sum(dim=(1, 2, 3)).max()
    assert float((pieces.flatten(1) @ filters.flatten(1).T).std()) == pytest.approx(1, abs=1e-3)


def test_pieces_of_a_constant_make_filters_that_find_nothing():
    filters = make_filters(torch.full((8, 1, 3, 3), 2.0))
    assert torch.equal(RandomConvolutions(filters)(torch.ones(1, 1, 5, 5)), torch.zeros(1, 16))


def test_pieces_are_cut_image_by_image_whatever_the_batches():
    images = torch.arange(4 * 2 * 8 * 8.0).reshape(4, 2, 8, 8)
    whole = Pieces(np.random.default_rng(3), 4, 8)(images)
    parts = Pieces(np.random.default_rng(3), 4, 8)
    assert torch.equal(torch.cat([parts(images[:1]), parts(images[1:])]), whole)
    top, left = np.random.default_rng(3).integers(0, 6, (4, 2))[2]
    assert torch.equal(whole[2], images[2, :, top : top + 3, left : left + 3].flatten())


def test_the_same_seed_gives_the_same_features_and_another_seed_others(stack):
    one, again, other = (random_convolutions(stack, np.arange(4), train=np.arange(30), seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_patches_smaller_than_a_filter_are_refused():
    small = make_stack({("B04",): np.ones((3, 1, 2, 2), np.uint16)}, ["B04"])
    with pytest.raises(InputError, match=r"Patches of 2 px are smaller than the filters of 3 px"):
        random_convolutions(small, np.arange(3), train=np.arange(3))
