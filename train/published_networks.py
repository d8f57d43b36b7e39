"""Which of timm's networks tensors belong to, told by their names and shapes, and what timm calls each of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from train.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

FIRST = ("conv1.weight", "patch_embed.proj.weight", "features.0.0.weight", "0.weight")
"""The first layer of a ResNet, a ViT, torchvision's Swin, and a ResNet as a sequence."""
_SEQUENTIAL = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
_RESNETS: dict[tuple[str, tuple[int, ...], int], str] = {
    ("conv2", (2, 2, 2, 2), 64): "resnet18",
    ("conv2", (3, 4, 6, 3), 64): "resnet34",
    ("conv3", (3, 4, 6, 3), 64): "resnet50",
    ("conv3", (3, 4, 23, 3), 64): "resnet101",
    ("conv3", (3, 4, 6, 3), 128): "wide_resnet50_2",
}
"""The last convolution of a block, the blocks of each stage, the width of the first: torchvision's names, and timm's too."""
_VITS: dict[tuple[int, int], str] = {(192, 12): "tiny", (384, 12): "small", (768, 12): "base", (1024, 24): "large"}
"""Length of a token, blocks."""
_VIT_NAMES = (
    "vit_tiny_patch16_224", "vit_small_patch8_224", "vit_small_patch16_224", "vit_base_patch8_224", "vit_base_patch16_224",
    "vit_large_patch16_224",
)  # fmt: skip
"""Those that timm has."""
_SWINS: dict[tuple[int, tuple[int, ...]], str] = {
    (96, (2, 2, 6, 2)): "swin_tiny_patch4_window7_224",
    (96, (2, 2, 18, 2)): "swin_small_patch4_window7_224",
    (128, (2, 2, 18, 2)): "swin_base_patch4_window7_224",
}
"""Length of a token in the first stage, blocks of each stage."""
SIZE_PX = 224
"""Side of the images of a network whose tensors do not tell."""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A backbone as timm makes it."""

    timm_name: str
    """What timm calls it."""
    tensors: dict[str, Tensor]
    """By timm's names."""
    channels: int
    """That it reads."""
    size_px: int
    """Side of the images that its position embeddings are for; 224 where it has none."""


def is_network(names: Collection[str], prefix: str) -> bool:
    """Whether there is a first layer among the names of tensors.

    Args:
        names: Of tensors.
        prefix: What those of the network begin with.
    """
    return any(f"{prefix}{first}" in names for first in FIRST)


def find_network(tensors: Mapping[str, Tensor], where: str) -> Network:
    """The network that tensors belong to.

    Args:
        tensors: By the names of torchvision's ResNet or Swin, of a ResNet as a sequence, or of DINO's ViT, which are timm's.
        where: What to call them in an error.

    Raises:
        CheckpointError: They are of no network that we know.
    """
    if "0.weight" in tensors:
        return _resnet(_name_sequence(tensors, where), where)
    if "conv1.weight" in tensors:
        return _resnet(dict(tensors), where)
    if "patch_embed.proj.weight" in tensors and "cls_token" in tensors and "pos_embed" in tensors:
        return _vit(dict(tensors), where)
    if "features.0.0.weight" in tensors:
        return _swin(tensors, where)
    raise CheckpointError(
        f"{where} is no network that we know: it has {', '.join(sorted(tensors)[:3])} ... Expected one of {_known()}."
    )


def _resnet(tensors: dict[str, Tensor], where: str) -> Network:
    last = "conv3" if "layer1.0.conv3.weight" in tensors else "conv2"
    blocks = _count_blocks(tensors, rf"layer(\d)\.(\d+)\.{last}\.weight")
    inner = tensors.get("layer1.0.conv2.weight")
    width = 0 if inner is None else inner.shape[0]
    if (last, blocks, width) not in _RESNETS:
        raise CheckpointError(
            f"{where} is no ResNet that we know: its stages have {', '.join(map(str, blocks)) or 'no'} blocks, the first of "
            f"width {width}. Expected one of {', '.join(_RESNETS.values())}."
        )
    return Network(_RESNETS[last, blocks, width], tensors, tensors["conv1.weight"].shape[1], SIZE_PX)


def _vit(tensors: dict[str, Tensor], where: str) -> Network:
    """A ViT whose first token is the image's; DINO's names are timm's."""
    length, channels, patch, _ = tensors["patch_embed.proj.weight"].shape
    depth = len({name.split(".")[1] for name in tensors if name.startswith("blocks.")})
    side = round((tensors["pos_embed"].shape[1] - 1) ** 0.5)
    name = f"vit_{_VITS.get((length, depth))}_patch{patch}_224"
    if name not in _VIT_NAMES or side**2 + 1 != tensors["pos_embed"].shape[1]:
        raise CheckpointError(
            f"{where} is no ViT that we know: {depth} blocks of tokens of length {length}, patches of {patch} px, "
            f"{tensors['pos_embed'].shape[1]} positions. Expected one of {', '.join(_VIT_NAMES)}."
        )
    return Network(name, tensors, channels, side * patch)


def _swin(tensors: Mapping[str, Tensor], where: str) -> Network:
    """Torchvision's Swin: stages and the mergings between them are numbered through, and an index is kept that timm derives."""
    blocks = _count_blocks(tensors, r"features\.([1357])\.(\d+)\.norm1\.weight")
    length, channels = tensors["features.0.0.weight"].shape[:2]
    windows = {tensor.shape[0] for name, tensor in tensors.items() if name.endswith("relative_position_bias_table")}
    if (length, blocks) not in _SWINS or windows != {13**2}:
        raise CheckpointError(
            f"{where} is no Swin that we know: its stages have {', '.join(map(str, blocks)) or 'no'} blocks, tokens of length "
            f"{length}. Expected one of {', '.join(_SWINS.values())}."
        )
    kept = {_swin_name(name): tensor for name, tensor in tensors.items() if not name.endswith("relative_position_index")}
    return Network(_SWINS[length, blocks], kept, channels, SIZE_PX)


def _swin_name(name: str) -> str:
    """Timm's name of a tensor of torchvision's Swin."""
    words = name.split(".")
    if words[0] != "features":
        return name
    stage, rest = int(words[1]), ".".join(words[2:])
    if stage == 0:
        return f"patch_embed.{'proj' if words[2] == '0' else 'norm'}.{words[3]}"
    if stage % 2 == 0:
        return f"layers.{stage // 2}.downsample.{rest}"
    return f"layers.{stage // 2}.blocks.{rest}".replace(".mlp.0.", ".mlp.fc1.").replace(".mlp.3.", ".mlp.fc2.")


def _name_sequence(tensors: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """The tensors of torchvision's ResNet as a sequence of its layers, by torchvision's names."""
    named = {}
    for name, tensor in tensors.items():
        number, _, rest = name.partition(".")
        if number not in _SEQUENTIAL:
            raise CheckpointError(f"{where} has {name} in its encoder, which none of SeCo has. Expected 0, 1 and 4 to 7.")
        named[f"{_SEQUENTIAL[number]}.{rest}"] = tensor
    return named


def _count_blocks(names: Collection[str], pattern: str) -> tuple[int, ...]:
    """How many blocks each stage has, in the order of the stages."""
    found = [re.fullmatch(pattern, name) for name in names]
    stages = [int(each[1]) for each in found if each]
    return tuple(stages.count(stage) for stage in sorted(set(stages)))


def _known() -> str:
    """Every network that we know."""
    return ", ".join((*_RESNETS.values(), *_VIT_NAMES, *_SWINS.values()))
