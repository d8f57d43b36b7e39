import os
import random
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from catalogs.secrets import has_secret
from curate.errors import HostDownError, SourceUnavailableError, StoppedError
from curate.reading.hosts import HostGate
from curate.reading.transport import Patience, Transport
from tests.curate.reading.scripted_server import Answer, part_of, serve_script
from tests.range_server import Fault, serve_ranges

QUICK = Patience(base_s=0.005, longest_s=0.02, stall_s=5.0)
CONTENT = random.Random(11).randbytes(400_000)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "B02.tif").write_bytes(CONTENT)
    (folder / "B03.tif").write_bytes(CONTENT[::-1])
    return folder


@pytest.fixture(scope="module")
def running(files):
    with serve_ranges(files) as server:
        yield server


@pytest.fixture
def server(running):
    running.set(faults=[], latency_s=0.0)
    running.reset()
    return running


@pytest.fixture
def transport():
    with Transport(patience=QUICK) as opened:
        yield opened


def fetch_all(transport, href, spans, threads=16):
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda span: transport.fetch(href, *span).content, spans))


def random_spans(count, longest=20_000):
    chance = random.Random(5)
    starts = [chance.randrange(len(CONTENT) - 1) for _ in range(count)]
    return [(start, min(start + chance.randrange(1, longest), len(CONTENT))) for start in starts]


def contents(spans):
    return [CONTENT[start:end] for start, end in spans]


def gate_of(transport):
    [host] = transport._hosts.values()
    return host.gate


# What is fetched


def test_a_range_of_a_web_file_is_its_bytes_with_etag_and_size(server, transport):
    fetched = transport.fetch(f"{server.url}/B02.tif", 1_000, 3_000)
    assert fetched.content == CONTENT[1_000:3_000]
    assert re.fullmatch(r'"[0-9a-f]+-[0-9a-f]+"', fetched.etag)
    assert fetched.size == len(CONTENT)


def test_only_the_end_of_a_file_makes_a_range_shorter(server, transport, files):
    for href in (f"{server.url}/B02.tif", str(files / "B02.tif")):
        fetched = transport.fetch(href, len(CONTENT) - 5, len(CONTENT) + 16_384)
        assert fetched.content == CONTENT[-5:]
        assert fetched.size == len(CONTENT)


def test_a_local_file_is_read_by_path_and_by_address(transport, files):
    for href in (str(files / "B02.tif"), f"file://{files}/B02.tif"):
        fetched = transport.fetch(href, 7, 11)
        assert (fetched.content, fetched.size) == (CONTENT[7:11], len(CONTENT))
    assert (transport.counts.requests, transport.counts.bytes, transport.counts.connections) == (2, 8, 0)


def test_a_local_file_that_is_written_again_has_another_etag(transport, tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(CONTENT)
    etags = [transport.fetch(str(path), start, 20).etag for start in (0, 10)]
    path.write_bytes(CONTENT[::-1])
    os.utime(path, ns=(1, 1))
    assert etags[0] == etags[1] != transport.fetch(str(path), 0, 20).etag


def test_a_weak_etag_is_given_without_its_mark():
    with serve_script(lambda asked: part_of(CONTENT, asked, ETag='W/"v1"')) as server, Transport() as transport:
        assert transport.fetch(f"{server.url}/a.tif", 0, 10).etag == '"v1"'


def test_counts_are_those_of_the_server(server, transport):
    fetch_all(transport, f"{server.url}/B02.tif", random_spans(50), threads=4)
    seen, counts = server.counts(), transport.counts.snapshot()
    assert (counts.requests, counts.bytes, counts.connections) == (seen.requests, seen.bytes, seen.connections)
    assert (counts.requests, counts.retries, counts.throttled) == (50, 0, 0)
    transport.fetch(f"{server.url}/B02.tif", 0, 1)
    assert counts.requests == 50


def test_connections_are_kept_and_never_more_than_the_limit(server):
    server.set(latency_s=0.002)
    with Transport(connections=3, patience=QUICK) as transport:
        spans = random_spans(150)
        assert fetch_all(transport, f"{server.url}/B02.tif", spans, threads=24) == contents(spans)
    assert server.counts().most_open == 3
    assert server.counts().connections == 3


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 5), (6, 5)])
def test_a_range_that_is_none_is_refused(transport, start, end):
    with pytest.raises(ValueError, match=f"Bytes {start} to {end} are no range"):
        transport.fetch("B02.tif", start, end)


def test_a_transport_needs_a_connection():
    with pytest.raises(ValueError, match="A transport of 0 connections fetches nothing"):
        Transport(connections=0)


# What fails for good


