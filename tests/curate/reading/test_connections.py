import logging
import random
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from curate.errors import SourceUnavailableError, StoppedError
from curate.reading.addresses import place_of
from curate.reading.connections import OpenSockets, open_pool
from curate.reading.transport import Patience, Transport
from tests.conftest import require_program
from tests.curate.reading.scripted_server import Answer, part_of, serve_script

SLOW = Patience(base_s=120.0, longest_s=120.0, connect_s=60.0, stall_s=60.0)
CONTENT = bytes(range(200))


@pytest.fixture
def certificate(tmp_path) -> Path:
    """A key and its certificate for `localhost`, signed by itself."""
    path, key = tmp_path / "localhost.pem", tmp_path / "key.pem"
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        [require_program("openssl"), *made, *named, "-keyout", str(key), "-out", str(path)], check=True, capture_output=True
    )
    path.write_text(key.read_text() + path.read_text())
    return path


@contextmanager
def fetching(transport, href):
    """A thread that waits for a range; at the end it must have been stopped."""
    came = []

    def fetch():
        try:
            came.append(transport.fetch(href, 0, 10))
        except (StoppedError, SourceUnavailableError) as error:
            came.append(error)

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    yield
    transport.stop()
    thread.join(10)  # all that it waits for takes a minute
    assert [type(each) for each in came] == [StoppedError]


def wait_for(condition):
    for _ in range(10_000):
        if condition():
            return
        time.sleep(0.001)
    raise AssertionError("what was waited for did not come")


@pytest.fixture
def held():
    """An answer that a server holds back, and whether it was asked for."""
    asked, go_on = threading.Event(), threading.Event()
    yield asked, go_on
    go_on.set()


def test_stop_wakes_who_waits_for_the_first_byte(held):
    asked, go_on = held

    def answer(_):
        asked.set()
        go_on.wait(60)
        return Answer(404)

    with serve_script(answer) as server, Transport(patience=SLOW) as transport, fetching(transport, f"{server.url}/a.tif"):
        assert asked.wait(10)


