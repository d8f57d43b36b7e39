"""Servers on this machine for tests: a STAC API, a web server with range requests, recorded answers.

Each is a context manager that gives its address and takes no port that is in use.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from tests.conftest import ROOT, require_program

START_TIMEOUT_S = 20

NGINX = """
daemon off;
master_process off;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{}}
http {{
  access_log {home}/access.log;
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  types {{ application/json json; image/tiff tif; }}
  server {{ listen 127.0.0.1:{port}; root {folder}; }}
}}
"""


@contextmanager
def serve_files(folder: Path) -> Iterator[str]:
    """A plain web server (nginx) over a folder, with range requests; the test is skipped where nginx is not installed."""
    nginx = require_program("nginx")
    with TemporaryDirectory() as home:
        port = free_port()
        settings = Path(home) / "nginx.conf"
        settings.write_text(NGINX.format(home=home, port=port, folder=Path(folder).resolve()))
        with _running([nginx, "-p", home, "-e", f"{home}/error.log", "-c", str(settings)], port):
            yield f"http://127.0.0.1:{port}"


@contextmanager
def serve_api(
    items: Sequence[Mapping[str, Any]], collections: Sequence[Mapping[str, Any]] = (), *, port: int | None = None
) -> Iterator[str]:
    """A STAC API (rustac's server) over items whose hrefs are absolute; collections that are not given are made up.

    It declares neither query, filter nor sort.

    Args:
        items: What it has.
        collections: Theirs.
        port: Where it listens; one that is free where none.
    """
    with TemporaryDirectory() as home:
        documents = [{"type": "FeatureCollection", "features": list(items)}, *collections]
        hrefs = [str(_write(Path(home) / f"{number}.json", document)) for number, document in enumerate(documents)]
        port = port or free_port()
        command = [_rustac(), "serve", *hrefs[::-1], "--addr", f"127.0.0.1:{port}", "--create-collections"]
        with _running(command, port):
            yield f"http://127.0.0.1:{port}"


@dataclass
class Recording:
    """One answer of a server, and what it answers."""

    method: str
    """`GET` or `POST`."""
    path: str
    """Of the request, without its query."""
    answer: Any
    """JSON, or bytes as they are."""
    body: Mapping[str, Any] = field(default_factory=dict)
    """Fields that the request's JSON must hold; others may be there."""
    status: int = 200
    """HTTP status."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers of the answer."""
    times: int | None = None
    """How often it is given; always where none."""
    cut: bool = False
    """The connection ends after half of the answer."""

    @classmethod
    def read(cls, path: Path) -> Recording:
        """A file of `stac_recorded/api`."""
        recorded = json.loads(path.read_text())
        request, response = recorded["request"], recorded["response"]
        body = json.loads(request["body"]) if isinstance(request["body"], str) else request["body"]
        return cls(request["method"], urlsplit(request["uri"]).path, response["json"], body or {}, response["status"]["code"])


@dataclass
class Replay:
    """A running server of recordings."""

    url: str
    """Its address."""
    requests: list[tuple[str, str, dict[str, Any]]]
    """Method, path with query, JSON body of all requests so far."""


@contextmanager
def replay(recordings: Sequence[Recording], *, instead_of: str = "") -> Iterator[Replay]:
    """Serve recorded answers: to each request the first that fits, or 404.

    Args:
        recordings: The more particular first.
        instead_of: Host whose address in the answers is replaced by this server's.
    """
    left = [recording.times for recording in recordings]
    seen = Replay("", [])

    def answer(method: str, path: str, body: dict[str, Any]) -> Recording:
        seen.requests.append((method, path, body))
        for place, recording in enumerate(recordings):
            fits = (recording.method, recording.path) == (
                method,
                urlsplit(path).path,
            ) and recording.body.items() <= body.items()
            if fits and left[place] != 0:
                left[place] = None if left[place] is None else left[place] - 1
                return recording
        return Recording(method, path, {"code": "NotFound", "description": "Not Found"}, status=404)

    handler = _handler(answer, lambda text: text.replace(instead_of, seen.url) if instead_of else text)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    seen.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _handler(
    answer: Callable[[str, str, dict[str, Any]], Recording], rewrite: Callable[[str], str]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.respond(answer("GET", self.path, {}), with_body=True)

        def do_HEAD(self) -> None:
            self.respond(answer("GET", self.path, {}), with_body=False)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.respond(answer("POST", self.path, json.loads(body or b"{}")), with_body=True)

        def respond(self, found: Recording, *, with_body: bool) -> None:
            data = found.answer if isinstance(found.answer, bytes) else rewrite(json.dumps(found.answer)).encode()
            wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            part = data[int(wanted[1]) : int(wanted[2] or len(data)) + 1] if wanted else data
            self.send_response(206 if wanted and found.status == 200 else found.status)
            self.send_header("Content-Length", str(len(part)))
            self.send_header("Accept-Ranges", "bytes")
            if wanted:
                self.send_header("Content-Range", f"bytes {wanted[1]}-{int(wanted[1]) + len(part) - 1}/{len(data)}")
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(part[: len(part) // 2] if found.cut else part)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def _running(command: Sequence[str], port: int) -> Iterator[None]:
    with TemporaryDirectory() as home, (Path(home) / "log").open("w+") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"RUST_LOG": "error"})
        try:
            _wait_for(port, process, Path(log.name))
            yield
        finally:
            process.terminate()
            process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended at once: {log.read_text()[-500:]}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} did not listen within {START_TIMEOUT_S} s: {log.read_text()[-500:]}")


def _rustac() -> str:
    beside = Path(sys.executable).parent / "rustac"
    found = shutil.which("rustac") or (str(beside) if beside.is_file() else None)
    if found is None:
        pytest.skip("rustac's server is not installed (pip install rustac)")
    return found


def _write(path: Path, document: Mapping[str, Any]) -> Path:
    path.write_text(json.dumps(document))
    return path


@contextmanager
def serve_s3(*buckets: str) -> Iterator[dict[str, str]]:
    """An object store (moto) with some empty buckets; gives the environment that leads to it, with made-up credentials."""
    pytest.importorskip("moto", reason="moto's server is not installed (pip install 'moto[server]')")
    port = free_port()
    with _running([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port):
        address = f"http://127.0.0.1:{port}"
        for bucket in buckets:
            with urlopen(Request(f"{address}/{bucket}", method="PUT"), timeout=START_TIMEOUT_S):
                pass
        yield {
            "AWS_ENDPOINT_URL": address,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIAMADEUPFORTESTS00",
            "AWS_SECRET_ACCESS_KEY": "made-up-and-never-written",
        }


@dataclass(frozen=True)
class DaskCluster:
    """A running cluster."""

    address: str
    """Of its scheduler."""
    process: subprocess.Popen[bytes]
    """Which holds the scheduler, and is the parent of the workers."""
    log: Path
    """What scheduler and workers say."""


@contextmanager
def serve_dask(workers: int, *, preload: str = "") -> Iterator[DaskCluster]:
    """A Dask scheduler with workers, each of one thread in a process of its own, which is started again when it dies.

    Args:
        workers: How many.
        preload: Python that each of them runs first.
    """
    pytest.importorskip("distributed", reason="Dask's distributed is not installed (pip install distributed)")
    program = (
        "import sys, dask; from distributed import LocalCluster; "
        "dask.config.set({'distributed.deploy.lost-worker-timeout': '1 h'}); "
        f"cluster = LocalCluster(n_workers={workers}, threads_per_worker=1, dashboard_address='127.0.0.1:0', silence_logs=20, "
        f"preload={[preload] if preload else []!r}); "
        "print(cluster.scheduler_address, flush=True); sys.stdin.read(); cluster.close()"
    )
    with TemporaryDirectory() as home, (Path(home) / "log").open("w+") as log:
        words = [sys.executable, "-c", program]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "DASK_TEMPORARY_DIRECTORY": home}
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment)
        assert process.stdin
        assert process.stdout
        try:
            address = process.stdout.readline().decode().strip()
            assert address, Path(log.name).read_text()[-500:]
            yield DaskCluster(address, process, Path(log.name))
        finally:
            with suppress(OSError):
                process.stdin.close()
            try:
                process.wait(20)
            finally:
                process.kill()
                process.stdout.close()
