"""Random convolutional features: what small pieces of the images themselves, as filters, find in them. Nothing is trained."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from catalogs.stack import Stack
from evaluate.errors import InputError
from evaluate.features import extract_features
from train.views import measure_input

PATCHES = 256
"""Filters; each gives two features, one for what resembles it and one for what resembles its negative."""
SIDE = 3
"""Height and width of a filter, pixels."""
BIAS = 1.0
"""Response that is too weak to count; filters are scaled so that their responses to the pieces have standard deviation 1."""
WHITENING = 1e-3
"""Added to the variances that whitening divides by."""
TINY = 1e-8
"""A length below this is that of a constant."""
_PATCH_DRAW = 0xC0117
"""Keeps this draw apart from others of the same seed."""


class RandomConvolutions(nn.Module):
    """One convolution with fixed filters, both signs of its response, averaged over the image."""

    def __init__(self, filters: Tensor, bias: float = BIAS) -> None:
        """Keep the filters.

        Args:
            filters: (filters, bands, side, side).
            bias: Response that is too weak to count.
        """
        super().__init__()
        self.register_buffer("filters", filters)
        self.bias = bias

    def forward(self, images: Tensor) -> Tensor:
        """Features of images.

        Args:
            images: (batch, bands, height, width), at least as large as a filter.

        Returns:
            (batch, 2 * filters): the mean of ``max(0, r - bias)`` for each filter's response `r`, then of
            ``max(0, -r - bias)``.
        """
        return torch.cat([self._one(image) for image in torch.split(images, 1)])

    def _one(self, image: Tensor) -> Tensor:
        """Features of one image, (1, 2 * filters). Responses of one at a time fit the cache: nine times as fast."""
        responses = functional.conv2d(image, self.get_buffer("filters"))
        above = responses.clamp(min=self.bias).mean(dim=(2, 3)) - self.bias
        below = responses.clamp_(max=-self.bias).mean(dim=(2, 3)) + self.bias
        return torch.cat((above, -below), dim=1)


def random_convolutions(
    stack: Stack,
    items: NDArray[np.int64],
    *,
    train: NDArray[np.int64],
    seed: int = 0,
    workers: int = 0,
    advance: Callable[[int], None] = lambda _: None,
) -> NDArray[np.float64]:
    """Features of 256 filters that are whitened pieces, 3 px wide, of training images.

    Images are scaled and normalised by what is measured on the training items, and keep the size of the finest band.

    Args:
        stack: Pixels.
        items: Numbers of the items, (count,).
        train: Numbers of the items that may be looked at, (items,).
        seed: Of which pieces are taken.
        workers: Processes that read; 0 reads in this one.
        advance: Told how many items have just been done.

    Returns:
        (count, 512); see `RandomConvolutions`.

    Raises:
        InputError: The patches are smaller than a filter.
        DataError: A band of the training items is constant or has no valid pixel.

    References:
        Rolf et al., A generalizable and accessible approach to machine learning with global satellite imagery,
        https://doi.org/10.1038/s41467-021-24638-z; Coates and Ng, https://doi.org/10.1007/978-3-642-35289-8_30
    """
    size_px = stack.layers[0].height
    if size_px < SIDE:
        raise InputError(f"Patches of {size_px} px are smaller than the filters of {SIDE} px. Leave random-convolutions out.")
    spec = measure_input(stack, train, size_px=size_px, seed=seed)
    generator = np.random.default_rng([seed, _PATCH_DRAW])
    chosen = np.sort(generator.choice(train, PATCHES, replace=len(train) < PATCHES))
    pieces = extract_features(stack, Pieces(generator, len(chosen), size_px), spec, chosen)
    filters = make_filters(pieces.reshape(PATCHES, len(stack.bands), SIDE, SIDE))
    module = RandomConvolutions(filters)
    features = extract_features(stack, module, spec, items, workers=workers, advance=advance)
    return features.numpy().astype(np.float64)


class Pieces(nn.Module):
    """Cuts one small piece out of each image, image after image."""

    def __init__(self, generator: np.random.Generator, count: int, size_px: int) -> None:
        """Draw the places.

        Args:
            generator: Where they are drawn from.
            count: Images that will come.
            size_px: Their side.
        """
        super().__init__()
        self._corners = iter(generator.integers(0, size_px - SIDE + 1, (count, 2)).tolist())

    def forward(self, images: Tensor) -> Tensor:
        """The next pieces, (batch, bands * side * side), of images (batch, bands, size, size)."""
        corners = [next(self._corners) for _ in images]
        cut = [image[:, top : top + SIDE, left : left + SIDE] for image, (top, left) in zip(images, corners, strict=True)]
        return torch.stack(cut).flatten(1)


def make_filters(pieces: Tensor) -> Tensor:
    """Make filters of pieces of images: of mean 0 and length 1 each, whitened, so that no direction is common to most.

    A piece `p` becomes ``p (C + e)^-1`` for the covariance `C` of all and a small `e`: its product with another is that of the
    two when both are whitened. All are scaled by one number, so that their responses to the pieces have standard deviation 1.

    Args:
        pieces: (count, bands, side, side).

    Returns:
        The same shape, float32.
    """
    raw = pieces.flatten(1).double()
    rows = raw - raw.mean(dim=1, keepdim=True)
    length = rows.norm(dim=1, keepdim=True)
    rows = rows / length.where(length > TINY, 1)
    covariance = rows.T @ rows / len(rows)
    filters = torch.linalg.solve(covariance + WHITENING * torch.eye(len(covariance), dtype=torch.float64), rows.T).T
    spread = (raw @ filters.T).std()
    made: Tensor = filters / spread.where(spread > TINY, 1)
    return made.reshape(pieces.shape).float()
