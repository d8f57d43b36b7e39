"""Feature maps: what a backbone says of every place of an image, at several depths, and how it differs between two dates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from catalogs.stack import Stack
from evaluate.errors import InputError
from evaluate.features import extract_features
from train.config import InputSpec

DEPTHS = 4
"""Maps that are taken of a network whose maps are all of one size."""
TURNS = 8
"""Ways to lay a square on itself."""


class Pyramid(nn.Module):
    """The maps of a backbone, finest first, each image's laid out in one row; they go through the input handling of features.

    Of a network that grows coarser, the last map of each size: C2 to C5 of a ResNet, and its stem as well where `stem` is asked
    for. Of one that does not, such as a ViT, four depths, evenly spaced.
    """

    def __init__(self, backbone: nn.Module, *, bands: int, size_px: int, stem: bool = False) -> None:
        """Find out what the backbone has.

        Args:
            backbone: One of timm's; it is shared, not copied.
            bands: Channels of an image.
            size_px: Side of an image.
            stem: Also take maps of more than a quarter of the image's side.

        Raises:
            InputError: It cannot give maps, or not of this size.
        """
        super().__init__()
        self.backbone = backbone
        self.levels = map_levels(backbone, stem=stem)
        self.shapes: tuple[tuple[int, ...], ...] = ()
        was_training = backbone.training
        try:
            with torch.no_grad():
                maps = self.maps(torch.zeros(1, bands, size_px, size_px, device=next(backbone.parameters()).device))
        except (AssertionError, AttributeError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"{type(backbone).__name__} gives no feature maps of {size_px} px images: {reason}. "
                "Take a network that does, such as resnet50, convnext_tiny or vit_small_patch16_224, or its own size."
            ) from error
        finally:
            backbone.train(was_training)
        self.shapes = tuple(tuple(each.shape[1:]) for each in maps)

    @property
    def channels(self) -> tuple[int, ...]:
        """Of each map."""
        return tuple(shape[0] for shape in self.shapes)

    def maps(self, images: Tensor) -> list[Tensor]:
        """The maps of images (batch, bands, size, size): (batch, channels, height, width) each."""
        self.backbone.eval()
        found: list[Tensor] = self.backbone.forward_intermediates(  # type: ignore[operator]  # timm's, which nn.Module lacks
            images, indices=list(self.levels), intermediates_only=True, output_fmt="NCHW"
        )
        return found

    def forward(self, images: Tensor) -> Tensor:
        """The maps one after another, (batch, numbers)."""
        return torch.cat([each.flatten(1) for each in self.maps(images)], dim=1)


class PixelValues(nn.Module):
    """The image itself as its only map: what a linear head can tell from the bands of a pixel alone."""

    def __init__(self, *, bands: int, size_px: int) -> None:
        """Say what images there are."""
        super().__init__()
        self.shapes: tuple[tuple[int, ...], ...] = ((bands, size_px, size_px),)

    @property
    def channels(self) -> tuple[int, ...]:
        """Bands."""
        return (self.shapes[0][0],)

    def forward(self, images: Tensor) -> Tensor:
        """The pixels in a row, (batch, numbers)."""
        return images.flatten(1)


class _Turned(nn.Module):
    """A pyramid of images that are turned first, each in its own way."""

    def __init__(self, pyramid: nn.Module, turns: NDArray[np.int64]) -> None:
        super().__init__()
        self.pyramid = pyramid
        self.turns = turns.tolist()

    def forward(self, images: Tensor) -> Tensor:
        turned = torch.stack([turn(image, how) for image, how in zip(images, self.turns, strict=True)])
        return self.pyramid(turned)  # type: ignore[no-any-return]  # as nn.Module has it


class MapSource:
    """Feature maps of samples; computed once and kept where they fit, anew whenever they are asked for where not.

    A sample is one item, or two dates of a location, whose maps are then `|first - second|`.
    """

    def __init__(
        self,
        stack: Stack,
        pyramid: Pyramid | PixelValues,
        spec: InputSpec,
        inputs: NDArray[np.int64],
        *,
        keep_gb: float,
        batch_size: int = 64,
        workers: int = 0,
        device: torch.device | str = "cpu",
        advance: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Compute the maps, if they can be kept.

        Args:
            stack: Pixels, opened with the bands of `spec`.
            pyramid: Of one backbone.
            spec: What the backbone expects of its input.
            inputs: Numbers of the items of each sample, (samples, 1), or (samples, 2) where two dates are compared.
            keep_gb: Most memory that maps may be kept in, 10^9 bytes; working on them may take as much again.
            batch_size: Images that go through the backbone at once.
            workers: Processes that read what is computed once; what is computed anew is read in this one.
            device: Where it computes and keeps.
            advance: Told how many items have just been done.

        Raises:
            InputError: See `extract_features`.
        """
        self.pyramid = pyramid
        self.inputs = inputs
        self._reading: dict[str, Any] = {"batch_size": batch_size, "device": device}
        self._stack, self._spec = stack, spec
        self._kept: Tensor | None = None
        if 4e-9 * len(inputs) * sum(map(prod, pyramid.shapes)) <= keep_gb:
            self._kept = self._compute(inputs, pyramid, workers=workers, advance=advance)

    @property
    def is_kept(self) -> bool:
        """Whether the maps are computed once."""
        return self._kept is not None

    def read(self, places: NDArray[np.int64], turns: NDArray[np.int64] | None = None) -> tuple[Tensor, ...]:
        """The maps of some samples.

        Args:
            places: Rows of `inputs`, (count,).
            turns: How each sample's images are turned before they are looked at, (count,), see `turn`; not at all where absent.

        Returns:
            (count, channels, height, width) each, finest first, float32, without gradient.
        """
        if turns is not None and turns.any():
            dates = self.inputs.shape[1]
            rows = self._compute(self.inputs[places], _Turned(self.pyramid, np.repeat(turns, dates)), together=True)
        elif self._kept is not None:
            rows = self._kept[torch.from_numpy(places).to(self._kept.device)]
        else:
            rows = self._compute(self.inputs[places], self.pyramid)
        ends = np.cumsum([prod(shape) for shape in self.pyramid.shapes]).tolist()
        parts = (rows[:, start:end] for start, end in pairwise([0, *ends]))
        return tuple(part.reshape(len(rows), *shape) for part, shape in zip(parts, self.pyramid.shapes, strict=True))

    def _compute(
        self,
        inputs: NDArray[np.int64],
        module: nn.Module,
        *,
        together: bool = False,
        workers: int = 0,
        advance: Callable[[int], None] = lambda _: None,
    ) -> Tensor:
        """Rows of maps, (samples, numbers), of all images at once or of batches of them."""
        reading = self._reading | ({"batch_size": inputs.size} if together else {})
        items = inputs.reshape(-1)
        rows = extract_features(self._stack, module, self._spec, items, workers=workers, advance=advance, **reading)
        if inputs.shape[1] == 1:
            return rows
        return (rows[::2] - rows[1::2]).abs()


