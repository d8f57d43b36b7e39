"""From raw numbers to values in [0, 1] on the pixels of a view: cut, scaled, clipped, resized, flipped, layer by layer.

Only the part of a patch that a box touches is converted, sample by sample (CPU); on a GPU the whole patch is, a batch at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from catalogs.layers import Layer
from train.config import InputSpec
from train.parameters import ViewParameters
from train.patches import Constants, Patches, Source, Target
from train.photometric import find_rgb
from train.resampling import Taps, resample, resample_one, share_out

CHUNK = 64
"""Samples that are cut at once on a GPU, which bounds the memory for patches in float32."""
TOGETHER = 32
"""Samples whose taps are computed at once on a CPU."""


class Cutter:
    """Cuts views out of patches of one kind; bands come layer by layer, red, green and blue first."""

    def __init__(self, spec: InputSpec, layers: Sequence[Layer]) -> None:
        """Say what comes in and what goes out; see `train.views.ViewMaker`."""
        colors = [spec.bands[channel] for channel in find_rgb(spec.sensor, spec.bands) or ()]
        sources = [Source.of(layers, number, first=colors) for number in range(len(layers))]
        if colors:
            sources.sort(key=lambda source: colors[0] not in layers[source.layer].bands)
        taken = [layers[source.layer].bands[band] for source in sources for band in source.bands]
        assert sorted(taken) == sorted(spec.bands), f"the layers have bands {taken}, the input needs {list(spec.bands)}"
        assert taken[: len(colors)] == colors, f"red, green and blue lie in different layers: {layers}"
        self.rgb = bool(colors)
        self.channels = [spec.bands.index(band) for band in taken]
        self.in_order = self.channels == sorted(self.channels)
        self._sources = sources
        self._constants = {torch.device("cpu"): Constants.of(spec, self.channels)}

    def constants(self, device: torch.device) -> Constants:
        """The input's numbers on a device; copied there once."""
        if device not in self._constants:
            self._constants[device] = self._constants[torch.device("cpu")].to(device)
        return self._constants[device]

    def cut_each(self, patches: Patches, target: Target, parameters: ViewParameters) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Cut sample by sample.

        Yields:
            Values in [0, 1], (bands, size, size), the band's mean where invalid; and where they are valid, the same shape,
            None where all are.
        """
        affine = self._affine(patches)
        mean = self.constants(patches.scale.device).mean
        for sample, all_taps in enumerate(self._taps(target, parameters)):
            cuts = [
                cut_one(
                    patches.pixels[source.layer][sample],
                    source,
                    taps,
                    affine=(gain[sample], shift[sample]),
                    all_valid=patches.all_valid,
                )
                for source, taps, (gain, shift) in zip(self._sources, all_taps, affine, strict=True)
            ]
            yield join_bands(cuts, mean, target)

    def cut_batch(self, patches: Patches, target: Target, parameters: ViewParameters) -> tuple[Tensor, Tensor | None]:
        """Cut a batch at once; the same values as `cut_each`.

        Returns:
            Values in [0, 1], (batch, bands, size, size), the band's mean where invalid; and where they are valid, the same
            shape, None where all are known to be.
        """
        size = (len(parameters), len(self.channels), target.size_px, target.size_px)
        image = torch.empty(size, device=patches.scale.device)
        seen = None if patches.all_valid else torch.empty_like(image, dtype=torch.bool)
        affine = self._affine(patches)
        mean = self.constants(patches.scale.device).mean
        for start in range(0, len(parameters), CHUNK):
            rows = slice(start, start + CHUNK)
            box, flip = parameters.column("box")[rows], parameters.column("flip")[rows, 0]
            cuts = [
                cut_batch(
                    patches.pixels[source.layer][rows],
                    source,
                    target,
                    box=box,
                    flip=flip,
                    affine=(gain[rows], shift[rows]),
                    all_valid=patches.all_valid,
                )
                for source, (gain, shift) in zip(self._sources, affine, strict=True)
            ]
            image[rows], valid = join_bands(cuts, mean, target)
            if seen is not None and valid is not None:
                seen[rows] = valid
        return image, seen

    def _taps(self, target: Target, parameters: ViewParameters) -> Iterator[tuple[tuple[Taps, Taps], ...]]:
        """Of each sample, for each source; a few samples are computed at once, which is faster than all or one."""
        for start in range(0, len(parameters), TOGETHER):
            rows = slice(start, start + TOGETHER)
            box, flip = parameters.column("box")[rows], parameters.column("flip")[rows, 0]
            yield from zip(*(source.taps(box, target, flip=flip) for source in self._sources), strict=True)

    def _affine(self, patches: Patches) -> list[tuple[Tensor, Tensor]]:
        """Gain and shift from DN straight to [0, 1], of each source (batch, bands, 1, 1)."""
        constants = self.constants(patches.scale.device)
        gain = patches.scale[:, constants.channels] / constants.span
        shift = (patches.offset[:, constants.channels] - constants.low) / constants.span
        counts = [len(source.bands) for source in self._sources]
        parts = (torch.split(each[..., None, None], counts, dim=1) for each in (gain, shift))
        return list(zip(*parts, strict=True))


def cut_one(
    raw: Tensor, source: Source, taps: tuple[Taps, Taps], *, affine: tuple[Tensor, Tensor], all_valid: bool
) -> tuple[Tensor, Tensor | None]:
    """Cut one sample's box out of one layer.

    Args:
        raw: (bands, height, width), native type.
        source: What is taken of the layer.
        taps: Down and across.
        affine: Gain and shift, (bands, 1, 1) each, in the order of `source.bands`; `gain * DN + shift` is the value in [0, 1]
            before clipping.
        all_valid: Whether every pixel is known to be a measurement; otherwise that is found out.

    Returns:
        Values, (bands, size, size), 0 where invalid; and where they are valid, the same shape, None where all are.
    """
    values = _take(raw[:, taps[0].touched, taps[1].touched], source.bands)
    valid = None if all_valid else find_valid(values, source.nodata)
    values = values.mul_(affine[0]).add_(affine[1]).clamp_(0, 1)
    if valid is None or float(valid.min()):
        return resample_one(values, *taps), None
    return share_out(resample_one(_blank(values, valid), *taps), resample_one(valid, *taps))


def cut_batch(
    raw: Tensor,
    source: Source,
    target: Target,
    *,
    box: Tensor,
    flip: Tensor,
    affine: tuple[Tensor, Tensor],
    all_valid: bool,
) -> tuple[Tensor, Tensor | None]:
    """Cut the boxes of a batch out of one layer; the same values as `cut_one`, sample by sample.

    Args:
        raw: (batch, bands, height, width), native type.
        source: What is taken of the layer.
        target: What it is resized to.
        box: (batch, 4) in pixels of the finest layer.
        flip: (batch,), 1 where left and right change places.
        affine: Gain and shift, (batch, bands, 1, 1) each, see `cut_one`.
        all_valid: Whether every pixel is known to be a measurement.

    Returns:
        Values, (batch, bands, size, size), 0 where invalid; and where they are valid, the same shape, None if `all_valid`.
    """
    values = _take(raw, source.bands)
    valid = None if all_valid else find_valid(values, source.nodata)
    values = values.mul_(affine[0]).add_(affine[1]).clamp_(0, 1)
    resize = partial(
        resample,
        boxes=source.boxes(box),
        size_px=target.size_px,
        interpolation=target.interpolation,
        flip=flip,
        beyond=target.beyond,
    )
    if valid is None:
        return resize(values), None
    return share_out(resize(_blank(values, valid)), resize(valid))


def join_bands(cuts: Sequence[tuple[Tensor, Tensor | None]], mean: Tensor, target: Target) -> tuple[Tensor, Tensor | None]:
    """What was cut out of the layers as one image, (..., bands, size, size).

    Args:
        cuts: Of each layer, values and where they are valid; None where all are.
        mean: (bands, 1, 1), what is put where they are not.
        target: What they were resized to.
    """
    image = cuts[0][0] if len(cuts) == 1 else torch.cat([values for values, _ in cuts], dim=-3)
    if target.interpolation == "bicubic":
        image.clamp_(0, 1)
    if all(valid is None for _, valid in cuts):
        return image, None
    seen = [torch.ones_like(values, dtype=torch.bool) if valid is None else valid for values, valid in cuts]
    valid = torch.cat(seen, dim=-3)
    return torch.where(valid, image, mean), valid


def find_valid(numbers: Tensor, nodata: Sequence[float | None]) -> Tensor:
    """Where there is a measurement.

    Args:
        numbers: (..., bands, height, width), DN as float32.
        nodata: Of each band, the DN that says there is none; None for no such DN. NaN is never a measurement.

    Returns:
        1 where there is one and 0 where not, of the same shape, float32: what is to be resampled, and made faster than bool.
    """
    valid = torch.eq(numbers, numbers, out=torch.empty_like(numbers))
    for band, number in enumerate(nodata):
        if number is not None and not math.isnan(number):
            plane = numbers[..., band, :, :]
            valid[..., band, :, :] *= torch.ne(plane, number, out=torch.empty_like(plane))
    return valid


def _blank(values: Tensor, valid: Tensor) -> Tensor:
    """Values with 0 where they are not valid, NaN or not."""
    return values.nan_to_num_(0.0).mul_(valid)


def _take(raw: Tensor, bands: Sequence[int]) -> Tensor:
    """Bands of (..., bands, height, width) as float32, always in memory of their own.

    Band by band where the order changes: indexing does not know every unsigned type, copying does.
    """
    if list(bands) == list(range(raw.shape[-3])):
        return raw.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    values = torch.empty((*raw.shape[:-3], len(bands), *raw.shape[-2:]), device=raw.device)
    for place, band in enumerate(bands):
        values[..., place, :, :].copy_(raw[..., band, :, :])
    return values
