"""Heads for dense tasks: from feature maps at several scales to a value for every pixel of a label raster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from evaluate.errors import InputError

WIDTH = 64
"""Channels inside a `PyramidHead`."""
POOLS = (1, 2, 3, 6)
"""Places along a side that the coarsest map is pooled to in a `PyramidHead`."""
GROUPS = 8
"""Of group normalisation."""
DROPOUT = 0.3
"""Share of the channels that a `UNetHead` drops while it learns."""


class Standardise(nn.Module):
    """Shift and scale each channel of each map by numbers of the maps that teach; the numbers do not learn."""

    def __init__(self, mean: Sequence[Tensor], std: Sequence[Tensor]) -> None:
        """Say by what.

        Args:
            mean: Of each map's channels, (channels,).
            std: The same; a channel of deviation 0 becomes 0.
        """
        super().__init__()
        self.levels = len(mean)
        for level, (middle, spread) in enumerate(zip(mean, std, strict=True)):
            steady = spread <= 1e-6 * middle.abs()
            self.register_buffer(f"mean{level}", middle.float()[:, None, None])
            self.register_buffer(f"rate{level}", torch.where(steady, 0, 1 / spread.where(~steady, 1)).float()[:, None, None])

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps of the same shapes, (batch, channels, height, width) each."""
        return tuple((each - getattr(self, f"mean{n}")) * getattr(self, f"rate{n}") for n, each in enumerate(maps))


class LinearHead(nn.Module):
    """A linear map from all the features of a place to its classes.

    A 1 x 1 convolution on each map; the logits are resized to the finest map, added, and resized to the label raster, both
    bilinearly. As all of it is linear, this is one convolution on all maps brought to the size of the finest and stacked, in
    a fraction of the memory.
    """

    def __init__(self, channels: Sequence[int], classes: int) -> None:
        """Make it with zeros, as the problem is convex.

        Args:
            channels: Of each map.
            classes: Values per pixel.
        """
        super().__init__()
        self.parts = nn.ModuleList(nn.Conv2d(count, classes, 1, bias=not level) for level, count in enumerate(channels))
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Logits of every pixel.

        Args:
            maps: Features, (batch, channels, height, width) each.
            size: Height and width of the label raster.

        Returns:
            (batch, classes, height, width).
        """
        finest = _size(maps[0])
        resized = [resize(part(each), finest) for part, each in zip(self.parts, maps, strict=True)]
        return resize(torch.stack(resized).sum(dim=0), size)


class PyramidHead(nn.Module):
    """Pyramid pooling on the coarsest map and a feature pyramid over all of them, as in UPerNet, with few channels.

    Group rather than batch normalisation, so that a batch may be of one image, and that what is answered of an image does not
    hang on the others.

    References:
        Xiao et al., Unified Perceptual Parsing for Scene Understanding, 2018, section 3.1, https://arxiv.org/abs/1807.10221
    """

    def __init__(self, channels: Sequence[int], classes: int, *, width: int = WIDTH) -> None:
        """Make it with random weights of torch's global generator.

        Args:
            channels: Of each map, finest first.
            classes: Values per pixel.
            width: Channels inside, a multiple of `GROUPS`.
        """
        super().__init__()
        self.pooled = nn.ModuleList(_block(channels[-1], width, kernel=1) for _ in POOLS)
        self.coarsest = _block(channels[-1] + len(POOLS) * width, width)
        self.lateral = nn.ModuleList(_block(count, width, kernel=1) for count in channels[:-1])
        self.smooth = nn.ModuleList(_block(width, width) for _ in channels[:-1])
        self.fuse = _block(len(channels) * width, width)
        self.out = nn.Conv2d(width, classes, 1)

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Logits of every pixel; see `LinearHead.forward`."""
        top = maps[-1]
        context = [
            resize(block(adaptive_avg_pool2d(top, side)), _size(top)) for side, block in zip(POOLS, self.pooled, strict=True)
        ]
        merged = [self.coarsest(torch.cat([top, *context], dim=1))]
        for each, lateral in zip(reversed(maps[:-1]), reversed(self.lateral), strict=True):
            merged.insert(0, lateral(each) + resize(merged[0], _size(each)))
        smoothed = [*(block(each) for block, each in zip(self.smooth, merged[:-1], strict=True)), merged[-1]]
        together = torch.cat([resize(each, _size(maps[0])) for each in smoothed], dim=1)
        return resize(self.out(self.fuse(together)), size)


