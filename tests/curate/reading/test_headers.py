"""Headers are fetched once each, at the same time, kept by address, and left to GDAL where it takes GDAL."""

import threading
import time

import pytest
import rasterio
from rasterio import Affine

from curate.errors import SourceUnavailableError, StoppedError
from curate.reading.headers import HEADER_BYTES, KEPT_BYTES, KEPT_HEADERS, Headers
from curate.reading.tiff_layout import FileHeader
from curate.reading.transport import Fetched
from tests.curate.reading.disk import ROOT, DiskTransport, write_raster

TILED = {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}


def header_of(folder, name="a.tif", root=ROOT):
    return Headers(DiskTransport(folder), fetchers=4).read_all([root + name])[root + name]


def test_a_header_is_fetched_once_whoever_asks_and_with_whatever_signature(tmp_path):
    write_raster(tmp_path / "a.tif", **TILED)
    transport = DiskTransport(tmp_path)
    headers = Headers(transport, fetchers=4)
    first = headers.read_all([f"{ROOT}a.tif?sig=one", f"{ROOT}a.tif?sig=one"])
    second = headers.read_all([f"{ROOT}a.tif?sig=two"])
    assert first[f"{ROOT}a.tif?sig=one"] is second[f"{ROOT}a.tif?sig=two"]
    assert transport.ranges == [("a.tif", 0, HEADER_BYTES)]


