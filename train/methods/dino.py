"""DINO: a student finds, from any crop, what its slowly following teacher says of the global crops of the same sample.

DINO-MC and DINO-TP are DINO with other crops, which are in `train.methods.crops`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from train.backbones import feature_size
from train.config import Distillation
from train.crop_encoder import CropEncoder
from train.distillation_loss import dino_cross_entropy, entropy, sharpen
from train.heads import PrototypeHead
from train.methods.protocol import Drawn
from train.schedules import TeacherPace, teacher_pace
from train.state import Center, copy_teacher, update_ema


class Dino(nn.Module):
    """Self-distillation without labels.

    References:
        Caron et al., Emerging Properties in Self-Supervised Vision Transformers, ICCV 2021, section 3.1 and algorithm 1,
        https://arxiv.org/abs/2104.14294; released code, `main_dino.py`. Wanyan et al., Extending global-local view alignment
        for self-supervised learning with remote sensing imagery, https://arxiv.org/abs/2303.06670, for DINO-MC and DINO-TP.
    """

    def __init__(self, backbone: nn.Module, constants: Distillation, *, global_crops: int) -> None:
        """Make student, teacher and center.

        Args:
            backbone: The student's, for crops of all sizes.
            constants: Head, temperatures, momenta.
            global_crops: How many of the views, the first ones, the teacher sees.
        """
        super().__init__()
        head = PrototypeHead(feature_size(backbone), constants)
        student = CropEncoder(backbone, head, pack=constants.pack_crops, pack_attention=constants.pack_attention)
        self.constants, self.global_crops = constants, global_crops
        self.student: nn.Module = student
        self.teacher = copy_teacher(student, drop_path=False)
        self.center = Center(constants.out_dim, constants.center_momentum)
        self.autocast: Callable[[], AbstractContextManager[Any]] = nullcontext
        self._bare = (student,)  # the student without a wrapper; in a tuple, so that it is not saved twice
        self._diagnostics: dict[str, Tensor] = {}
        self.at_step(0, steps=1, steps_per_epoch=1)

    def at_step(self, step: int, *, steps: int, steps_per_epoch: int) -> None:
        """Settle the teacher's momentum and temperature, and whether the prototypes are frozen."""
        self._pace = teacher_pace(self.constants, step, steps=steps, steps_per_epoch=steps_per_epoch)

    def forward(self, views: Sequence[Tensor], batch: Drawn) -> dict[str, Tensor]:  # noqa: ARG002  every method is given it
        """The cross-entropy of what the student says of every crop and the teacher of every other global crop.

        Diagnostics are those of `distill`.

        Args:
            views: All crops, the global ones first, each (batch, bands, height, width).
            batch: Not read.
        """
        student, features = self.student(views)
        with torch.no_grad(), self.autocast():
            teacher, _ = self.teacher(views[: self.global_crops])
        loss, found = distill(student, teacher, self.center, constants=self.constants, pace=self._pace)
        self._diagnostics = {"features": features, **found}
        return {"distillation": loss}

    def frozen(self) -> Sequence[nn.Parameter]:
        """The prototypes, in the first epochs."""
        head: Any = self._bare[0].head
        return tuple(head.prototypes.parameters()) if self._pace.is_first else ()

    def after_step(self) -> None:
        """Let the teacher follow, and move the center."""
        update_ema(self.teacher, self._bare[0], self._pace.momentum)
        self.center.update()

    def backbone(self) -> nn.Module:
        """The student's backbone, unwrapped: what is exported. The released codes evaluate the teacher's."""
        return self._bare[0].backbone

    def diagnostics(self) -> dict[str, Tensor]:
        """What the last forward pass found, on the device and without gradient; `forward` tells what.

        `features` are the backbone's of the first global crop, (batch, features); all else are scalars.
        """
        return self._diagnostics


def distill(
    student: Tensor, teacher: Tensor, center: Center, *, constants: Distillation, pace: TeacherPace
) -> tuple[Tensor, dict[str, Tensor]]:
    """DINO's loss of a part of the batch; the center takes in what the teacher says of it.

    Args:
        student: Scores of all crops, the global ones first, (crops, batch, out_dim).
        teacher: Scores of the global crops, (global crops, batch, out_dim).
        center: Of the teacher's scores; it moves once all parts are in.
        constants: Of which the student's temperature is read.
        pace: Of the step.

    Returns:
        The loss, see `train.distillation_loss.dino_cross_entropy`; and diagnostics: `teacher_entropy`, the mean entropy of what
        the teacher says of a crop, nats, log(out_dim) where it tells nothing apart.
    """
    targets = sharpen(teacher, center.mean, temperature=pace.temperature)
    center.observe(teacher)
    loss = dino_cross_entropy(student, targets, temperature=constants.student_temperature)
    return loss, {"teacher_entropy": entropy(targets)}
