"""The range server does what its docstring says: benchmarks and fault runs are worth what it is worth."""

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from tests.range_server import Fault, serve_ranges

CONTENT = bytes(range(256)) * 4096
BROKEN = (http.client.IncompleteRead, http.client.RemoteDisconnected, ConnectionError)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("served")
    (path / "a").mkdir()
    (path / "a" / "one.tif").write_bytes(CONTENT)
    (path / "item.json").write_text("{}")
    return path


@pytest.fixture(scope="module")
def running(folder):
    with serve_ranges(folder) as server:
        yield server


@pytest.fixture
def server(running):
    running.set(latency_s=0.0, connect_s=0.0, bytes_per_s=None, faults=[], seed=0)
    running.reset()
    return running


def ask(server, path="/a/one.tif", wanted="bytes=100-199", method="GET", timeout=5):
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=timeout)
    try:
        connection.request(method, path, headers={"Range": wanted} if wanted else {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=100-199", 100, 200),
        ("bytes=1048570-", 1048570, 1048576),
        ("bytes=-7", 1048569, 1048576),
        ("bytes=9-9999999", 9, 1048576),
    ],
)
def test_a_range_is_answered_with_its_bytes_place_and_etag(server, wanted, start, end):
    status, headers, body = ask(server, wanted=wanted)
    assert (status, body) == (206, CONTENT[start:end])
    assert headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"
    assert headers["Content-Length"] == str(end - start)
    assert headers["ETag"] == ask(server, wanted="")[1]["ETag"]
    assert server.counts().bytes == end - start + len(CONTENT)


def test_whole_files_heads_and_what_is_not_there(server):
    assert ask(server, wanted="")[::2] == (200, CONTENT)
    status, headers, body = ask(server, wanted="", method="HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(len(CONTENT)), b"")
    status, headers, _ = ask(server, wanted=f"bytes={len(CONTENT)}-{len(CONTENT) + 9}")
    assert (status, headers["Content-Range"]) == (416, f"bytes */{len(CONTENT)}")
    assert ask(server, "/b.tif")[0] == ask(server, "/../a/one.tif")[0] == 404
    assert ask(server, method="PUT")[0] == 405
    assert ask(server, "/item.json", wanted="")[1]["Content-Type"] == "application/json"
    assert ask(server, "/@7/a/one.tif")[2] == CONTENT[100:200]


def test_a_connection_serves_many_requests_and_all_are_counted_and_logged(server):
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    before = time.time()
    for number in range(3):
        connection.request("GET", "/a/one.tif?x=1", headers={"Range": f"bytes={number}-{number}"})
        assert connection.getresponse().read() == CONTENT[number : number + 1]
    connection.close()
    counts, log = server.counts(), server.log()
    assert (counts.requests, counts.bytes, counts.connections, counts.most_open, counts.most_in_flight) == (3, 3, 1, 1, 1)
    assert [line[1:] for line in log] == [("/a/one.tif?x=1", f"bytes={number}-{number}", 206, "") for number in range(3)]
    assert before <= log[0].time <= log[2].time <= time.time()
    assert counts.cpu_s > 0


def test_latency_is_waited_per_request_and_connection_and_answers_overlap(server):
    server.set(latency_s=0.15, connect_s=0.1)
    start = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ask(server), range(8)))
    took = time.monotonic() - start
    assert took >= 0.25
    assert server.counts().most_in_flight == server.counts().most_open == 8
    server.set(connect_s=0.0)
    start = time.monotonic()
    ask(server)
    assert time.monotonic() - start >= 0.15


def test_bandwidth_is_shared_by_all_connections(server):
    server.set(bytes_per_s=4 * len(CONTENT))
    start = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: ask(server, wanted=""), range(2)))
    assert time.monotonic() - start >= 0.5


