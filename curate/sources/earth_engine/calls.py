"""Questions to Earth Engine through Google's own library: not too fast, again where it may help, failures in our words.

The library talks to the service for one account at a time in a process; `EarthEngine` takes it over when it asks. What it adds:
connections that can be cut and do not hang, the gate before the host that our own readers have, and counts.

References:
    Google, Earth Engine quotas: 40 concurrent requests and 100 requests per second of a project by default; EECU-hours a month
    by the project's tier, https://developers.google.com/earth-engine/guides/noncommercial_tiers
"""

from __future__ import annotations

import io
import logging
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from catalogs.records import Grid
from curate.errors import StoppedError
from curate.reading.counts import Counts
from curate.reading.hosts import HostGate
from curate.reading.retries import Patience, pause_s
from curate.sources.earth_engine.account import Account
from curate.sources.earth_engine.failures import AskFailure, RefusedError, explain, failure_of
from curate.sources.earth_engine.requests import BandRead, PixelRequest
from curate.sources.pace import Pace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.sources.earth_engine.transport import EngineTransport

MOST_AT_ONCE = 40
"""Requests of a project at once, by Google's default."""
PER_SECOND = 100
PAGE = 500
"""Images of a page of a search: some 5 MB of Sentinel-2."""
PATIENCE = Patience(attempts=6, base_s=1.0, longest_s=60.0, stall_s=330.0)
"""Google's own library tries five times, from one second up; a computation may take five minutes before a byte comes."""
TAG = "seastars"
"""By which a project's owner finds what was computed for us in Google Cloud's monitoring, EECU-seconds among it."""
CASTS = {"uint8": "toUint8", "uint16": "toUint16", "float32": "toFloat"}

Given = TypeVar("Given")


