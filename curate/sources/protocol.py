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


class SourceRaster(Protocol):
    """An open band of a source scene."""

    grid: Grid
    """The file's own grid."""
    nodata: float | None
    """As the file states it."""
    data_type: str
    """numpy's name of its type."""
    checksum: str | None
    """ETag or the like, where the protocol gives one."""

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
