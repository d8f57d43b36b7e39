"""How much ground a token shows, and how many pixels of each sensor: what alignment can see of the finest of them."""

from __future__ import annotations

from collections.abc import Mapping

from train.backbones import patch_side
from train.errors import ConfigError

FEWEST_PX, MOST_PX = 2, 64
"""Native pixels along a token's side between which a sensor has detail in it, and can keep it."""


def count_tokens(size_px: int, backbone: str) -> int:
    """Tokens along the side of an aligned view.

    Raises:
        ConfigError: The view does not divide into the backbone's patches.
    """
    side = patch_side(backbone)
    if size_px % side:
        nearest = max(size_px // side, 1) * side
        raise ConfigError(
            f"Aligned views of {size_px} px do not divide into the {side} px patches of {backbone}. Choose --size-px {nearest}."
        )
    return size_px // side


def metres_per_token(crop_m: float, tokens: int) -> float:
    """Side of a token.

    Args:
        crop_m: Side of the box on the ground.
        tokens: Along its side.

    Examples:
        >>> round(metres_per_token(2640, 14), 1)
        188.6
    """
    return crop_m / tokens


def describe_tokens(gsd_m: Mapping[str, float], *, crop_m: float, tokens: int) -> str:
    """One line that says what a token shows.

    Args:
        gsd_m: Side of a native pixel of each sensor.
        crop_m: Side of the box on the ground.
        tokens: Along its side.

    Examples:
        >>> describe_tokens({"sentinel-2-l2a": 10, "spot-ortho": 1.5}, crop_m=2640, tokens=14)
        'A token is 189 m: 18.9 px of sentinel-2-l2a, 125.7 px of spot-ortho.'
    """
    side_m = metres_per_token(crop_m, tokens)
    return f"A token is {side_m:.3g} m: {', '.join(f'{side_m / gsd:.1f} px of {name}' for name, gsd in gsd_m.items())}."


def token_warnings(gsd_m: Mapping[str, float], *, crop_m: float, tokens: int) -> list[str]:
    """What to tell where a token shows too few or too many pixels of a sensor; arguments as of `describe_tokens`.

    Returns:
        A sentence for each such sensor, with the crop that would do.
    """
    side_m = metres_per_token(crop_m, tokens)
    warnings = []
    for name, gsd in gsd_m.items():
        pixels = side_m / gsd
        if pixels < FEWEST_PX:
            warnings.append(
                f"A token of {side_m:.3g} m is {pixels:.2g} px of {name}, which has no detail in it under {FEWEST_PX}. "
                f"Choose --crop-m {FEWEST_PX * gsd * tokens:g} or more."
            )
        elif pixels > MOST_PX:
            warnings.append(
                f"A token of {side_m:.3g} m is {pixels:.4g} px of {name}, whose fine detail is averaged away over {MOST_PX}. "
                f"Choose --crop-m {MOST_PX * gsd * tokens:g} or less."
            )
    return warnings
