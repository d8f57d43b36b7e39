"""X-STARS' alignment of sensors (MSAD) as a pure function. It computes in float32, whatever autocast says, and keeps no state.

What the released code does instead, beside the paper: it builds a new tensor from the values of the terms, which detaches them,
so that the alignment moves nothing; its projector and heads are in no optimizer and in no checkpoint; its embeddings end in a
layer normalisation and have no unit length; its temperature is 1; its targets are a softmax of similarities within each sensor,
which at that length is the identity, smoothed by 0.3; it adds up what is averaged here over the pairs of sensors; its negatives
are those of one process; it loops over tokens in Python.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor, nn

from train.alignment_config import FIRST_TEMPERATURE, GREATEST_TEMPERATURE, LEAST_TEMPERATURE


@dataclass(frozen=True, slots=True, eq=False)
class SensorTokens:
    """What several sensors say of the same tokens of ground."""

    embeddings: tuple[Tensor, ...]
    """Of each sensor, (samples, tokens, dim), unit length; finite where not valid too."""
    valid: tuple[Tensor, ...]
    """Of each sensor, where its token shows enough valid ground, (samples, tokens), boolean."""
    locations: Tensor
    """Number of each sample's location, (samples,): samples of one number show one place, at other dates."""

    def __post_init__(self) -> None:
        """Check that all parts speak of the same tokens.

        Raises:
            ValueError: There is no pair of sensors, or the shapes differ.
        """
        shapes = [tuple(each.shape) for each in self.embeddings]
        masks = [tuple(each.shape) for each in self.valid]
        if len(shapes) < 2:
            raise ValueError(f"Tokens of {len(shapes)} sensor cannot be aligned. Give two sensors or more.")
        if len(set(shapes)) > 1 or masks != [shapes[0][:2]] * len(shapes) or tuple(self.locations.shape) != shapes[0][:1]:
            raise ValueError(
                f"Embeddings of shapes {shapes}, masks of {masks} and locations of {tuple(self.locations.shape)} do not belong "
                "together. Give (samples, tokens, dim) and (samples, tokens) of each sensor, and (samples,)."
            )

    def __len__(self) -> int:
        return len(self.locations)


class LogTemperature(nn.Module):
    """A temperature that is learnt as its logarithm, from 0.07, and stays between 0.01 and 1.

    References:
        Radford et al., CLIP, section 2.5, https://arxiv.org/abs/2103.00020
    """

    def __init__(self, first: float = FIRST_TEMPERATURE) -> None:
        """Begin at a temperature.

        Args:
            first: From 0.01 to 1.

        Raises:
            ValueError: It is out of that range.
        """
        super().__init__()
        if not LEAST_TEMPERATURE <= first <= GREATEST_TEMPERATURE:
            raise ValueError(f"Temperature {first} is out of range; expected {LEAST_TEMPERATURE} to {GREATEST_TEMPERATURE:g}.")
        self.logarithm = nn.Parameter(torch.tensor([math.log(first)]))  # one dimension: weight decay spares it, as a bias

    def forward(self) -> Tensor:
        """The temperature, a scalar.

        What a step has moved out of the range is put back before it is read: behind a clamp it would have no gradient, and
        could not return.
        """
        with torch.no_grad():
            self.logarithm.clamp_(math.log(LEAST_TEMPERATURE), math.log(GREATEST_TEMPERATURE))
        return self.logarithm.exp()[0]


def multi_sensor_alignment(
    own: SensorTokens, *, temperature: Tensor | float, everyone: SensorTokens | None = None, first: int = 0
) -> Tensor:
    """Find the token of another sensor that shows the same ground, among the tokens of other locations at its position.

    ``-log( exp(a_n.b_n / t) / (exp(a_n.b_n / t) + sum_m exp(a_n.b_m / t)) )`` for every token n of a sensor a, with b another
    sensor and m the tokens of other locations at the same position; averaged over all n and all ordered pairs of sensors.
    For a pair of sensors a token is valid where it is in both. Any other is no anchor, no negative, and does not count in the
    mean. Nor is a token of the same location a negative, whatever its date.

    Args:
        own: Of this process.
        temperature: Softmax temperature, above 0, with its gradient.
        everyone: Of all processes, with gradient, each with as many samples; `own` where None.
        first: Number among `everyone` of the first of `own`.

    Returns:
        The loss, a scalar in nats; its mean over the processes is the loss of the whole batch, also where validity differs. It
        is log(1 + negatives) where all similarities are equal, and 0 where nothing is valid, of which every gradient is 0.
        Being a mean over the pairs of sensors, it does not grow with them: the released code's sum has three times the weight
        for three sensors, and the same for two.

    References:
        Marsocci and Audebert, Cross-sensor self-supervised training and alignment for remote sensing, the MSAD loss,
        https://arxiv.org/abs/2405.09922, with the changes that the module's docstring implies: gradient, unit length,
        a learnt temperature, the identity as target.

    Examples:
        >>> one = torch.ones(4, 3, 1)
        >>> tokens = SensorTokens((one, one), (one[..., 0] > 0,) * 2, torch.arange(4))
        >>> multi_sensor_alignment(tokens, temperature=0.07).exp()
        tensor(4.)
    """
    everyone = own if everyone is None else everyone
    rows = slice(first, first + len(own))
    other_place = own.locations[:, None] != everyone.locations[None]
    terms, counts = [], []
    for left, right in combinations(range(len(own.embeddings)), 2):
        valid = everyone.valid[left] & everyone.valid[right]
        for cosines in _both_ways(own, everyone, left, right):
            terms.append(_sum_of_terms(cosines / temperature, valid, rows, other_place))
            counts.append(valid.sum())
    share = len(own) / len(everyone)
    loss: Tensor = torch.stack(terms).sum() / (torch.stack(counts).sum().clamp(min=1) * share)
    return loss


def _both_ways(own: SensorTokens, everyone: SensorTokens, left: int, right: int) -> tuple[Tensor, Tensor]:
    """Cosines of each own token with those of all samples at its position, from the left sensor to the right and back.

    Returns:
        (tokens, own samples, all samples) each. On one process the way back is the way there, transposed.
    """
    mine, all_ = ([each.float() for each in tokens.embeddings] for tokens in (own, everyone))
    with torch.autocast(own.locations.device.type, enabled=False):
        there = torch.einsum("ntd,mtd->tnm", mine[left], all_[right])
        return there, there.mT if everyone is own else torch.einsum("ntd,mtd->tnm", mine[right], all_[left])


def _sum_of_terms(similarities: Tensor, valid: Tensor, rows: slice, other_place: Tensor) -> Tensor:
    """The cross-entropy of each valid token, summed.

    Args:
        similarities: Over temperature, (tokens, own samples, all samples).
        valid: (all samples, tokens).
        rows: Which of all samples are own ones.
        other_place: Which samples show another location, (own samples, all samples).
    """
    anchor, itself = valid[rows].T, torch.zeros_like(other_place)
    itself.diagonal(rows.start).fill_(True)  # noqa: FBT003  the value
    similarities = torch.where(anchor[..., None], similarities, 0.0)  # else a gradient of what is left out may be NaN
    candidates = similarities.masked_fill(~(valid.T[:, None] & other_place | itself), -torch.inf)
    terms = candidates.logsumexp(2) - similarities.diagonal(rows.start, 1, 2)
    return torch.where(anchor, terms, 0.0).sum()