class UNetHead(nn.Module):
    """The decoder of SeCo's change detection: from the coarsest map up, each joined to the next finer one.

    At every step up: nearest neighbours to the size of the finer map, a 3 x 3 convolution to its channels, the finer map beside
    it, a 3 x 3 convolution, batch normalisation, ReLU, and whole channels dropped at random. Its widths are the backbone's own
    channels. SeCo doubles the size at each step; here it becomes that of the finer map, which is the same for a ResNet, so
    that a ViT, whose maps are of one size, has such a decoder too.

    References:
        Mañas et al., Seasonal Contrast, 2021, https://arxiv.org/abs/2103.16607; `models/segmentation.py` of its released code
    """

    def __init__(self, channels: Sequence[int], classes: int = 1) -> None:
        """Make it with random weights of torch's global generator.

        Args:
            channels: Of each map, finest first.
            classes: Values per pixel.
        """
        super().__init__()
        steps = list(pairwise(channels))
        self.narrow = nn.ModuleList(nn.Conv2d(coarse, fine, 3, padding=1) for fine, coarse in steps)
        self.join = nn.ModuleList(nn.Conv2d(2 * fine, fine, 3, padding=1, bias=False) for fine, _ in steps)
        self.norm = nn.ModuleList(nn.BatchNorm2d(fine) for fine, _ in steps)
        self.dropout = nn.Dropout2d(DROPOUT)
        self.out = nn.Conv2d(channels[0], classes, 1)

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Logits of every pixel; see `LinearHead.forward`."""
        found = maps[-1]
        for level in reversed(range(len(maps) - 1)):
            finer = maps[level]
            found = self.narrow[level](interpolate(found, size=_size(finer), mode="nearest"))
            found = self.norm[level](self.join[level](torch.cat([found, finer], dim=1)))
            found = self.dropout(found.relu())
        return self.out(interpolate(found, size=size, mode="nearest"))  # type: ignore[no-any-return]  # as nn.Module has it


HEADS: Mapping[str, Callable[[Sequence[int], int], nn.Module]] = {"linear": LinearHead, "upernet": PyramidHead}
"""What `evaluate segment --head` chooses from."""


def make_head(name: str, channels: Sequence[int], classes: int) -> nn.Module:
    """Make a head by its name.

    Args:
        name: A key of `HEADS`.
        channels: Of each map, finest first.
        classes: Values per pixel.

    Raises:
        InputError: There is no such head.
    """
    check_head(name)
    return HEADS[name](channels, classes)


def check_head(name: str) -> None:
    """Refuse a head that there is not.

    Raises:
        InputError: The message lists those that there are.
    """
    if name not in HEADS:
        guess = get_close_matches(name, HEADS, 1, 0.5)
        meant = f" Did you mean {guess[0]!r}?" if guess else ""
        raise InputError(f"There is no head {name!r}. Choose from: {', '.join(HEADS)}.{meant}")


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize maps, (batch, channels, height, width), bilinearly; pixels are squares, so that corners do not count double."""
    return maps if _size(maps) == tuple(size) else interpolate(maps, size=size, mode="bilinear", align_corners=False)


def _size(maps: Tensor) -> tuple[int, int]:
    return maps.shape[-2], maps.shape[-1]


def _block(channels: int, width: int, *, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, kernel, padding=kernel // 2, bias=False), nn.GroupNorm(GROUPS, width), nn.ReLU()
    )