class EarthEngine:
    """One account's connection; any thread may ask."""

    def __init__(self, account: Account) -> None:
        """Ask nothing yet."""
        self.account = account
        self.counts = Counts()
        self.stopped = threading.Event()
        self._gate = HostGate(account.host, MOST_AT_ONCE, PATIENCE, waited=lambda waited_s: self.counts.add(waited_s=waited_s))
        self._pace = Pace(PER_SECOND)
        self._numbers = count()
        self._transport: EngineTransport | None = None
        self._chance = random.Random()
        """Not the same in all workers of a cluster, which would ask again together."""

    def list_images(self, collection: str, filters: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """The images of a collection, page by page.

        Args:
            collection: Its id.
            filters: As of `ee.data.listImages`: `region`, `startTime`, `endTime`, `properties`.

        Raises:
            SourceUnavailableError: Earth Engine does not answer, or refuses.
            CurateError: The project may not use it.
        """
        import ee

        asked: dict[str, Any] = {"parent": collection, "view": "FULL", "pageSize": PAGE, **filters}
        while True:
            page = self._ask(lambda: ee.data.listImages(dict(asked)), collection)
            yield from page["images"] or ()
            if not page.get("nextPageToken"):
                return
            asked["pageToken"] = page["nextPageToken"]

    def compute(self, request: PixelRequest) -> NDArray[Any]:
        """The pixels of a request, a structured array, (height, width), one field per band.

        Raises:
            RefusedError: Earth Engine refuses this very request.
            SourceUnavailableError: It does not answer.
            CurateError: The project may not use it.
            StoppedError: This was stopped.
        """
        import ee

        self._connect()
        asked = {"expression": _expression(request.reads), "fileFormat": "NPY", "grid": _grid(request), "workloadTag": TAG}
        content = self._ask(lambda: ee.data.computePixels(asked), request.images[0], counts=self.counts)
        try:
            pixels: NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
        except (ValueError, EOFError):
            raise RefusedError(
                f"Earth Engine gave {len(content):,} bytes for {request.images[0]} that are no pixels in NumPy's format. "
                "Run the same command again; if it stays so, tell us."
            ) from None
        return pixels

    def stop(self) -> None:
        """Give up all that is asked: whoever waits is through within a second."""
        self.stopped.set()
        self._gate.stop()
        if self._transport:
            self._transport.cut()

    def _ask(self, ask: Callable[[], Given], what: str, *, counts: Counts | None = None) -> Given:
        self._connect()
        task, failures, throttles = next(self._numbers), 0, 0
        while True:
            ticket = self._gate.enter()
            try:
                self._pace.wait(self.stopped)
                answer = ask()
            except StoppedError:
                self._gate.give_up(ticket)
                raise
            except Exception as error:  # noqa: BLE001 - whatever the library and its own libraries raise becomes ours
                failure = self._failure(ticket, error)
            except BaseException:
                self._gate.give_up(ticket)
                raise
            else:
                self._gate.succeed(ticket)
                _count(counts, requests=1, bytes=len(answer) if isinstance(answer, bytes) else 0)
                return answer
            _count(counts, requests=1, throttled=failure.is_throttled)
            self._leave(ticket, task, failure)
            failures, throttles = failures + (not failure.is_throttled), throttles + failure.is_throttled
            if not failure.is_passing or failures >= PATIENCE.attempts or throttles >= PATIENCE.throttles:
                raise explain(failure, self.account, what)
            _count(counts, retries=1)
            self.stopped.wait(pause_s(PATIENCE, failures + throttles, self._chance))

    def _failure(self, ticket: int, error: Exception) -> AskFailure:
        """What an error tells; one that is a fault of ours leaves the gate open for others.

        Raises:
            Exception: The error itself, where it is none of the library's.
        """
        try:
            return failure_of(error)
        except Exception:
            self._gate.give_up(ticket)
            raise

    def _leave(self, ticket: int, task: int, failure: AskFailure) -> None:
        """Tell the gate what came of a question."""
        if self.stopped.is_set():
            self._gate.give_up(ticket)
            raise StoppedError("Earth Engine is not asked any more: the build was stopped.")
        if failure.is_throttled:
            self._gate.throttle(ticket)
        elif failure.is_passing:
            self._gate.fail(ticket, task, failure.words)
        else:
            self._gate.succeed(ticket)

    def _connect(self) -> None:
        """Have the library talk to this account's end point, through connections of ours."""
        if self in _CONNECTED:
            return
        with _CONNECTING:
            if self not in _CONNECTED:
                self._initialize()
                _CONNECTED[:] = [self]

    def _initialize(self) -> None:
        import ee

        from curate.sources.earth_engine.transport import EngineTransport

        logging.getLogger("googleapiclient").setLevel(logging.ERROR)  # that it was refused or tries again is told in our words
        account, credentials = self.account, self.account.load()
        self._transport = self._transport or EngineTransport(MOST_AT_ONCE, PATIENCE)
        failures = 0
        while True:
            try:
                ee.data.setMaxRetries(0)
                ee.Initialize(credentials, url=account.url, project=account.project, http_transport=self._transport)
                return
            except Exception as error:  # noqa: BLE001 - see `_ask`
                failure = failure_of(error)
            failures += 1
            if not failure.is_passing or failures >= PATIENCE.attempts or self.stopped.is_set():
                raise explain(failure, account, "")
            self.stopped.wait(pause_s(PATIENCE, failures, self._chance))


_CONNECTED: list[EarthEngine] = []
"""Whom the library talks for now: one or none."""
_CONNECTING = threading.Lock()


def _count(counts: Counts | None, **amounts: float) -> None:
    if counts:
        counts.add(**amounts)


def _expression(reads: tuple[BandRead, ...]) -> Any:
    """All bands as one image: each cast to its type, what is masked given as nodata, so that nothing is left to defaults."""
    import ee

    images: list[Any] = []
    for number, read in enumerate(reads):
        band = ee.Image(read.band.image).select([read.band.name], [f"b{number}"])
        filled = band.unmask(int(read.band.nodata or 0), False)  # noqa: FBT003 - `sameFootprint`: beyond the image too
        images.append(getattr(filled, CASTS[read.band.data_type])())
    return ee.Image(ee.apply("Image.cat", {"images": images}))


def _grid(request: PixelRequest) -> dict[str, Any]:
    lattice, (column, row, width, height) = request.lattice, request.window
    return {
        "dimensions": {"width": width, "height": height},
        "affineTransform": _affine(lattice, column, row),
        "crsCode": f"EPSG:{lattice.epsg}",
    }


def _affine(lattice: Grid, column: int, row: int) -> dict[str, float]:
    left, top = lattice.transform[2] + column * lattice.gsd, lattice.transform[5] - row * lattice.gsd
    scale = {"scaleX": lattice.gsd, "shearX": 0.0, "shearY": 0.0, "scaleY": -lattice.gsd}
    return scale | {"translateX": left, "translateY": top}