def test_threads_that_ask_at_the_same_time_share_one_request(tmp_path):
    write_raster(tmp_path / "a.tif", **TILED)
    transport = DiskTransport(tmp_path)
    headers = Headers(transport, fetchers=4)
    go = threading.Event()
    transport.fault = lambda name, start, end, part: (go.wait(5), part)[1]
    found = []
    threads = [threading.Thread(target=lambda: found.append(headers.read_all([ROOT + "a.tif"]))) for _ in range(6)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(transport.ranges) == 1


def test_many_headers_are_fetched_at_the_same_time(tmp_path):
    for number in range(6):
        write_raster(tmp_path / f"{number}.tif", **TILED)
    transport = DiskTransport(tmp_path)
    together = threading.Barrier(4)
    calls = iter(range(6))

    def meet(name, start, end, part):
        if next(calls) < 4:
            together.wait(timeout=10)
        return part

    transport.fault = meet
    Headers(transport, fetchers=4).read_all([f"{ROOT}{number}.tif" for number in range(6)])
    assert transport.most_at_once == 4


@pytest.mark.parametrize(("soon_s", "least", "most"), [(10.0, 1, 1), (0.002, 20, 32)], ids=["soon", "late"])
def test_more_threads_read_where_no_header_comes_soon(tmp_path, monkeypatch, soon_s, least, most):
    monkeypatch.setattr("curate.reading.headers.SOON_S", soon_s)
    write_raster(tmp_path / "a.tif", **TILED)
    for number in range(32):
        (tmp_path / f"{number}.tif").symlink_to(tmp_path / "a.tif")
    transport = DiskTransport(tmp_path)
    transport.fault = lambda name, start, end, part: (time.sleep(0.05), part)[1]
    headers = Headers(transport, fetchers=64).read_all(f"{ROOT}{number}.tif" for number in range(32))
    assert all(isinstance(header, FileHeader) for header in headers.values())
    assert least <= transport.most_at_once <= most


def test_what_stops_a_reading_is_told_to_who_waits_for_any_header(tmp_path):
    transport = DiskTransport(tmp_path)
    for name in "abcdef":
        write_raster(tmp_path / f"{name}.tif", **TILED)

    def stop(name, start, end, part):
        if name >= "c.tif":
            raise StoppedError("stopped")
        return part

    transport.fault = stop
    headers = Headers(transport, fetchers=2).read_each(f"{ROOT}{name}.tif" for name in "abcdef")
    assert [href for href, _ in (next(headers), next(headers))] == [f"{ROOT}a.tif", f"{ROOT}b.tif"]
    with pytest.raises(StoppedError, match="stopped"):
        next(headers)


@pytest.mark.parametrize("others", [0, 3])
def test_what_gdal_waits_for_holds_nobody_once_the_transport_is_stopped(tmp_path, monkeypatch, others):
    transport, is_begun, go = DiskTransport(tmp_path), threading.Semaphore(0), threading.Event()
    hrefs = [f"{ROOT}{number}.jp2" for number in range(others + 1)]
    for number in range(others + 1):
        (tmp_path / f"{number}.jp2").write_bytes(bytes(99))
    monkeypatch.setattr("curate.reading.headers.gdal_header", lambda *_, **__: (is_begun.release(), go.wait(60)))
    headers, stopped = Headers(transport, fetchers=4), []

    def ask():
        with pytest.raises(StoppedError, match="Headers are not waited for any more: the transport was stopped"):
            headers.read_all(hrefs)
        stopped.append(True)

    threads = [threading.Thread(target=ask) for _ in range(2)]  # of which one waits for what the other reads
    for thread in threads:
        thread.start()
    for _ in hrefs:
        assert is_begun.acquire(timeout=10)
    transport.is_stopped = True
    for thread in threads:
        thread.join(10)
    assert stopped == [True, True]
    go.set()


def test_gdal_is_told_when_nobody_waits_for_a_header(tmp_path, monkeypatch):
    transport, told = DiskTransport(tmp_path), []
    (tmp_path / "a.jp2").write_bytes(bytes(99))

    def read(href, is_over, *, is_placed):
        told.append(is_over())
        transport.is_stopped = True
        told.append(is_over())
        raise SourceUnavailableError("no raster")

    monkeypatch.setattr("curate.reading.headers.gdal_header", read)
    assert str(Headers(transport, fetchers=1).read_all([ROOT + "a.jp2"])[ROOT + "a.jp2"]) == "no raster"
    assert told == [False, True]


def test_headers_that_nobody_waits_for_any_more_are_not_fetched(tmp_path):
    transport = DiskTransport(tmp_path)
    for number in range(40):
        write_raster(tmp_path / f"{number}.tif", **TILED)
    go = threading.Event()
    transport.fault = lambda name, start, end, part: (name == "0.tif" or go.wait(20), part)[1]
    headers = Headers(transport, fetchers=3).read_each(f"{ROOT}{number}.tif" for number in range(40))
    next(headers)
    headers.close()
    go.set()
    for thread in [thread for thread in threading.enumerate() if thread.name.startswith("header")]:
        thread.join(10)
    assert len(transport.ranges) <= 5


def test_a_failure_is_not_kept(tmp_path):
    headers = Headers(DiskTransport(tmp_path), fetchers=4)
    assert isinstance(headers.read_all([ROOT + "a.tif"])[ROOT + "a.tif"], SourceUnavailableError)
    write_raster(tmp_path / "a.tif", **TILED)
    assert headers.read_all([ROOT + "a.tif"])[ROOT + "a.tif"].grid.shape == (300, 340)


def test_the_oldest_headers_are_dropped(tmp_path, monkeypatch):
    assert KEPT_HEADERS > 1000
    monkeypatch.setattr("curate.reading.headers.KEPT_HEADERS", 2)
    for name in "abc":
        write_raster(tmp_path / f"{name}.tif", **TILED)
    transport = DiskTransport(tmp_path)
    headers = Headers(transport, fetchers=1)
    for name in "abacab":
        headers.read_all([f"{ROOT}{name}.tif"])
    assert [name for name, _, _ in transport.ranges] == ["a.tif", "b.tif", "c.tif", "b.tif"]


def test_the_oldest_headers_are_dropped_where_all_take_too_much_memory(tmp_path, monkeypatch):
    assert KEPT_BYTES >= 8192 * 4096
    for name in "abc":
        write_raster(tmp_path / f"{name}.tif", **TILED)
    nbytes = header_of(tmp_path).packing.nbytes
    assert nbytes == 2 * 8 * 19 * 22
    monkeypatch.setattr("curate.reading.headers.KEPT_BYTES", int(2.5 * nbytes))
    transport = DiskTransport(tmp_path)
    headers = Headers(transport, fetchers=1)
    for name in "abacab":
        found = headers.read_all([f"{ROOT}{name}.tif"])[f"{ROOT}{name}.tif"]
    assert [name for name, _, _ in transport.ranges] == ["a.tif", "b.tif", "c.tif", "b.tif"]
    for _ in range(9):
        found = headers.renew(f"{ROOT}b.tif", found)
    headers.read_all([f"{ROOT}a.tif"])
    assert [name for name, _, _ in transport.ranges[4:]] == ["b.tif"] * 9
    assert headers._kept_bytes == 2 * nbytes


@pytest.mark.parametrize("options", [{}, {"bigtiff": "yes"}, {"endianness": "big"}])
def test_what_lies_beyond_the_first_bytes_is_fetched_where_it_is(tmp_path, options):
    write_raster(tmp_path / "a.tif", size=(800, 1000), **TILED, **options)
    transport = DiskTransport(tmp_path)
    header = Headers(transport, fetchers=1).read_all([ROOT + "a.tif"])[ROOT + "a.tif"]
    assert len(header.packing.offsets) == len(header.packing.sizes) == 50 * 63
    assert HEADER_BYTES < 8 * 50 * 63
    assert 2 <= len(transport.ranges) <= 3
    assert transport.ranges[1][1] == HEADER_BYTES, "nothing is fetched twice"
    assert transport.bytes < HEADER_BYTES + 17 * 50 * 63


def test_a_header_at_the_end_of_the_file_is_found(tmp_path):
    write_raster(tmp_path / "a.tif", size=(400, 400), compress="none")
    with rasterio.open(tmp_path / "a.tif", "r+") as raster:
        raster.update_tags(note="long" * 3000)
    content = (tmp_path / "a.tif").read_bytes()
    assert int.from_bytes(content[4:8], "little") > HEADER_BYTES
    header = header_of(tmp_path)
    assert header.packing is not None
    assert (header.grid.shape, header.size, header.etag) == ((400, 400), len(content), "one")


def test_a_file_that_changes_between_two_ranges_of_its_header_is_read_again_and_then_refused(tmp_path):
    write_raster(tmp_path / "a.tif", size=(800, 1000), **TILED)

    class Changing(DiskTransport):
        changes = 1

        def fetch(self, href, start, end):
            found = super().fetch(href, start, end)
            if start and self.changes:
                self.changes -= 1
                self.etags["a.tif"] = f"before change {self.changes}"
                return Fetched(found.content, "another", found.size)
            return found

    assert Headers(Changing(tmp_path), fetchers=1).read_all([ROOT + "a.tif"])[ROOT + "a.tif"].packing is not None
    always = Changing(tmp_path)
    always.changes = 99
    error = Headers(always, fetchers=1).read_all([ROOT + "a.tif"])[ROOT + "a.tif"]
    assert "https://store.test/a.tif was replaced 2 times while its header was read; expected a file that stays" in str(error)


@pytest.mark.parametrize("name", ["GTiff", "PNG"])
def test_what_has_no_place_or_is_turned_is_told_in_the_words_of_every_source(tmp_path, name):
    path = f"{tmp_path}/a.tif"
    write_raster(tmp_path / "a.tif", transform=Affine(10, 2, 0, 1, -10, 0))
    assert "is rotated or upside down (transform 10.0, 2.0, 1.0, -10.0); expected north up" in str(header_of(tmp_path))
    write_raster(tmp_path / "a.tif", transform=Affine(10, 0, 0, 0, -20, 0))
    assert "has pixels of 10 x 20; expected squares. Warp it with `gdalwarp -tr 10 10`" in str(header_of(tmp_path))
    write_raster(tmp_path / "a.tif", crs="+proj=laea +lat_0=11 +lon_0=7")
    error = header_of(tmp_path, path, root="")
    assert "where a coordinate system with an EPSG code was expected" in str(error)


def test_a_local_file_that_is_not_there_is_told_in_the_words_of_every_source(tmp_path):
    path = f"{tmp_path}/no.tif"
    transport = DiskTransport(tmp_path)
    error = Headers(transport, fetchers=1).read_all([path])[path]
    assert "no.tif does not exist" in str(error)
    assert "Expected the file that its item names; restore it" in str(error)
    assert not transport.ranges


def test_a_renewed_header_is_fetched_once_by_all_who_hold_the_stale_one(tmp_path):
    write_raster(tmp_path / "a.tif", **TILED)
    transport = DiskTransport(tmp_path)
    headers = Headers(transport, fetchers=1)
    stale = headers.read_all([ROOT + "a.tif"])[ROOT + "a.tif"]
    new = headers.renew(ROOT + "a.tif", stale)
    assert new is not stale
    assert headers.renew(ROOT + "a.tif", stale) is new
    assert len(transport.ranges) == 2
