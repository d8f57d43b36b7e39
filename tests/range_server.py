"""A web server for range requests in a process of its own, slow and faulty as asked, that counts what it is asked.

    throttled = Fault("status", share=0.1, status=429, headers={"Retry-After": "1"})
    with serve_ranges(folder, latency_s=0.02, faults=[throttled]) as server:
        read(f"{server.url}/scene/B02.tif")
        assert server.counts().requests < 40
        server.set(faults=[])                    # from now on; counts go on
        server.reset()                           # counts, log and attempts from 0

It serves the files below `folder` by HTTP/1.1 with keep-alive: GET and HEAD, 206 with `Content-Range`, 416, `ETag`,
`Accept-Ranges`, links followed. Folders of a path that begin with @ are left out: `/@17/scene/B02.tif` is the same file as
`/scene/B02.tif`, which has as many names as a benchmark wants. What is set:

- `latency_s`: waited before each answer; `connect_s`: waited once more before a connection's first answer.
- `bytes_per_s`: bandwidth, shared by all connections.
- `faults`, `seed`: see `Fault`. Which requests are struck hangs on seed, path, range and attempt (how often that range of that
  path was asked before), never on the order in which requests come: the same build meets the same faults. Shares of the faults
  that fit a request add up, at most one strikes: seven faults of 0.2 / 7 each strike a fifth.

Kinds of faults:

- `status`: the answer is `status` with `headers` and a short body.
- `refuse`: the connection ends without an answer.
- `reset`: a TCP reset after half of the body.
- `truncate`: the connection is closed in order after half of the body.
- `stall`: half of the body, then nothing until the client gives up.
- `shift`: `Content-Range` says that the body begins one byte later than asked for.
- `flip`: one bit of the body is not as it was.
- `etag`: the body is right, the ETag that of another version of the file.
- `ignore`: the range is ignored, 200 and the whole file.
- `slow`: half of the body, `wait_s` of silence, the rest.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
KINDS = ("status", "refuse", "reset", "truncate", "stall", "shift", "flip", "etag", "ignore", "slow")


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a share of the requests."""

    kind: str
    """One of `KINDS`; the module's docstring tells what each does."""
    share: float = 1.0
    """Of the requests that it fits, 0 to 1."""
    where: str = ""
    """Regular expression, searched in the request's path and query."""
    ranges: str = ""
    """The same, searched in its `Range` header."""
    first: int | None = None
    """It strikes the first so many requests of a path and range only; all where none."""
    status: int = 503
    """HTTP status of a `status` fault."""
    headers: dict[str, str] = field(default_factory=dict)
    """Further headers of a `status` fault."""
    wait_s: float = 1.0
    """Silence of a `slow` fault."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"No fault is called {self.kind!r}. Choose from: {', '.join(KINDS)}.")


class Request(NamedTuple):
    """A line of the log."""

    time: float
    """Seconds since the epoch, at its coming."""
    path: str
    """With query."""
    range: str
    """The `Range` header, "" where none."""
    status: int
    """Of the answer, 0 where there was none."""
    fault: str
    """Kind of the fault that struck, "" where none."""


@dataclass(frozen=True)
class ServerCounts:
    """What the server saw since its start or the last reset."""

    requests: int
    """Of every kind and outcome."""
    bytes: int
    """Of bodies, as handed to the network; of an answer that the client broke off, up to 1 MB less."""
    connections: int
    """That were opened."""
    most_open: int
    """Connections at one time."""
    most_in_flight: int
    """Requests being answered at one time, their latency included."""
    faults: dict[str, int]
    """Faults that struck, per kind."""
    cpu_s: float
    """Processor seconds of the server."""


@dataclass(frozen=True)
class RangeServer:
    """A running server."""

    url: str
    """Its address, without a slash at the end."""
    control: str
    """Where it is asked and set, apart from what it serves."""

    def counts(self) -> ServerCounts:
        """What it saw so far."""
        return ServerCounts(**self._ask("counts"))

    def log(self) -> list[Request]:
        """All requests so far, in the order in which they came."""
        return [Request(*line) for line in self._ask("log")]

    def reset(self) -> None:
        """Count, log and number the attempts from nothing."""
        self._ask("reset", {})

    def set(self, **settings: Any) -> None:
        """Change what `serve_ranges` was given, from the next request on.

        Args:
            **settings: Any of `latency_s`, `connect_s`, `bytes_per_s`, `faults`, `seed`.
        """
        self._ask("set", _plain(settings))

    def _ask(self, name: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.control}/{name}", data=data, timeout=30) as answer:
            return json.loads(answer.read())


@contextmanager
def serve_ranges(
    folder: Path,
    *,
    latency_s: float = 0.0,
    connect_s: float = 0.0,
    bytes_per_s: float | None = None,
    faults: Sequence[Fault] = (),
    seed: int = 0,
) -> Iterator[RangeServer]:
    """Serve the files below a folder from a process of its own, on ports that nobody has.

    Args:
        folder: Its files may change while it is served.
        latency_s: Waited before each answer.
        connect_s: Waited before the first answer of each connection, once more.
        bytes_per_s: Of all connections together; no limit where none.
        faults: Tried in this order.
        seed: Of the requests that faults strike.
    """
    settings = {"latency_s": latency_s, "connect_s": connect_s, "bytes_per_s": bytes_per_s, "faults": faults, "seed": seed}
    command = [sys.executable, "-m", "tests.range_process", str(Path(folder).resolve()), json.dumps(_plain(settings))]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            ports = process.stdout.readline().split() if process.stdout else []
            if len(ports) != 2:
                raise RuntimeError(f"The range server of {folder} did not start: see its words on stderr.")
            yield RangeServer(*(f"http://127.0.0.1:{port}" for port in ports))
        finally:
            process.terminate()


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    if "faults" in settings:
        settings = settings | {"faults": [asdict(fault) for fault in settings["faults"]]}
    return settings
