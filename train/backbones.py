"""Backbones: any of timm's, by its name, for any number of bands, with pooled features and no classifier.

timm takes as long to import as torch, so it is imported where a network is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from train.errors import ConfigError
from train.positions import place_by_products

if TYPE_CHECKING:
    from train.config import TrainConfig

ELSEWHERE = {
    "dino_vits16": "vit_small_patch16_224",
    "dino_vits8": "vit_small_patch8_224",
    "dino_vitb16": "vit_base_patch16_224",
    "dino_vitb8": "vit_base_patch8_224",
    "dinov2_vits14": "vit_small_patch14_dinov2",
    "dinov2_vitb14": "vit_base_patch14_dinov2",
    "swin_t": "swin_tiny_patch4_window7_224",
    "swin_s": "swin_small_patch4_window7_224",
    "swin_b": "swin_base_patch4_window7_224",
    "vit_b_16": "vit_base_patch16_224",
    "vit_b_32": "vit_base_patch32_224",
    "vit_l_16": "vit_large_patch16_224",
    "vit_s_16": "vit_small_patch16_224",
    "vit_t_16": "vit_tiny_patch16_224",
}
"""Names that other libraries use, with timm's."""
ANY_SIZE: dict[str, dict[str, Any]] = {
    "vision_transformer": {"dynamic_img_size": True},
    "deit": {"dynamic_img_size": True},
    "swin_transformer": {"strict_img_size": False},
}
"""timm's families of networks that are made for one size, and what lets them take others."""


