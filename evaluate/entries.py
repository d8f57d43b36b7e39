"""Weights that are to be scored, as they were typed: seeds of one training together, each with the input that it is fed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from catalogs.stack import Stack
from evaluate.seeds import check_seeds, split_seeds
from train.checkpoint import KINDS, LoadedBackbone, load_backbone
from train.config import InputSpec
from train.views import measure_input

RANDOM = "random:"
WITHOUT_INPUT = tuple(f"{kind}:" for kind in KINDS)
"""What starts the names of weights that do not say which bands they read, and how scaled."""
Group = Sequence[LoadedBackbone]
"""Seeds of one training, which get one score together; most have one."""


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Weights as they were named, those loaded that say what they read."""

    names: tuple[tuple[str, ...], ...]
    """Of the seeds of each entry."""
    trained: Mapping[str, LoadedBackbone]
    """By name; those without an input of their own are not among them, since what they read hangs on the catalog."""

    @property
    def like(self) -> InputSpec | None:
        """The input that decides what the user left open: that of the first weights that have one."""
        return next((each.spec for each in self.trained.values() if each.spec is not None), None)

    def feed(self, stack: Stack, items: NDArray[np.int64], *, size_px: int, seed: int) -> list[Group]:
        """The weights of each entry with their input: their own, or, where they do not say one, what is measured.

        Args:
            stack: Pixels, with the bands for those that do not say theirs.
            items: Numbers of the items that teach, (count,), which scaling is measured on.
            size_px: Side of the image for those that do not say theirs.
            seed: Of the draw among the items.

        Raises:
            InputError: What commas join are no seeds of one training.
            TrainError: Weights cannot be loaded.
        """

        def load(name: str) -> LoadedBackbone:
            loaded = self.trained.get(name) or load_backbone(name, bands=stack.bands, size_px=size_px)
            return replace(loaded, spec=loaded.spec or measure_input(stack, items, size_px=size_px, seed=seed))

        groups: list[Group] = [[load(name) for name in names] for names in self.names]
        for group in groups:
            check_seeds(group)
        return groups


def read_entries(weights: Sequence[str], sensors: Sequence[str] = ()) -> Entries:
    """Load the weights that say what they read.

    Args:
        weights: As typed; seeds of one training joined by commas.
        sensors: Ids of those that may be asked about: of a run on several sensors the weights of one of these are taken.

    Raises:
        InputError: One is named twice in an entry, or has no name.
        TrainError: Weights cannot be loaded.
    """
    names = tuple(split_seeds(each) for each in weights)
    known = [name for group in names for name in group if not name.startswith(WITHOUT_INPUT)]
    loaded = {name: load_backbone(name, sensors=sensors) for name in known}
    return Entries(names, loaded)


def with_random(groups: Sequence[Group]) -> list[Group]:
    """The same, behind random weights of each backbone, fed exactly as the backbone is; once where several are fed alike.

    Args:
        groups: With their input; those that are random themselves have none beside them.
    """
    return [*([each] for each in _random_beside([group[0] for group in groups])), *groups]


def spec_of(loaded: LoadedBackbone) -> InputSpec:
    """The input of weights that `Entries.feed` gave."""
    assert loaded.spec is not None, "what is scored is fed somehow"
    return loaded.spec


def _random_beside(loaded: Group) -> Iterator[LoadedBackbone]:
    there = {(_architecture(each), each.spec) for each in loaded if each.name.startswith(RANDOM)}
    for each in loaded:
        spec = spec_of(each)
        key = _architecture(each), spec
        if key not in there:
            yield replace(load_backbone(RANDOM + key[0], bands=spec.bands, size_px=spec.size_px), spec=spec)
        there.add(key)


def _architecture(loaded: LoadedBackbone) -> str:
    """What timm calls it, without the name of its weights."""
    return loaded.timm_name.partition(".")[0]
