"""Weights that others published: told by their layout, named as timm names them, fed as their code feeds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from train.config import InputSpec
from train.errors import CheckpointError
from train.published_inputs import SECO_INPUT, dino_input, ssl4eo_input
from train.published_networks import FIRST, find_network, is_network
from train.published_pickle import read_arguments, read_checkpoint

HEADS = ("fc.", "head.")
"""What MoCo puts in place of the classifier, which is no part of the backbone."""


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """A published backbone."""

    timm_name: str
    """What timm calls it."""
    tensors: dict[str, Tensor]
    """By timm's names."""
    spec: InputSpec
    """What it was trained on."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the tensors of a backbone lie in a checkpoint."""

    family: str
    """`seco`, `moco` or `dino`: whose code wrote it."""
    title: str
    """Whose weights come in it."""
    parts: Mapping[str, tuple[str | None, tuple[str, ...]]]
    """For each part that can be chosen, the first where none is: under which key of the file, and what the names begin with."""

    def find(self, content: Mapping[Any, Any], part: str) -> dict[str, Tensor] | None:
        """Tensors of the backbone, by their names in it; nothing if there is no network at that place.

        Args:
            content: Of the file.
            part: Which of the parts.
        """
        section, prefixes = self.parts[part]
        state = content if section is None else content.get(section)
        if not isinstance(state, Mapping):
            return None
        for prefix in prefixes:
            named = {name: each for name, each in state.items() if isinstance(name, str) and name.startswith(prefix)}
            if all(isinstance(each, Tensor) for each in named.values()) and is_network(named, prefix):
                return {name[len(prefix) :]: each for name, each in named.items()}
        return None

    def __str__(self) -> str:
        section, prefixes = next(iter(self.parts.values()))
        return f"{self.title} ({' or '.join(f'{each}*' for each in prefixes)}{f' under {section}' if section else ''})"


LAYOUTS = (
    Layout("seco", "SeCo", {"query": ("state_dict", ("encoder_q.",)), "key": ("state_dict", ("encoder_k.",))}),
    Layout(
        "moco",
        "SSL4EO-S12 MoCo v2",
        {"query": ("state_dict", ("module.encoder_q.",)), "key": ("state_dict", ("module.encoder_k.",))},
    ),
    Layout(
        "moco",
        "SSL4EO-S12 MoCo v3",
        {"query": ("state_dict", ("module.base_encoder.",)), "key": ("state_dict", ("module.momentum_encoder.",))},
    ),
    Layout(
        "dino",
        "DINO, DINO-MC, DINO-TP, X-STARS or SSL4EO-S12 DINO",
        {side: (side, ("backbone.", "module.backbone.")) for side in ("teacher", "student")},
    ),
    Layout("dino", "a backbone alone, as DINO's and SSL4EO-S12's", {"backbone": (None, ("",))}),
)
"""Looked for in this order."""


def read_published(path: Path, part: str | None = None) -> Published:
    """Read a published checkpoint: SeCo's, DINO's, DINO-MC's, X-STARS's, or one of SSL4EO-S12 by MoCo or DINO.

    Args:
        path: The file.
        part: `query` or `key` of MoCo and SeCo, `teacher` or `student` of DINO; the first of each, which is what their released
            code evaluates, where absent.

    Raises:
        CheckpointError: The file is missing or damaged, holds more than plain data, is of a layout that we do not know, or has
            no such part.

    References:
        https://github.com/ServiceNow/seasonal-contrast, `models/moco2_module.py`;
        https://github.com/facebookresearch/dino, `utils.py`; https://github.com/zhu-xlab/SSL4EO-S12, `linear_BE_moco.py`
    """
    content = read_checkpoint(path)
    if not isinstance(content, Mapping):
        raise _unknown(path, [type(content).__name__])
    for layout in LAYOUTS:
        if any(layout.find(content, each) is not None for each in layout.parts):
            return _published(layout, content, path, part)
    raise _unknown(path, _first_keys(content))


def _published(layout: Layout, content: Mapping[Any, Any], path: Path, part: str | None) -> Published:
    """The backbone of a checkpoint whose layout is known."""
    first = next(iter(layout.parts))
    held = {each: tensors for each in layout.parts if (tensors := layout.find(content, each)) is not None}
    tensors = held.get(first if part is None else part)
    if tensors is None:
        otherwise = ", or leave it out" if first in held else f", as in {path}#{next(iter(held))}"
        raise CheckpointError(
            f"{path} has no part {first if part is None else part!r}. It is of {layout.title}: choose from {', '.join(held)}"
            f"{otherwise}."
        )
    if layout.family == "moco":
        tensors = {name: each for name, each in tensors.items() if not name.startswith(HEADS)}
    network = find_network(tensors, str(path))
    if layout.family == "seco":
        return Published(network.timm_name, network.tensors, SECO_INPUT)
    if layout.family == "moco":
        spec = ssl4eo_input(network.channels, str(path))
    else:
        spec = dino_input(read_arguments(content.get("args")), network.channels, str(path))
    return Published(network.timm_name, network.tensors, replace(spec, size_px=network.size_px))


def _unknown(path: Path, keys: list[str]) -> CheckpointError:
    looked_for = "; ".join(str(layout) for layout in LAYOUTS)
    return CheckpointError(
        f"{path} is of a layout that we do not know: it holds {', '.join(keys)} ... Looked for {looked_for}; and there for "
        f"one of {', '.join(FIRST)}. Give one of these, or the folder of an export or a run."
    )


def _first_keys(content: Mapping[Any, Any]) -> list[str]:
    """The first names, those of tensors one level down where there are some."""
    keys = []
    for name, each in list(content.items())[:4]:
        below = [f"{name}/{inner}" for inner in list(each)[:2]] if isinstance(each, Mapping) else []
        keys += below or [str(name)]
    return keys[:6] or ["nothing"]
