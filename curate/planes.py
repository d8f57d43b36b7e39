"""Many planes at once: what a unit of locations asks, read in the way that its source reads best.

A source of files gives its headers and blocks to one reader, which fetches and decodes each once for all planes that need it.
A source that has no files may have a reader of its own (`HasPlanes`), which puts many planes into one question. Any other
source is asked plane by plane.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Any, ParamSpec, Protocol, TypeVar, runtime_checkable

from curate.errors import SourceUnavailableError, StoppedError
from curate.fetch import Plane, PlaneAsk, PlanePlan, finish_plane, plan_plane, read_plane
from curate.outage import Outage
from curate.reading.arenas import limit_arenas
from curate.reading.counts import Counts
from curate.reading.reader import BlockReader, WindowRead
from curate.reading.transport import Transport
from curate.sources.protocol import Source, reads_files

Key = TypeVar("Key", bound=Hashable)
Given = ParamSpec("Given")
Made = TypeVar("Made")

UNDECODED_BYTES = 64 << 20
"""Blocks of a unit that are fetched and wait for a decoder: some forty-five of 1.4 MB."""


class PlaneReader(Protocol):
    """Reads planes; one per process, safe to use from several threads."""

    gathers: bool
    """Whether planes that are asked together cost less than one by one: units of many locations then pay."""

    turn: AbstractContextManager[Any]
    """Held by the unit whose measurements are read, so that those of one unit at a time are in memory."""

    outage: Outage
    """The hosts that are down, so that what one unit has found out the next one need not."""

    @property
    def fetched(self) -> Counts | None:
        """What has gone over the network so far; none where it is not counted."""

    def read(self, asks: Sequence[tuple[Key, PlaneAsk]]) -> Iterator[tuple[Key, Plane | SourceUnavailableError]]:
        """Each plane with its key as soon as it is complete, in any order; or why it cannot be read."""

    def stop(self) -> None:
        """Give up what is being read: whoever reads is through within a second or so."""

    def close(self) -> None:
        """Let go of connections and threads."""


@runtime_checkable
class HasPlanes(Protocol):
    """A source whose planes are read in a way of its own."""

    def planes(self, *, connections: int) -> PlaneReader:
        """Its reader, which has asked nothing yet.

        Args:
            connections: Questions at once at most.
        """


def is_by_location(reader: PlaneReader) -> bool:
    """Whether planes of one location are best asked together, rather than those of one scene: `reader.by_location` says so.

    Such a reader shares nothing between neighbours, so that its units are small.
    """
    return bool(getattr(reader, "by_location", False))


class SinglePlanes:
    """Planes read one by one through `Source.open`, by whoever asks."""

    gathers = False
    turn: AbstractContextManager[Any] = nullcontext()
    fetched = None

    def __init__(self, source: Source) -> None:
        """Read nothing yet."""
        self.outage = Outage()
        self._source = source

    def read(self, asks: Sequence[tuple[Key, PlaneAsk]]) -> Iterator[tuple[Key, Plane | SourceUnavailableError]]:
        """Each plane in its turn."""
        for key, ask in asks:
            try:
                plane: Plane | SourceUnavailableError = read_plane(self._source, ask)
            except SourceUnavailableError as error:
                plane = error
            yield key, plane

    def stop(self) -> None:
        """Nothing runs here but the asker's own read."""

    def close(self) -> None:
        """Nothing is held."""


class BlockPlanes(ABC):
    """What readers of files share: one transport, and one reader of headers and blocks, for all that are asked together."""

    gathers = True

    def __init__(self, blocks: BlockReader, transport: Transport) -> None:
        """Read nothing yet.

        Args:
            blocks: Which reads.
            transport: Which it fetches through; closed with this.
        """
        self.turn: AbstractContextManager[Any] = Lock()
        self.outage = Outage()
        self._blocks = blocks
        self._transport = transport

    @abstractmethod
    def _read(self, asks: Sequence[tuple[Key, PlaneAsk]]) -> Iterator[tuple[Key, Plane | SourceUnavailableError]]:
        """Each plane as soon as the last of what it needs is there, or why it cannot be had."""

    def read(self, asks: Sequence[tuple[Key, PlaneAsk]]) -> Iterator[tuple[Key, Plane | SourceUnavailableError]]:
        """Each plane as soon as its last block is decoded; fewer where it is stopped."""
        try:
            yield from self._read(asks)
        except StoppedError:
            return

    def stop(self) -> None:
        """Wake all that waits for the network."""
        self._transport.stop()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    @property
    def fetched(self) -> Counts:
        """What has gone over the network so far."""
        return self._transport.counts.snapshot()


class FilePlanes(BlockPlanes):
    """Planes of files: headers and blocks of all that are asked together are fetched and decoded once."""

    def _read(self, asks: Sequence[tuple[Key, PlaneAsk]]) -> Iterator[tuple[Key, Plane | SourceUnavailableError]]:
        plans: dict[Key, PlanePlan] = {}
        for (key, ask), raster in zip(asks, self._blocks.rasters([ask.band for _, ask in asks]), strict=True):
            if isinstance(raster, SourceUnavailableError):
                yield key, raster
                continue
            plan = _or_why_not(plan_plane, raster, ask)
            if isinstance(plan, SourceUnavailableError):
                yield key, plan
            elif plan.part is None:
                yield key, finish_plane(plan, None)
            else:
                plans[key] = plan
        reads = [(key, WindowRead(plan.ask.band, plan.part, plan.raster.grid)) for key, plan in plans.items() if plan.part]
        for key, pixels in self._blocks.read(reads):
            if isinstance(pixels, SourceUnavailableError):
                yield key, pixels
            else:
                yield key, _or_why_not(finish_plane, plans.pop(key), pixels)


def _or_why_not(make: Callable[Given, Made], *given: Given.args, **named: Given.kwargs) -> Made | SourceUnavailableError:
    """What is made, or why it cannot be: of one file, which spoils no other."""
    try:
        return make(*given, **named)
    except SourceUnavailableError as error:
        return error


def open_planes(source: Source, *, connections: int) -> PlaneReader:
    """The reader that suits a source.

    Args:
        source: Of the build.
        connections: Ranges of files that are fetched at once at most.
    """
    if isinstance(source, HasPlanes):
        limit_arenas()
        return source.planes(connections=connections)
    if not reads_files(source):
        return SinglePlanes(source)
    limit_arenas()
    transport = Transport(connections=connections)
    return FilePlanes(BlockReader(transport, fetchers=connections, undecoded_bytes=UNDECODED_BYTES), transport)
