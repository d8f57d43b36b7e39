"""Signs of collapse that need no label: how features spread, how many directions they fill, what a loss costs to know nothing.

Pure functions of tensors; nothing here waits for the device but `rank_me`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

RANK_EPSILON = 1e-7
"""Added to each share of the singular values, as the paper does for 32-bit numbers."""


def feature_spread(features: Tensor) -> Tensor:
    """How widely features spread over the sphere: 1 where they point everywhere alike, 0 where all are one.

    The standard deviation of each component of the unit-length features, averaged, times the square root of their length.
    Features that are never negative, as after a ReLU, reach 0.6 where their components are independent.

    Args:
        features: (count, dim), of any length.

    Returns:
        A scalar from 0 to about 1, on the device of the features.

    References:
        Chen and He, Exploring Simple Siamese Representation Learning, section 4.1, https://arxiv.org/abs/2011.10566

    Examples:
        >>> feature_spread(torch.ones(4, 3))
        tensor(0.)
    """
    unit = normalize(features.detach().float(), dim=1)
    return unit.std(dim=0, correction=0).mean() * math.sqrt(features.shape[1])


def rank_me(features: Tensor) -> Tensor:
    """In how many directions features vary: the exponential of the entropy of their singular values.

    At most the smaller of count and dim, reached where all singular values are equal; 1 where all features are one. The
    features are not centred, as in the paper.

    Args:
        features: (count, dim); the count should be well above the number of directions hoped for.

    Returns:
        A scalar, on the device of the features. Finding it waits for the device.

    References:
        Garrido et al., RankMe, eq. 1 and 2, ICML 2023, https://arxiv.org/abs/2210.02885

    Examples:
        >>> rank_me(torch.eye(3)).round(decimals=4)
        tensor(3.)
    """
    values = torch.linalg.svdvals(features.detach().float())
    shares = values / values.sum().clamp_min(torch.finfo(values.dtype).tiny) + RANK_EPSILON
    return torch.exp(-(shares * shares.log()).sum())


def uniform_loss(negatives: int) -> float:
    """InfoNCE where all similarities are equal, nats: what it is worth to know nothing.

    Args:
        negatives: Of one query.

    Examples:
        >>> round(uniform_loss(16384), 3)
        9.704
    """
    return math.log1p(negatives)