def make_backbone(
    name: str,
    *,
    bands: int,
    size_px: int | None = None,
    further_sizes: Sequence[int] = (),
    drop_path: float = 0.0,
    pretrained: bool = False,
) -> nn.Module:
    """Make a network from images to one vector of features each.

    Its weights are drawn from torch's global generator, unless they are pretrained.

    Args:
        name: timm's, such as `resnet50` or `vit_small_patch16_224`.
        bands: Channels of an image.
        size_px: Side of an image; none for the size it was designed for. Networks that are made for one size are made for this
            one.
        further_sizes: Sides of other images that it must take too, such as local crops.
        drop_path: Rate of stochastic depth.
        pretrained: Load timm's weights; the first layer is adapted to the bands.

    Returns:
        A module from (batch, bands, size, size) to (batch, features).

    Raises:
        ConfigError: timm does not know the name, the network cannot take the size or the drop path, or no weights can be had.
    """
    import timm

    check_name(name)
    options: dict[str, Any] = {"num_classes": 0, "in_chans": bands}
    if size_px is not None and _has_fixed_size(name):
        options["img_size"] = size_px
        options |= _any_size(name) if further_sizes else {}
    if drop_path:
        options["drop_path_rate"] = drop_path
    try:
        module = timm.create_model(name, pretrained=pretrained, **options)
    except (AssertionError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(_refusal(name, size_px, drop_path=drop_path, pretrained=pretrained, why=str(error))) from error
    place_by_products(module)
    for side in dict.fromkeys((size_px, *further_sizes)):
        if side is not None:
            _check_size(module, name, bands=bands, size_px=side)
    return module


def backbone_of(config: TrainConfig, bands: int) -> nn.Module:
    """The backbone that a configuration asks for; see `make_backbone`.

    Args:
        config: Of the training.
        bands: Channels of an image.
    """
    size_px, *further = config.sizes
    return make_backbone(config.backbone, bands=bands, size_px=size_px, further_sizes=further, drop_path=config.drop_path)


def patch_side(name: str) -> int:
    """Of what number of pixels the side of an image must be a multiple, so that a network sees all of it."""
    if not _has_fixed_size(name):
        return 1
    with torch.random.fork_rng(devices=[]):
        return _patch_of(make_backbone(name, bands=1))


def check_name(name: str) -> None:
    """Refuse a name that timm does not know, or weights of it after a dot.

    Raises:
        ConfigError: The message guesses what was meant, or lists the weights.
    """
    import timm

    if not name or ":" in name or "/" in name or not timm.is_model(name):
        guesses = _guesses(name)
        meant = f" Did you mean {' or '.join(repr(guess) for guess in guesses)}?" if guesses else ""
        raise ConfigError(
            f"timm {timm.__version__} has no backbone {name!r}.{meant} "
            "All of its names: python -c 'import timm; print(*timm.list_models())'."
        )
    network, _, weights = name.partition(".")
    if weights and name not in timm.list_pretrained(f"{network}.*"):
        there = ", ".join(timm.list_pretrained(f"{network}.*")) or "none"
        raise ConfigError(f"timm {timm.__version__} has no weights {weights!r} of {network}. There are: {there}.")


def family_of(name: str) -> str:
    """The family that timm counts a backbone to, such as `resnet` or `vision_transformer`.

    Args:
        name: One that timm knows.
    """
    import timm

    module: str = timm.models.model_entrypoint(name.partition(".")[0]).__module__
    return module.rpartition(".")[2]


def feature_size(module: nn.Module) -> int:
    """Length of the features that a backbone gives.

    Args:
        module: Made by `make_backbone`, or with an attribute `num_features`.
    """
    size: int = getattr(module, "head_hidden_size", None) or getattr(module, "num_features")  # noqa: B009
    return size


def is_convolutional(module: nn.Module) -> bool:
    """Whether a network convolves beyond cutting an image into patches, so that `channels_last` pays."""
    kernels = [layer.kernel_size for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    return sum(max(kernel) > 1 for kernel in kernels) > 1


def has_batch_norm(module: nn.Module) -> bool:
    """Whether what a network gives of a sample hangs on the other samples of the batch."""
    return any(isinstance(layer, _BatchNorm) for layer in module.modules())


def _has_fixed_size(name: str) -> bool:
    import timm

    about = timm.models.get_pretrained_cfg(name, allow_unregistered=True)
    return bool(about and about.fixed_input_size)


def _any_size(name: str) -> dict[str, Any]:
    """What lets a network that is made for one size take others: a ViT resizes its position embeddings."""
    family = family_of(name)
    if family not in ANY_SIZE:
        raise ConfigError(
            f"{name} takes images of one size, and the views have several. Choose a network that takes any, such as "
            "vit_small_patch16_224, swin_tiny_patch4_window7_224 or resnet50."
        )
    return ANY_SIZE[family]


def _patch_of(module: nn.Module) -> int:
    """Side of the patches that an image is cut into."""
    patch = getattr(getattr(module, "patch_embed", None), "patch_size", 1)
    return patch[0] if isinstance(patch, tuple) else int(patch or 1)


def _check_size(module: nn.Module, name: str, *, bands: int, size_px: int) -> None:
    """Refuse a size that the network cannot take, or of which it would leave out the border without a word."""
    side = _patch_of(module) if _has_fixed_size(name) else 1
    if size_px % side:
        below = size_px // side * side
        nearest = " or ".join(str(each) for each in (below, below + side) if each)
        raise ConfigError(
            f"{name} cuts images into patches of {side} px, which {size_px} px is no multiple of: a border would be left out. "
            f"Choose --size-px {nearest}."
        )
    was_training = module.training
    try:
        with torch.no_grad():
            features = module.eval()(torch.zeros(1, bands, size_px, size_px))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise ConfigError(_refusal(name, size_px, drop_path=0.0, pretrained=False, why=str(error))) from error
    finally:
        module.train(was_training)
    if features.shape != (1, feature_size(module)):
        raise ConfigError(
            f"{name} gives features of shape {tuple(features.shape)[1:]} for an image; expected one vector of "
            f"{feature_size(module)}. Choose a backbone that pools its features, such as resnet50 or vit_small_patch16_224."
        )


def _refusal(name: str, size_px: int | None, *, drop_path: float, pretrained: bool, why: str) -> str:
    import timm

    asked = [f"images of {size_px} px"] if size_px is not None else []
    asked += [f"drop path {drop_path:g}"] if drop_path else []
    asked += ["pretrained weights"] if pretrained else []
    about = timm.models.get_pretrained_cfg(name, allow_unregistered=True)
    size = f" It was designed for {about.input_size[-1]} px." if about and size_px is not None else ""
    reason = " ".join(why.split())[:300]
    return (
        f"{name} cannot be made with {' and '.join(asked) or 'these bands'}: {reason}.{size} "
        "Change that, or choose another backbone."
    )


def _guesses(name: str) -> list[str]:
    """Up to three names of timm that may have been meant, the likeliest first."""
    import timm

    known = {_squeezed(each): each for each in reversed(timm.list_models())}
    asked = _squeezed(name.rsplit("/", 1)[-1].rsplit(":", 1)[-1].split(".", maxsplit=1)[0])
    elsewhere = {_squeezed(each): timms for each, timms in ELSEWHERE.items()}
    for found in (elsewhere.get(asked), known.get(asked)):
        if found:
            return [found]
    beginnings = sorted((each for squeezed, each in known.items() if asked and squeezed.startswith(asked)), key=_plainness)
    return (beginnings or [known[each] for each in get_close_matches(asked, known, 3, 0.6)])[:3]


def _squeezed(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def _plainness(name: str) -> tuple[bool, int, str]:
    return (not name.endswith("_224"), len(name), name)
