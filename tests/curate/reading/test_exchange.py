"""What is asked and understood without urllib3, beside what urllib3 asks and understands."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from curate.reading import exchange
from curate.reading.addresses import place_of
from curate.reading.connections import OpenSockets, open_pool
from curate.reading.ranges import TryError, ask_range
from curate.reading.retries import Patience

SIZE = 1_000
CONTENT = bytes(number % 251 for number in range(SIZE))
HASTY = Patience(connect_s=5.0, stall_s=0.3)


@dataclass
class RawServer:
    """A server that answers each request with the same bytes, portion by portion."""

    url: str
    """Of a file."""
    requests: list[bytes] = field(default_factory=list)
    """As they came."""
    connections: int = 0
    """That were opened."""


def _received(connected: socket.socket) -> bytes:
    with suppress(ConnectionError):
        return connected.recv(65_536)
    return b""


@contextmanager
def serving(portions: Sequence[bytes], *, ends: bool = False) -> Iterator[RawServer]:
    """Serve them.

    Args:
        portions: Of each answer, sent one by one.
        ends: Whether the connection is closed after an answer.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = RawServer(f"http://127.0.0.1:{listening.getsockname()[1]}/a/b.tif?sig=x%2Fy")

        def answer(connected: socket.socket) -> None:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connected:
                while request := _received(connected):
                    server.requests.append(request)
                    for portion in portions:
                        with suppress(ConnectionError):  # who has enough goes
                            connected.sendall(portion)
                        if len(portions) > 1:
                            time.sleep(0.005)
                    if ends:
                        return

        def accept() -> None:
            while True:
                try:
                    connected, _ = listening.accept()
                except OSError:
                    return
                server.connections += 1
                threading.Thread(target=answer, args=(connected,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server
        listening.shutdown(socket.SHUT_RDWR)


def asked(server: RawServer, *, spans: Sequence[tuple[int, int]] = ((10, 30), (10, 30)), pause_s: float = 0.0) -> list[object]:
    """What comes of some requests one after the other, a pause after each: content, ETag and size, or why not."""
    came: list[object] = []
    place = place_of(server.url)
    pool = open_pool(place, 2, HASTY, OpenSockets(lambda: None))
    for start, end in spans:
        try:
            fetched = ask_range(pool, place, start, end)
            came.append((bytes(fetched.content), fetched.etag, fetched.size))
        except TryError as error:
            told = (
                error.cause,
                error.status,
                error.passing,
                error.wait_s,
                error.received,
                error.is_used_up,
                error.is_unreached,
            )
            came.append((*told, (error.location or "").removeprefix(server.url.partition("/a/")[0])))
        time.sleep(pause_s)
    pool.close()
    return came


def part(start: int, end: int, *, size: int = SIZE, status: str = "HTTP/1.1 206 Partial Content", further: str = "") -> bytes:
    told = f'Content-Range: bytes {start}-{end - 1}/{size}\r\nContent-Length: {end - start}\r\nETag: "v1"\r\n{further}'
    return f"{status}\r\n{told}\r\n".encode() + CONTENT[start:end]


GOOD = (CONTENT[10:30], '"v1"', SIZE)
RIGHT = part(10, 30)
CHUNKED = (
    b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 10-29/1000\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"a\r\n" + CONTENT[10:20] + b"\r\na\r\n" + CONTENT[20:30] + b"\r\n0\r\n\r\n"
)
UNUSUAL = {
    "chunked": CHUNKED,
    "length and chunks": CHUNKED.replace(b"Transfer", b"Content-Length: 3\r\nTransfer"),
    "another is on its way": b"HTTP/1.1 100 Continue\r\n\r\n" + RIGHT,
    "lines end by LF alone": RIGHT.replace(b"\r\n", b"\n"),
    "a folded line": part(10, 30, further="X-Long: one\r\n two\r\n"),
    "one line ends by LF alone": RIGHT.replace(b"Content-Range", b"X: y\nContent-Range"),
    "a line that is no header": part(10, 30, further="no header\r\n"),
    "a header of no name": part(10, 30, further=": x\r\n"),
    "no reason": part(10, 30, status="HTTP/1.1 206"),
    "names in capitals": RIGHT.replace(b"Content-Length", b"CONTENT-LENGTH"),
    "length twice": part(10, 30, further="Content-Length: 20\r\n"),
    "two lengths": part(10, 30, further="Content-Length: 21\r\n"),
    "a length of words": RIGHT.replace(b"Length: 20", b"Length: all"),
    "another range": part(11, 31),
    "a longer range": part(10, 60),
    "no range": RIGHT.replace(b"Content-Range", b"X-Range"),
    "the file ends": part(10, 25, size=25),
    "an empty head": b"\r\n\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "a whole file": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + CONTENT,
    "not there": b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\nabsent",
    "no body": b"HTTP/1.1 204 No Content\r\n\r\n",
    "too many": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
    "elsewhere": b"HTTP/1.1 302 Found\r\nLocation: /other.tif\r\nContent-Length: 0\r\n\r\n",
    "used up": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 14\r\n\r\nquota exceeded",
    "beyond": b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */5\r\nContent-Length: 0\r\n\r\n",
    "a long page": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 40000\r\n\r\n" + b"x" * 40_000,
    "a head without end": b"HTTP/1.1 206 Partial Content\r\n" + b"X: y\r\n" * 20_000,
}


@pytest.fixture
def by_urllib3(monkeypatch):
    """Have urllib3 do all."""

    def switch() -> None:
        monkeypatch.setattr(exchange, "ask_for_range", lambda *_, **__: None)

    return switch


@pytest.mark.parametrize("answer", UNUSUAL.values(), ids=UNUSUAL)
def test_an_unusual_answer_is_understood_as_urllib3_does(answer, by_urllib3):
    with serving([answer]) as server:
        found = asked(server)
    by_urllib3()
    with serving([answer]) as twin:
        assert found == asked(twin)
    assert server.connections <= twin.connections


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(RIGHT[:20], id="half a head"),
        pytest.param(RIGHT[:-7], id="half a body"),
        pytest.param(CHUNKED[:-9], id="half a chunk"),
        pytest.param(RIGHT, id="a whole answer"),
        pytest.param(part(10, 30, status="HTTP/1.0 206 Partial Content"), id="as HTTP/1.0 does"),
        pytest.param(part(10, 30, further="Connection: close\r\n"), id="as announced"),
        pytest.param(
            b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 10-29/1000\r\n\r\n" + CONTENT[10:30], id="unmeasured"
        ),
    ],
)
def test_a_connection_that_ends_is_understood_as_urllib3_does(answer, by_urllib3):
    with serving([answer], ends=True) as server:
        found = asked(server, pause_s=0.05)  # in which the end arrives
    by_urllib3()
    with serving([answer], ends=True) as twin:
        assert found == asked(twin, pause_s=0.05)
    assert server.connections == twin.connections == 2


