"""DINO's loss as pure functions. They compute in float32, whatever autocast says, and keep no state."""

from __future__ import annotations

import torch
from torch import Tensor


def sharpen(scores: Tensor, center: Tensor, *, temperature: float) -> Tensor:
    """The teacher's distributions over the prototypes: centred, sharpened, without gradient.

    Args:
        scores: Of the teacher's head, (..., out_dim).
        center: What is subtracted, (out_dim,).
        temperature: Above 0; low is sharp.

    Returns:
        Shaped as `scores`; each sums to 1.

    References:
        Caron et al., DINO, section 3.1 and algorithm 1, https://arxiv.org/abs/2104.14294
    """
    with torch.no_grad(), torch.autocast(scores.device.type, enabled=False):
        return torch.softmax((scores.float() - center) / temperature, dim=-1)


def dino_cross_entropy(student: Tensor, targets: Tensor, *, temperature: float) -> Tensor:
    """Tell the teacher's distribution of each global crop from every other crop.

    ``-sum_k t_g[k] log softmax(s_v / temperature)[k]``, averaged over the batch and over the pairs of a global crop g and a
    crop v that are not the same. Since the targets sum to 1, the terms of a crop are ``n logsumexp(s_v) - (sum_g t_g) . s_v``:
    a crop at a time, and no table of log-probabilities is kept for the backward pass.

    Args:
        student: Scores of all crops, the global ones first, (crops, batch, out_dim).
        targets: Of the global crops, in the same order, (global crops, batch, out_dim), no gradient; see `sharpen`.
        temperature: Of the student, above 0.

    Returns:
        The mean loss, a scalar in nats. It is log(out_dim) where the student tells nothing apart.

    Raises:
        ValueError: There is no pair of different crops, or the shapes differ.

    References:
        Caron et al., DINO, eq. 3, https://arxiv.org/abs/2104.14294

    Examples:
        >>> dino_cross_entropy(torch.zeros(2, 1, 8), torch.full((1, 1, 8), 1 / 8), temperature=0.1).exp()
        tensor(8.)
    """
    crops, known = len(student), len(targets)
    if student.shape[1:] != targets.shape[1:] or not 0 < known <= crops or crops < 2:
        raise ValueError(
            f"Scores of shape {tuple(student.shape)} cannot be compared with targets of shape {tuple(targets.shape)}: expected "
            "two crops or more, the global ones among them, of one batch and one number of prototypes."
        )
    with torch.autocast(student.device.type, enabled=False):
        everything = targets.sum(0)
        terms = []
        for crop, scores in enumerate(student.unbind(0)):
            others = [each for number, each in enumerate(targets.unbind(0)) if number != crop]
            if others:
                scaled = scores.float() / temperature
                wanted = everything if len(others) == known else torch.stack(others).sum(0)
                terms.append(len(others) * scaled.logsumexp(-1) - (wanted * scaled).sum(-1))
        loss: Tensor = torch.stack(terms).sum(0).mean() / (known * (crops - 1))
        return loss


def entropy(distributions: Tensor) -> Tensor:
    """Mean entropy of distributions, (..., out_dim), nats, without gradient: log(out_dim) where all prototypes are alike."""
    mean: Tensor = torch.special.entr(distributions.detach()).sum(-1).mean()
    return mean
