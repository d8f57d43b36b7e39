"""Losses as pure functions. They compute in float32, whatever autocast says, and keep no state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

SPACES = ("all", "season", "synthetic")
"""SeCo's subspaces, by what their embeddings are to be blind to: everything, the season, or synthetic augmentation."""


@dataclass(frozen=True, slots=True, eq=False)
class Logits:
    """Similarities over temperature of each query with its positive and with its negatives."""

    positive: Tensor
    """(batch,)."""
    negatives: tuple[Tensor, ...]
    """Each (batch, count); minus infinity where a negative is excluded."""

    def loss(self) -> Tensor:
        """Mean cross-entropy of telling the positive from the negatives, a scalar in nats."""
        parts = [self.positive, *(part.logsumexp(1) for part in self.negatives)]
        return (torch.stack(parts).logsumexp(0) - self.positive).mean()

    def top_1(self) -> Tensor:
        """Share of queries that are nearer to their positive than to every negative, a scalar without gradient."""
        nearest = torch.stack([part.detach().amax(1) for part in self.negatives]).amax(0)
        return (self.positive.detach() > nearest).float().mean()


def contrast_logits(
    query: Tensor, key: Tensor, *negatives: Tensor, temperature: float, excluded: Sequence[Tensor | None] = ()
) -> Logits:
    """Compare each query with its own key and with negatives that all queries share.

    Args:
        query: Student embeddings, (batch, dim), unit length.
        key: Teacher embeddings of the same samples, (batch, dim), unit length, no gradient.
        negatives: Embeddings of other samples, each (count, dim), unit length, no gradient; several where they lie apart in
            memory, such as a queue and a batch.
        temperature: Softmax temperature, above 0.
        excluded: For each of `negatives` which ones are none for which query, (batch, count), boolean; none for all are.

    Raises:
        ValueError: The embeddings differ in their last dimension, or there is not one of `excluded` for each of `negatives`.
    """
    dims = sorted({each.shape[-1] for each in (query, key, *negatives)})
    if len(dims) > 1:
        raise ValueError(f"Embeddings of {dims} dimensions cannot be compared. Project all of them to the same space.")
    with torch.autocast(query.device.type, enabled=False):
        scaled = query.float() / temperature
        positive = (scaled * key.float()).sum(1)
        others = [scaled @ part.float().T for part in negatives]
    for each, mask in zip(others, excluded or [None] * len(others), strict=True):
        if mask is not None:
            each.masked_fill_(mask, -torch.inf)
    return Logits(positive, tuple(others))


def info_nce(
    query: Tensor, key: Tensor, *negatives: Tensor, temperature: float, excluded: Sequence[Tensor | None] = ()
) -> Tensor:
    """Contrast each query with its own key against shared negatives.

    ``-log( exp(q.k / t) / (exp(q.k / t) + sum_j exp(q.n_j / t)) )``, averaged over the batch.

    Args:
        query: Student embeddings, (batch, dim), unit length.
        key: Teacher embeddings of the same samples, (batch, dim), unit length, no gradient.
        negatives: Embeddings of other samples, each (count, dim), unit length, no gradient.
        temperature: Softmax temperature, above 0.
        excluded: For each of `negatives` which ones are none for which query, (batch, count), boolean; none for all are.

    Returns:
        The mean loss, a scalar in nats. It is log(1 + count) where all similarities are equal.

    Raises:
        ValueError: The embeddings differ in their last dimension, or there is not one of `excluded` for each of `negatives`.

    References:
        MoCo, eq. 1, https://arxiv.org/abs/1911.05722

    Examples:
        >>> one = torch.ones(2, 1)
        >>> info_nce(one, one, torch.ones(3, 1), temperature=0.1).exp()
        tensor(4.)
    """
    return contrast_logits(query, key, *negatives, temperature=temperature, excluded=excluded).loss()


def seco_logits(
    query: Tensor,
    keys: Tensor,
    queue: Tensor,
    *,
    others: Tensor,
    temperature: float,
    own_location: Tensor | None = None,
    same_date: Tensor | None = None,
) -> dict[str, Logits]:
    """Compare queries and keys in SeCo's three subspaces.

    In space i the positive is key view i. The queue of that space gives K negatives. In spaces 1 and 2 the two other key views
    of the whole batch are negatives too, those of the query's own sample included: K + 2N.

    Args:
        query: Student embeddings of t0 as it is, (3 spaces, batch, dim), unit length.
        keys: Teacher embeddings of the key views t1 augmented, t2 as it is, t0 augmented, (3 spaces, 3 views, batch, dim).
        queue: Keys of earlier batches, (3 spaces, K, dim).
        others: Where further negatives are taken from: `keys`, or those of all processes, (3 spaces, 3 views, count, dim).
        temperature: Softmax temperature, above 0.
        own_location: Which keys of the queue are of the query's location and so no negatives, (batch, K), boolean.
        same_date: Which of `others` show the query's own location on the query's own date, (batch, 3 views, count), boolean.
            They are no negatives in space 2 alone, which tells seasons apart; space 1 is to tell exactly such views apart.

    Returns:
        Of each of `SPACES`.

    References:
        SeCo, section 3.2 and figure 2, https://arxiv.org/abs/2103.16607; released code, `models/moco2_module.py`.
    """
    logits = {}
    for space, name in enumerate(SPACES):
        negatives, excluded = [queue[space]], [own_location]
        if space > 0:
            views = [view for view in range(len(SPACES)) if view != space]
            negatives.append(torch.cat([others[space, view] for view in views]))
            masks = same_date.unbind(1) if same_date is not None and space == 2 else None
            excluded.append(torch.cat([masks[view] for view in views], 1) if masks else None)
        logits[name] = contrast_logits(query[space], keys[space, space], *negatives, temperature=temperature, excluded=excluded)
    return logits


def seco_terms(
    query: Tensor,
    keys: Tensor,
    queue: Tensor,
    *,
    others: Tensor,
    temperature: float,
    own_location: Tensor | None = None,
    same_date: Tensor | None = None,
) -> dict[str, Tensor]:
    """The three terms of SeCo's loss, whose sum is the loss; arguments as of `seco_logits`.

    Returns:
        A scalar in nats of each of `SPACES`: log(1 + K) and twice log(1 + K + 2N) where all similarities are equal.
    """
    logits = seco_logits(
        query, keys, queue, others=others, temperature=temperature, own_location=own_location, same_date=same_date
    )
    return {name: each.loss() for name, each in logits.items()}


def cosine(left: Tensor, right: Tensor) -> Tensor:
    """Mean cosine of paired embeddings, (batch, dim) each, a scalar without gradient."""
    return functional.cosine_similarity(left.detach(), right.detach(), dim=-1).mean()
