"""A reader for tests that tells what it was asked, in rounds, and gives it in an order of its own."""

import random
from dataclasses import dataclass, field
from threading import Event, Lock

from curate.errors import HostDownError, SourceUnavailableError
from curate.outage import Outage
from curate.planes import SinglePlanes


@dataclass
class Asked:
    """One call of `read`."""

    asks: list
    """What was asked."""
    planes: dict = field(default_factory=dict)
    """What was given of it so far, by the href of its band."""

    @property
    def is_of_masks(self):
        """Whether masks were asked."""
        return all(ask.kernel == "nearest" for ask in self.asks)

    @property
    def nbytes(self):
        """Of all its pixels."""
        return sum(plane.pixels.nbytes for plane in self.planes.values())


class AskedPlanes:
    """Reads through `Source.open`, as many at once as it is asked."""

    gathers = True
    fetched = None

    def __init__(self, source, *, seed=0, broken=(), hangs_after=None, is_down=None):
        self.turn = Lock()
        self.outage = Outage()
        self.calls = []
        self.broken = set(broken)
        self.stopped, self.closed = Event(), False
        self.hangs_after = hangs_after
        self.is_down = is_down
        self._inner = SinglePlanes(source)
        self._random = random.Random(seed)

    def read(self, asks):
        call = Asked([ask for _, ask in asks])
        self.calls.append(call)
        if self.hangs_after is not None and sum(not each.is_of_masks for each in self.calls) > self.hangs_after:
            assert self.stopped.wait(30), "nobody stopped it"
        for key, ask in self._random.sample(asks, len(asks)):
            if any(word in ask.band.href for word in self.broken):
                yield key, SourceUnavailableError(f"{ask.band.href} does not answer. Run again.")
                continue
            if self.is_down and self.is_down(len(self.calls), ask.band.href):
                yield key, HostDownError("simulated: 20 files one after the other failed.")
                continue
            for _, plane in self._inner.read([(key, ask)]):
                call.planes[ask.band.href, ask.location.id] = plane
                yield key, plane

    def stop(self):
        self.stopped.set()

    def close(self):
        self.closed = True
