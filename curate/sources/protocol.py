"""What a source of scenes owes the pipeline: a search, and pixels by window."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from catalogs.foreign import SourceBand, SourceScene
from catalogs.records import Grid, Location, Window

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
    skipped: dict[str, str]
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


@runtime_checkable
class Labelled(Protocol):
    """A source that also knows what is at a place; most do not."""

    def labels(self, location: Location) -> tuple[str, ...]:
        """What a location shows, at any time: the labels of its items."""


def reads_files(source: Source) -> bool:
    """Whether the bands of a source are files that anybody can read by their address, so that nobody need ask the source.

    A source of files says so by an attribute `reads_files` that is true; others have none.
    """
    return bool(getattr(source, "reads_files", False))
