"""The next batch is copied to the device while this one is computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Protocol, Self, TypeVar

import torch
from torch import Tensor


class Movable(Protocol):
    """A record of tensors, such as a batch."""

    def to(self, device: torch.device) -> Self:
        """The same on a device."""


Part = TypeVar("Part", bound=Movable)


def on_device(batches: Iterator[list[Part]], device: torch.device) -> Iterator[list[Part]]:
    """Batches on a device; on a GPU one is copied ahead, on a stream of its own.

    Args:
        batches: In page-locked memory, if the device is a GPU.
        device: Where to.
    """
    if device.type != "cuda":
        yield from batches
        return
    copying: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # of torch itself
    ahead: list[Part] | None = None
    for parts in batches:
        ready, ahead = ahead, _copy(parts, device, copying)
        if ready is not None:
            yield ready
        torch.cuda.current_stream(device).wait_stream(copying)
    if ahead is not None:
        yield ahead


def _copy(parts: list[Part], device: torch.device, stream: Any) -> list[Part]:
    """Start a copy; the memory is kept until the computing stream has used it."""
    with torch.cuda.stream(stream):
        moved = [part.to(device) for part in parts]
    for tensor in _tensors(moved):
        tensor.record_stream(torch.cuda.current_stream(device))
    return moved


def _tensors(value: Any) -> Iterator[Tensor]:
    """Every tensor in records, lists and tuples."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _tensors(each)
    elif is_dataclass(value):
        for each in fields(value):
            yield from _tensors(getattr(value, each.name))
