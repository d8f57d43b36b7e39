"""What is drawn for the views of a batch: where each is cut, how it is coloured; numbers only, no pixels.

The laws are torchvision's (`RandomResizedCrop`, `ColorJitter`, `RandomGrayscale`, `RandomSolarize`). A step that was not drawn
has its neutral number (factor 1, shift 0, sigma 0), so that nothing but these numbers decides what happens to a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.config import Crop, Photometric, View
from train.draws import uniforms

ATTEMPTS = 10
"""Boxes that torchvision tries before it falls back to the middle of the image."""
OPERATIONS = ("brightness", "contrast", "saturation", "hue")
"""What the numbers in `order` stand for."""
GROUPS = (*((turn, name) for turn in range(4) for name in OPERATIONS), (4, "grayscale"), (5, "sigma"), (6, "solarize"))
"""What is done to colours, in order, as (turn, column): the samples of one group have the same done at the same turn."""

COLUMNS = {
    "box": slice(0, 4), "flip": slice(4, 5), "brightness": slice(5, 6), "contrast": slice(6, 7), "saturation": slice(7, 8),
    "hue": slice(8, 9), "order": slice(9, 13), "grayscale": slice(13, 14), "sigma": slice(14, 15), "solarize": slice(15, 16),
}  # fmt: skip
PER_BAND = 16
NEUTRAL = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0}
"""Of the others it is 0."""


@dataclass(frozen=True, slots=True)
class ViewParameters:
    """What was drawn for one view of each sample of a batch.

    One table, so that a batch costs one copy to the device. A copy stays on the host and answers how many samples have what
    done to them, so that the device is never asked.
    """

    host: NDArray[np.float32]
    """(batch, 16 + 3 bands), always in main memory; `COLUMNS` says what is where."""
    numbers: Tensor
    """The same, where the pixels are."""
    rows: Tensor
    """Samples of each of `GROUPS`, one group after the other, int64, where the pixels are."""
    counts: tuple[int, ...]
    """Samples of each of `GROUPS`."""

    def __len__(self) -> int:
        return len(self.host)

    def column(self, name: str) -> Tensor:
        """One of `COLUMNS`, (batch, width), where the pixels are.

        `box` is top, left, height and width in pixels of the finest layer; `order` has the numbers of `OPERATIONS`, first one
        first; `flip`, `grayscale` and `solarize` are 0 or 1; `sigma` is in pixels of the view; `hue` in turns.
        """
        return self.numbers[:, COLUMNS[name]]

    def bands(self, name: str) -> Tensor:
        """`gain`, `offset` or `kept` (0 or 1) of each band, (batch, bands), where the pixels are."""
        start = PER_BAND + ("gain", "offset", "kept").index(name) * self._count
        return self.numbers[:, start : start + self._count]

    @property
    def drops_bands(self) -> bool:
        """Whether any band of any sample is set to its mean."""
        return not self.host[:, PER_BAND + 2 * self._count :].all()

    @property
    def has_gains(self) -> bool:
        """Whether any band of any sample has a gain or an offset."""
        count = self._count
        gain, offset = self.host[:, PER_BAND : PER_BAND + count], self.host[:, PER_BAND + count : PER_BAND + 2 * count]
        return bool((gain != 1).any() or (offset != 0).any())

    def groups(self) -> list[tuple[str, Tensor]]:
        """What is done to colours, in order: the column, and the samples that it is done to, where the pixels are."""
        parts = torch.split(self.rows, list(self.counts))
        return [(name, part) for (_, name), part in zip(GROUPS, parts, strict=True) if len(part)]

    @property
    def _count(self) -> int:
        return (int(self.host.shape[1]) - PER_BAND) // 3

    def part(self, rows: slice) -> ViewParameters:
        """Some of the samples. Take parts before `to`: afterwards it waits for the device."""
        return _as_parameters(self.host[rows]).to(self.numbers.device)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> ViewParameters:
        """The same on another device; `host` stays."""
        moved = [each.to(device, non_blocking=non_blocking) for each in (self.numbers, self.rows)]
        return replace(self, numbers=moved[0], rows=moved[1])

    def pin_memory(self) -> ViewParameters:
        """The same in page-locked memory, for `to(..., non_blocking=True)`."""
        return replace(self, numbers=self.numbers.pin_memory(), rows=self.rows.pin_memory())


def draw_parameters(
    views: Sequence[View],
    *,
    seed: int,
    epoch: int,
    locations: NDArray[np.uint64],
    size_px: int,
    bands: int,
    sensor: str | None = None,
) -> tuple[ViewParameters, ...]:
    """Draw how each view of each sample is cut and coloured.

    Args:
        views: Of one sample.
        seed: Of the training.
        epoch: From 0.
        locations: (batch,), keys as `train.draws.location_key` makes them.
        size_px: Side of a patch, pixels of the finest layer.
        bands: Channels of a view.
        sensor: Of several, each of which has numbers of its own.

    Returns:
        One for each view. A sample's numbers hang on the seed, the epoch, its location, the view and the sensor alone.
    """
    draw = partial(uniforms, seed, epoch=epoch, locations=locations, sensor=sensor)
    return tuple(
        _draw_view(view, partial(draw, view=number), samples=len(locations), size_px=size_px, bands=bands)
        for number, view in enumerate(views)
    )


def neutral_parameters(count: int, *, height: int, width: int, bands: int) -> ViewParameters:
    """Those that cut nothing off and change nothing.

    Args:
        count: Samples.
        height: Rows of the finest layer.
        width: Columns of the finest layer.
        bands: Channels of a view.
    """
    return cut_parameters(np.tile((0.0, 0.0, height, width), (count, 1)), np.zeros(count), bands=bands)


def cut_parameters(boxes: NDArray[np.float64], flip: NDArray[np.float64], *, bands: int) -> ViewParameters:
    """Those that cut boxes out, flip them and change nothing else.

    Args:
        boxes: (batch, 4): top, left, height and width in pixels of the finest layer, on any fraction of one.
        flip: (batch,), 1 where left and right change places.
        bands: Channels of a view.
    """
    host = np.zeros((len(boxes), PER_BAND + 3 * bands), np.float32)
    host[:, COLUMNS["box"]] = boxes
    host[:, COLUMNS["flip"]] = flip[:, None]
    for name, value in NEUTRAL.items():
        host[:, COLUMNS[name]] = value
    host[:, PER_BAND : PER_BAND + bands] = 1
    host[:, PER_BAND + 2 * bands :] = 1
    return _as_parameters(host)


def _draw_view(
    view: View, draw: Callable[..., NDArray[np.float64]], *, samples: int, size_px: int, bands: int
) -> ViewParameters:
    """One view of so many samples; `draw` gives uniform numbers for a purpose, (samples, count)."""
    crop, photometric = view.crop, view.photometric
    host = np.empty((samples, PER_BAND + 3 * bands), np.float32)
    host[:, COLUMNS["box"]] = draw_boxes(draw("crop", count=2 * ATTEMPTS + 2), crop, size_px=size_px)
    host[:, COLUMNS["flip"]] = draw("flip", count=1) < crop.flip
    jittered = draw("jitter", count=1) < photometric.jitter
    for name, values in _factors(draw("factors", count=4), photometric).items():
        host[:, COLUMNS[name]] = np.where(jittered, values, NEUTRAL.get(name, 0.0))
    host[:, COLUMNS["order"]] = np.argsort(draw("order", count=4), axis=1)
    host[:, COLUMNS["grayscale"]] = draw("grayscale", count=1) < photometric.grayscale
    blurred, width = np.split(draw("blur", count=2), 2, axis=1)
    host[:, COLUMNS["sigma"]] = np.where(blurred < photometric.blur, _between(width, *photometric.blur_sigma), 0.0)
    host[:, COLUMNS["solarize"]] = draw("solarize", count=1) < photometric.solarize
    gain, offset, kept = np.split(host[:, PER_BAND:], 3, axis=1)
    gain[:] = np.where(jittered, _between(draw("gain", count=bands), *_around_one(photometric.brightness)), 1.0)
    offset[:] = np.where(jittered, (2 * draw("offset", count=bands) - 1) * photometric.band_offset, 0.0)
    kept[:] = _keep_one(draw("drop", count=bands), photometric.drop_band)
    return _as_parameters(host)


def draw_boxes(draws: NDArray[np.float64], crop: Crop, *, size_px: int) -> NDArray[np.float64]:
    """Boxes by the law of torchvision's `RandomResizedCrop`.

    Area and logarithm of the ratio are uniform; the first of ten that fits is taken, whole pixels, anywhere in the patch.
    Where none fits, it is the largest in the middle whose ratio is allowed.

    Args:
        draws: (batch, 22), uniform in [0, 1).
        crop: The law's constants.
        size_px: Side of the patch.

    Returns:
        (batch, 4): top, left, height, width; whole numbers of pixels.
    """
    area = size_px**2 * _between(draws[:, :ATTEMPTS], *crop.scale)
    ratio = np.exp(_between(draws[:, ATTEMPTS : 2 * ATTEMPTS], *np.log(crop.ratio)))
    sides = np.rint(np.stack((np.sqrt(area / ratio), np.sqrt(area * ratio))))
    fits = ((sides > 0) & (sides <= size_px)).all(axis=0)
    middle = np.rint([size_px * min(1.0, 1 / crop.ratio[0]), size_px * min(1.0, crop.ratio[1])])
    first = fits.argmax(axis=1)
    taken = np.where(fits.any(axis=1), sides[:, np.arange(len(draws)), first], middle[:, None])
    free = size_px - taken
    corners = np.where(fits.any(axis=1), np.floor(draws[:, 2 * ATTEMPTS :].T * (free + 1)), free // 2)
    return np.concatenate((corners, taken)).T


def _factors(draws: NDArray[np.float64], photometric: Photometric) -> dict[str, NDArray[np.float64]]:
    """(batch, 1) each, by the law of torchvision's `ColorJitter`."""
    columns = dict(zip(OPERATIONS, np.split(draws, 4, axis=1), strict=True))
    ranges = {name: _around_one(getattr(photometric, name)) for name in OPERATIONS[:3]}
    ranges["hue"] = (-photometric.hue, photometric.hue)
    return {name: _between(columns[name], *ranges[name]) for name in OPERATIONS}


def _around_one(strength: float) -> tuple[float, float]:
    return max(0.0, 1 - strength), 1 + strength


def _between(draws: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    return low + (high - low) * draws


def _keep_one(draws: NDArray[np.float64], probability: float) -> NDArray[np.bool_]:
    """Each band apart, but where all would go the one that was nearest to staying stays."""
    kept = draws >= probability
    kept[np.arange(len(draws)), draws.argmax(axis=1)] = True
    return kept


def _as_parameters(host: NDArray[np.float32]) -> ViewParameters:
    """The table with what follows from it."""
    order = host[:, COLUMNS["order"]]
    rows = []
    for turn, name in GROUPS:
        chosen = host[:, COLUMNS[name].start] != NEUTRAL.get(name, 0.0)
        if name in OPERATIONS:
            chosen &= order[:, turn] == OPERATIONS.index(name)
        rows.append(np.flatnonzero(chosen))
    joined = torch.from_numpy(np.concatenate(rows).astype(np.int64))
    return ViewParameters(host, torch.from_numpy(host), joined, tuple(len(each) for each in rows))
