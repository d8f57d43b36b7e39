"""One of several sources: whether it answers, and what to do until it does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import copy
from dataclasses import replace
from datetime import datetime
from threading import Lock
from typing import Protocol, TypeVar

from catalogs.foreign import SourceBand, SourceScene
from catalogs.secrets import without_secrets
from catalogs.terms import SourceTerms
from curate.errors import SourceUnavailableError
from curate.sources.protocol import LonLatBox, Source, SourceRaster, for_sensors
from curate.sources.rasters import open_raster

PATIENCE = 3
"""Failures in a row after which a source is left alone for a while: else each of ten thousand squares would wait for it."""
REST_S = 60.0
"""For which it is left alone, seconds."""

Given = TypeVar("Given")


class Opener(Protocol):
    """Makes a source of what a user names, as `curate.sources.open_source` does."""

    def __call__(self, text: str, *, max_scene_cloud: float) -> Source:
        """See `curate.sources.open_source`."""


class Member:
    """One of several sources, and whether it answers; safe to ask from several threads."""

    def __init__(self, source: Source, rank: int) -> None:
        """Ask nothing yet.

        Args:
            source: Which.
            rank: Its place among them, the preferred one's 0.
        """
        self.source = source
        self._rank = rank
        self.failure: SourceUnavailableError | None = None
        """Why it did not answer when it was asked last; none where it did."""
        self._failures = 0
        self._rests_until = 0.0
        self._lock = Lock()

    def sensors(self) -> Sequence[str]:
        """Ids of the sensors it has.

        Raises:
            SourceUnavailableError: It does not answer, or has not and is left alone for a while.
        """
        return self._ask(self.source.sensors)

    def search(self, sensor: str, box: LonLatBox, start: datetime, end: datetime) -> list[SourceScene] | None:
        """Its scenes with its name and rank; none where it has not the sensor.

        Raises:
            SourceUnavailableError: It does not answer, or has not and is left alone for a while.
        """
        source = self.source
        scenes = self._ask(lambda: source.search(sensor, box, start, end) if sensor in source.sensors() else None)
        return scenes and [replace(scene, source=scene.source or source.name, rank=self._rank) for scene in scenes]

    def _ask(self, question: Callable[[], Given]) -> Given:
        with self._lock:
            if self.failure and time.monotonic() < self._rests_until:
                raise copy(self.failure)  # several threads may raise it at once
        try:
            given = question()
        except SourceUnavailableError as error:
            self._failed(error)
            raise
        with self._lock:
            self._failures, self.failure = 0, None
        return given

    def _failed(self, error: SourceUnavailableError) -> None:
        with self._lock:
            self._failures, self.failure = self._failures + 1, error
            if self._failures >= PATIENCE:
                self._rests_until = time.monotonic() + REST_S


class UnopenedSource:
    """A source behind an address that did not answer at first; opened once it does."""

    simulated = False
    reads_files = True

    def __init__(self, address: str, error: SourceUnavailableError, opener: Opener, *, max_scene_cloud: float) -> None:
        """Open nothing again yet.

        Args:
            address: Of the web.
            error: What came of opening it; raised when it is asked first.
            opener: Opens it.
            max_scene_cloud: Percent of a whole scene above which it is not offered.
        """
        self.name = without_secrets(address)
        self.max_scene_cloud = max_scene_cloud
        self.skipped: Mapping[str, str] = {}
        self._address = address
        self._error: SourceUnavailableError | None = error
        self._opener = opener
        self._opened: Source | None = None
        self._lock = Lock()

    def sensors(self) -> Sequence[str]:
        """Ids of the sensors it has."""
        return self._open().sensors()

    def search(self, sensor: str, box: LonLatBox, start: datetime, end: datetime) -> list[SourceScene]:
        """All scenes; see `curate.sources.protocol.Source`."""
        return self._open().search(sensor, box, start, end)

    def open(self, band: SourceBand) -> AbstractContextManager[SourceRaster]:
        """Open one band, a file."""
        return open_raster(band)

    @property
    def terms(self) -> Mapping[str, SourceTerms]:
        """What its collections ask, by sensor, once it is open; see `StaticCatalogSource.terms`."""
        found: Mapping[str, SourceTerms] = getattr(self._opened, "terms", {})
        return found

    def _open(self) -> Source:
        with self._lock:
            error, self._error = self._error, None
            if error:
                raise error
            if self._opened is None:
                # Its bands are files to whoever began the build, so that no mosaics are made of them now.
                self._opened = for_sensors(self._opener(self._address, max_scene_cloud=self.max_scene_cloud), ())
                self.skipped = self._opened.skipped
            return self._opened
