"""The reader over a real transport and a real server with faults: pixels are those of the files, and threads end."""

import threading
import time

import numpy as np
import pytest
import rasterio.shutil

from catalogs.foreign import SourceBand
from curate.errors import SourceUnavailableError, StoppedError
from curate.reading.reader import BlockReader, WindowRead
from curate.reading.retries import Patience
from curate.reading.transport import Transport
from tests.curate.reading.disk import by_rasterio, cut_out, read_all, write_raster
from tests.range_server import Fault, serve_ranges

NAMES = [f"scene-{scene}/B0{band}.tif" for scene in range(2) for band in range(2, 5)]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Six COGs and their pixels."""
    folder = tmp_path_factory.mktemp("scenes")
    for number, name in enumerate(NAMES):
        write_raster(folder / "plain.tif", size=(900, 900), seed=number)
        (folder / name).parent.mkdir(exist_ok=True)
        rasterio.shutil.copy(
            folder / "plain.tif", folder / name, driver="COG", blocksize=256, compress="deflate", predictor="yes"
        )
    return folder, {name: by_rasterio(folder / name)[0] for name in NAMES}


def reads_of(url, count=12):
    rng = np.random.default_rng(0)
    places = [(int(rng.integers(0, 850)), int(rng.integers(0, 850)), 44, 44) for _ in range(count)]
    return [((name, window), WindowRead(SourceBand(f"{url}/{name}"), window)) for name in NAMES for window in places]


def test_a_third_of_all_requests_fails_and_no_pixel_does(scenes):
    folder, pixels = scenes
    faults = [
        Fault("status", share=0.1, status=503, first=1),
        Fault("status", share=0.1, status=429, headers={"Retry-After": "0"}, first=1),
        Fault("reset", share=0.1, first=1),
        Fault("truncate", share=0.1, first=1),
    ]
    patience = Patience(base_s=0.01, longest_s=0.05)
    with serve_ranges(folder, faults=faults, seed=3) as server, Transport(patience=patience) as transport:
        found = read_all(BlockReader(transport, fetchers=8), reads_of(server.url))
        assert sum(server.counts().faults.values()) >= 6
    for (name, window), array in found.items():
        assert np.array_equal(array, cut_out(pixels[name], window))


def test_flipped_bits_of_blocks_are_fetched_again(scenes):
    folder, pixels = scenes
    with serve_ranges(folder) as server, Transport() as transport:
        reader = BlockReader(transport, fetchers=8)
        reader.rasters([read.band for _, read in reads_of(server.url)])
        server.set(faults=[Fault("flip", share=0.4, first=1)])
        found = read_all(reader, reads_of(server.url))
        assert server.counts().faults["flip"] >= 3
    for (name, window), array in found.items():
        assert np.array_equal(array, cut_out(pixels[name], window))


def test_requests_and_bytes_are_those_of_the_plan(scenes):
    folder, _ = scenes
    with serve_ranges(folder) as server, Transport() as transport:
        reader = BlockReader(transport)
        reads = reads_of(server.url, 30)
        read_all(reader, reads)
        counts = server.counts()
    headers = reader._headers.read_all(read.band.href for _, read in reads)
    blocks = {
        (read.band.href, number): int(headers[read.band.href].packing.sizes[number])
        for _, read in reads
        for number in headers[read.band.href].cuts[0].touched(read.window)
    }
    assert counts.requests <= len(NAMES) + len(blocks)
    assert counts.bytes <= 1.02 * sum(blocks.values()) + 16_384 * len(NAMES)


def test_a_missing_file_spoils_its_own_windows(scenes):
    folder, pixels = scenes
    with serve_ranges(folder) as server, Transport() as transport:
        missing = [("no", WindowRead(SourceBand(f"{server.url}/no.tif?sig=secret"), (0, 0, 5, 5)))]
        found = read_all(BlockReader(transport), missing + reads_of(server.url))
    error = found.pop("no")
    assert isinstance(error, SourceUnavailableError)
    assert "no.tif" in str(error)
    assert "secret" not in str(error)
    assert all(np.array_equal(array, cut_out(pixels[name], window)) for (name, window), array in found.items())


def test_stopping_the_transport_ends_a_reading_at_once(scenes):
    folder, _ = scenes
    with serve_ranges(folder) as server, Transport() as transport:
        reader = BlockReader(transport)
        reader.rasters([read.band for _, read in reads_of(server.url)])
        server.set(latency_s=60.0)
        threading.Timer(0.3, transport.stop).start()
        began = time.monotonic()
        with pytest.raises(StoppedError):
            list(reader.read(reads_of(server.url)))
        assert time.monotonic() - began < 20
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("reading")]
