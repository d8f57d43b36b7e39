"""Cross-sensor retrieval: whether what one sensor says of a token finds what another says of the same ground.

Features are centred per sensor first: what all tokens of a sensor share, such as its radiometry, tells no ground from another.

Where every sensor has a head of its own, as in X-STARS, the embeddings after the heads can agree while the features before them
do not: what is asked of one does not answer for the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

LOCATIONS = 64
"""Held-out locations of the monitor: chance is 1 in 64 where all are valid."""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How often a token finds its own."""

    at_1: float
    """Share of the tokens whose nearest of the other sensor, by cosine, is their own; a tie does not count."""
    chance: float
    """What guessing would reach: the mean of 1 over the candidates."""
    tokens: int
    """How many were asked for: those valid in both sensors, with another one to be told from."""


@torch.no_grad()
def retrieve_across_locations(query: Tensor, key: Tensor, valid: Tensor) -> Retrieval:
    """Ask each token of one sensor for its own among the tokens of another at its position in all locations.

    Args:
        query: Features of the sensor that asks, (locations, tokens, features), of any length.
        key: Of the sensor that is asked, of the same shape.
        valid: Where a token is valid in both, (locations, tokens), boolean; others neither ask nor are candidates.

    Returns:
        Chance is 1/64 where there are 64 locations and everything is valid.

    Raises:
        ValueError: The shapes differ, or no token has another one to be told from.
    """
    query, key = _centred(query, key, valid)
    return _retrieve(torch.einsum("ntd,mtd->tnm", query, key), valid.T)


@torch.no_grad()
def retrieve_within_images(query: Tensor, key: Tensor, valid: Tensor) -> Retrieval:
    """Ask each token of one sensor for its own among the tokens of another in its location: chance is 1/196 for 14 x 14.

    Arguments and errors as of `retrieve_across_locations`.
    """
    query, key = _centred(query, key, valid)
    return _retrieve(torch.einsum("nid,njd->nij", query, key), valid)


def _centred(query: Tensor, key: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Features in float32, without the mean over what is valid, of unit length; 0 where not valid."""
    if query.shape != key.shape or valid.shape != query.shape[:2]:
        raise ValueError(
            f"Features of {tuple(query.shape)} and {tuple(key.shape)} with a mask of {tuple(valid.shape)} do not belong "
            "together. Give (locations, tokens, features) of both sensors and (locations, tokens)."
        )
    seen, count = valid[..., None], valid.sum().clamp(min=1)
    found = []
    for features in (query, key):
        blanked = torch.where(seen, features.float(), 0.0)
        found.append(normalize(torch.where(seen, blanked - blanked.sum((0, 1)) / count, 0.0), dim=-1))
    return found[0], found[1]


def _retrieve(cosines: Tensor, valid: Tensor) -> Retrieval:
    """From cosines of what asks and candidates, (groups, asking, candidates), and what is valid, (groups, candidates)."""
    own = cosines.diagonal(dim1=1, dim2=2)
    other = valid[:, None] & ~torch.eye(cosines.shape[-1], dtype=torch.bool, device=cosines.device)
    nearest = cosines.masked_fill(~other, -torch.inf).amax(2)
    candidates = valid.sum(1, keepdim=True).expand_as(valid)
    asking = valid & (candidates > 1)
    if not asking.any():
        raise ValueError("No token has another valid one to be told from. Hold out more locations that both sensors see.")
    return Retrieval(
        at_1=float((own > nearest)[asking].float().mean()),
        chance=float((1 / candidates[asking]).mean()),
        tokens=int(asking.sum()),
    )
