"""What GDAL fetches is counted as it fetches it: the server is the judge."""

import pytest

from curate.reading import gdal_counts
from curate.reading.gdal_blocks import gdal_header
from curate.reading.gdal_counts import LONGEST, NetworkCounts, begin_counting, fetched_by_gdal
from curate.reading.headers import HEADER_BYTES
from curate.reading.reader import BlockReader
from curate.reading.transport import Transport
from tests.curate.reading.disk import read_all, wishes, write_raster
from tests.range_server import serve_ranges

LZW = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "lzw"}
JP2 = {"driver": "JP2OpenJPEG", "quality": "100", "reversible": "yes", "blockxsize": 256, "blockysize": 256}
FILES = {"a.tif": LZW, "a.jp2": JP2}
SIDE = 1024
WINDOWS = [(200, 200, 100, 100), (900, 900, 100, 100)]
"""Five of 16 blocks."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rasters")
    for name, options in FILES.items():
        write_raster(folder / name, size=(SIDE, SIDE), **options)
    return folder


@pytest.fixture(scope="module")
def server(folder):
    with serve_ranges(folder) as running:
        yield running


def read(href):
    """The counts of a reading of some windows."""
    with Transport() as transport:
        found = read_all(BlockReader(transport), wishes(href, WINDOWS))
        assert not any(isinstance(each, Exception) for each in found.values())
        return transport.counts.snapshot()


@pytest.mark.skipif(begin_counting() is None, reason="this GDAL cannot be asked what it fetches")
@pytest.mark.parametrize("longest", [LONGEST, 0])
@pytest.mark.parametrize("name", FILES)
def test_counts_are_those_of_the_server(server, monkeypatch, name, longest):
    monkeypatch.setattr(gdal_counts, "LONGEST", longest)
    fetched_by_gdal.take()
    server.reset()
    counts, served = read(f"{server.url}/{name}?longest={longest}"), server.counts()
    assert (counts.requests, counts.bytes) == (served.requests, served.bytes)
    assert counts.requests > 4
    assert fetched_by_gdal.take() == (0, 0)


@pytest.mark.skipif(begin_counting() is None, reason="this GDAL cannot be asked what it fetches")
def test_what_was_begun_anew_by_others_is_not_subtracted(server):
    counts = NetworkCounts()
    gdal_header(f"{server.url}/a.jp2?first")
    first = counts.take()
    begin_counting().VSINetworkStatsReset()
    assert counts.take() == (0, 0)
    gdal_header(f"{server.url}/a.jp2?second")
    again = counts.take()
    assert 0 < again[0] <= first[0]
    assert 0 < again[1] <= first[1]
    fetched_by_gdal.take()


def test_where_gdal_cannot_be_asked_blocks_count_as_in_the_mean(server, folder, monkeypatch):
    monkeypatch.setattr(gdal_counts, "begin_counting", lambda: None)
    assert NetworkCounts().take() is None
    counts = read(f"{server.url}/a.jp2?unasked")
    assert counts.requests == 1 + 5
    assert counts.bytes == HEADER_BYTES + 5 * ((folder / "a.jp2").stat().st_size // 16)


@pytest.mark.parametrize("missing", [AttributeError, ImportError, OSError])
def test_a_library_without_these_functions_is_not_asked(monkeypatch, missing):
    def fail(_):
        raise missing("no such thing")

    monkeypatch.setattr(gdal_counts, "import_module", fail)
    assert begin_counting.__wrapped__() is None
