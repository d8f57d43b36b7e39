"""A build on a Dask cluster: units as tasks, a few in flight; what they give is the build's to record.

Nothing of the plan is on the cluster beside the units in flight. Dask does a unit again where its worker was lost; where the
scheduler is lost the build ends, and running it again continues with what was not recorded.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any

from curate.errors import ClusterError, ClusterLostError
from curate.reading.counts import Counts
from curate.tasks import Done, Job, Unit, complete_unit, stop_units
from curate.unit import Outcome

if TYPE_CHECKING:
    from distributed import Client

LOG = logging.getLogger(__name__)
LOCAL = "local"
LEAVE_CTRL_C = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
"""What the processes of a local cluster begin with: a terminal sends Ctrl-C to them too, but the build it is that ends them."""
PER_THREAD = 2
"""Units in flight for each thread of the cluster: one in work, one that waits beside it."""
FEWEST = 4
"""Units in flight at least, so that a cluster that grows with its work sees some."""
LOOK_S = 0.5
"""How often it is looked whether the scheduler is there."""
COUNT_S = 5.0
"""How often the cluster's threads are counted."""
ANSWER_S = 10
"""How long a scheduler may take to answer."""
RESULT_S = 30
"""How long the rows of a unit that is done may take to arrive before others are looked after."""
MOST_TRIES = 3
"""How often a unit is sent, where nothing of it comes back."""


def check_scheduler(text: str) -> None:
    """Refuse what is no scheduler, before anything is done.

    Args:
        text: `local`, `local:4`, a Dask scheduler's address or the path of its scheduler file.

    Raises:
        ClusterError: It is none of these, or Dask is not installed.
    """
    _distributed()
    kind, _, count = text.partition(":")
    is_local = kind == LOCAL and (not count or (count.isdigit() and int(count) > 0)) and text != "local:"
    is_address = kind != LOCAL and text.rpartition(":")[2].strip("/").isdigit()
    if not (is_local or is_address or (text.endswith(".json") and Path(text).exists())):
        raise ClusterError(
            f"--scheduler {text} is none. Give local or local:4 (processes of this machine), the address of a Dask scheduler, "
            "such as tcp://10.0.0.5:8786, or the path of its scheduler file (.json)."
        )


