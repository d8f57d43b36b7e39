"""What no reader can pass: the time of plain GETs of the needed ranges, and the speed of decoding on one core."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from tests.benchmarks.curation.scenes import BLOCK
from tests.benchmarks.curation.tasks import Task, block_range, needed_ranges

CONNECTIONS = 64
HEADER_BYTES = 16 << 10
DECODED_BLOCKS = 24
FOLDER = "SEASTARS_BENCHMARK_FOLDER"
"""Environment variable: where the scenes lie, for the ranges."""


def gets(task: Task) -> Callable[[], list[NDArray[Any]]]:
    """The header and the needed ranges of each file, 64 at once; nothing is decoded, so no array comes of it."""
    import urllib3

    ranges = needed_ranges(Path(os.environ[FOLDER]), task)
    asked = [(path, pair) for path, pairs in ranges.items() for pair in [(0, HEADER_BYTES), *pairs]]
    server = urlsplit(task.url)
    assert server.hostname is not None
    pool = urllib3.HTTPConnectionPool(server.hostname, server.port, maxsize=CONNECTIONS, block=True)

    def get(one: tuple[str, tuple[int, int]]) -> int:
        path, (start, end) = one
        answer = pool.request("GET", f"/{path}", headers={"Range": f"bytes={start}-{end - 1}"})
        assert answer.status == 206
        return len(answer.data)

    def run() -> list[NDArray[Any]]:
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            sum(threads.map(get, asked))
        return []

    return run


LIMITS: dict[str, Callable[[Task], Callable[[], list[NDArray[Any]]]]] = {"gets": gets}


def decode_speed(path: Path) -> dict[str, float]:
    """Decoded MB per CPU second of one core, over some whole blocks of a 10 m band.

    Returns:
        `deflate`: libdeflate with its checksum, then the predictor by numpy. `gdal`: its block reads from the local file.
    """
    import deflate

    with rasterio.open(path) as file:
        across = file.width // BLOCK
        blocks = [divmod(number, across)[::-1] for number in range(min(DECODED_BLOCKS, across * (file.height // BLOCK)))]
        places = [block_range(file, *block) for block in blocks]
    content = path.read_bytes()
    compressed = [content[start:end] for start, end in places]
    size = BLOCK * BLOCK * 2

    def inflate() -> None:
        for block in compressed:
            rows = np.frombuffer(deflate.zlib_decompress(block, size), "<u2").reshape(BLOCK, BLOCK)
            np.cumsum(rows, axis=1, dtype=np.uint16)

    def read() -> None:
        with rasterio.open(path) as file:
            for x, y in blocks:
                file.read(1, window=Window(x * BLOCK, y * BLOCK, BLOCK, BLOCK))

    return {name: len(blocks) * size / 1e6 / _fastest(step) for name, step in {"deflate": inflate, "gdal": read}.items()}


def _fastest(step: Callable[[], None]) -> float:
    times = []
    for _ in range(3):
        start = time.process_time()
        step()
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    import sys

    print(json.dumps(decode_speed(Path(sys.argv[1]))))
