"""Units of locations on threads of this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread
from typing import TypeVar

from catalogs.records import Location
from curate.assemble import Assembler
from curate.planes import PlaneReader
from curate.unit import Outcome, build_unit

Places = Sequence[tuple[Location, frozenset[int] | None]]
"""Locations of a unit, each with the seasons to do; all where none."""
_Outcomes = Queue[Outcome | BaseException | None]
Each = TypeVar("Each")

AHEAD = 64
"""Locations that are done before the journal has taken them: a checkpoint may take seconds."""
LOOK_S = 0.2
"""How often a thread that waits looks whether the build is stopped."""
ASK_S = 1.0
"""How often it is asked whether the build is over while no location is done."""


def build_in_threads(
    assembler: Assembler,
    units: Iterable[Places],
    reader: PlaneReader,
    *,
    at_once: int,
    is_over: Callable[[], bool] = lambda: False,
) -> Generator[Outcome]:
    """Complete units, several at once; close it early, and what is in work is given up within seconds.

    Args:
        assembler: Of the build.
        units: In the order in which they are begun.
        reader: Of the build's source; it is stopped where this ends early.
        at_once: Units in work, and so threads.
        is_over: Asked while no location is done, every second; what is in work is given up once it is so.

    Yields:
        Each location as it is done.

    Raises:
        Exception: What a unit raises.
    """
    stop, waiting, done = Event(), _Shared(units), _Outcomes(AHEAD)
    build = partial(build_unit, assembler, reader=reader, stop=stop)
    threads = [Thread(target=_work, args=(waiting, build, done, stop), name=f"unit-{number}") for number in range(at_once)]
    for thread in threads:
        thread.start()
    running = at_once
    try:
        while running:
            try:
                outcome = done.get(timeout=ASK_S)
            except Empty:
                if is_over():
                    return
                continue
            if isinstance(outcome, BaseException):
                raise outcome
            if outcome is None:
                running -= 1
            else:
                yield outcome
    finally:
        if running:
            stop.set()
            reader.stop()
        for thread in threads:
            thread.join()


def _work(waiting: Iterator[Places], build: Callable[[Places], Iterator[Outcome]], done: _Outcomes, stop: Event) -> None:
    """Complete units until there are none, and say so in the end; what goes wrong is for the one who waits."""
    last: BaseException | None = None
    try:
        for places in waiting:
            for outcome in build(places):
                _put(done, outcome, stop)
            if stop.is_set():
                break
    except BaseException as error:  # noqa: BLE001 - raised again by the one who waits
        last = error
    _put(done, last, stop)


class _Shared(Iterator[Each]):
    """An iterator that several threads draw from."""

    def __init__(self, every: Iterable[Each]) -> None:
        self._left = iter(every)
        self._lock = Lock()

    def __next__(self) -> Each:
        with self._lock:
            return next(self._left)


def _put(done: _Outcomes, outcome: Outcome | BaseException | None, stop: Event) -> None:
    """Hand an outcome over, unless nobody waits for it any more."""
    while not stop.is_set():
        try:
            done.put(outcome, timeout=LOOK_S)
        except Full:
            continue
        return
