"""A web server on this machine whose every answer is a test's own function of the request."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Asked:
    """A request."""

    target: str
    """Path and query; the whole address where a proxy is asked."""
    headers: Mapping[str, str]
    """Its headers, their names in lower case."""

    @property
    def span(self) -> tuple[int, int]:
        """First byte that it asks for, and the one after the last."""
        first, last = self.headers["range"].removeprefix("bytes=").split("-")
        return int(first), int(last) + 1


@dataclass
class Answer:
    """What comes back."""

    status: int
    """HTTP status."""
    body: bytes = b""
    """Whole."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Beside the length."""


@dataclass
class Sockets:
    """Connections to a server that are open, whether or not a request is under way."""

    here: int = 0
    """Now."""
    most: int = 0
    """At any time so far."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, count: int) -> None:
        """One more, or one less."""
        with self._lock:
            self.here += count
            self.most = max(self.most, self.here)


@dataclass
class Scripted:
    """A running server."""

    port: int
    """It listens on, at 127.0.0.1."""
    asked: list[Asked]
    """All requests so far."""
    sockets: Sockets
    """Connections to it; one that its client closes after an answer counts until that is sent."""

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"


def part_of(content: bytes, asked: Asked, **headers: str) -> Answer:
    """The range of a file that a request asks for; the whole file where it asks for none."""
    if "range" not in asked.headers:
        return Answer(200, content, headers)
    start, end = asked.span
    end = min(end, len(content))
    return Answer(206, content[start:end], {"Content-Range": f"bytes {start}-{end - 1}/{len(content)}", **headers})


class CountedHandler(BaseHTTPRequestHandler):
    """Answers on a connection that is counted until it is closed, or is about to be after the answer."""

    counted: Sockets
    """Where."""
    is_counted = False

    def setup(self):
        super().setup()
        self.counted.add(1)
        self.is_counted = True

    def finish(self):
        self.leave()
        super().finish()

    def leave(self):
        """Count it no more."""
        self.counted.add(-1 if self.is_counted else 0)
        self.is_counted = False


@contextmanager
def serve_script(answer: Callable[[Asked], Answer], certificate: Path | None = None) -> Iterator[Scripted]:
    """Serve answers, over TLS where there is a file with a key and its certificate."""
    served: list[Asked] = []
    sockets = Sockets()

    class Handler(CountedHandler):
        counted = sockets
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self):
            asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()})
            served.append(asked)
            told = answer(asked)
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            if "Content-Length" not in told.headers:
                self.send_header("Content-Length", str(len(told.body)))
            if self.close_connection:
                self.leave()
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(told.body)

        def do_HEAD(self):
            self.do_GET()

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_):
            """Clients of these tests hang up as they like."""

    server = Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield Scripted(server.server_address[1], served, sockets)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