def test_stop_wakes_who_waits_in_the_middle_of_a_body():
    with socket.create_server(("127.0.0.1", 0)) as listening, Transport(patience=SLOW) as transport:
        with fetching(transport, f"http://127.0.0.1:{listening.getsockname()[1]}/a.tif"):
            connected, _ = listening.accept()
            connected.recv(4_096)
            connected.sendall(b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\n\r\n12345")
        connected.close()


def test_a_signed_address_is_not_in_what_urllib3_logs(caplog):
    caplog.set_level(logging.DEBUG, "urllib3")
    answer = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\nno header\r\n\r\n0123456789"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place = place_of(f"http://127.0.0.1:{listening.getsockname()[1]}/a.tif?X-Amz-Signature=s3cr3t&sig=s3cr3t")
        pool = open_pool(place, 1, SLOW, OpenSockets(lambda: None))
        thread = threading.Thread(target=pool.urlopen, args=("GET", place.target), daemon=True)
        thread.start()
        connected, _ = listening.accept()
        connected.recv(4_096)
        connected.sendall(answer)
        thread.join(10)
        connected.close()
        pool.close()
    assert "Failed to parse headers (url=" in caplog.text
    assert '"GET /a.tif?... HTTP/1.1" 206' in caplog.text
    assert "s3cr3t" not in caplog.text


def test_stop_wakes_who_waits_for_a_connection():
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    waiting = [socket.socket() for _ in range(4)]
    for queued in waiting:  # until the system takes no more, and leaves those that follow without an answer
        queued.setblocking(False)
        queued.connect_ex(full.getsockname())
    with Transport(patience=SLOW) as transport, fetching(transport, f"http://127.0.0.1:{full.getsockname()[1]}/a.tif"):
        wait_for(lambda: transport._sockets._sockets)
    assert transport.counts.connections == 0
    for queued in (*waiting, full):
        queued.close()


def test_stop_wakes_who_waits_to_try_again():
    with serve_script(lambda _: Answer(500)) as server, Transport(patience=SLOW, chance=random.Random(1)) as transport:
        href = f"{server.url}/a.tif"
        with fetching(transport, href):
            wait_for(lambda: transport.counts.retries)


def test_stop_wakes_who_waits_for_retry_after():
    with serve_script(lambda _: Answer(503, headers={"Retry-After": "500"})) as server, Transport(patience=SLOW) as transport:
        href = f"{server.url}/a.tif"
        with fetching(transport, href):
            wait_for(lambda: transport.counts.retries)


def test_stop_wakes_who_waits_over_tls(certificate, held, monkeypatch):
    asked, go_on = held

    def answer(_):
        asked.set()
        go_on.wait(60)
        return Answer(404)

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with serve_script(answer, certificate) as server, Transport(patience=SLOW) as transport:
        href = f"https://localhost:{server.port}/a.tif"
        with fetching(transport, href):
            assert asked.wait(10)


def test_nothing_is_asked_after_stop(tmp_path):
    (tmp_path / "a.tif").write_bytes(CONTENT)
    with serve_script(lambda asked: part_of(CONTENT, asked)) as server, Transport() as transport:
        transport.fetch(f"{server.url}/a.tif", 0, 10)
        transport.stop()
        for href in (f"{server.url}/a.tif", "http://127.0.0.1:1/a.tif", str(tmp_path / "a.tif")):
            with pytest.raises(StoppedError, match="the transport was stopped"):
                transport.fetch(href, 0, 10)
        assert len(server.asked) == 1


def test_a_socket_that_comes_after_the_cut_is_cut():
    here, there = socket.socketpair()
    sockets = OpenSockets(lambda: None)
    sockets.cut()
    sockets.add(here)
    assert there.recv(1) == b""
    here.close()
    there.close()


def test_https_is_read_where_the_certificate_holds_and_fails_at_once_where_it_does_not(certificate, monkeypatch):
    with serve_script(lambda asked: part_of(CONTENT, asked), certificate) as server:
        href = f"https://localhost:{server.port}/a.tif?sig=s3cr3t"
        with (
            Transport(patience=SLOW) as transport,
            pytest.raises(
                SourceUnavailableError, match=r"a\.tif cannot be read: its certificate does not hold: self.signed certificate"
            ),
        ):
            transport.fetch(href, 0, 10)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with Transport(patience=SLOW) as transport:
            assert transport.fetch(href, 5, 10).content == CONTENT[5:10]


def test_a_proxy_of_the_environment_is_asked_for_whole_addresses(monkeypatch):
    with serve_script(lambda asked: part_of(CONTENT, asked)) as proxy, Transport() as transport:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, proxy.url.replace("//", "//user:word@"))
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "elsewhere")
        assert transport.fetch("http://me:pw@tiles.example/a.tif?v=2", 5, 10).content == CONTENT[5:10]
        [asked] = proxy.asked
    assert asked.target == "http://tiles.example:80/a.tif?v=2"
    assert asked.headers["proxy-authorization"] == "Basic dXNlcjp3b3Jk"
    assert asked.headers["authorization"] == "Basic bWU6cHc="


def test_https_through_a_proxy_goes_by_a_tunnel(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listening, Transport(patience=Patience(attempts=1)) as transport:
        lines = []

        def refuse():
            connected, _ = listening.accept()
            lines.append(connected.recv(4_096).split(b"\r\n")[0])
            connected.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            connected.close()

        thread = threading.Thread(target=refuse)
        thread.start()
        for name in ("https_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{listening.getsockname()[1]}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "elsewhere")
        with pytest.raises(SourceUnavailableError, match=r"a\.tif cannot be read: no connection through the proxy"):
            transport.fetch("https://tiles.example/a.tif?sig=s3cr3t", 5, 10)
        thread.join(5)
    assert lines[0].split(b" ")[:2] == [b"CONNECT", b"tiles.example:443"]


def test_long_bodies_and_refusals_over_tls_share_a_connection(certificate, monkeypatch):
    content = CONTENT * 10_000

    def answer(asked):
        return Answer(404, b"absent") if asked.target == "/b.tif" else part_of(content, asked)

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with serve_script(answer, certificate) as server, Transport(patience=SLOW) as transport:
        address = f"https://localhost:{server.port}"
        assert transport.fetch(f"{address}/a.tif", 7, len(content)).content == content[7:]
        with pytest.raises(SourceUnavailableError, match=r"b\.tif cannot be read: its server says 404 Not Found"):
            transport.fetch(f"{address}/b.tif", 0, 10)
        assert transport.fetch(f"{address}/a.tif", 0, 10).content == content[:10]
    assert transport.counts.connections == 1
