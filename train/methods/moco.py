"""MoCo-v2: a query finds its own key among those of other samples.

Both views are of one date, or of two: `moco-tp`, with temporal positives, differs in its views alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from train.config import Contrast
from train.losses import contrast_logits, cosine
from train.methods.momentum import MomentumContrast
from train.methods.protocol import Drawn


class Moco(MomentumContrast):
    """MoCo-v2 over a queue.

    References:
        He et al., Momentum Contrast, https://arxiv.org/abs/1911.05722, algorithm 1;
        Chen et al., Improved Baselines with Momentum Contrastive Learning, https://arxiv.org/abs/2003.04297
    """

    def __init__(self, backbone: nn.Module, constants: Contrast, *, queue: int, batch_size: int, seed: int) -> None:
        """Make student, teacher and queue; see `MomentumContrast`."""
        super().__init__(backbone, constants, spaces=1, queue=queue, batch_size=batch_size, seed=seed)

    def forward(self, views: Sequence[Tensor], batch: Drawn) -> dict[str, Tensor]:
        """The loss of the query view against the key view.

        Diagnostics are `top_1`, the share of queries nearer to their key than to every negative, and `positive_cosine`.

        Args:
            views: Query and key, each (batch, bands, height, width).
            batch: Locations of the samples.
        """
        (query,), features = self.student(views[0])
        with self.autocast():
            key = self.teacher(views[1:])[0, 0]
        own = self.queue.is_of(batch.locations) if self.constants.mask_own_location else None
        negatives = self.queue.keys[0].clone()  # the backward pass reads them after this step's keys have entered
        logits = contrast_logits(query, key, negatives, temperature=self.constants.temperature, excluded=[own])
        self.queue.enqueue(key[None], batch.locations)
        self._diagnostics = {"features": features, "top_1": logits.top_1(), "positive_cosine": cosine(query, key)}
        return {"contrast": logits.loss()}