def test_a_status_fault_says_what_it_was_told_and_only_where_it_was_told(server):
    throttled = Fault("status", where=r"one\.tif.*sig=old", status=429, headers={"Retry-After": "7"})
    server.set(faults=[throttled])
    status, headers, _ = ask(server, "/a/one.tif?sig=old")
    assert (status, headers["Retry-After"]) == (429, "7")
    assert ask(server, "/a/one.tif?sig=new")[0] == 206
    assert server.counts().faults == {"status": 1}
    assert [line.status for line in server.log()] == [429, 206]


def test_a_fault_strikes_the_ranges_that_it_is_told(server):
    server.set(faults=[Fault("status", ranges="^bytes=10-")])
    assert [ask(server, wanted=f"bytes={start}-20")[0] for start in (0, 10, 11)] == [206, 503, 206]


def test_first_strikes_the_first_attempts_at_a_range(server):
    server.set(faults=[Fault("status", first=2)])
    assert [ask(server)[0] for _ in range(3)] == [503, 503, 206]
    assert ask(server, wanted="bytes=0-9")[0] == 503
    server.reset()
    assert ask(server)[0] == 503


@pytest.mark.parametrize("kind", ["refuse", "reset", "truncate"])
def test_a_broken_answer_breaks(server, kind):
    server.set(faults=[Fault(kind, first=1)])
    with pytest.raises(ConnectionResetError if kind == "reset" else BROKEN):
        ask(server, wanted="bytes=0-999999")
    assert ask(server, wanted="bytes=0-999999")[2] == CONTENT[:1_000_000]
    assert server.counts().faults == {kind: 1}


def test_a_stall_lasts_until_the_client_gives_up(server):
    server.set(faults=[Fault("stall")])
    with pytest.raises(TimeoutError):
        ask(server, timeout=0.3)
    server.set(faults=[])
    deadline = time.monotonic() + 5
    while server.counts().most_in_flight and time.monotonic() < deadline:
        server.reset()
    assert ask(server)[2] == CONTENT[100:200]


def test_a_slow_answer_comes_whole_after_its_silence(server):
    server.set(faults=[Fault("slow", wait_s=0.2)])
    start = time.monotonic()
    assert ask(server)[2] == CONTENT[100:200]
    assert time.monotonic() - start >= 0.2


def test_shift_flip_etag_and_ignore_lie_as_they_say(server):
    right = ask(server)
    server.set(faults=[Fault("shift")])
    assert ask(server)[1]["Content-Range"] == f"bytes 101-200/{len(CONTENT)}"
    server.set(faults=[Fault("flip")])
    flipped = ask(server)[2]
    assert sum((one ^ other).bit_count() for one, other in zip(flipped, right[2], strict=True)) == 1
    server.set(faults=[Fault("etag")])
    changed = ask(server)
    assert changed[2] == right[2]
    assert changed[1]["ETag"] != right[1]["ETag"]
    server.set(faults=[Fault("ignore")])
    assert ask(server)[::2] == (200, CONTENT)


def test_a_seeded_share_is_struck_whatever_the_order(server):
    faults = [Fault("status", share=0.1, status=status) for status in (429, 503)]
    server.set(faults=faults, seed=3)

    def statuses(numbers):
        server.reset()
        return {number: ask(server, wanted=f"bytes={number}-{number}")[0] for number in numbers}

    first, second = statuses(range(150)), statuses(reversed(range(150)))
    assert first == second
    assert 15 <= sum(status != 206 for status in first.values()) <= 45
    assert {429, 503, 206} == set(first.values())
    server.set(seed=4)
    assert statuses(range(150)) != first


def test_the_server_ends_with_its_block(folder):
    with serve_ranges(folder) as server:
        assert ask(server)[0] == 206
    with pytest.raises(ConnectionRefusedError):
        ask(server)


def test_an_unknown_fault_is_named():
    with pytest.raises(ValueError, match=r"No fault is called 'flop'\. Choose from: status, refuse"):
        Fault("flop")
