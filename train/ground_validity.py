"""Which tokens show enough ground that every band of a sensor has measured, in exact areas on native pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from catalogs.layers import Layer
from train.ground_boxes import TOKENS, valid_shares
from train.parameters import ViewParameters
from train.resampling import LEAST_VALID


def token_validity(
    pixels: Sequence[Tensor], layers: Sequence[Layer], parameters: ViewParameters, *, all_valid: bool, tokens: int = TOKENS
) -> Tensor:
    """Whether at least half of each token's ground is valid in all bands.

    Args:
        pixels: Of each layer, (batch, bands, height, width), native type.
        layers: What they are, finest first.
        parameters: Box and flip of each sample, in pixels of the finest layer.
        all_valid: Whether every pixel is known to be a measurement; otherwise that is found out.
        tokens: Along the side of a view.

    Returns:
        (batch, tokens * tokens), bool, row by row as a ViT has them. Of layers of several pixel sizes, the one with the least
        valid ground decides.
    """
    if all_valid:
        return torch.ones(len(parameters), tokens * tokens, dtype=torch.bool, device=pixels[0].device)
    share = _share_each if pixels[0].device.type == "cpu" else _share_batch
    scales = [layer.height / layers[0].height for layer in layers]
    shares = [
        share(raw, layer, parameters.column("box") * scale, parameters.column("flip")[:, 0], tokens=tokens)
        for raw, layer, scale in zip(pixels, layers, scales, strict=True)
    ]
    return torch.stack(shares).amin(0) >= LEAST_VALID - 1e-5


def find_measured(raw: Tensor, nodata: Sequence[float | None]) -> Tensor:
    """Where every band has a measurement.

    Args:
        raw: (batch, bands, height, width), native type.
        nodata: Of each band, the DN that says there is none; None for no such DN. NaN is never a measurement.

    Returns:
        (batch, height, width), bool.
    """
    valid = torch.ones_like(raw[:, 0], dtype=torch.bool)
    for band, number in enumerate(nodata):
        plane = raw[:, band]
        if plane.is_floating_point():
            valid &= plane == plane  # noqa: PLR0124  NaN alone is not itself
        if number is not None and not math.isnan(number):
            valid &= (plane.to(torch.int32) if plane.dtype == torch.uint16 else plane) != number  # not every device compares it
    return valid


def _share_batch(raw: Tensor, layer: Layer, box: Tensor, flip: Tensor, *, tokens: int) -> Tensor:
    """The whole batch, without a question to the device."""
    return valid_shares(find_measured(raw, layer.nodata), box, flip, tokens=tokens)


def _share_each(raw: Tensor, layer: Layer, box: Tensor, flip: Tensor, *, tokens: int) -> Tensor:
    """The same, sample by sample: most samples are whole, and nothing is looked at outside the box."""
    shares = torch.ones(len(raw), tokens * tokens)
    for sample, (top, left, height, width) in enumerate(box.tolist()):
        rows, columns = (slice(math.floor(low), math.ceil(low + side)) for low, side in ((top, height), (left, width)))
        valid = find_measured(raw[sample : sample + 1, :, rows, columns], layer.nodata)
        if not valid.all():
            inside = torch.tensor([[top - rows.start, left - columns.start, height, width]], dtype=torch.float64)
            shares[sample] = valid_shares(valid, inside, flip[sample : sample + 1], tokens=tokens)[0]
    return shares
