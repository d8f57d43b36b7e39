"""Seasonal Contrast: three subspaces of one representation, blind to the season, to synthetic augmentation, or to both."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from train.config import Contrast
from train.distributed import gather
from train.losses import SPACES, Logits, cosine, seco_logits
from train.methods.momentum import MomentumContrast
from train.methods.protocol import Drawn
from train.methods.views import SCENES

QUERY_SCENE, *KEY_SCENES = SCENES["seco"]


class Seco(MomentumContrast):
    """SeCo over three queues.

    The views are t0 (query), t1 augmented, t2 and t0 augmented (keys 0, 1 and 2). In space i the query's positive is key i.
    Space 0 is blind to season and augmentation. Space 1 tells augmentations apart and space 2 seasons: there the other two key
    views of the batch are negatives beside the queue.

    References:
        Mañas et al., Seasonal Contrast, ICCV 2021, section 3, https://arxiv.org/abs/2103.16607; released code,
        `models/moco2_module.py`.
    """

    def __init__(self, backbone: nn.Module, constants: Contrast, *, queue: int, batch_size: int, seed: int) -> None:
        """Make student, teacher and queues; see `MomentumContrast`."""
        super().__init__(backbone, constants, spaces=len(SPACES), queue=queue, batch_size=batch_size, seed=seed)

    def forward(self, views: Sequence[Tensor], batch: Drawn) -> dict[str, Tensor]:
        """One term per subspace; their sum is the loss.

        Diagnostics are, of each space, `top_1`, the share of queries nearer to their positive than to every negative, and
        `positive_cosine`; and of `season` and of `synthetic` the `separation`: the mean cosine of a query and the key that
        differs from it by that alone, in the space that is blind to it less in the space that tells it apart.

        Args:
            views: Query and keys 0, 1 and 2, each (batch, bands, height, width).
            batch: Locations and dates of the samples.
        """
        query, features = self.student(views[0])  # (spaces, batch, dim)
        with self.autocast():
            keys = self.teacher(views[1:])  # (spaces, views, batch, dim)
        logits = seco_logits(
            query,
            keys,
            self.queue.keys.clone(),  # the backward pass reads them after this step's keys have entered
            others=self._of_all(keys, dim=2),
            temperature=self.constants.temperature,
            own_location=self.queue.is_of(batch.locations) if self.constants.mask_own_location else None,
            same_date=self._same_date(batch) if self.constants.mask_same_date else None,
        )
        self.queue.enqueue(keys.diagonal(dim1=0, dim2=1).movedim(-1, 0), batch.locations)
        self._diagnostics = {"features": features, **_diagnose(query, keys, logits)}
        return {space: each.loss() for space, each in logits.items()}

    def _of_all(self, tensor: Tensor, *, dim: int = 0) -> Tensor:
        """Of all processes, if further negatives are to come from there."""
        return gather(tensor, dim=dim) if self.constants.gather_negatives else tensor

    def _same_date(self, batch: Drawn) -> Tensor:
        """Which key views of which samples show the query's own location on its own date, (batch, views, samples), boolean."""
        locations, dates = self._of_all(batch.locations), self._of_all(_dates(batch))
        same_location = batch.locations[:, None] == locations[None]
        return same_location[:, None] & (batch.scenes[:, QUERY_SCENE][:, None, None] == dates.T[None])


def _dates(batch: Drawn) -> Tensor:
    """Of each key view, (batch, views). Indexing by a list would make the device wait."""
    return torch.stack([batch.scenes[:, scene] for scene in KEY_SCENES], 1)


def _diagnose(query: Tensor, keys: Tensor, logits: dict[str, Logits]) -> dict[str, Tensor]:
    told = {}
    for number, space in enumerate(SPACES):
        told[f"top_1/{space}"] = logits[space].top_1()
        told[f"positive_cosine/{space}"] = cosine(query[number], keys[number, number])
    for blind, telling in ((1, 2), (2, 1)):
        together, apart = (cosine(query[number], keys[number, blind]) for number in (blind, telling))
        told[f"separation/{SPACES[blind]}"] = together - apart
    return told
