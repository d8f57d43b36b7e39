"""Planes of several sources in one build: each is read in the way of the source that it came from.

Which that is, a band's address tells: a source whose planes are read in a way of its own says by `holds` which bands are its
own, and all others are files.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from curate.errors import SourceUnavailableError
from curate.outage import Outage
from curate.reading.counts import Counts

if TYPE_CHECKING:
    from catalogs.foreign import SourceBand
    from curate.fetch import Plane, PlaneAsk
    from curate.planes import PlaneReader

Key = TypeVar("Key", bound=Hashable)


@runtime_checkable
class HoldsBands(Protocol):
    """A source whose planes are read in a way of its own, also where it is one of several."""

    def holds(self, band: SourceBand) -> bool:
        """Whether a band is one of its own, by its address."""

    def planes(self, *, connections: int) -> PlaneReader:
        """Its reader; see `curate.planes.HasPlanes`."""


class SeveralPlanes:
    """Reads planes of several sources, one source after the other; see `curate.planes.PlaneReader`."""

    gathers = True

    def __init__(self, readers: Sequence[tuple[Callable[[SourceBand], bool], PlaneReader]]) -> None:
        """Read nothing yet.

        Args:
            readers: Which bands each of them reads; of several that read one, the first does.
        """
        self.turn: AbstractContextManager[Any] = Lock()
        self.outage = Outage()
        self._readers = readers

    @property
    def fetched(self) -> Counts | None:
        """What has gone over the network so far, of those readers that count it."""
        counts = [counted for _, reader in self._readers if (counted := reader.fetched)]
        if not counts:
            return None
        names = [field.name for field in fields(Counts) if field.init and field.name != "_lock"]
        return Counts(**{name: sum(getattr(each, name) for each in counts) for name in names})

    def read(self, asks: Sequence[tuple[Key, PlaneAsk]]) -> Iterator[tuple[Key, Plane | SourceUnavailableError]]:
        """Each plane with its key, those of the first reader first; fewer where it is stopped."""
        left = list(asks)
        for holds, reader in self._readers:
            mine = [(key, ask) for key, ask in left if holds(ask.band)]
            left = [(key, ask) for key, ask in left if not holds(ask.band)]
            if mine:
                yield from reader.read(mine)
        for key, ask in left:
            yield key, held_by_none(ask.band)

    def stop(self) -> None:
        """Give up what is being read."""
        for _, reader in self._readers:
            reader.stop()

    def close(self) -> None:
        """Let go of all connections and threads."""
        for _, reader in self._readers:
            reader.close()


def held_by_none(band: SourceBand) -> SourceUnavailableError:
    """The error of a band that no source can read."""
    return SourceUnavailableError(f"{band.href} is of none of the sources that were named. Search again.")
