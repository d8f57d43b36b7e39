"""What views are made of: raw numbers of a batch, the layers they come in, and the numbers of the input they are made for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial

import torch
from torch import Tensor

from catalogs.layers import Layer
from train.config import InputSpec
from train.resampling import Taps, axis_taps


@dataclass(frozen=True, slots=True)
class Patches:
    """Raw numbers of a batch, and what they mean."""

    pixels: Sequence[Tensor]
    """Of each layer, (batch, bands, height, width), native type, all on one device."""
    scale: Tensor
    """(batch, bands) in the order of the input's bands, float32; `scale * DN + offset` is reflectance."""
    offset: Tensor
    """See `scale`."""
    all_valid: bool
    """Whether every pixel is known to be a measurement; otherwise that is found out."""


@dataclass(frozen=True, slots=True)
class Target:
    """What every layer of a view is resized to."""

    size_px: int
    """Side of the view."""
    interpolation: str
    """`bilinear` or `bicubic`; what bicubic overshoots is clipped to [0, 1]."""
    beyond: bool = False
    """Let the kernel see the pixels around the box, as far as the patch has some; see `train.resampling.resample`."""


@dataclass(frozen=True, slots=True)
class Constants:
    """The numbers of an input on one device, of each band in the order in which they are worked on."""

    channels: Tensor
    """(bands,), the band's number in the input."""
    low: Tensor
    """(bands,), see `InputSpec`."""
    span: Tensor
    """(bands,), high - low."""
    mean: Tensor
    """(bands, 1, 1), see `InputSpec`."""
    rate: Tensor
    """(bands, 1, 1), 1 / std."""

    @classmethod
    def of(cls, spec: InputSpec, channels: Sequence[int]) -> Constants:
        """From the input's numbers, computed in double precision."""
        low, high, mean, std = torch.tensor([spec.low, spec.high, spec.mean, spec.std], dtype=torch.float64)[:, channels]
        numbers = (low, high - low, mean[:, None, None], 1 / std[:, None, None])
        return cls(torch.tensor(channels), *(each.float() for each in numbers))

    def to(self, device: torch.device) -> Constants:
        """The same on another device."""
        return Constants(*(getattr(self, each.name).to(device) for each in fields(self)))


@dataclass(frozen=True, slots=True)
class Source:
    """What is taken of a layer, in the order in which bands are worked on."""

    layer: int
    """Its number among the layers."""
    bands: tuple[int, ...]
    """Numbers of its bands."""
    nodata: tuple[float | None, ...]
    """Of each of `bands`, the DN that says there is no measurement."""
    ratio: tuple[float, float]
    """Its pixels per pixel of the finest layer, down and across."""
    size: tuple[int, int]
    """Its rows and columns."""

    @classmethod
    def of(cls, layers: Sequence[Layer], number: int, *, first: Sequence[str]) -> Source:
        """All bands of a layer, those of `first` in their order before the others."""
        layer, finest = layers[number], layers[0]
        names = [*(band for band in first if band in layer.bands), *(band for band in layer.bands if band not in first)]
        bands = tuple(layer.bands.index(band) for band in names)
        ratio = (layer.height / finest.height, layer.width / finest.width)
        return cls(number, bands, tuple(layer.nodata[band] for band in bands), ratio, (layer.height, layer.width))

    def boxes(self, boxes: Tensor) -> Tensor:
        """Boxes of the finest layer, (batch, 4), in this layer's pixels."""
        down, across = self.ratio
        if down == across == 1:
            return boxes
        return torch.stack((boxes[:, 0] * down, boxes[:, 1] * across, boxes[:, 2] * down, boxes[:, 3] * across), dim=1)

    def taps(self, boxes: Tensor, target: Target, *, flip: Tensor) -> list[tuple[Taps, Taps]]:
        """How each box of the finest layer, (batch, 4), is resampled down and across."""
        boxes = self.boxes(boxes)
        taps = partial(
            axis_taps,
            bands=len(self.bands),
            size_px=target.size_px,
            interpolation=target.interpolation,
            beyond=target.beyond,
        )
        down = taps(boxes[:, 0], boxes[:, 2], pixels=self.size[0])
        across = taps(boxes[:, 1], boxes[:, 3], pixels=self.size[1], flip=flip)
        return list(zip(down, across, strict=True))