@contextmanager
def connect(scheduler: str) -> Iterator[Client]:
    """A client of a scheduler; of `local`, a cluster of processes that ends with it.

    Args:
        scheduler: As `check_scheduler` lets pass.

    Raises:
        ClusterLostError: No scheduler answers.
    """
    distributed = _distributed()
    if scheduler.partition(":")[0] == LOCAL:
        with (
            _start_processes(distributed, int(scheduler.partition(":")[2] or 0) or None) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
        ):
            yield client
        return
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # that a scheduler is lost is told in our words
    place: dict[str, Any] = {"scheduler_file": scheduler} if scheduler.endswith(".json") else {"address": scheduler}
    try:
        client = distributed.Client(**place, timeout=ANSWER_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterLostError(
            f"No Dask scheduler answers at {scheduler} ({type(error).__name__}). Check the address, that it runs "
            "(dask scheduler), and that it has the version of distributed of this environment; then run the same command again."
        ) from None
    try:
        yield client
    finally:
        with suppress(Exception):  # it is left, whether it still answers or not
            client.close(timeout=1)


def build_on_cluster(client: Client, job: Job, units: Iterable[Unit], *, fetched: Counts | None = None) -> Generator[Outcome]:
    """Complete units, as many at once as the cluster has room for; close it early, and they are given up.

    Args:
        client: Of a scheduler.
        job: The build.
        units: In the order in which they are begun.
        fetched: Counts what workers fetch, as far as they live to tell.

    Yields:
        Each location as its unit is done.

    Raises:
        ClusterLostError: The scheduler does not answer any more.
        ClusterError: A unit cannot be done: it has ended several workers, or the workers lack seastars.
        Exception: What a unit raises.
    """
    flight = _Flight(client, job, fetched or Counts())
    try:
        yield from flight.land_all(units)
    finally:
        flight.end()


@dataclass(frozen=True)
class _Sent:
    """A unit on the cluster."""

    unit: Unit
    tries: int
    """How often it was sent, this time included."""


class _Flight:
    """The units that are on the cluster."""

    def __init__(self, client: Client, job: Job, fetched: Counts) -> None:
        self._client: Any = client  # much of Dask is without types
        self._job = job
        self._fetched = fetched
        self._landed: Queue[Any] = Queue()
        self._flying: dict[Any, _Sent] = {}
        self._room = FEWEST
        self._counted = 0.0
        self._sent = 0
        self._has_workers = True

    def land_all(self, units: Iterable[Unit]) -> Iterator[Outcome]:
        """Send units and give what they give, until none is left."""
        waiting = iter(units)
        while True:
            self._count_threads()
            while len(self._flying) < self._room and (unit := next(waiting, None)):
                self._send(_Sent(unit, 1))
            if not self._flying:
                return
            if done := self._land():
                self._fetched.add(**done.fetched)
                yield from done.outcomes

    def end(self) -> None:
        """Take back what has not begun, and let the workers give up what has, or let go of what they kept."""
        with suppress(Exception):  # the scheduler may be gone; then there is nobody to tell
            if self._client.status == "running":
                self._client.cancel(list(self._flying), force=True)
                self._client.run(stop_units, self._job.run, wait=False, on_error="ignore")

    def _send(self, sent: _Sent) -> None:
        key = f"seastars-{self._job.run}-{self._sent}"
        future = self._client.submit(complete_unit, self._job, sent.unit, key=key, pure=False)
        self._sent += 1
        self._await(future, sent)

    def _await(self, future: Any, sent: _Sent) -> None:
        self._flying[future] = sent
        future.add_done_callback(self._landed.put)

    def _land(self) -> Done | None:
        """What the next unit gave; it is let go of then, so that Dask does not do it again when its worker is lost."""
        future = self._next()
        return self._done(future, self._flying.pop(future))

    def _next(self) -> Any:
        """The next unit that is done, however it ended."""
        while True:
            with suppress(Empty):
                return self._landed.get(timeout=LOOK_S)
            self._check_there()
            self._count_threads()

    def _done(self, future: Any, sent: _Sent) -> Done | None:
        """What a unit gave, whose rest is sent again; none where all of it is still to come."""
        from distributed import KilledWorker
        from distributed.comm.core import CommClosedError

        if future.cancelled():
            raise self._lost()
        try:
            done: Done = future.result(timeout=RESULT_S)
        except KilledWorker:
            self._send_once_more(sent)
            return None
        except ModuleNotFoundError as error:
            raise ClusterError(
                f"A worker lacks {error.name}. Give the workers the environment that the build was started in: "
                f"pip install seastars=={self._job.versions['seastars']}"
            ) from None
        except (TimeoutError, ConnectionError, CommClosedError) as error:
            if self._client.status != "running":
                raise self._lost() from None
            if future.status == "error" or isinstance(error, ConnectionError):
                raise  # what the unit itself has met
            self._await(future, sent)  # its worker died with the rows, and another one does it again
            return None
        self._send_rest(sent, done)
        return done

    def _send_once_more(self, sent: _Sent) -> None:
        """Send a unit whose workers were lost, where Dask would not: it counts the losses of units that only waited there too.

        Raises:
            ClusterError: It was sent often enough.
        """
        if sent.tries == MOST_TRIES:
            raise ClusterError(
                f"{sent.unit!r} has ended several workers one after the other; most likely they lack memory. "
                "Give them 2 GB or more each, then run the same command again: it continues."
            )
        self._send(replace(sent, tries=sent.tries + 1))

    def _send_rest(self, sent: _Sent, done: Done) -> None:
        """Send again what a worker gave up though nobody stopped this build.

        Raises:
            ClusterLostError: Nothing of it was done, again and again.
        """
        given = {location.id for location, _, _ in done.outcomes}
        rest = tuple(place for place in sent.unit.places if place[0].id not in given)
        if not rest:
            return
        if not given and sent.tries == MOST_TRIES:
            raise ClusterLostError(
                f"Workers have given up {sent.unit!r} {sent.tries} times; most likely another build that writes to "
                f"{self._job.address} has the same workers. Let it end, then run the same command again: it continues."
            )
        self._send(_Sent(replace(sent.unit, places=rest), 1 if given else sent.tries + 1))

    def _check_there(self) -> None:
        if self._client.status != "running":
            raise self._lost()

    def _lost(self) -> ClusterLostError:
        return ClusterLostError(
            "The Dask scheduler was lost. What was recorded is kept: start it again, then run the same command, "
            "and it continues with the rest."
        )

    def _count_threads(self) -> None:
        """See now and then how many units the cluster has room for."""
        if time.monotonic() < self._counted + COUNT_S:
            return
        try:
            threads = sum(self._client.nthreads().values())
        except OSError:
            raise self._lost() from None
        if not threads and self._has_workers:
            LOG.warning("The cluster has no workers; units wait for some.")
        self._has_workers = threads > 0
        self._counted = time.monotonic()
        self._room = max(FEWEST, PER_THREAD * threads)


def _start_processes(distributed: Any, count: int | None) -> Any:
    """A cluster of processes of this machine, one per core where no count is given.

    Raises:
        ClusterError: They do not start.
    """
    import dask

    dask.config.set({"distributed.deploy.lost-worker-timeout": "1 day"})  # one that dies is started again, however slowly
    try:
        return distributed.LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            preload=LEAVE_CTRL_C,
            silence_logs=logging.ERROR,
        )
    except (OSError, RuntimeError) as error:
        raise ClusterError(
            f"The processes of --scheduler local did not start: {error} Ask for fewer, such as local:2, or leave it out."
        ) from error


def _distributed() -> Any:
    """Dask's scheduler and client.

    Raises:
        ClusterError: They are not installed.
    """
    try:
        import distributed
    except ModuleNotFoundError:
        raise ClusterError(
            "--scheduler takes Dask's distributed, which is not installed. Install it: pip install 'seastars[dask]'"
        ) from None
    return distributed
