"""Features: one vector per item from a backbone; batch size, workers and what ran before change rounding at most."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.backends import cudnn

from catalogs.stack import Stack
from evaluate.errors import InputError
from evaluate.reading import read_blocks
from train.views import whole_view

if TYPE_CHECKING:
    from train.config import InputSpec


def extract_features(
    stack: Stack,
    module: nn.Module,
    spec: InputSpec,
    items: NDArray[np.int64],
    *,
    batch_size: int = 64,
    workers: int = 0,
    device: torch.device | str = "cpu",
    advance: Callable[[int], None] = lambda _: None,
) -> Tensor:
    """Compute the features of some items, in their order.

    Every image is the whole patch, scaled, resized and normalised as `spec` says; nothing is augmented. The module computes in
    evaluation mode and in full single precision, without autocast or TF32, and is left in the mode it was in.

    Args:
        stack: Pixels, opened with the bands of `spec`.
        module: (batch, bands, height, width) to (batch, features); moved to the device.
        spec: What it expects of its input.
        items: Numbers of the items, (count,).
        batch_size: Images that go through it at once.
        workers: Processes that read; 0 reads in this one.
        device: Where it computes.
        advance: Told how many items have just been done.

    Returns:
        (count, features), float32, on the device.

    Raises:
        InputError: The stack's bands are not those of `spec`, or the module gives anything but one vector per image.
    """
    if stack.bands != spec.bands:
        raise InputError(
            f"The weights read bands {', '.join(spec.bands)}, but pixels of {', '.join(stack.bands)} were opened. "
            "Open the stack with the weights' own bands, in their order."
        )
    place = torch.device(device)
    found = []
    with _exact(module.to(place), place):
        for numbers, pixels in read_blocks(stack, items, batch_size=batch_size, workers=workers):
            features = module(_images(stack, spec, numbers, [part.to(place) for part in pixels]))
            found.append(_check(features, len(numbers)))
            advance(len(numbers))
    return torch.cat(found) if found else torch.empty(0, 0, device=place)


def _images(stack: Stack, spec: InputSpec, numbers: NDArray[np.int64], pixels: list[Tensor]) -> Tensor:
    """Whole patches as the backbone sees them, (batch, bands, size, size)."""
    scale, offset = (torch.from_numpy(each[numbers]).to(pixels[0].device) for each in (stack.scale, stack.offset))
    valid = stack.items["valid_percent"].to_numpy(zero_copy_only=False)[numbers]
    all_valid = bool((valid >= 100).all())  # unknown is NaN, and NaN is not
    return whole_view(pixels, scale, offset, spec=spec, layers=stack.layers, all_valid=all_valid)


def _check(features: Tensor, count: int) -> Tensor:
    if features.ndim != 2 or len(features) != count:
        raise InputError(
            f"The backbone gives {tuple(features.shape)} for {count} images; expected ({count}, features). "
            "Make it with num_classes=0 and pooling, as timm.create_model(..., num_classes=0) does."
        )
    return features.float()


@contextmanager
def _exact(module: nn.Module, device: torch.device) -> Iterator[None]:
    """Evaluation mode without gradients, in single precision by algorithms that give the same bits again."""
    modes = {part: part.training for part in module.modules()}
    precision = torch.get_float32_matmul_precision()
    module.eval()
    torch.set_float32_matmul_precision("highest")
    try:
        with (
            torch.no_grad(),
            torch.autocast(device.type, enabled=False),
            cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
        for part, mode in modes.items():
            part.training = mode
