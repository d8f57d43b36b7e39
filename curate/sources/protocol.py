"""What a source of scenes owes the pipeline: a search, and pixels by window."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from catalogs.foreign import SourceBand, SourceScene
from catalogs.records import Grid, Location, Window
from curate.errors import SourceUnavailableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LonLatBox = tuple[float, float, float, float]
"""(west, south, east, north), degrees, west <= east."""


class RasterInfo(Protocol):
    """What is known of a band of a source scene before its pixels are read."""

    @property
    def grid(self) -> Grid:
        """The file's own grid."""

    @property
    def nodata(self) -> float | None:
        """As the file states it."""

    @property
    def data_type(self) -> str:
        """Type of its pixels, by numpy's name."""

    @property
    def checksum(self) -> str | None:
        """ETag or the like, where the protocol gives one."""


class SourceRaster(RasterInfo, Protocol):
    """An open band of a source scene."""

    def read(self, window: Window) -> NDArray[Any]:
        """Pixels of a window that lies inside the raster, (height, width), native type."""


class Source(Protocol):
    """A provider of scenes."""

    name: str
    """What the user calls it; enters the recipe, so without secrets."""
    simulated: bool
    """Whether its pixels are rendered rather than measured."""

    @property
    def skipped(self) -> Mapping[str, str]:
        """Why an item, by its id, or a document, by its address, is of no use; filled as it is read."""

    def sensors(self) -> Sequence[str]:
        """Ids of the sensors it has."""

    def search(self, sensor: str, box: LonLatBox, start: datetime, end: datetime) -> list[SourceScene]:
        """All scenes of a sensor that touch `box` from `start` (inclusive) to `end` (exclusive), sorted by (datetime, id).

        Raises:
            SourceSensorError: The source lacks the sensor.
            SourceUnavailableError: It does not answer.
        """

    def open(self, band: SourceBand) -> AbstractContextManager[SourceRaster]:
        """Open one band for reading; safe to call from several threads.

        Raises:
            SourceUnavailableError: The file cannot be read.
        """


@dataclass(frozen=True)
class Answer:
    """What several sources together say to one search."""

    scenes: Sequence[SourceScene]
    """Sorted by (datetime, id), each with the name of its source."""
    unanswered: Mapping[str, SourceUnavailableError]
    """Why a source that may have more, by its name, is left out."""


@runtime_checkable
class Several(Protocol):
    """Sources that are asked together, so that the others answer while one of them does not."""

    def ask(self, sensor: str, box: LonLatBox, start: datetime, end: datetime) -> Answer:
        """The scenes of those that answer; otherwise as `Source.search`."""

    def check_answered(self) -> None:
        """Make sure that all have answered what they were asked last.

        Raises:
            SourceUnavailableError: One has not.
        """


@runtime_checkable
class FetchesWhole(Protocol):
    """A source of which whole scenes are fetched, whatever is read of them."""

    @property
    def whole_words(self) -> str:
        """What a user should know of that, in a sentence or two."""

    def scene_bytes(self, sensor: str) -> float:
        """What a scene of a sensor costs, in the mean."""


@runtime_checkable
class Labelled(Protocol):
    """A source that also knows what is at a place; most do not."""

    def labels(self, location: Location) -> tuple[str, ...]:
        """What a location shows, at any time: the labels of its items."""


@runtime_checkable
class DrawsSquares(Protocol):
    """A source that is asked anew for each square, rather than for blocks of files that squares share."""

    def square_cost(self, sensor: str, bands: Collection[str], side_m: int) -> tuple[float, float]:
        """Requests and bytes that a square of one scene costs, in the mean.

        Args:
            sensor: Its id.
            bands: Names of those that are wanted.
            side_m: Of the square, metres.
        """


@runtime_checkable
class LimitsSquares(Protocol):
    """A source that cannot read squares of any size."""

    def check_squares(self, sensors: Collection[str], side_m: int) -> None:
        """Refuse squares that are too large for it.

        Args:
            sensors: That are wanted, its own and others.
            side_m: Of the largest square, metres.

        Raises:
            CurateError: They are; the message says how large they may be.
        """


def members_of(source: Source) -> Sequence[Source]:
    """The sources that are asked: itself, or those that were joined to it, which it gives as its attribute `sources`."""
    members: Sequence[Source] = getattr(source, "sources", (source,))
    return members


def opened_as(source: Source) -> str:
    """What opens a source again in another process, without secrets: its name, unless that leaves something out.

    A source whose name does says so by an attribute `opened_as`.
    """
    return str(getattr(source, "opened_as", source.name))


def why_one_process(source: Source) -> str:
    """Why a source may be read by one process at a time alone, a sentence; empty where any number may.

    A source says so by an attribute `one_process`; most have none.
    """
    return str(getattr(source, "one_process", ""))


def looks_at_all(source: Source) -> bool:
    """Whether all masks of a location's date windows are best asked for at once, whatever is found in the first of them.

    A source that answers one large question as soon as a small one says so by an attribute `looks_at_all` that is true.
    """
    return bool(getattr(source, "looks_at_all", False))


def reads_files(source: Source) -> bool:
    """Whether the bands of a source are files that anybody can read by their address, so that nobody need ask the source.

    A source of files says so by an attribute `reads_files` that is true; others have none.
    """
    return bool(getattr(source, "reads_files", False))


def for_sensors(source: Source, sensors: Iterable[str]) -> Source:
    """A source as it is asked for some of its sensors alone.

    One that reads only some of its sensors in a way of its own has a method `only`, which gives what is left of it where none
    of these is asked for; others have none.

    Args:
        source: All of it.
        sensors: Ids of those asked for.
    """
    only = getattr(source, "only", None)
    narrowed: Source = only(tuple(sensors)) if only else source
    return narrowed


def why_lacking(source: Source, sensor: str) -> str:
    """Why a source has not a sensor that people may look for there, a sentence; empty where nothing is to be said.

    A source says so by an attribute `lacking`: such sentences by the sensor's id; most have none.
    """
    return str(getattr(source, "lacking", {}).get(sensor, ""))
