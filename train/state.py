"""What training carries along beside the weights it moves: queue, center and teacher. All of it is checkpointed."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.backbones import has_batch_norm
from train.distributed import draw_order, exchange, gather, mean_of_all, world_size
from train.encoder import Encoder
from train.errors import ConfigError

Network = TypeVar("Network", bound=nn.Module)
MOST_KEYS = 65_536
"""Length of a queue that nobody asked for, if the data allow it."""
NO_LOCATION = -1
"""Stands for the location of a key that was drawn at random before the first batch."""


class Queue(nn.Module):
    """The last keys that the teacher gave, the oldest replaced first, with the location of each.

    References:
        MoCo, algorithm 1, https://arxiv.org/abs/1911.05722
    """

    keys: Tensor
    locations: Tensor
    pointer: Tensor

    def __init__(self, *, spaces: int, capacity: int, dim: int, batch_size: int, seed: int) -> None:
        """Fill it with random directions.

        Args:
            spaces: Queues that stand side by side.
            capacity: Keys of each.
            dim: Length of a key.
            batch_size: Locations per step, of all processes together.
            seed: Of the random directions.

        Raises:
            ConfigError: The batch does not divide the capacity; the message has the nearest that it does.
        """
        super().__init__()
        check_divides(capacity, batch_size)
        keys = torch.randn(spaces, capacity, dim, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("keys", functional.normalize(keys, dim=2))
        self.register_buffer("locations", torch.full((capacity,), NO_LOCATION))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def enqueue(self, keys: Tensor, locations: Tensor) -> None:
        """Put the keys of all processes, in the order of ranks, where the oldest are.

        Nothing waits for the device: the pointer is a tensor on it. A batch never wraps, since it divides the capacity.

        Args:
            keys: Of this process, (spaces, batch, dim).
            locations: Of each key, (batch,), int64.
        """
        keys, locations = gather(keys, dim=1), gather(locations)
        places = self.pointer + torch.arange(len(locations), device=self.pointer.device)
        self.keys.index_copy_(1, places, keys)
        self.locations.index_copy_(0, places, locations)
        self.pointer.add_(len(locations)).remainder_(len(self.locations))

    def is_of(self, locations: Tensor) -> Tensor:
        """Which keys are of which of some locations, (locations, capacity), boolean."""
        return locations[:, None] == self.locations[None]


class Center(nn.Module):
    """The running mean of the teacher's scores, which is taken off them so that no prototype wins everywhere.

    References:
        Caron et al., DINO, eq. 4, https://arxiv.org/abs/2104.14294
    """

    mean: Tensor

    def __init__(self, dim: int, momentum: float) -> None:
        """Start at 0.

        Args:
            dim: Prototypes.
            momentum: Share that stays in a step, 0 to 1.
        """
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(dim))
        self._seen: list[Tensor] = []

    @torch.no_grad()
    def observe(self, scores: Tensor) -> None:
        """Take in the teacher's scores of a part of the batch, (..., dim); all parts of a step see the same center."""
        self._seen.append(scores.detach().float().flatten(0, -2).mean(0))

    @torch.no_grad()
    def update(self) -> None:
        """Move towards the mean of what was seen since the last time, by all processes."""
        if self._seen:
            self.mean.lerp_(mean_of_all(torch.stack(self._seen).mean(0)), 1 - self.momentum)
            self._seen = []


