"""From a catalog to batches of raw scenes: native numbers, and what was drawn for each location.

A batch is a pure function of its step: locations, dates and every augmentation parameter hang on (seed, epoch, location, view)
alone, so that workers, parts of a batch and the step that a run resumes at change nothing. Pixels stay in their native type,
one tensor per pixel size, until they are on the device (`train.views`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from train.errors import ConfigError
from train.samples import refuse_large_batch
from train.views import ViewParameters, draw_parameters

if TYPE_CHECKING:
    from catalogs.stack import Layer, Stack
    from train.config import TrainConfig
    from train.samples import Samples


@dataclass(frozen=True, slots=True)
class Batch:
    """Some locations with the scenes that were drawn for them."""

    pixels: tuple[Tensor, ...]
    """Of each pixel size, (batch, scenes, bands, height, width), native type."""
    scale: Tensor
    """`reflectance = scale * number + offset`, (batch, scenes, bands), float32."""
    offset: Tensor
    """See `scale`."""
    locations: Tensor
    """Number of each location among those trained on, (batch,), int64."""
    scenes: Tensor
    """Day of each scene, (batch, scenes), int64: equal days are the same date."""
    parameters: tuple[ViewParameters, ...]
    """What was drawn for each view."""
    all_valid: bool
    """Whether every pixel is a measurement; known from the catalog, without looking."""

    def __len__(self) -> int:
        return len(self.locations)

    def to(self, device: torch.device) -> Batch:
        """The batch on a device; a pinned one is copied without waiting."""
        return self._map(lambda value: value.to(device, non_blocking=True))

    def pin_memory(self) -> Batch:
        """The batch in page-locked memory."""
        return self._map(lambda value: value.pin_memory())

    def _map(self, move: Any) -> Batch:
        """The batch with every tensor moved."""
        moved: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, tuple):
                moved[each.name] = tuple(move(part) for part in value)
            elif isinstance(value, Tensor):
                moved[each.name] = move(value)
        return replace(self, **moved)


@dataclass(frozen=True, slots=True)
class Share:
    """The part of every batch that one process computes at a time."""

    rank: int = 0
    """Of the process."""
    processes: int = 1
    """How many there are."""
    accumulate: int = 1
    """Parts that each process computes one after the other."""

    def slices(self, batch_size: int) -> list[slice]:
        """The places in a batch of all processes, one slice per part.

        All processes together compute the places of one part after those of the other, so that what a part sees of others, such
        as keys and negatives, is the same however many processes there are.

        Raises:
            ConfigError: The batch does not divide into so many parts.
        """
        parts = self.processes * self.accumulate
        if batch_size % parts:
            below = batch_size // parts * parts
            nearest = " or ".join(str(each) for each in (below, below + parts) if each)
            raise ConfigError(
                f"A batch of {batch_size} does not divide among {self.processes} processes in {self.accumulate} parts each. "
                f"Choose --batch-size {nearest}."
            )
        size = batch_size // parts
        firsts = (size * (part * self.processes + self.rank) for part in range(self.accumulate))
        return [slice(first, first + size) for first in firsts]


class Batches(Dataset[list[Batch]]):
    """The batches of a training by their step, each as the parts that this process computes."""

    def __init__(self, stack: Stack, samples: Samples, config: TrainConfig, share: Share, *, sensor: str | None = None) -> None:
        """Prepare; nothing is read.

        Args:
            stack: Pixels of the items.
            samples: Locations to train on.
            config: Views, batch size, seed.
            share: What this process computes.
            sensor: Its id, where there are several: each draws its dates and crops for itself.

        Raises:
            ConfigError: A batch is larger than the data, or does not divide among the processes.
        """
        refuse_large_batch(config.batch_size, len(samples))
        self.stack = stack
        self.samples = samples
        self.config = config
        self.sensor = sensor
        self.slices = share.slices(config.batch_size)
        self.steps_per_epoch = len(samples) // config.batch_size
        self._last_order: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))
        valid = stack.items["valid_percent"].to_numpy(zero_copy_only=False)
        self._whole: NDArray[np.bool_] = valid >= 100.0  # unknown is NaN, and NaN is not

    def __len__(self) -> int:
        return self.steps_per_epoch * self.config.epochs

    def __getitem__(self, step: int) -> list[Batch]:
        """The parts of the batch of an optimizer step."""
        epoch, parts = self.choose(step)
        return [self.read(chosen, epoch) for chosen in parts]

    def choose(self, step: int) -> tuple[int, list[NDArray[np.int64]]]:
        """The epoch of a step, and the numbers of the locations of each part of its batch."""
        epoch, within = divmod(step, self.steps_per_epoch)
        first = within * self.config.batch_size
        chosen = self._order(epoch)[first : first + self.config.batch_size]
        return epoch, [chosen[part] for part in self.slices]

    def read(self, chosen: NDArray[np.int64], epoch: int) -> Batch:
        """Draw and read a sample of each of some locations.

        Args:
            chosen: Numbers of the locations, (batch,).
            epoch: Each epoch draws anew.
        """
        config, samples = self.config, self.samples
        drawn: dict[str, Any] = {"seed": config.seed, "epoch": epoch, "sensor": self.sensor}
        places = samples.draw_items(chosen, config.scenes, distinct=config.distinct_dates, **drawn)
        items = samples.items[places]
        return Batch(
            pixels=self._pixels(items),
            scale=torch.from_numpy(self.stack.scale[items]),
            offset=torch.from_numpy(self.stack.offset[items]),
            locations=torch.from_numpy(chosen.astype(np.int64)),
            scenes=torch.from_numpy(samples.days[places]),
            parameters=draw_parameters(
                config.views,
                locations=samples.keys[chosen],
                size_px=self.stack.layers[0].height,
                bands=len(self.stack.bands),
                **drawn,
            ),
            all_valid=bool(self._whole[items].all()),
        )

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """The order of an epoch; the last one stays, for a million locations take a moment to sort."""
        if self._last_order[0] != epoch:
            self._last_order = epoch, self.samples.order(self.config.seed, epoch)
        return self._last_order[1]

    def _pixels(self, items: NDArray[np.int64]) -> tuple[Tensor, ...]:
        """Read items into one tensor per pixel size."""
        tensors = [_empty(layer, items.shape) for layer in self.stack.layers]
        arrays = [tensor.numpy() for tensor in tensors]
        for place in np.ndindex(items.shape):
            self.stack.read_into(int(items[place]), [array[place] for array in arrays])
        return tuple(tensors)


def load_batches(batches: Dataset[Any], steps: Sequence[int], *, workers: int, pin_memory: bool = False) -> Iterator[list[Any]]:
    """Read the batches of some steps, in order and ahead of time.

    Args:
        batches: All of them, by their step, each a list of parts.
        steps: Which.
        workers: Processes that read; 0 reads in this one.
        pin_memory: Copy to page-locked memory, for a GPU.
    """
    loader: DataLoader[list[Any]] = DataLoader(
        batches,
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        pin_memory=pin_memory,
        prefetch_factor=3 if workers else None,
    )
    return iter(loader)


def _empty(layer: Layer, shape: tuple[int, ...]) -> Tensor:
    """Room for the pixels of a layer; of a worker, in memory that the parent process sees without a copy."""
    size = (*shape, len(layer.bands), layer.height, layer.width)
    kind: torch.dtype = getattr(torch, layer.data_type)
    if torch.utils.data.get_worker_info() is None:
        return torch.empty(size, dtype=kind)
    count = int(np.prod(size))
    shared: Any = torch.UntypedStorage
    empty: Any = torch.empty(0, dtype=kind)
    room: Tensor = empty.set_(shared._new_shared(count * kind.itemsize), 0, size)  # noqa: SLF001, as torch's own collate
    return room