@pytest.mark.parametrize("count", [0, 20, len(RIGHT) - 7], ids=["nothing", "half a head", "half a body"])
def test_silence_is_cut_as_by_urllib3(count, by_urllib3):
    with serving([RIGHT[:count]]) as server:
        found = asked(server, spans=[(10, 30)])
    by_urllib3()
    with serving([RIGHT[:count]]) as twin:
        assert found == asked(twin, spans=[(10, 30)])
    assert found[0][0] == "no byte came for 0.3 s"


@pytest.mark.parametrize("cut", range(1, len(RIGHT)))
def test_an_answer_may_come_in_any_two_portions(cut):
    with serving([RIGHT[:cut], RIGHT[cut:]]) as server:
        assert asked(server, spans=[(10, 30)]) == [GOOD]


def test_a_long_body_comes_whole():
    content = CONTENT * 3_000
    head = (
        f"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-{len(content) - 1}/*\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    with serving([head.encode() + content]) as server:
        assert asked(server, spans=[(0, len(content))] * 2) == [(content, None, None)] * 2
    assert server.connections == 1


def test_an_answer_that_says_more_than_it_announced_costs_its_connection():
    with serving([RIGHT + b"more"]) as server:
        assert asked(server) == [GOOD, GOOD]
    assert server.connections == 2


def test_the_request_is_the_one_that_urllib3_sends(by_urllib3):
    with serving([RIGHT]) as server:
        server.url = server.url.replace("127", "user:pass%20word@127")
        asked(server, spans=[(10, 30)])
        by_urllib3()
        asked(server, spans=[(10, 30)])
    ours, urllib3s = (request.decode().split("\r\n") for request in server.requests)
    assert ours[0] == urllib3s[0] == "GET /a/b.tif?sig=x%2Fy HTTP/1.1"
    assert sorted(ours) == sorted(urllib3s)
    assert any(line.startswith("authorization: Basic ") for line in ours)


@pytest.mark.parametrize("header", ["één", "two\r\nlines"])
def test_what_is_not_plain_is_left_to_urllib3(header):
    with serving([RIGHT]) as server:
        place = place_of(server.url)
        pool = open_pool(place, 1, HASTY, OpenSockets(lambda: None))
        assert exchange.ask_for_range(pool, place.target, {"X-Word": header}, most=20, wait_s=1) is None
        assert asked(server, spans=[(10, 30)]) == [GOOD]
        pool.close()
    assert len(server.requests) == 1