def map_levels(backbone: nn.Module, *, stem: bool = False) -> tuple[int, ...]:
    """Which of timm's feature maps to take; see `Pyramid`.

    Args:
        backbone: One of timm's.
        stem: Also take maps of more than a quarter of the image's side.

    Raises:
        InputError: It does not say which maps it has.
    """
    about = getattr(backbone, "feature_info", None)
    if not isinstance(about, list) or not hasattr(backbone, "forward_intermediates"):
        raise InputError(
            f"{type(backbone).__name__} does not say which feature maps it has. "
            "Take a network of timm that does, such as resnet50, convnext_tiny or vit_small_patch16_224."
        )
    reductions = [int(each["reduction"]) for each in about]
    if len(set(reductions)) == 1:
        depths = min(DEPTHS, len(reductions))
        return tuple(len(reductions) * (step + 1) // depths - 1 for step in range(depths))
    last = {reduction: level for level, reduction in enumerate(reductions)}
    return tuple(level for reduction, level in sorted(last.items()) if stem or reduction >= 4)


def measure_maps(
    source: MapSource, places: NDArray[np.int64], *, batch_size: int = 64
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Mean and standard deviation of each channel of each map.

    Args:
        source: Of maps.
        places: Samples that teach, (count,).
        batch_size: Samples looked at together; it changes rounding at most.

    Returns:
        Means and deviations, of each map (channels,), float64.
    """
    sums: Sequence[Tensor] = ()
    squares: Sequence[Tensor] = ()
    for start in range(0, len(places), batch_size):
        maps = [each.double() for each in source.read(places[start : start + batch_size])]
        added = [each.sum(dim=(0, 2, 3)) for each in maps], [each.square().sum(dim=(0, 2, 3)) for each in maps]
        sums, squares = (
            [one + other for one, other in zip(old, new, strict=True)] if old else new
            for old, new in zip((sums, squares), added, strict=True)
        )
    counts = [len(places) * prod(shape[1:]) for shape in source.pyramid.shapes]
    mean = tuple(each / count for each, count in zip(sums, counts, strict=True))
    power = (each / count for each, count in zip(squares, counts, strict=True))
    return mean, tuple((each - middle**2).clamp(min=0).sqrt() for each, middle in zip(power, mean, strict=True))


def turn(image: Tensor, how: int) -> Tensor:
    """Lay a square on itself in one of `TURNS` ways: by `how` % 4 quarters of a turn, mirrored first from 4 on.

    Args:
        image: (..., side, side).
        how: 0 to 7; 0 leaves it as it is.
    """
    mirrored = image.flip(-1) if how >= 4 else image
    return mirrored.rot90(how % 4, (-2, -1))
