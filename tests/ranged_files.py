"""A web server in this process that answers by a function, with ranges of files: what the doubles of providers are made of."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    """`GET`, `HEAD` or `POST`."""
    target: str
    """As the first line of the request has it: a path with its query, of a proxy a whole address."""
    headers: Mapping[str, str]
    """By name, whatever its case."""
    body: bytes
    """Of a POST."""


@dataclass(frozen=True)
class Answer:
    """What is answered."""

    status: int = 200
    """HTTP status."""
    body: bytes | Path = b""
    """The content, or the file that holds it; of these, ranges are cut out."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers."""


@contextmanager
def serve_answers(answer: Callable[[Request], Answer]) -> Iterator[str]:
    """A server of HTTP/1.1 with connections that are kept; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._send(answer(Request(self.command, self.path, self.headers, body)))

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_POST(self) -> None:
            self.do_GET()

        def _send(self, found: Answer) -> None:
            content, total, start = found.body, 0, 0
            if isinstance(content, Path):
                content, total, start = _part(content, self.headers.get("Range", ""))
            partial = isinstance(found.body, Path) and "Range" in self.headers
            self.send_response(206 if partial else found.status)
            if partial:
                self.send_header("Content-Range", f"bytes {start}-{start + len(content) - 1}/{total}")
            for name, value in {"Accept-Ranges": "bytes", "Content-Length": str(len(content)), **found.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _part(path: Path, wanted: str) -> tuple[bytes, int, int]:
    """A range of a file, the file's length, and where the range begins."""
    size = path.stat().st_size
    found = re.match(r"bytes=(\d+)-(\d*)", wanted)
    start, last = (int(found[1]), int(found[2] or size - 1)) if found else (0, size - 1)
    with path.open("rb") as file:
        file.seek(start)
        return file.read(min(last, size - 1) + 1 - start), size, start