class Teacher(nn.Module):
    """The slowly following copy of the student that gives the keys. It is in training mode, as MoCo's is."""

    def __init__(self, student: Encoder, *, seed: int, shuffle: bool) -> None:
        """Copy the student.

        Args:
            student: What it follows.
            seed: Of the orders that keys are spread in.
            shuffle: Spread the keys over the processes in another order than the queries, so that the statistics of batch
                normalisation do not tell which keys belong to which queries (MoCo's Shuffle-BN). Without effect on one process,
                whose statistics are of the whole batch, and on a backbone without batch normalisation.
        """
        super().__init__()
        self.encoder = copy_teacher(student)
        self.seed, self.shuffle = seed, shuffle and has_batch_norm(student)
        self.calls = 0

    @torch.no_grad()
    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Keys of some views of the same samples, each (batch, bands, height, width): (spaces, views, batch, dim), float32."""
        self.calls += 1
        if not self.shuffle or world_size() == 1:
            return self.encoder.encode_views(views)
        order = draw_order(self.seed, self.calls, world_size() * len(views[0]))
        keys = self.encoder.encode_views([exchange(view, order) for view in views])
        return exchange(keys.movedim(2, 0), torch.argsort(order)).movedim(0, 2)

    def follow(self, student: Encoder, momentum: float) -> None:
        """Move a step towards the student."""
        update_ema(self.encoder, student, momentum)

    def get_extra_state(self) -> Tensor:
        """How many batches were encoded, which the next order hangs on."""
        return torch.tensor(self.calls)

    def set_extra_state(self, state: Tensor) -> None:
        """Go on from there."""
        self.calls = int(state)


def copy_teacher(student: Network, *, drop_path: bool = True) -> Network:
    """A copy that takes no gradient.

    Args:
        student: What is copied.
        drop_path: Whether the copy drops paths as the student does. MoCo's teacher is the student with all that it is; DINO's
            drops none.
    """
    teacher = copy.deepcopy(student).requires_grad_(requires_grad=False)
    if not drop_path:
        from timm.layers.drop import DropPath

        for layer in teacher.modules():
            if isinstance(layer, DropPath):
                layer.drop_prob = 0.0
    return teacher


@torch.no_grad()
def update_ema(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Move every parameter of the teacher towards the student's: `momentum * teacher + (1 - momentum) * student`.

    Parameters only: the teacher's statistics of batch normalisation are its own, as in MoCo's and SeCo's code.

    Args:
        teacher: Changed in place.
        student: Of the same layers.
        momentum: Share that stays, 0 or more and below 1.
    """
    torch._foreach_lerp_(list(teacher.parameters()), list(student.parameters()), 1 - momentum)


def queue_capacity(asked: int | None, *, batch_size: int, locations: int, force: bool) -> int:
    """How many keys to keep.

    At most the largest multiple of the batch within half of the training locations: else a queue holds keys of most of what the
    query is compared with, and of the query itself, from an epoch that was just before.

    Args:
        asked: Keys asked for; none for the largest that fits, up to `MOST_KEYS`.
        batch_size: Locations per step, of all processes together.
        locations: That are trained on.
        force: Take what was asked though it is more.

    Raises:
        ConfigError: More was asked than fits and not forced, the batch does not divide it, or not even one batch fits.
    """
    most = locations // 2 // batch_size * batch_size
    if asked is not None:
        check_divides(asked, batch_size)
    if asked is not None and force:
        return asked
    if not most:
        raise ConfigError(
            f"A queue holds at most half of the training locations, and half of {locations:,} is less than one batch of "
            f"{batch_size:,}. Choose --batch-size {max(locations // 2, 1):,} or less, sample more locations, or name "
            "a queue and force it (--queue, --force-queue)."
        )
    if asked is None:
        return min(most, max(MOST_KEYS // batch_size, 1) * batch_size)
    if asked > most:
        raise ConfigError(
            f"A queue of {asked:,} keys holds more than half of the {locations:,} training locations, so that queries meet "
            f"themselves among their negatives. Choose --queue {most} or less, or force it (--force-queue)."
        )
    return asked


def check_divides(capacity: int, batch_size: int) -> None:
    """Refuse a queue that a batch of all processes would wrap in.

    Raises:
        ConfigError: The batch does not divide it; the message has the nearest multiples.
    """
    if capacity % batch_size:
        below = capacity // batch_size * batch_size
        nearest = " or ".join(str(each) for each in (below, below + batch_size) if each)
        raise ConfigError(
            f"A queue of {capacity:,} keys is no multiple of the batch of {batch_size:,} locations, of all processes together. "
            f"Choose --queue {nearest}."
        )
