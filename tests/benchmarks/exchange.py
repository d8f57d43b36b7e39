"""Cost of asking for a range, beside urllib3's own way: `python -m tests.benchmarks.exchange`.

CPU time of one core that asks a server on the same machine for range after range of a file, over a connection that stands:
short ones as of headers, and long ones as of blocks. Both ways are the reader's own (`curate.reading.ranges.ask_range`), which
check the same of what comes; they take turns.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from unittest.mock import patch

from urllib3 import HTTPConnectionPool

from curate.reading.addresses import Place, place_of
from curate.reading.arenas import limit_arenas
from curate.reading.connections import OpenSockets, open_pool
from curate.reading.ranges import ask_range
from curate.reading.retries import Patience
from tests.benchmarks.machine import asked, describe_machine
from tests.range_server import serve_ranges

LENGTHS = {"header": 16 << 10, "block": 1_400_000}
TURNS, REQUESTS = 7, 60


def compare(length: int) -> tuple[float, float]:
    """Median CPU seconds of a request, ours and urllib3's."""
    with TemporaryDirectory() as folder, serve_ranges(Path(folder)) as server:
        (Path(folder) / "B02.tif").write_bytes(bytes(2 * length))
        place = place_of(f"{server.url}/B02.tif")
        turns = [(_measure(place, length), _by_urllib3(place, length)) for _ in range(TURNS + 1)]
    ours, urllib3s = zip(*turns[1:], strict=True)  # the first is for the machine to get warm
    return median(ours), median(urllib3s)


def _by_urllib3(place: Place, length: int) -> float:
    with patch("curate.reading.exchange.ask_for_range", return_value=None):
        return _measure(place, length)


def _measure(place: Place, length: int) -> float:
    with _pool(place) as pool:
        ask_range(pool, place, 0, length)
        began = time.process_time()
        for number in range(REQUESTS):
            assert len(ask_range(pool, place, number, number + length).content) == length
        return (time.process_time() - began) / REQUESTS


@contextmanager
def _pool(place: Place) -> Iterator[HTTPConnectionPool]:
    pool = open_pool(place, 1, Patience(), OpenSockets(lambda: None))
    try:
        yield pool
    finally:
        pool.close()


def main() -> None:
    """Measure and print."""
    limit_arenas()
    print(describe_machine())
    print("| ms of CPU | ours | urllib3 | times |\n| --- | --- | --- | --- |")
    for name, length in LENGTHS.items():
        mine, urllib3s = compare(length)
        print(f"| {name} of {length / 1e3:,.0f} KB | {1e3 * mine:.2f} | {1e3 * urllib3s:.2f} | {urllib3s / mine:.1f} |")


if __name__ == "__main__":
    asked(__doc__)
    main()
