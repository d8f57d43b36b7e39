"""Units on a cluster: how many are in flight, and what each end of them means. The cluster is a stand-in here."""

import sys
import weakref

import pytest

from catalogs.testing import make_locations
from curate import cluster
from curate.cluster import build_on_cluster, check_scheduler, connect
from curate.errors import ClusterError, ClusterLostError
from curate.reading.counts import Counts
from curate.tasks import Done, Job, Unit
from tests.servers import free_port

distributed = pytest.importorskip("distributed")

JOB = Job("run", "{}", 0, "there", "", frozenset(), 1, {"seastars": "1.2"})
PLACES = make_locations(40)


class Future:
    """One that is done as soon as somebody asks to be told."""

    def __init__(self, outcome, *, lost=False):
        self._outcome, self._lost = outcome, lost
        self.status = "error" if isinstance(outcome, Exception) else "finished"

    def add_done_callback(self, tell):
        tell(self)

    def cancelled(self):
        return self._lost

    def result(self, timeout):
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


class Recomputed(Future):
    """One whose rows were lost with their worker, and come once it was done again."""

    def __init__(self, outcome, error):
        super().__init__(outcome)
        self.status, self._error = "lost", error

    def result(self, timeout):
        if self.status == "lost":
            self.status = "finished"
            raise self._error
        return self._outcome


class Silent(Future):
    """One that is never done."""

    def add_done_callback(self, tell):
        pass


class Client:
    """A stand-in for Dask's: keeps what it is told, and ends each unit as `ends` says."""

    def __init__(self, ends=None, *, threads=1):
        self.status, self.threads = "running", threads
        self.sent, self.cancelled, self.ran = [], [], []
        self._ends = ends or (lambda unit: Future(whole(unit)))

    def nthreads(self):
        return {str(number): 1 for number in range(self.threads)}

    def submit(self, function, job, unit, *, key, pure):
        self.sent.append(key)
        return self._ends(unit)

    def cancel(self, futures, *, force):
        self.cancelled += futures

    def run(self, function, *args, **_):
        self.ran.append((function.__name__, *args))


def whole(unit):
    return Done([(location, [], []) for location, _ in unit.places], {"bytes": 7.0})


def ids(outcomes):
    return sorted(location.id for location, _, _ in outcomes)


def units(drawn=None):
    for location in PLACES:
        if drawn is not None:
            drawn.append(location.id)
        yield Unit(((location, None),), frozenset(), None)


def test_every_location_is_given_once():
    client = Client()
    assert [location.id for location, _, _ in build_on_cluster(client, JOB, units())] == [place.id for place in PLACES]
    assert len(set(client.sent)) == len(PLACES)
    assert client.ran == [("stop_units", "run")]


def test_what_has_landed_is_let_go_of_before_it_is_recorded():
    """Dask does again what is held when its worker is lost."""
    flown = []

    def fly(unit):
        future = Future(whole(unit))
        flown.append(weakref.ref(future))
        return future

    outcomes = build_on_cluster(Client(fly), JOB, units())
    next(outcomes)
    assert [future() is None for future in flown] == [True, False, False, False]
    outcomes.close()


def test_what_workers_fetched_is_added_up():
    fetched = Counts()
    list(build_on_cluster(Client(), JOB, units(), fetched=fetched))
    assert (fetched.bytes, fetched.requests) == (7 * len(PLACES), 0)


@pytest.mark.parametrize(("threads", "room"), [(0, 4), (1, 4), (8, 16)])
def test_only_so_many_units_are_made_as_the_cluster_has_room_for(threads, room):
    drawn = []
    outcomes = build_on_cluster(Client(threads=threads), JOB, units(drawn))
    next(outcomes)
    assert len(drawn) == room
    next(outcomes)
    assert len(drawn) == room + 1
    outcomes.close()


def test_who_stops_early_takes_back_what_flies():
    client = Client()
    outcomes = build_on_cluster(client, JOB, units())
    next(outcomes)
    outcomes.close()
    assert len(client.cancelled) == 3
    assert client.ran == [("stop_units", "run")]


def test_a_future_that_was_lost_means_a_lost_scheduler():
    with pytest.raises(ClusterLostError, match=r"scheduler was lost\. What was recorded is kept: start it again") as told:
        list(build_on_cluster(Client(lambda _: Future(None, lost=True)), JOB, units()))
    assert told.value.exit_code == 4


def test_a_client_that_is_cut_off_means_a_lost_scheduler(monkeypatch):
    monkeypatch.setattr(cluster, "LOOK_S", 0.01)
    client = Client(lambda _: Silent(None))
    client.status = "connecting"
    with pytest.raises(ClusterLostError, match="scheduler was lost"):
        list(build_on_cluster(client, JOB, units()))
    assert client.ran == []


