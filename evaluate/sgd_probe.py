"""A linear layer taught by descent in small batches, as the papers' released codes do it. Pure functions.

On features that are computed once and stay as they are, so without augmentation. The released codes differ: SeCo's and
DINO-MC's report the split that they call `val` and the best of its epochs, where here the last epoch answers items that were
never looked at; their average precision is a mean over batches, ours is of the whole set; they drop the last, smaller batch of
an epoch, here it teaches; and they draw subsets with replacement, here each item is drawn once.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi

import torch
from torch import Tensor

from evaluate.errors import InputError
from evaluate.logistic import errors

BATCH_SIZE = 32
EPOCHS = 100
DROPS = (0.6, 0.8)
"""Of SeCo: shares of the epochs after which the rate is a tenth."""


@dataclass(frozen=True, slots=True)
class Descent:
    """How a linear layer is taught."""

    optimizer: str
    """`adam`, or `sgd` with a momentum of 0.9 and no weight decay."""
    lr: float
    """Learning rate of the first epoch."""
    schedule: str
    """`steps`: a tenth after 60 and after 80 % of the epochs; `cosine`: half a cosine down to 0, epoch by epoch."""
    init: str
    """`uniform`: within one by the root of the number of features, biases too; `normal`: of deviation 0.01, biases 0."""
    epochs: int = EPOCHS
    """Times that every item teaches."""
    batch_size: int = BATCH_SIZE
    """Items per step."""

    def rate(self, epoch: int) -> float:
        """Learning rate of an epoch, from 0."""
        if self.schedule == "cosine":
            return self.lr * (1 + cos(pi * epoch / self.epochs)) / 2
        return float(self.lr * 0.1 ** sum(epoch >= int(share * self.epochs) for share in DROPS))


DESCENTS = {
    "seco": Descent("adam", 1e-3, "steps", "uniform"),
    "dino": Descent("sgd", 1e-3 * BATCH_SIZE / 256, "cosine", "normal"),
}
"""SeCo's, of https://github.com/ServiceNow/seasonal-contrast, `main_eurosat.py` and `main_bigearthnet.py`; and DINO-MC's, which
is DINO's `eval_linear.py` with batches of 32. Features are neither normalised nor standardised."""


def descend(features: Tensor, truth: Tensor, *, classes: int, descent: Descent, seed: int) -> tuple[Tensor, Tensor]:
    """Teach a linear layer.

    The loss is the cross-entropy of a softmax; where an item may have several labels, that of one sigmoid per label, their mean
    (`MultiLabelSoftMarginLoss`).

    Args:
        features: (items, features), as the backbone gives them.
        truth: Class of each item, (items,), int64; or whether it has each label, (items, classes), bool.
        classes: How many there are.
        descent: How.
        seed: Of the first weights and of the order of the items.

    Returns:
        Weight (classes, features) and bias (classes,), float32, on the device of the features.

    Raises:
        InputError: There are no items, not as many labels, or the loss is not finite.
    """
    if not len(features) or len(features) != len(truth):
        raise InputError(f"There are {len(features)} items to teach with and labels of {len(truth)}; expected as many.")
    generator = torch.Generator().manual_seed(seed)
    layer = _start(descent, classes, features.shape[1], generator).to(features.device)
    table = torch.cat([features, features.new_ones(len(features), 1)], dim=1).float()
    optimizer = _optimizer(descent, layer)
    share = 1 / classes if truth.ndim == 2 else 1.0
    for epoch in range(descent.epochs):
        optimizer.param_groups[0]["lr"] = descent.rate(epoch)
        order = torch.randperm(len(table), generator=generator).to(table.device)
        for start in range(0, len(table), descent.batch_size):
            rows = order[start : start + descent.batch_size]
            batch = table[rows]
            error, loss = errors(batch @ layer.T, truth[rows])
            layer.grad = (error.T @ batch).mul_(share / len(rows))
            optimizer.step()
    if not loss.isfinite():
        raise InputError("The probe's loss is not finite: the features are too large for its learning rate.")
    return layer[:, :-1], layer[:, -1]


def _start(descent: Descent, classes: int, size: int, generator: torch.Generator) -> Tensor:
    """First weights, the bias last, (classes, features + 1)."""
    layer = torch.empty(classes, size + 1)
    if descent.init == "uniform":
        return layer.uniform_(-(size**-0.5), size**-0.5, generator=generator)
    layer.normal_(0, 0.01, generator=generator)[:, -1] = 0
    return layer


def _optimizer(descent: Descent, layer: Tensor) -> torch.optim.Optimizer:
    if descent.optimizer == "sgd":
        return torch.optim.SGD([layer], descent.lr, momentum=0.9)
    return torch.optim.Adam([layer], descent.lr)