def test_a_local_file_that_is_not_there_or_no_file_is_told(transport, tmp_path, files):
    with pytest.raises(SourceUnavailableError, match=r"none\.tif does not exist\. Expected the file that its item names"):
        transport.fetch(str(tmp_path / "none.tif"), 0, 1)
    with pytest.raises(SourceUnavailableError, match=r"cannot be read \(Is a directory\)"):
        transport.fetch(str(tmp_path), 0, 1)
    with pytest.raises(SourceUnavailableError, match=r"has 400,000 bytes, those from 400,000 to 400,010 were asked for"):
        transport.fetch(str(files / "B02.tif"), 400_000, 400_010)


@pytest.mark.parametrize("status", [401, 403, 404, 410, 451])
def test_a_refusal_fails_at_once_in_words_without_secrets(status):
    page = b"<Error><Code>AccessDenied</Code><AWSAccessKeyId>AKIAABCDEFGHIJKLMNOP</AWSAccessKeyId></Error>"
    with serve_script(lambda _: Answer(status, page)) as server, Transport(patience=QUICK) as transport:
        href = server.url.replace("//", "//me:word@") + "/B02.tif?sig=s3cr3t&se=2030&v=2"
        with pytest.raises(
            SourceUnavailableError,
            match=rf"^{server.url}/B02\.tif\?v=2 cannot be read: its server says {status} [\w ]+, AccessDenied\. Expected a",
        ) as failure:
            transport.fetch(href, 0, 10)
        assert len(server.asked) == 1
    assert failure.value.__cause__ is failure.value.__context__ is None
    for secret in ("s3cr3t", "AKIA", "word"):
        assert secret not in str(failure.value)


def test_bytes_beyond_the_end_of_a_web_file_are_refused_at_once(server, transport):
    with pytest.raises(SourceUnavailableError, match="it has 400,000 bytes, those from 400,000 to 400,010 were asked for"):
        transport.fetch(f"{server.url}/B02.tif", 400_000, 400_010)
    assert server.counts().requests == 1


def test_a_server_without_ranges_gives_small_files_and_no_large_ones(monkeypatch):
    with serve_script(lambda _: Answer(200, CONTENT)) as server, Transport(patience=QUICK) as transport:
        assert transport.fetch(f"{server.url}/a.tif", 100, 200).content == CONTENT[100:200]
        with pytest.raises(SourceUnavailableError, match="it has 400,000 bytes, those from 400,000"):
            transport.fetch(f"{server.url}/a.tif", 400_000, 400_001)
        monkeypatch.setattr("curate.reading.ranges.WHOLE_BELOW", 300_000)
        with pytest.raises(SourceUnavailableError, match=r"ignores ranges and would send the whole file, of 0\.4 MB, for"):
            transport.fetch(f"{server.url}/a.tif", 100, 200)
        assert len(server.asked) == 3


@pytest.mark.parametrize("href", ["http:///a.tif", "http://a..b/a.tif", "http://host:port/a.tif?sig=s3cr3t"])
def test_what_is_no_address_is_told(transport, href):
    with pytest.raises(SourceUnavailableError, match=r"is no address of a web server\. Expected http:// or https://") as e:
        transport.fetch(href, 0, 1)
    assert "s3cr3t" not in str(e.value)


@pytest.mark.parametrize("status", [200, 404])
def test_a_body_that_is_not_read_costs_a_connection_and_no_place(status):
    length = {"Content-Length": "99000000"}
    patience = Patience(connect_s=1.0)
    with (
        serve_script(lambda _: Answer(status, b"x" * 99_000, length)) as server,
        Transport(connections=1, patience=patience) as t,
    ):
        for _ in range(3):
            with pytest.raises(SourceUnavailableError, match=r"ignores ranges|404 Not Found"):
                t.fetch(f"{server.url}/a.tif", 0, 10)
        assert t.counts.connections == 3


# What passes


@pytest.mark.parametrize("kind", ["refuse", "reset", "truncate", "stall", "shift", "status"])
def test_a_fault_is_met_with_another_try(server, kind):
    server.set(faults=[Fault(kind, first=2)])
    patience = Patience(base_s=0.005, longest_s=0.02, stall_s=0.3 if kind == "stall" else 5.0)
    with Transport(patience=patience) as transport:
        assert transport.fetch(f"{server.url}/B02.tif", 1_000, 300_000).content == CONTENT[1_000:300_000]
        assert transport.counts.retries == 2
    assert server.counts().faults == {kind: 2}
    assert server.counts().requests == 3