def test_a_unit_that_ends_its_workers_is_told():
    killed = distributed.KilledWorker("key", None, 3)
    with pytest.raises(ClusterError, match=r"unit of 1 location from test-000000> has ended several workers.*lack memory"):
        list(build_on_cluster(Client(lambda _: Future(killed)), JOB, units()))


def test_a_unit_that_was_lost_with_its_workers_is_sent_again():
    killed = []

    def kill_first(unit):
        first = unit.places[0][0].id not in killed
        killed.append(unit.places[0][0].id)
        return Future(distributed.KilledWorker("key", None, 3) if first else whole(unit))

    client = Client(kill_first)
    assert ids(build_on_cluster(client, JOB, units())) == [place.id for place in PLACES]
    assert len(set(client.sent)) == 2 * len(PLACES)


@pytest.mark.parametrize("error", [TimeoutError(), distributed.comm.CommClosedError("in <TCP (closed)>")])
def test_rows_that_are_lost_with_a_worker_are_waited_for(error):
    client = Client(lambda unit: Recomputed(whole(unit), error))
    assert ids(build_on_cluster(client, JOB, units())) == [place.id for place in PLACES]
    assert len(client.sent) == len(PLACES)


def test_a_unit_that_meets_a_timeout_is_no_lost_scheduler():
    with pytest.raises(TimeoutError, match="NFS"):
        list(build_on_cluster(Client(lambda _: Future(TimeoutError("NFS"))), JOB, units()))


def test_locations_that_a_worker_gave_up_are_sent_again():
    sent = []

    def give_two(unit):
        sent.append([location.id for location, _ in unit.places])
        return Future(Done([(location, [], []) for location, _ in unit.places[:2]], {}))

    places = tuple((location, None) for location in PLACES[:5])
    assert ids(build_on_cluster(Client(give_two), JOB, [Unit(places, frozenset(), None)])) == [place.id for place in PLACES[:5]]
    assert [len(each) for each in sent] == [5, 3, 1]


def test_a_unit_that_workers_give_up_again_and_again_is_told():
    client = Client(lambda _: Future(Done([], {})))
    words = r"have given up <unit of 1 location from test-000000> 3 times; .*another build that writes to there .*it continues"
    with pytest.raises(ClusterLostError, match=words) as told:
        list(build_on_cluster(client, JOB, units()))
    assert told.value.exit_code == 4


def test_workers_without_seastars_are_told():
    with pytest.raises(ClusterError, match=r"A worker lacks curate\. Give the workers .*pip install seastars==1\.2"):
        list(build_on_cluster(Client(lambda _: Future(ModuleNotFoundError(name="curate"))), JOB, units()))


def test_what_a_unit_meets_is_raised_as_it_is():
    with pytest.raises(OSError, match="No space left"):
        list(build_on_cluster(Client(lambda _: Future(OSError(28, "No space left"))), JOB, units()))


def test_a_cluster_without_workers_is_told_once(caplog):
    list(build_on_cluster(Client(threads=0), JOB, units()))
    assert caplog.messages == ["The cluster has no workers; units wait for some."]


@pytest.mark.parametrize("text", ["local", "local:3", "tcp://10.0.0.5:8786", "tls://host:8786", "host:8786"])
def test_what_may_be_a_scheduler_passes(text):
    check_scheduler(text)


def test_a_scheduler_file_passes(tmp_path):
    (tmp_path / "scheduler.json").write_text("{}")
    check_scheduler(str(tmp_path / "scheduler.json"))


@pytest.mark.parametrize("text", ["lokal", "local:", "local:0", "local:two", "tcp://host", "missing.json", ""])
def test_what_is_no_scheduler_is_refused(text):
    with pytest.raises(ClusterError, match=r"--scheduler .*is none\. Give local or local:4"):
        check_scheduler(text)


def test_without_dask_the_way_to_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"is not installed\. Install it: pip install 'seastars\[dask\]'"):
        check_scheduler("local")


def test_a_scheduler_that_does_not_answer_is_told(monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER_S", 0.2)
    address = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(ClusterLostError, match=f"No Dask scheduler answers at {address}"), connect(address):
        pass


def test_processes_that_do_not_start_are_told(monkeypatch):
    def fail(**_):
        raise RuntimeError("Nanny failed to start.")

    monkeypatch.setattr(distributed, "LocalCluster", fail)
    with pytest.raises(ClusterError, match=r"did not start: Nanny failed to start\. Ask for fewer"), connect("local:2"):
        pass
