"""Changes of colour, as torchvision makes them on floats, on whole batches or single samples.

All work in place on values in [0, 1]. The numbers may be Python floats or tensors that spread over the images, such as
(batch, 1, 1, 1). The reference is torchvision's float path (`torchvision.transforms.functional` on float tensors); Pillow's
rounds every intermediate image to 8 bits, which is no law to follow.
"""

from __future__ import annotations

import torch
from torch import Tensor

LUMINANCE = (0.2989, 0.587, 0.114)
"""Of red, green and blue (ITU-R 601-2), as torchvision and Pillow weigh them."""

Number = float | Tensor


def adjust_brightness(rgb: Tensor, factor: Number) -> None:
    """Multiply, and clamp to [0, 1].

    Args:
        rgb: (..., 3, height, width).
        factor: 0 or more; 1 changes nothing.
    """
    rgb.mul_(factor).clamp_(0, 1)


def adjust_contrast(rgb: Tensor, factor: Number) -> None:
    """Move values away from (or to) the image's mean luminance, and clamp to [0, 1].

    Args:
        rgb: (..., 3, height, width).
        factor: 0 or more; 1 changes nothing.
    """
    red, green, blue = rgb.mean((-2, -1), keepdim=True).unbind(-3)
    mean = _luminance(red, green, blue).unsqueeze(-3)
    rgb.mul_(factor).add_(mean * (1 - factor)).clamp_(0, 1)


def adjust_saturation(rgb: Tensor, factor: Number) -> None:
    """Move values away from (or to) each pixel's luminance, and clamp to [0, 1].

    Args:
        rgb: (..., 3, height, width).
        factor: 0 or more; 1 changes nothing.
    """
    gray = luminance(rgb)
    rgb.mul_(factor).add_(gray.mul_(1 - factor)).clamp_(0, 1)


def adjust_hue(rgb: Tensor, shift: Number) -> None:
    """Turn the hue in HSV; value and saturation stay.

    Exact, without ever writing HSV down. With m and c the least of the three and the distance to the greatest, the hue in
    sixths of a turn is ``1 + (green + blue - red - m) / c``, with the sign of ``green - blue``; and each of the three is
    ``m + c clamp(2 - d, 0, 1)``, with d the distance around the circle from its own hue (0, 2 and 4 sixths).

    Args:
        rgb: (..., 3, height, width).
        shift: Turns, -0.5 to 0.5; 0 changes nothing.

    References:
        Smith, Color gamut transform pairs, SIGGRAPH 1978
    """
    red, green, blue = rgb.unbind(-3)
    least = torch.minimum(torch.minimum(red, green), blue)
    chroma = torch.maximum(torch.maximum(red, green), blue).sub_(least)
    sixths = (green + blue).sub_(red).sub_(least).div_(chroma.clamp(min=1e-12)).add_(1).copysign_(green - blue)
    base = least - chroma
    for plane, center in zip((red, green, blue), _centers(shift), strict=True):
        # For |x| up to 7, clamp(||x| - 3|, 1, 2) is 1 + clamp(2 - d, 0, 1).
        share = (sixths + center).abs_().sub_(3).abs_().clamp_(1, 2)
        torch.addcmul(base, share, chroma, out=plane)


def remove_color(images: Tensor, *, rgb: bool) -> None:
    """Grayscale: the luminance in red, green and blue, and in every further band the mean of the further bands.

    Args:
        images: (..., bands, height, width).
        rgb: Whether the first three bands are red, green and blue; otherwise all are further bands.
    """
    first = 3 if rgb else 0
    if rgb:
        images[..., :3, :, :] = luminance(images[..., :3, :, :])
    if images.shape[-3] > first:
        images[..., first:, :, :] = images[..., first:, :, :].mean(-3, keepdim=True)


def solarize(images: Tensor) -> None:
    """Turn bright values round: x of 0.5 and above becomes 1 - x."""
    torch.minimum(images, 1 - images, out=images)


def luminance(rgb: Tensor) -> Tensor:
    """(..., 1, height, width) of (..., 3, height, width)."""
    return _luminance(*rgb.unbind(-3)).unsqueeze(-3)


def _luminance(red: Tensor, green: Tensor, blue: Tensor) -> Tensor:
    return (red * LUMINANCE[0]).add_(green, alpha=LUMINANCE[1]).add_(blue, alpha=LUMINANCE[2])


def _centers(shift: Number) -> tuple[Number, Number, Number]:
    """What is added to the hue, in sixths, to have its distance from red, green and blue between -7 and 7."""
    if isinstance(shift, Tensor):
        turned = 6 * shift.squeeze(-3)
        ahead = turned >= 0
        return turned, turned + torch.where(ahead, -2.0, 4.0), turned + torch.where(ahead, -4.0, 2.0)
    green, blue = (-2, -4) if shift >= 0 else (4, 2)
    return 6 * shift, 6 * shift + green, 6 * shift + blue