def test_patience_ends_in_words(server, transport):
    server.set(faults=[Fault("truncate")])
    with pytest.raises(
        SourceUnavailableError,
        match=r"B02\.tif cannot be read: its body ended after 5,000 of 10,000 bytes, the last of 8 tries over \d+ s\. Check",
    ):
        transport.fetch(f"{server.url}/B02.tif?sig=s3cr3t", 0, 10_000)
    assert server.counts().requests == 8


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("stall"), "no byte came for 0.1 s"),
        (Fault("reset"), "the connection broke: Connection reset by peer"),
        (Fault("refuse"), "the connection broke: RemoteDisconnected"),
        (Fault("shift"), "bytes 1 to 10,001 came where 0 to 10,000 were asked for"),
        (Fault("status", status=502), "its server says 502 Bad Gateway"),
    ],
)
def test_each_cause_has_its_words(server, fault, words):
    server.set(faults=[fault])
    patience = Patience(attempts=1, stall_s=0.1 if fault.kind == "stall" else 5.0)
    with Transport(patience=patience) as transport, pytest.raises(SourceUnavailableError, match=words):
        transport.fetch(f"{server.url}/B02.tif", 0, 10_000)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "does not say whether what came are bytes 0 to 10"),
        ({"Content-Range": "items 0-9/20"}, "does not say whether"),
        ({"Content-Range": "bytes 0-4/20"}, "bytes 0 to 5 came where 0 to 10 were asked for"),
        ({"Content-Range": "bytes 0-4/*"}, "bytes 0 to 5 came where 0 to 10 were asked for"),
        ({"Content-Range": "bytes 0-9/*"}, "5 of 10 bytes came"),
    ],
)
def test_what_came_is_held_against_what_was_asked(headers, words):
    with (
        serve_script(lambda _: Answer(206, b"12345", headers)) as server,
        Transport(patience=Patience(attempts=1)) as transport,
        pytest.raises(SourceUnavailableError, match=words),
    ):
        transport.fetch(f"{server.url}/a.tif", 0, 10)


def test_nobody_listening_is_told(transport):
    with pytest.raises(SourceUnavailableError, match="no connection: Connection refused, the last of 8 tries"):
        transport.fetch("http://127.0.0.1:1/B02.tif", 0, 10)


def test_a_host_that_has_answered_and_is_not_reached_any_more_is_down():
    with Transport(patience=QUICK) as transport:
        with serve_script(lambda asked: part_of(CONTENT, asked, Connection="close")) as server:
            transport.fetch(f"{server.url}/a.tif", 0, 10)
        with pytest.raises(HostDownError, match="no connection: Connection refused, the last of 8 tries"):
            transport.fetch(f"{server.url}/a.tif", 10, 20)


def test_a_host_that_never_answered_may_be_none(transport):
    with pytest.raises(SourceUnavailableError) as caught:
        transport.fetch("http://127.0.0.1:1/B02.tif", 0, 10)
    assert not isinstance(caught.value, HostDownError)


def test_a_seeded_fifth_of_faults_leaves_no_trace_in_what_many_threads_get(server):
    kinds = [
        Fault("status", 0.04, status=429, headers={"Retry-After": "0"}), Fault("status", 0.04), Fault("reset", 0.03),
        Fault("truncate", 0.03), Fault("refuse", 0.03), Fault("stall", 0.015), Fault("shift", 0.015),
    ]  # fmt: skip
    server.set(faults=kinds, seed=3)
    spans = random_spans(300)
    patience = Patience(base_s=0.005, longest_s=0.02, stall_s=0.3)
    with Transport(connections=8, patience=patience) as transport:
        assert fetch_all(transport, f"{server.url}/B02.tif", spans, threads=32) == contents(spans)
        assert transport.counts.retries >= sum(server.counts().faults.values()) > 40  # a busy machine stalls by itself
    assert server.counts().most_open <= 8 + 4  # the server learns late of connections that were cut


def test_pauses_are_drawn_from_the_generator_that_is_given(server):
    server.set(faults=[Fault("status", first=3)])
    waits = []
    for seed in (1, 1, 2):
        server.reset()
        with Transport(patience=Patience(base_s=0.02), chance=random.Random(seed)) as transport:
            pauses, transport._count_wait = [], None
            transport._stopped.wait, transport._count_wait = lambda s, pauses=pauses: pauses.append(s), lambda _: None
            transport.fetch(f"{server.url}/B02.tif", 0, 10)
        waits.append(pauses)
    assert waits[0] == waits[1] != waits[2]
    assert [0 < wait < bound for wait, bound in zip(waits[0], (0.02, 0.04, 0.08), strict=True)] == [True] * 3


# A host that has too much to do


