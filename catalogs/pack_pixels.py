"""Pixels of many items from a pack: arrays mapped into memory, of which an item is one copy per pixel size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalogs import files
from catalogs.cache import Cache
from catalogs.errors import ContractError, MissingAssetError
from catalogs.layers import Layer
from catalogs.pack_plan import PackPlan
from catalogs.secrets import without_secrets


@dataclass(frozen=True, slots=True)
class PackFiles:
    """The files of a pack, wherever it is."""

    folder: str
    """Path or address of the pack's folder."""
    checksums: Mapping[str, str]
    """Multihash of each file, by its name relative to the folder."""
    cache: Cache | None
    """What keeps the files of a remote pack."""
    remedy: str
    """The command that makes the pack anew."""

    def path(self, name: str) -> Path:
        """Where a file is on this machine; a remote one is fetched.

        Raises:
            MissingAssetError: The pack has no such file.
            CatalogUnreachableError: It is not here yet, and its server does not answer.
        """
        if not files.is_remote(self.folder):
            return Path(self.folder, name)
        if name not in self.checksums:
            raise MissingAssetError(
                f"The collection lists no {name} of the pack at {without_secrets(self.folder)}. {self.remedy}"
            )
        assert self.cache is not None, "a remote pack is opened with a cache"
        return self.cache.fetch(f"{self.folder}/{name}", self.checksums[name])

    def open_shard(self, name: str, shape: tuple[int, ...], data_type: str) -> NDArray[Any]:
        """A shard, mapped into memory for reading.

        Raises:
            MissingAssetError: It is not there.
            ContractError: It is damaged.
        """
        path = self.path(name)
        try:
            mapped = np.load(path, mmap_mode="r")
        except FileNotFoundError as error:
            raise MissingAssetError(f"{path} is not there, though the pack lists it. {self.remedy}") from error
        except (ValueError, EOFError) as error:
            raise ContractError(f"{path} is damaged: {error}. {self.remedy}") from error
        if mapped.shape != shape or mapped.dtype != data_type:
            raise ContractError(
                f"{path} has shape {mapped.shape} of {mapped.dtype}; its pack says {shape} of {data_type}. {self.remedy}"
            )
        plain: NDArray[Any] = mapped.view(np.ndarray)  # numpy's own class of maps is slow to index
        return plain


class PackPixels:
    """Reads items from the shards of a pack, which each process maps into memory when it first needs them."""

    def __init__(self, plan: PackPlan, files_: PackFiles, layers: Sequence[Layer], places: NDArray[np.int32]) -> None:
        """Map nothing yet.

        Args:
            plan: Of the pack.
            files_: Of the pack.
            layers: What is read.
            places: Shard of each item, and its row there, (items, 2).
        """
        self._arguments = (plan, files_, layers, places)
        self._plan, self._files = plan, files_
        self._places = places
        self._sources = [_Source.of(plan, layer) for layer in layers]

    def __reduce__(self) -> tuple[type[PackPixels], tuple[Any, ...]]:
        """Maps stay in their process."""
        return PackPixels, self._arguments

    def read_into(self, item: int, out: Sequence[NDArray[Any]]) -> None:
        """Copy the pixels of an item.

        Args:
            item: Its number.
            out: One array per layer, (bands, height, width).

        Raises:
            MissingAssetError: A shard is not there.
            ContractError: A shard is damaged.
            CatalogUnreachableError: A remote shard is not here yet, and its server does not answer.
        """
        shard, row = self._places[item].tolist()
        for source, array in zip(self._sources, out, strict=True):
            mapped = source.maps.get(shard)
            if mapped is None:
                mapped = source.maps[shard] = self._open(source.layer, shard)
            planes = mapped[row]
            for target, origin in source.runs:
                np.copyto(array[target], planes[origin])

    def _open(self, layer: int, shard: int) -> NDArray[Any]:
        plan = self._plan
        return self._files.open_shard(plan.shard_name(layer, shard), plan.shape(layer, shard), plan.layers[layer].data_type)


@dataclass(slots=True, eq=False)
class _Source:
    """Where the bands of one layer of a stack are in a pack."""

    layer: int
    """Number of the pack's layer."""
    runs: list[tuple[slice, slice]]
    """Bands of the stack's layer, and the bands of the pack's that they are copied from."""
    maps: dict[int, NDArray[Any]] = field(default_factory=dict)
    """Shards that are mapped, by their numbers."""

    @classmethod
    def of(cls, plan: PackPlan, layer: Layer) -> _Source:
        """Find the bands of a layer."""
        number = next(number for number, packed in enumerate(plan.layers) if set(layer.bands) <= set(packed.bands))
        return cls(number, list(_runs([plan.layers[number].bands.index(band) for band in layer.bands])))


def _runs(places: Sequence[int]) -> Iterator[tuple[slice, slice]]:
    """Places as few slices: from the first, from where they are.

    Examples:
        >>> list(_runs([2, 1, 0, 3]))
        [(slice(0, 3, None), slice(2, None, -1)), (slice(3, 4, None), slice(3, 4, 1))]
    """
    start = 0
    while start < len(places):
        step = places[start + 1] - places[start] if start + 1 < len(places) else 1
        end = start + 1
        while end < len(places) and places[end] - places[end - 1] == step:
            end += 1
        stop = places[end - 1] + step
        yield slice(start, end), slice(places[start], stop if stop >= 0 else None, step)
        start = end
