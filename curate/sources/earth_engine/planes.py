"""Planes of many locations through Earth Engine: what a location is asked goes in one request where it fits, many at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from curate.errors import SourceUnavailableError, StoppedError
from curate.fetch import Plane, PlaneAsk, PlanePlan, finish_plane, plan_plane
from curate.outage import Outage
from curate.reading.counts import Counts
from curate.sources.earth_engine.calls import MOST_AT_ONCE, EarthEngine
from curate.sources.earth_engine.failures import AccountRefusedError, RefusedError
from curate.sources.earth_engine.images import read_address
from curate.sources.earth_engine.requests import BandRead, PixelRequest, cut, plan_requests

if TYPE_CHECKING:
    from numpy.typing import NDArray

Key = TypeVar("Key", bound=Hashable)

OPEN_BYTES = 256 << 20
"""Of answers that one reading waits for or has not given on."""
LOOK_S = 0.2
"""How often one who waits looks whether it is stopped."""
HALVINGS = 24
"""Of a request that is refused, so that two images of a thousand that are gone are found, and not each asked for by itself
where it is something else that is wrong."""
_Pieces = list[tuple[BandRead, tuple[int, int], "NDArray[Any]"]]


class EarthEnginePlanes:
    """A `curate.planes.PlaneReader` of bands that are no files."""

    gathers = True
    by_location = True

    def __init__(self, engine: EarthEngine, *, connections: int) -> None:
        """Read nothing yet.

        Args:
            engine: Whom to ask; stopped with this.
            connections: Requests at once at most; a project may have 40.
        """
        self.turn: AbstractContextManager[Any] = Lock()
        self.outage = Outage()
        self._engine = engine
        self._pool = ThreadPoolExecutor(min(connections, MOST_AT_ONCE), thread_name_prefix="earth-engine")

    @property
    def fetched(self) -> Counts:
        """Computations that were asked for so far, and bytes of their answers."""
        return self._engine.counts.snapshot()

    def read(self, asks: Sequence[tuple[Key, PlaneAsk]]) -> Iterator[tuple[Key, Plane | SourceUnavailableError]]:
        """Each plane as soon as its request is answered; fewer where it is stopped.

        Raises:
            SourceUnavailableError: The credentials are refused, so that no plane can be read.
            CurateError: The project may not use Earth Engine.
        """
        plans: dict[Hashable, PlanePlan] = {}
        by_location: dict[str, list[BandRead]] = defaultdict(list)
        for key, ask in asks:
            try:
                band = read_address(ask.band)
                plan = plan_plane(band, ask)
            except SourceUnavailableError as error:
                yield key, error
                continue
            if plan.part is None:
                yield key, finish_plane(plan, None)
                continue
            plans[key] = plan
            by_location[ask.location.id].append(BandRead(key, band, plan.part))
        requests = (request for reads in by_location.values() for request in plan_requests(reads))
        for key_, pixels in self._pixels(requests):
            plan_ = plans.pop(key_, None)
            if plan_ is not None:  # of a window in tiles, several may have failed
                plane = pixels if isinstance(pixels, SourceUnavailableError) else finish_plane(plan_, pixels)
                yield cast("Key", key_), plane

    def stop(self) -> None:
        """Give up what is asked."""
        self._engine.stop()

    def close(self) -> None:
        """Ask nothing more."""
        self._engine.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _pixels(self, requests: Iterable[PixelRequest]) -> Iterator[tuple[Hashable, NDArray[Any] | SourceUnavailableError]]:
        """What came of each read, once it is whole."""
        windows = _Windows()
        for request, pieces in self._answers(requests):
            if isinstance(pieces, SourceUnavailableError):
                yield from ((read.key, pieces) for read in request.reads)
                continue
            for read, place, piece in pieces:
                whole = windows.take(read, place, piece)
                if whole is not None:
                    yield read.key, whole

    def _answers(self, requests: Iterable[PixelRequest]) -> Iterator[tuple[PixelRequest, _Pieces | SourceUnavailableError]]:
        """What came of each request, in any order; so many are asked at once that their answers fit into memory."""
        waiting: dict[Future[Any], int] = {}
        try:
            for request in requests:
                while waiting and sum(waiting.values()) + request.nbytes > OPEN_BYTES:
                    yield from self._done(waiting)
                waiting[self._pool.submit(self._fetch, request)] = request.nbytes
            while waiting:
                yield from self._done(waiting)
        except StoppedError:
            return
        finally:
            for future in waiting:
                future.cancel()

    def _done(self, waiting: dict[Future[Any], int]) -> Iterator[tuple[PixelRequest, _Pieces | SourceUnavailableError]]:
        """Wait a little for answers, and give those that are there."""
        for future in wait(waiting, timeout=LOOK_S, return_when=FIRST_COMPLETED).done:
            del waiting[future]
            yield from future.result()
        if self._engine.stopped.is_set():
            raise StoppedError("Earth Engine is not asked any more: the build was stopped.")

    def _fetch(self, request: PixelRequest) -> list[tuple[PixelRequest, _Pieces | SourceUnavailableError]]:
        """Ask, and where the request is refused, ask half of its images each: one that was withdrawn spoils no other."""
        answers: list[tuple[PixelRequest, _Pieces | SourceUnavailableError]] = []
        left, halvings = [request], 0
        while left:
            part = left.pop()
            images = part.images
            try:
                answers.append((part, list(cut(part, self._engine.compute(part)))))
            except AccountRefusedError:
                raise
            except SourceUnavailableError as error:
                if isinstance(error, RefusedError) and len(images) > 1 and halvings < HALVINGS:
                    halvings += 1
                    left += [part.of_images(images[len(images) // 2 :]), part.of_images(images[: len(images) // 2])]
                else:
                    answers.append((part, error))
        return answers


class _Windows:
    """Windows that came in several tiles, put together."""

    def __init__(self) -> None:
        self._open: dict[Hashable, tuple[NDArray[Any], int]] = {}

    def take(self, read: BandRead, place: tuple[int, int], piece: NDArray[Any]) -> NDArray[Any] | None:
        """Add a piece; give the window once it is whole."""
        shape = read.window[3], read.window[2]
        if piece.shape == shape:
            return piece
        if read.key not in self._open:
            self._open[read.key] = np.empty(shape, piece.dtype), shape[0] * shape[1]
        whole, left = self._open.pop(read.key)
        whole[place[0] : place[0] + piece.shape[0], place[1] : place[1] + piece.shape[1]] = piece
        left -= piece.size
        if not left:
            return whole
        self._open[read.key] = whole, left
        return None