def test_retry_after_is_honoured_for_the_whole_host(server, monkeypatch):
    server.set(faults=[Fault("status", where="B03", first=1, status=429, headers={"Retry-After": "1"})])
    done, learned, throttle = threading.Event(), [], HostGate.throttle
    monkeypatch.setattr(HostGate, "throttle", lambda *told: (throttle(*told), learned.append(time.time())))
    with Transport(patience=QUICK) as transport:

        def go_on():
            while not done.is_set():
                transport.fetch(f"{server.url}/B02.tif", 0, 100)

        with ThreadPoolExecutor(7) as pool:
            others = [pool.submit(go_on) for _ in range(7)]
            assert transport.fetch(f"{server.url}/B03.tif", 0, 100).content == CONTENT[::-1][:100]
            done.set()
            for other in others:
                other.result()
    times, [at] = [request.time for request in server.log()], learned
    assert sum(at < moment < at + 0.95 for moment in times) <= 7  # one of each other thread, that was on its way
    assert sum(moment < at for moment in times) > 7
    assert max(times) >= at + 0.95


def test_who_is_told_when_to_come_back_pauses_no_longer(server):
    server.set(faults=[Fault("status", status=503, first=2, headers={"Retry-After": "0"})])
    with Transport(patience=Patience(base_s=20.0)) as transport:
        assert transport.fetch(f"{server.url}/B02.tif", 0, 10).content == CONTENT[:10]
        assert (transport.counts.retries, transport.counts.throttled) == (2, 2)
        assert transport.counts.waited_s < 1.0


def test_one_host_that_asks_to_be_left_alone_does_not_hold_up_another(server, transport):
    server.set(faults=[Fault("status", where="B03", status=503, headers={"Retry-After": "600"})])
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(transport.fetch, f"{server.url}/B03.tif", 0, 10)
        while not server.counts().requests:
            time.sleep(0.001)
        assert transport.fetch(f"{server.url.replace('127.0.0.1', 'localhost')}/B02.tif", 0, 10).content == CONTENT[:10]
        transport.stop()
        with pytest.raises(StoppedError):
            held.result(10)


def test_the_number_of_requests_falls_to_what_a_host_bears_and_recovers():
    bears, lock, inside = [3], threading.Lock(), [0]

    def answer(asked):
        with lock:
            inside[0] += 1
            most = inside[0] > bears[0]
        try:
            threading.Event().wait(0.002)
            return Answer(429) if most else part_of(CONTENT, asked)
        finally:
            with lock:
                inside[0] -= 1

    with serve_script(answer) as server, Transport(connections=16, patience=QUICK) as transport:
        href, spans = f"{server.url}/a.tif", random_spans(200, 100)
        assert fetch_all(transport, href, spans) == contents(spans)
        assert gate_of(transport).allowed <= 6
        assert 0 < transport.counts.throttled < 150
        bears[0] = 99
        assert fetch_all(transport, href, spans) == contents(spans)
        assert gate_of(transport).allowed == 16


def test_throttling_is_borne_longer_than_failures_but_not_for_ever(server):
    server.set(faults=[Fault("status", status=429, first=12)])
    with Transport(connections=64, patience=Patience(attempts=2, base_s=0.001, longest_s=0.002, throttles=12)) as transport:
        assert transport.fetch(f"{server.url}/B02.tif", 0, 10).content == CONTENT[:10]
        server.set(faults=[Fault("status", status=429, first=50)])
        server.reset()
        with pytest.raises(SourceUnavailableError, match="its server says 429 Too Many Requests, the last of 13 tries"):
            transport.fetch(f"{server.url}/B02.tif", 0, 10)


def test_a_host_that_is_down_is_named_and_left_alone(server):
    server.set(faults=[Fault("status", status=503)])
    patience = Patience(attempts=2, base_s=0.001, failures=5, failing_s=0.0)
    name = server.url.removeprefix("http://")
    with Transport(patience=patience) as transport:
        for start in range(4):
            with pytest.raises(SourceUnavailableError, match="503 Service Unavailable, the last of 2 tries"):
                transport.fetch(f"{server.url}/B02.tif?sig=s3cr3t", start, 10)
        for start in range(4, 9):
            with pytest.raises(
                HostDownError,
                match=rf"{name} is down: 5 requests in a row have failed over \d+ s \(the last: its server says 503 Service "
                r"Unavailable\)\. It is left alone for another \d+ s\. Check the network and the provider's status, then run",
            ) as failure:
                transport.fetch(f"{server.url}/B02.tif?sig=s3cr3t", start, 10)
            assert not has_secret(str(failure.value))
    assert server.counts().requests == 9


def test_the_latency_is_that_of_the_farthest_server_by_its_quickest_short_answer(files, server, transport):
    assert transport.latency_s == 0.0
    transport.fetch(f"{server.url}/B02.tif", 0, 300_000)
    assert transport.latency_s == 0.0
    transport.fetch(f"{server.url}/B02.tif", 0, 100)
    near_s = transport.latency_s
    assert near_s > 0.0
    with serve_ranges(files, latency_s=0.2, connect_s=1.0) as far:
        for _ in range(3):
            transport.fetch(f"{far.url}/B02.tif", 0, 100)
    assert max(0.2, near_s) <= transport.latency_s < 1.2
